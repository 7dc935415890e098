// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

/**
 * @title MaxBaseFee: a guard for work that can wait until gas is cheap
 * @notice Inherit it, and give a function the modifier. `GuardedCall` wraps it around other contracts' calls.
 */
abstract contract MaxBaseFee {
    /// Raised while the block's base fee exceeds `maxBaseFee`; both in wei per gas.
    error BaseFeeTooHigh(uint256 baseFee, uint256 maxBaseFee);

    /// Lets the call through while the base fee is at most `maxBaseFee` wei per gas.
    modifier whenBaseFeeAtMost(uint256 maxBaseFee) {
        _requireBaseFee(maxBaseFee);
        _;
    }

    function _requireBaseFee(uint256 maxBaseFee) internal view {
        require(block.basefee <= maxBaseFee, BaseFeeTooHigh(block.basefee, maxBaseFee));
    }
}
