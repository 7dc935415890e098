// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

import {IExecutorPaymentStrategy} from "./IExecutorPaymentStrategy.sol";

/**
 * @title What a payment strategy may say about itself
 * @notice Optional: a strategy without these is used all the same, where nobody insists.
 */
interface IExecutorPaymentTerms is IExecutorPaymentStrategy {
    /// @notice Returns the most wei that `totalGas` gas units, in whatever transactions, may be paid while the
    /// basefee is `maxGasPrice` at most.
    function maxPayment(uint256 totalGas, uint256 maxGasPrice) external view returns (uint256 payment);

    /// @notice Returns whether payments cover a fee for data that a chain takes outside the gas price. Where a
    /// chain takes one, planners and keepers refuse a strategy that does not.
    function coversDataFee() external view returns (bool);
}
