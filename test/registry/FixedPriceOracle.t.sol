// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Test} from "forge-std/Test.sol";

import {IFixedPriceOracle} from "../../contracts/interfaces/IFixedPriceOracle.sol";
import {FixedPriceOracle} from "../../contracts/registry/FixedPriceOracle.sol";

contract FixedPriceOracleTest is Test {
    address private constant OWNER = address(0x0117E4);
    address private constant STRANGER = address(0x57A4);
    uint256 private constant PRICE = 1000e18;
    uint256 private constant MAX_CHANGE = 1000;

    FixedPriceOracle private oracle;

    function setUp() public {
        vm.warp(1_800_000_000);
        oracle = new FixedPriceOracle(OWNER, PRICE, MAX_CHANGE);
    }

    function set(uint256 price) private {
        vm.prank(OWNER);
        oracle.setPrice(price);
    }

    function expectOutOfBounds(uint256 price) private {
        (uint256 lowest, uint256 highest) = oracle.bounds();
        vm.expectRevert(
            abi.encodeWithSelector(IFixedPriceOracle.PriceOutOfBounds.selector, price, lowest, highest)
        );
    }

    // --- constructor ---

    function test_RevertWhen_DeployedWithoutPrice() public {
        vm.expectRevert(
            abi.encodeWithSelector(IFixedPriceOracle.PriceOutOfBounds.selector, 0, 1, type(uint128).max)
        );
        new FixedPriceOracle(OWNER, 0, MAX_CHANGE);
        uint256 tooHigh = uint256(type(uint128).max) + 1;
        vm.expectRevert(
            abi.encodeWithSelector(IFixedPriceOracle.PriceOutOfBounds.selector, tooHigh, 1, type(uint128).max)
        );
        new FixedPriceOracle(OWNER, tooHigh, MAX_CHANGE);
    }

    function test_RevertWhen_BoundIsNone() public {
        vm.expectRevert(abi.encodeWithSelector(IFixedPriceOracle.MaxChangeOutOfBounds.selector, 0, 1, 10_000));
        new FixedPriceOracle(OWNER, PRICE, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IFixedPriceOracle.MaxChangeOutOfBounds.selector, 10_001, 1, 10_000)
        );
        new FixedPriceOracle(OWNER, PRICE, 10_001);
    }

    function test_RevertWhen_DeployedWithoutOwner() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0)));
        new FixedPriceOracle(address(0), PRICE, MAX_CHANGE);
    }

    function test_WhenDeployed() public {
        vm.expectEmit();
        emit IFixedPriceOracle.PriceSet(PRICE, PRICE);
        oracle = new FixedPriceOracle(OWNER, PRICE, MAX_CHANGE);
        assertEq(oracle.autoPerEth(), PRICE);
        assertEq(oracle.owner(), OWNER);
        assertEq(oracle.maxChangePerDayBps(), MAX_CHANGE);
        assertEq(oracle.changedAt(), block.timestamp);
    }

    // --- setPrice ---

    function test_RevertWhen_SetByAnother() public {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        oracle.setPrice(PRICE);
    }

    function test_RevertWhen_PriceLeavesItsBounds() public {
        (uint256 lowest, uint256 highest) = oracle.bounds();
        assertEq(highest, 1100e18);
        // rounded up: 1000 / 1.1
        assertEq(lowest, 909_090_909_090_909_090_910);
        expectOutOfBounds(highest + 1);
        set(highest + 1);
        expectOutOfBounds(lowest - 1);
        set(lowest - 1);
        expectOutOfBounds(0);
        set(0);
        expectOutOfBounds(type(uint256).max);
        set(type(uint256).max);
        assertEq(oracle.autoPerEth(), PRICE);
        set(highest);
        set(lowest);
        assertEq(oracle.autoPerEth(), lowest);
    }

    function test_RevertWhen_ManySmallStepsExceedTheDaysBound() public {
        for (uint256 i = 1; i <= 10; ++i) {
            vm.warp(block.timestamp + 2 hours);
            set(PRICE + i * 10e18);
        }
        (, uint256 highest) = oracle.bounds();
        assertEq(highest, 1100e18);
        expectOutOfBounds(highest + 1);
        set(highest + 1);
    }

    /// However often the price is set, its anchor waits for a day without a change.
    function test_RevertWhen_StepsStraddleADay() public {
        vm.warp(block.timestamp + 1 days - 1);
        set(1100e18);
        vm.warp(block.timestamp + 1);
        expectOutOfBounds(1100e18 + 1);
        set(1100e18 + 1);
        vm.warp(block.timestamp + 1 days - 2);
        expectOutOfBounds(1100e18 + 1);
        set(1100e18 + 1);
        vm.warp(block.timestamp + 1);
        set(1210e18);
        assertEq(oracle.autoPerEth(), 1210e18);
    }

    function test_WhenSet() public {
        vm.warp(block.timestamp + 1 days);
        vm.expectEmit();
        emit IFixedPriceOracle.PriceSet(1050e18, PRICE);
        set(1050e18);
        assertEq(oracle.autoPerEth(), 1050e18);
        assertEq(oracle.changedAt(), block.timestamp);
        vm.warp(block.timestamp + 1 days);
        vm.expectEmit();
        emit IFixedPriceOracle.PriceSet(1100e18, 1050e18);
        set(1100e18);
    }

    function test_WhenPriceIsOne_ItNeverFallsToZero() public {
        oracle = new FixedPriceOracle(OWNER, 1, 10_000);
        (uint256 lowest, uint256 highest) = oracle.bounds();
        assertEq(lowest, 1);
        assertEq(highest, 2);
    }

    function test_WhenPriceIsHighest_ItFits() public {
        oracle = new FixedPriceOracle(OWNER, type(uint128).max, 10_000);
        (, uint256 highest) = oracle.bounds();
        assertEq(highest, type(uint128).max);
        set(type(uint128).max);
        expectOutOfBounds(uint256(type(uint128).max) + 1);
        set(uint256(type(uint128).max) + 1);
    }

    /// It should keep all prices of any 24 hours within the bound of one anchor, whatever the owner tries:
    /// so the highest is at most the squared factor of the lowest.
    function testFuzz_AnyDayStaysWithinTheBound(uint256 seed) public {
        uint256[] memory times = new uint256[](40);
        uint256[] memory prices = new uint256[](40);
        (times[0], prices[0]) = (block.timestamp, PRICE);
        for (uint256 i = 1; i < 40; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            vm.warp(block.timestamp + (seed % 3 == 0 ? 1 days + seed % 100 : seed % 1 days));
            (uint256 lowest, uint256 highest) = oracle.bounds();
            // Often an extreme, as an owner who games the bound would.
            uint256 price =
                seed % 5 == 0 ? lowest : seed % 5 == 1 ? bound(seed >> 8, lowest, highest) : highest;
            set(price);
            (times[i], prices[i]) = (block.timestamp, price);
        }

        for (uint256 i; i < 40; ++i) {
            for (uint256 j = i + 1; j < 40; ++j) {
                // Price i was still in force within the 24 hours before price j was set.
                if (times[j] - times[i + 1] >= 1 days) break;
                assertLe(prices[j] * 100, prices[i] * 121, "rose");
                assertLe(prices[i] * 100, prices[j] * 121, "fell");
            }
        }
    }

    // --- owner ---

    function test_WhenOwnershipIsHandedOver_ItTakesTwoSteps() public {
        vm.prank(OWNER);
        oracle.transferOwnership(STRANGER);
        assertEq(oracle.owner(), OWNER);
        set(1001e18);
        vm.prank(STRANGER);
        oracle.acceptOwnership();
        vm.prank(STRANGER);
        oracle.setPrice(1002e18);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, OWNER));
        set(1003e18);
    }
}
