// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

/**
 * @title Writing parts of storage slots
 */
library StorageWrite {
    /// Raised when a value is empty or goes beyond its slot.
    error InvalidValue(uint256 offset, uint256 length);

    /// @notice Writes `value` into `slot`, `offset` bytes from its lowest byte on; the other bytes stay.
    function write(bytes32 slot, uint256 offset, bytes memory value) internal {
        uint256 length = value.length;
        require(length != 0 && length <= 32 && offset <= 32 - length, InvalidValue(offset, length));
        assembly ("memory-safe") {
            // of `length` bytes, and then where they belong
            let mask := shr(shl(3, sub(32, length)), not(0))
            let shift := shl(3, offset)
            let word := shr(shl(3, sub(32, length)), mload(add(value, 32)))
            let kept := and(sload(slot), not(shl(shift, mask)))
            sstore(slot, or(kept, shl(shift, word)))
        }
    }
}
