// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IRegistry} from "contracts/interfaces/IRegistry.sol";

/// A user who calls back when a refund reaches it. A refund has little gas, too little to look anything up:
/// what it does is fixed in its code.
contract RefundReentrant {
    enum Trick {
        Withdraw,
        /// the same, and insists on it
        WithdrawOrRevert,
        SendBack,
        Execute,
        /// ETH too, but before it is paid, when it has the gas for it; and would not mind if it were taken
        SendAhead
    }

    IRegistry private immutable REGISTRY;
    Trick private immutable TRICK;
    bool public attempted;

    constructor(IRegistry registry, Trick trick) payable {
        (REGISTRY, TRICK) = (registry, trick);
    }

    function register(bytes calldata call_, uint256 value) external {
        (bool success,) = address(REGISTRY).call{value: value}(call_);
        require(success, "not registered");
    }

    receive() external payable {
        bool success;
        if (TRICK == Trick.SendAhead) {
            if (msg.value == 0) (success,) = address(REGISTRY).call{value: 1}("");
            return;
        }
        if (TRICK == Trick.SendBack) {
            (success,) = address(REGISTRY).call{value: 1}("");
        } else if (TRICK == Trick.Execute) {
            (success,) = address(REGISTRY)
                .call(abi.encodeCall(IRegistry.executeHashedReqs, (new IRegistry.Execution[](0))));
        } else {
            (success,) = address(REGISTRY).call(abi.encodeCall(IRegistry.withdraw, (payable(this))));
        }
        require(TRICK != Trick.WithdrawOrRevert || success, "could not re-enter");
        // Re-entering must have failed.
        require(!success, "re-entered");
    }
}
