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
            let ones := 0x0101010101010101010101010101010101010101010101010101010101010101
            let low := 0x7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f
            for { let end := add(start, shl(5, words)) } lt(start, end) { start := add(start, 32) } {
                // Adding 0x7f to the low seven bits of a byte sets its highest bit unless they are all zero;
                // then add up those bits of the 32 bytes by multiplying.
                let w := mload(start)
                w := and(shr(7, or(add(and(w, low), low), w)), ones)
                nonZero := add(nonZero, shr(248, mul(w, ones)))
            }
        }
        // words * 32 bytes of one token each, and three more for every byte that is not zero
        unchecked {
            count = (words << 5) + 3 * nonZero;
        }
    }
}
