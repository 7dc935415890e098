// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IRegistry} from "contracts/interfaces/IRegistry.sol";
import {EncodedRequest, Requests} from "contracts/libraries/Requests.sol";
import {Test} from "forge-std/Test.sol";

contract RequestsTest is Test {
    uint256 private constant LINE = uint256(keccak256("behind"));

    /// Loads from call data, with a mark in the memory behind.
    function load(IRegistry.Request calldata r)
        external
        pure
        returns (bytes memory encoding, bytes32 hash, bool inBounds)
    {
        uint256 free;
        assembly ("memory-safe") {
            free := mload(0x40)
        }
        EncodedRequest encoded;
        (encoded, hash) = Requests.load(r);
        uint256 size = 0x180 + (r.callData.length + 31) / 32 * 32;
        uint256 end;
        assembly ("memory-safe") {
            end := mload(0x40)
            encoding := end
            mstore(encoding, size)
            mcopy(add(encoding, 32), encoded, size)
            mstore(0x40, add(encoding, add(size, 32)))
        }
        inBounds = EncodedRequest.unwrap(encoded) == free && end == free + size + 32;
        assert(encoded.user() == r.user);
        assert(encoded.initEthSent() == r.initEthSent && encoded.ethForCall() == r.ethForCall);
        assert(encoded.verifyUser() == r.verifyUser && encoded.insertFeeAmount() == r.insertFeeAmount);
        assert(encoded.payWithAUTO() == r.payWithAUTO && encoded.isAlive() == r.isAlive);
        (uint256 start, uint256 words) = encoded.callDataWords();
        assert(start == free + 0x180 && words == (r.callData.length + 31) / 32);
    }

    function testFuzz_WhenLoaded_ItIsTheAbiEncoding(IRegistry.Request memory r) public view {
        (bytes memory encoding, bytes32 hash, bool inBounds) = this.load(r);
        assertEq(encoding, abi.encode(r));
        assertEq(hash, keccak256(abi.encode(r)));
        assertTrue(inBounds);
    }

    function create(IRegistry.Request calldata r) external payable returns (bytes32 hash, bool intact) {
        EncodedRequest encoded;
        (encoded, hash) = Requests.create(
            r.target,
            r.referer,
            r.callData,
            r.ethForCall,
            r.verifyUser,
            r.insertFeeAmount,
            r.payWithAUTO,
            r.isAlive
        );
        uint256[] memory behind = new uint256[](1);
        behind[0] = LINE;
        Requests.logAdded(encoded, 7);
        intact = behind[0] == LINE && behind.length == 1;
    }

    /// The memory is not clean: what lay there must not get into the padding.
    function testFuzz_WhenCreated_ItIsTheAbiEncoding(IRegistry.Request memory r, uint96 value) public {
        (r.user, r.initEthSent) = (payable(address(this)), value);
        vm.deal(address(this), value);
        vm.expectEmit(address(this));
        emit IRegistry.HashedReqAdded(
            7,
            address(this),
            r.target,
            r.referer,
            r.callData,
            value,
            r.ethForCall,
            r.verifyUser,
            r.insertFeeAmount,
            r.payWithAUTO,
            r.isAlive
        );
        (bytes32 hash, bool intact) = this.create{value: value}(r);
        assertEq(hash, keccak256(abi.encode(r)));
        assertTrue(intact);
    }
}
