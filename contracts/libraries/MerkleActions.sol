// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

import {IChugSplashManager} from "../interfaces/IChugSplashManager.sol";

/**
 * @title The Merkle tree of a bundle's actions
 *
 * @dev LEAF. keccak256(keccak256(abi.encode(uint256 index, uint8 kind, address target, uint64 gas, bytes data))):
 * five words, the offset of `data` being 0xa0, then its length and its bytes, padded with zeros to a word.
 * Hashed twice, so that no leaf is ever the two children of a node. Index and kind are part of it, so equal
 * actions have different leaves, and the order comes from the index and never from the place in the tree.
 *
 * TREE. The leaves by ascending index are the lowest level. The nodes of a level are paired from the left; the
 * parent of a pair is keccak256(a ++ b), with the smaller of the two hashes as `a`. Where the number of nodes
 * is odd, the last one becomes, unchanged, the last of the next level. The level with one node is the root; the
 * root over a single action is its leaf. Nothing is padded. No actions have no root.
 *
 * PROOF. The siblings from the lowest level up, none for a level at which the node has no pair.
 */
library MerkleActions {
    /// Raised when there is nothing to compute a root of.
    error NoLeaves();
    /// Raised when a proof of a leaf is asked for that is not there.
    error NoSuchLeaf(uint256 index, uint256 leaves);

    /// @notice Returns the leaf of `action` at `index`.
    /// @dev Laid out in memory that is not kept: a batch's would else grow with all its data. Until something else
    /// is allocated, `action.data` lie at `dataStart`, padded with zeros.
    function leafOf(uint256 index, IChugSplashManager.Action calldata action)
        internal
        pure
        returns (bytes32 leaf, uint256 dataStart)
    {
        (IChugSplashManager.ActionKind kind, address target, uint64 committed) =
            (action.kind, action.target, action.gas);
        bytes calldata data = action.data;
        assembly ("memory-safe") {
            let encoded := mload(0x40)
            mstore(encoded, index)
            mstore(add(encoded, 0x20), kind)
            mstore(add(encoded, 0x40), target)
            mstore(add(encoded, 0x60), committed)
            mstore(add(encoded, 0x80), 0xa0)
            mstore(add(encoded, 0xa0), data.length)
            dataStart := add(encoded, 0xc0)
            mstore(add(dataStart, data.length), 0) // the padding
            calldatacopy(dataStart, data.offset, data.length)
            mstore(0, keccak256(encoded, add(0xc0, and(add(data.length, 31), not(31)))))
            leaf := keccak256(0, 0x20)
        }
    }

    /// @notice Returns the leaf of the action with these parts.
    function leafOf(
        uint256 index,
        IChugSplashManager.ActionKind kind,
        address target,
        uint64 gas,
        bytes memory data
    ) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(index, kind, target, gas, data))));
    }

    /// @notice Returns whether `leaf` is in the tree of `root`.
    function verify(bytes32 root, bytes32 leaf, bytes32[] calldata proof) internal pure returns (bool) {
        return MerkleProof.verifyCalldata(proof, root, leaf);
    }

    /// @notice Returns the root over `leaves`.
    function rootOf(bytes32[] memory leaves) internal pure returns (bytes32) {
        require(leaves.length != 0, NoLeaves());
        bytes32[] memory level = leaves;
        while (level.length > 1) level = _above(level);
        return level[0];
    }

    /// @notice Returns the proof of the leaf at `index` of `leaves`.
    function proofOf(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory proof) {
        require(index < leaves.length, NoSuchLeaf(index, leaves.length));
        bytes32[] memory siblings = new bytes32[](256);
        uint256 count;
        bytes32[] memory level = leaves;
        for (uint256 place = index; level.length > 1; place /= 2) {
            // The other one of the pair, not a power.
            // slither-disable-next-line incorrect-exp
            uint256 sibling = place ^ 1;
            if (sibling < level.length) siblings[count++] = level[sibling];
            level = _above(level);
        }
        proof = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            proof[i] = siblings[i];
        }
    }

    /// The level above.
    function _above(bytes32[] memory level) private pure returns (bytes32[] memory above) {
        above = new bytes32[]((level.length + 1) / 2);
        for (uint256 i; i < above.length; ++i) {
            uint256 left = 2 * i;
            above[i] = left + 1 == level.length
                ? level[left]
                : Hashes.commutativeKeccak256(level[left], level[left + 1]);
        }
    }
}
