// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

/**
 * @title Calls to contracts that may misbehave
 * @notice Gas is capped and never more than the stated part of what they return is copied.
 */
library BoundedCall {
    /// @notice Calls `target`; returns the first two words of its answer, 0 where it returned less.
    function call(address target, uint256 gasCap, bytes memory data)
        internal
        returns (bool success, uint256 size, uint256 first, uint256 second)
    {
        assembly ("memory-safe") {
            mstore(0, 0)
            mstore(0x20, 0)
            success := call(gasCap, target, 0, add(data, 32), mload(data), 0, 0x40)
            size := returndatasize()
            first := mload(0)
            second := mload(0x20)
        }
    }

    /// @notice Reads from `target`; returns the first word of its answer, 0 where it returned less.
    function read(address target, uint256 gasCap, bytes memory data)
        internal
        view
        returns (bool success, uint256 size, uint256 first)
    {
        assembly ("memory-safe") {
            mstore(0, 0)
            success := staticcall(gasCap, target, add(data, 32), mload(data), 0, 0x20)
            size := returndatasize()
            first := mload(0)
        }
    }

    /// @notice Returns at most `cap` bytes of what the last call returned.
    function returned(uint256 cap) internal pure returns (bytes memory data) {
        assembly ("memory-safe") {
            let size := returndatasize()
            if gt(size, cap) { size := cap }
            data := mload(0x40)
            mstore(0x40, add(data, and(add(size, 63), not(31))))
            mstore(data, size)
            returndatacopy(add(data, 32), 0, size)
        }
    }
}
