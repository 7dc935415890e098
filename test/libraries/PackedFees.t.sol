// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IRegistry} from "contracts/interfaces/IRegistry.sol";
import {PackedFees, pack} from "contracts/libraries/PackedFees.sol";
import {Test} from "forge-std/Test.sol";

contract PackedFeesTest is Test {
    function testFuzz_WhenPacked_UnpackingGivesItBack(IRegistry.FeeSettings memory settings) public pure {
        assertEq(abi.encode(pack(settings).unpack()), abi.encode(settings));
    }

    function testFuzz_WhenUnpacked_PackingGivesItBack(uint256 word) public pure {
        assertEq(PackedFees.unwrap(pack(PackedFees.wrap(word).unpack())), word, "every bit is used");
    }

    function testFuzz_WhenRead_EachFieldIsItself(IRegistry.FeeSettings memory s) public pure {
        PackedFees fees = pack(s);
        assertEq(fees.tipCapWei(), s.tipCapWei);
        assertEq(fees.txBase(), s.txBase);
        assertEq(fees.tokenGas(), s.tokenGas);
        assertEq(fees.floorTokenGas(), s.floorTokenGas);
        assertEq(fees.tailEth(), s.tailEth);
        assertEq(fees.tailAuto(), s.tailAuto);
        assertEq(fees.entryEth(), s.entryEth);
        assertEq(fees.entryAuto(), s.entryAuto);
        assertEq(fees.entryWord(), s.entryWord);
        assertEq(fees.shared(), s.shared);
        assertEq(fees.refund(), s.refund);
        assertEq(fees.credit(), s.credit);
        assertEq(fees.clearing(), s.clearing);
        assertEq(fees.report(), s.report);
        assertEq(fees.reportPerId(), s.reportPerId);
    }
}
