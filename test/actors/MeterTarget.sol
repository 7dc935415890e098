// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

/// A target that writes a word and, when told to, pays ETH to its caller: an amount of its own, or the fee
/// that was inserted into the call.
contract MeterTarget {
    uint256 public count = 1;
    uint128 public giveBack;
    /// Where in the call data the fee lies that is paid on top; 0: none is.
    uint128 public feeIndex;

    constructor() payable {}

    function set(uint128 giveBack_, uint128 feeIndex_) external {
        (giveBack, feeIndex) = (giveBack_, feeIndex_);
    }

    fallback() external payable {
        ++count;
        uint256 amount = giveBack;
        uint256 index = feeIndex;
        if (index != 0) amount += uint256(bytes32(msg.data[index:index + 32]));
        if (amount != 0) {
            (bool success,) = msg.sender.call{value: amount}("");
            require(success, "not taken");
        }
    }

    receive() external payable {}
}
