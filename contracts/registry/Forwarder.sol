// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IForwarder} from "../interfaces/IForwarder.sol";

/// @notice See IForwarder.
contract Forwarder is IForwarder {
    /// Bytes of a target's revert data that are passed on.
    uint256 private constant MAX_REASON = 256;

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
        require(target.code.length != 0, TargetWithoutCode(target));
        // Memory is the callee's input and nothing else: this is the last thing that happens here.
        assembly {
            let size := sub(calldatasize(), 32)
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
}
