// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IRegistry} from "../interfaces/IRegistry.sol";

/**
 * Where a Request's encoding lies in memory. In words: 0x20 | user | target | referer | 0x140 | initEthSent |
 * ethForCall | verifyUser | insertFeeAmount | payWithAUTO | isAlive | length of callData | callData, padded
 * with zeros. Only a canonical encoding has a registered hash: once that is checked, the fields are clean.
 */
type EncodedRequest is uint256;

using {
    user,
    initEthSent,
    ethForCall,
    verifyUser,
    insertFeeAmount,
    payWithAUTO,
    isAlive,
    callDataWords
} for EncodedRequest global;

// The accessors read one word each, and are written so that the compiler can put them where they are used.

function user(EncodedRequest r) pure returns (address account) {
    assembly ("memory-safe") {
        account := mload(add(r, 0x20))
    }
}

function initEthSent(EncodedRequest r) pure returns (uint256 amountWei) {
    assembly ("memory-safe") {
        amountWei := mload(add(r, 0xa0))
    }
}

function ethForCall(EncodedRequest r) pure returns (uint256 amountWei) {
    assembly ("memory-safe") {
        amountWei := mload(add(r, 0xc0))
    }
}

function verifyUser(EncodedRequest r) pure returns (bool isSet) {
    assembly ("memory-safe") {
        isSet := mload(add(r, 0xe0))
    }
}

function insertFeeAmount(EncodedRequest r) pure returns (bool isSet) {
    assembly ("memory-safe") {
        isSet := mload(add(r, 0x100))
    }
}

function payWithAUTO(EncodedRequest r) pure returns (bool isSet) {
    assembly ("memory-safe") {
        isSet := mload(add(r, 0x120))
    }
}

function isAlive(EncodedRequest r) pure returns (bool isSet) {
    assembly ("memory-safe") {
        isSet := mload(add(r, 0x140))
    }
}

/// Where callData lies, and its length in words. Not to be asked for after `Requests.call`.
function callDataWords(EncodedRequest r) pure returns (uint256 start, uint256 words) {
    assembly ("memory-safe") {
        start := add(r, 0x180)
        words := shr(5, add(mload(add(r, 0x160)), 31))
    }
}

/**
 * @title Encoding of Requests
 * @notice A Request is stored as keccak256(abi.encode(request)). The encoding is laid out in memory once and
 * serves for the hash, for the log of a registration, for counting call data, and as the input of the call.
 */
library Requests {
    /// Bytes before callData.
    uint256 private constant HEAD = 0x180;

    /**
     * @notice Returns the length, padded to words, of the bytes in call data whose length lies at `position`.
     * @dev Beyond the end of call data lie zeros without end, which nobody sent: they must not be taken.
     */
    function paddedLength(uint256 position) internal pure returns (uint256 padded) {
        uint256 end;
        bool isCutOff;
        assembly ("memory-safe") {
            let length := calldataload(position)
            padded := and(add(length, 31), not(31))
            end := add(add(position, 0x20), padded)
            // A length that wraps around when it is rounded up is too large by itself.
            isCutOff := or(gt(end, calldatasize()), gt(length, calldatasize()))
        }
        require(!isCutOff, IRegistry.CallDataCutOff(msg.data.length, end));
    }

    /**
     * @notice Copies a Request's encoding from call data into memory and hashes it.
     * @dev Takes the bytes as they lie there. Only the canonical encoding has the registered hash, so a
     * caller who goes by the hash need not check what is within. One word behind the encoding is left free,
     * for the user that a forwarder appends.
     */
    function load(IRegistry.Request calldata request) internal pure returns (EncodedRequest r, bytes32 hash) {
        uint256 position;
        assembly ("memory-safe") {
            position := add(request, 0x140)
        }
        uint256 padded = paddedLength(position);
        assembly ("memory-safe") {
            r := mload(0x40)
            let size := add(padded, 0x160)
            mstore(r, 0x20)
            calldatacopy(add(r, 0x20), request, size)
            hash := keccak256(r, add(size, 0x20))
            mstore(0x40, add(r, add(size, 0x40)))
        }
    }

    /// @notice Lays out a new Request of `msg.sender` with `msg.value`, and hashes it.
    // Only the payable functions that register reach it.
    // slither-disable-next-line msg-value-in-nonpayable
    function create(
        address target_,
        address referer,
        bytes calldata callData,
        uint256 ethForCall_,
        bool verifyUser_,
        bool insertFeeAmount_,
        bool payWithAUTO_,
        bool isAlive_
    ) internal view returns (EncodedRequest r, bytes32 hash) {
        assembly ("memory-safe") {
            r := mload(0x40)
            mstore(r, 0x20)
            mstore(add(r, 0x20), caller())
            mstore(add(r, 0x40), target_)
            mstore(add(r, 0x60), referer)
            mstore(add(r, 0x80), 0x140)
            mstore(add(r, 0xa0), callvalue())
            mstore(add(r, 0xc0), ethForCall_)
            mstore(add(r, 0xe0), verifyUser_)
            mstore(add(r, 0x100), insertFeeAmount_)
            mstore(add(r, 0x120), payWithAUTO_)
            mstore(add(r, 0x140), isAlive_)
            mstore(add(r, 0x160), callData.length)
            let end := add(add(r, HEAD), callData.length)
            calldatacopy(add(r, HEAD), callData.offset, callData.length)
            mstore(end, 0) // the padding
            let size := add(and(add(callData.length, 31), not(31)), HEAD)
            hash := keccak256(r, size)
            mstore(0x40, add(add(r, size), 0x20))
        }
    }

    /**
     * @notice Emits `HashedReqAdded` for the caller's Request. Afterwards the encoding is spent.
     * @dev The event's data are the encoding from `target` on, where callData lies one word nearer.
     */
    function logAdded(EncodedRequest r, uint256 id) internal {
        bytes32 topic = IRegistry.HashedReqAdded.selector;
        assembly ("memory-safe") {
            mstore(add(r, 0x80), 0x120)
            let size := add(and(add(mload(add(r, 0x160)), 31), not(31)), 0x140)
            log3(add(r, 0x40), size, topic, id, caller())
        }
    }

    /// @notice Writes `value` over the word of callData at `index`; the caller knows that there is room.
    function insert(EncodedRequest r, uint256 index, uint256 value) internal pure {
        assembly ("memory-safe") {
            mstore(add(add(r, HEAD), index), value)
        }
    }

    /**
     * @notice Calls the Request's target through `forwarder` with all gas; the user is appended where he is
     * verified.
     * @dev The word before callData becomes the target, which makes the forwarder's input.
     */
    function call(EncodedRequest r, address forwarder) internal returns (bool success) {
        assembly ("memory-safe") {
            let input := add(r, 0x160)
            let size := add(mload(input), 32)
            mstore(input, mload(add(r, 0x40)))
            if mload(add(r, 0xe0)) {
                mstore(add(input, size), shl(96, mload(add(r, 0x20))))
                size := add(size, 20)
            }
            success := call(gas(), forwarder, mload(add(r, 0xc0)), input, size, 0, 0)
        }
    }
}
