// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {DemoToken} from "contracts/examples/DemoToken.sol";
import {Vm} from "forge-std/Vm.sol";

/// Makes one prepared call the first time that it is triggered, and keeps what came of it.
abstract contract Hooked {
    address internal hookTarget;
    bytes internal hookData;
    address internal hookSender;
    bool public fired;
    bool public succeeded;
    bytes public result;

    /// `sender`: pretend to be it, if not zero. Not even then must the call do harm.
    function arm(address target, bytes memory data, address sender) external {
        (hookTarget, hookData, hookSender, fired) = (target, data, sender, false);
    }

    function _fire() internal {
        if (hookTarget == address(0) || fired) return;
        fired = true;
        if (hookSender != address(0)) {
            Vm(address(uint160(uint256(keccak256("hevm cheat code"))))).prank(hookSender);
        }
        (succeeded, result) = hookTarget.call(hookData);
    }
}

/// A token that calls back whenever it is moved.
contract HookedToken is DemoToken, Hooked {
    constructor() DemoToken("Hooked", "HOOK") {}

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from != address(0)) _fire();
    }
}

/// A wallet that calls back when it receives ETH.
contract HookedWallet is Hooked {
    receive() external payable {
        _fire();
    }
}

/// A wallet that takes no ETH.
contract RefusingWallet {}

/// Work that can be done once whenever it is set up.
contract Chore {
    error NothingToDo();

    bool public pending;
    uint256 public done;

    function setUp() external {
        pending = true;
    }

    function run() external {
        require(pending, NothingToDo());
        pending = false;
        ++done;
    }
}
