// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

/**
 * @title Source of the random seed of a turn
 * @notice A key is the number of the block whose randomness decides: the one before the turn.
 */
interface ISeedSource {
    /// Whether a seed can be had.
    enum Status {
        /// not yet: the block is not mined, or its seed is not proven
        Pending,
        /// the seed is known and will not change
        Known,
        /// it can never be known any more
        Lost
    }

    /// @notice Returns the seed that belongs to `key`; 0 unless its status is `Known`.
    function seedOf(uint256 key) external view returns (Status status, bytes32 seed);

    /**
     * @notice Returns for how many blocks up to and including `key` its seed may be foreseeable; constant.
     * @dev Stakes are frozen for so many blocks at the end of a turn.
     */
    function freezeBlocks() external view returns (uint256);
}
