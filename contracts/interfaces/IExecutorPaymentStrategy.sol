// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

/**
 * @title Executor payment strategy (EPS)
 * @notice Prices an executor's transaction. The signature is the one published with ChugSplash.
 */
interface IExecutorPaymentStrategy {
    /**
     * @notice Returns what an executor is paid for a transaction.
     * @param project the contract that pays.
     * @param bundleId the bundle that was worked on.
     * @param gasUsed gas units of the transaction, as the project measured them.
     * @param timeElapsedSeconds seconds since the executor was selected.
     * @return payment in wei.
     */
    function computeExecutorPayment(
        address project,
        bytes32 bundleId,
        uint256 gasUsed,
        uint256 timeElapsedSeconds
    ) external view returns (uint256 payment);
}
