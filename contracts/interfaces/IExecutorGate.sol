// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

import {IExecutorSelectionStrategy} from "./IExecutorSelectionStrategy.sol";

/**
 * @title Gate: a selection strategy that a Registry asks for leave
 * @notice A gate believes only its own Registry. The Registry asks once per call and may remember a grant
 * through the block that the gate names.
 */
interface IExecutorGate is IExecutorSelectionStrategy {
    /**
     * @notice Says whether `executor` may execute the Requests `ids` now. May record the turn's draw.
     * @dev Only the gate's own Registry may call. A gate whose answer depends on `ids`, or that may evict an
     * executor within its turn, answers no later block than this one; it allows a batch only when it allows
     * every id of it.
     * @return grantedUntil the last block of the grant: 0 refuses, this block's number grants this
     * transaction only, a later one is remembered by the Registry.
     * @return report whether `executed` is to be called after the execution. Honoured only with a grant for
     * this block alone.
     */
    function authorize(address executor, uint256[] calldata ids)
        external
        returns (uint48 grantedUntil, bool report);

    /**
     * @notice Tells the gate which Requests its executor has executed: how a gate learns of presence.
     * @dev Only the gate's own Registry may call, with a stated gas allowance; a failure changes nothing.
     * @param ids the Requests that succeeded, never empty.
     */
    function executed(address executor, uint256[] calldata ids) external;
}
