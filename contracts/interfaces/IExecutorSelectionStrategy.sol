// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

// The executor that stands for everybody: the work is open to all.
address constant ANYONE = 0xFFfFfFffFFfffFFfFFfFFFFFffFFFffffFfFFFfF;

/**
 * @title Executor selection strategy (ESS)
 * @notice Names the executor for a piece of work. The signature is the one published with ChugSplash, so
 * that any strategy serves any project.
 */
interface IExecutorSelectionStrategy {
    /**
     * @notice Returns who may execute, and since when.
     * @dev A view computes what a draw that nobody has recorded yet would give.
     * @param project the contract the work belongs to: a ChugSplashManager, or a Registry.
     * @param bundleId the bundle; strategies that select per chain or per turn ignore it.
     * @return executor the selected executor; address(0): nobody; `ANYONE`: open to all.
     * @return selectedAt Unix time in seconds since which it is selected; 0 when nobody is.
     */
    function getSelectedExecutor(address project, bytes32 bundleId)
        external
        view
        returns (address executor, uint256 selectedAt);
}
