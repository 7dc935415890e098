// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {CalldataGas} from "contracts/libraries/CalldataGas.sol";
import {Test} from "forge-std/Test.sol";

contract CalldataGasTest is Test {
    function _tokens(bytes memory data) private pure returns (uint256) {
        uint256 start;
        assembly ("memory-safe") {
            start := add(data, 32)
        }
        return CalldataGas.tokens(start, data.length / 32);
    }

    function testFuzz_WhenCounted_ItIsTheNaiveCount(bytes memory data, uint256 zeroed) public pure {
        data = bytes.concat(data, new bytes((32 - data.length % 32) % 32));
        uint256 naive;
        for (uint256 i; i < data.length; ++i) {
            // Random bytes are hardly ever zero: half of them are made so.
            if (zeroed >> (i % 256) & 1 == 0) data[i] = 0;
            naive += data[i] == 0 ? 1 : 4;
        }
        assertEq(_tokens(data), naive);
    }

    /// Each value of a byte, at each place in a word.
    function test_WhenAnyByteIsNotZero_ItIsSeen() public pure {
        for (uint256 place; place < 32; ++place) {
            for (uint256 value = 1; value < 256; ++value) {
                assertEq(_tokens(abi.encode(value << (8 * place))), 35);
            }
        }
    }

    function test_WhenThereIsNothing_ThereAreNoTokens() public pure {
        assertEq(_tokens(""), 0);
        assertEq(_tokens(new bytes(64)), 64);
        assertEq(_tokens(abi.encode(type(uint256).max)), 128);
    }
}
