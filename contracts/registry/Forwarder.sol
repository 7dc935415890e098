// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IForwarder} from "../interfaces/IForwarder.sol";

/// @notice See IForwarder.
contract Forwarder is IForwarder {
    /// Bytes of a target's revert data that are passed on.
    uint256 private constant MAX_REASON = 256;
    /// Bytes of a delegation: a prefix of three and the delegate's address.
    uint256 private constant DELEGATION_BYTES = 23;

    /// @inheritdoc IForwarder
    address public immutable registry = msg.sender;

    receive() external payable {
        (bool success,) = registry.call{value: msg.value}("");
        require(success, EthNotAccepted());
    }

    // Not a named function: the Registry has the input ready in memory, and a selector with offset and length
    // would have to be encoded around it. The first byte of an address word is zero, which no function's
    // selector here begins with.
    fallback() external payable {
        require(msg.sender == registry, NotRegistry(msg.sender));
        address target;
        assembly ("memory-safe") {
            target := calldataload(0)
        }
        uint256 size = target.code.length;
        // An account that delegates (EIP-7702) has these bytes, and what runs is its delegate's code.
        if (size == DELEGATION_BYTES) size = _delegateSize(target, size);
        require(size != 0, TargetWithoutCode(target));
        // Memory is the callee's input and nothing else: this is the last thing that happens here.
        assembly {
            size := sub(calldatasize(), 32)
            calldatacopy(0, 32, size)
            if iszero(call(gas(), target, callvalue(), 0, size, 0, 0)) {
                size := returndatasize()
                if gt(size, MAX_REASON) { size := MAX_REASON }
                returndatacopy(0, 0, size)
                revert(0, size)
            }
            stop()
        }
    }

    /// The size of the code that runs where `account` delegates; else its own.
    function _delegateSize(address account, uint256 ownSize) private view returns (uint256 size) {
        size = ownSize;
        assembly ("memory-safe") {
            extcodecopy(account, 0, 0, 32)
            let word := mload(0)
            if eq(shr(232, word), 0xef0100) {
                size := extcodesize(and(shr(72, word), 0xffffffffffffffffffffffffffffffffffffffff))
            }
        }
    }
}
