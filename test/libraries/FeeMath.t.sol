// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {FeeMath} from "contracts/libraries/FeeMath.sol";
import {Test} from "forge-std/Test.sol";

contract FeeMathTest is Test {
    function testFuzz_WhenInEth_FeeIs130PercentRoundedDown(uint64 gas, uint128 price) public pure {
        uint256 cost = uint256(gas) * price;
        uint256 fee = FeeMath.ethFee(gas, price);
        assertEq(fee, Math.mulDiv(cost, 130, 100));
        assertLe(fee * 100, cost * 130);
    }

    function testFuzz_WhenInAuto_FeeIs110PercentRoundedDown(uint48 gas, uint64 price, uint128 autoPerEth)
        public
        pure
    {
        uint256 fee = FeeMath.autoFee(gas, price, autoPerEth);
        assertEq(fee, Math.mulDiv(uint256(gas) * price * 11, autoPerEth, 10 * 1e18));
    }

    function test_WhenTheFactsAreGiven_FeesAreTheExamples() public pure {
        // 60,000 gas at 2 gwei, at 1,000 AUTO per ETH
        assertEq(FeeMath.ethFee(60_000, 2 gwei), 156_000 gwei);
        assertEq(FeeMath.autoFee(60_000, 2 gwei, 1000 ether), 0.132 ether);
        assertEq(FeeMath.ethFee(1, 1), 1);
        assertEq(FeeMath.autoFee(1, 1, 1), 0);
    }

    /// Splitting gas never earns more, and at most one wei less.
    function testFuzz_WhenSplit_FeesAddUp(uint64 a, uint64 b, uint64 price) public pure {
        uint256 whole = FeeMath.ethFee(uint256(a) + b, price);
        uint256 parts = FeeMath.ethFee(a, price) + FeeMath.ethFee(b, price);
        assertLe(parts, whole);
        assertLe(whole - parts, 1);
    }

    function testFuzz_WhenPriced_TipCountsUpToTheCap(uint64 baseFee, uint64 gasPrice, uint48 tipCap) public {
        vm.fee(baseFee);
        vm.txGasPrice(gasPrice);
        uint256 highest = uint256(baseFee) + tipCap;
        assertEq(FeeMath.currentGasPrice(tipCap), gasPrice < highest ? gasPrice : highest);
    }
}
