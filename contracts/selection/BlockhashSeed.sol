// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ISeedSource} from "../interfaces/ISeedSource.sol";

/**
 * @title Block hashes as seeds: for development only
 * @notice NOT FOR PRODUCTION. Whoever builds the block before a turn can grind its hash at will: every change
 * of the block's content is another draw, and the stake barely matters (with 1 % of it and 500 variants the
 * builder's own executor wins 99 % of the turns). It serves local chains and tests, where no proof of a
 * block's randomness is to be had.
 *
 * @dev The EVM knows the hashes of the last 256 blocks. A turn of at most 256 blocks begins right after its
 * key, so that within the turn its seed is never lost.
 */
contract BlockhashSeed is ISeedSource {
    /// @inheritdoc ISeedSource
    uint256 public constant freezeBlocks = 0;

    /// @inheritdoc ISeedSource
    function seedOf(uint256 key) external view returns (Status status, bytes32 seed) {
        if (key >= block.number) return (Status.Pending, 0);
        seed = blockhash(key);
        status = seed == 0 ? Status.Lost : Status.Known;
    }
}
