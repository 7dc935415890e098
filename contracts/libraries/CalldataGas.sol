// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

/**
 * @title Tokens of call data
 * @notice EIP-7623 prices call data by tokens: one per zero byte, four per other byte.
 */
library CalldataGas {
    /// @notice Counts the tokens of `words` 32-byte words in memory from `start`.
    function tokens(uint256 start, uint256 words) internal pure returns (uint256 count) {
        uint256 nonZero;
        assembly ("memory-safe") {
            for { let end := add(start, shl(5, words)) } lt(start, end) { start := add(start, 32) } {
                // Fold the bits of every byte into its lowest one, then add up the 32 bytes by multiplying.
                let w := mload(start)
                w := or(w, shr(4, w))
                w := or(w, shr(2, w))
                w := or(w, shr(1, w))
                w := and(w, 0x0101010101010101010101010101010101010101010101010101010101010101)
                w := mul(w, 0x0101010101010101010101010101010101010101010101010101010101010101)
                nonZero := add(nonZero, shr(248, w))
            }
        }
        // words * 32 bytes of one token each, and three more for every byte that is not zero
        unchecked {
            count = (words << 5) + 3 * nonZero;
        }
    }
}
