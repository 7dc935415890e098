// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IRegistry} from "../interfaces/IRegistry.sol";

/**
 * @title Encoding of Requests
 * @notice A Request is stored as keccak256(abi.encode(request)). The encoding is laid out in memory once and
 * serves for the hash, for the log of a registration, for counting call data, and as the input of the call.
 *
 * From `pointer`, in words: 0x20 | user | target | referer | 0x140 | initEthSent | ethForCall | verifyUser |
 * insertFeeAmount | payWithAUTO | isAlive | length of callData | callData, padded with zeros.
 */
library Requests {
    /// Bytes before callData.
    uint256 private constant HEAD = 0x180;

    /**
     * @notice Copies a Request's encoding from call data into memory and hashes it.
     * @dev Takes the bytes as they lie there. Only the canonical encoding has the registered hash, so a
     * caller who goes by the hash need not check offsets or padding. One word behind the encoding is left
     * free, for the user that a forwarder appends.
     * @return pointer start of the encoding.
     * @return hash of it.
     */
    function load(IRegistry.Request calldata r) internal pure returns (uint256 pointer, bytes32 hash) {
        assembly ("memory-safe") {
            pointer := mload(0x40)
            let padded := and(add(calldataload(add(r, 0x140)), 31), not(31))
            let size := add(padded, 0x160)
            mstore(pointer, 0x20)
            calldatacopy(add(pointer, 0x20), r, size)
            hash := keccak256(pointer, add(size, 0x20))
            mstore(0x40, add(pointer, add(size, 0x40)))
        }
    }

    /// @notice Lays out a new Request of `msg.sender` with `msg.value`, and hashes it.
    function create(
        address target,
        address referer,
        bytes calldata callData,
        uint256 ethForCall,
        bool verifyUser,
        bool insertFeeAmount,
        bool payWithAUTO,
        bool isAlive
    ) internal view returns (uint256 pointer, bytes32 hash) {
        assembly ("memory-safe") {
            pointer := mload(0x40)
            mstore(pointer, 0x20)
            mstore(add(pointer, 0x20), caller())
            mstore(add(pointer, 0x40), target)
            mstore(add(pointer, 0x60), referer)
            mstore(add(pointer, 0x80), 0x140)
            mstore(add(pointer, 0xa0), callvalue())
            mstore(add(pointer, 0xc0), ethForCall)
            mstore(add(pointer, 0xe0), verifyUser)
            mstore(add(pointer, 0x100), insertFeeAmount)
            mstore(add(pointer, 0x120), payWithAUTO)
            mstore(add(pointer, 0x140), isAlive)
            mstore(add(pointer, 0x160), callData.length)
            let end := add(add(pointer, HEAD), callData.length)
            calldatacopy(add(pointer, HEAD), callData.offset, callData.length)
            mstore(end, 0) // the padding
            let size := add(and(add(callData.length, 31), not(31)), HEAD)
            hash := keccak256(pointer, size)
            mstore(0x40, add(add(pointer, size), 0x20))
        }
    }

    /**
     * @notice Emits `HashedReqAdded` from the encoding at `pointer`.
     * @dev The event's data are the encoding from `target` on, where callData lies one word nearer.
     */
    function logAdded(uint256 pointer, uint256 id) internal {
        bytes32 topic = IRegistry.HashedReqAdded.selector;
        assembly ("memory-safe") {
            mstore(add(pointer, 0x80), 0x120)
            let size := add(and(add(mload(add(pointer, 0x160)), 31), not(31)), 0x140)
            log3(add(pointer, 0x40), size, topic, id, caller())
        }
    }

    /// @notice Writes `value` over the word of callData at `index`; the caller knows that there is room.
    function insert(uint256 pointer, uint256 index, uint256 value) internal pure {
        assembly ("memory-safe") {
            mstore(add(add(pointer, HEAD), index), value)
        }
    }

    /**
     * @notice Calls the Request's target through `forwarder` with `value`, with all gas.
     * @dev The word before callData becomes the target, which makes the forwarder's input. Afterwards the
     * encoding is spent.
     * @param user appended to the call when not zero.
     */
    function call(uint256 pointer, address forwarder, address target, uint256 value, address user)
        internal
        returns (bool success)
    {
        assembly ("memory-safe") {
            let input := add(pointer, 0x160)
            let size := add(mload(input), 32)
            mstore(input, target)
            if user {
                mstore(add(input, size), shl(96, user))
                size := add(size, 20)
            }
            success := call(gas(), forwarder, value, input, size, 0, 0)
        }
    }
}
