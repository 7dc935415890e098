// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Test} from "forge-std/Test.sol";

import {SumTree} from "../../contracts/libraries/SumTree.sol";

/// A tree behind external functions, so that reverts can be expected and gas is what a call costs.
contract TreeHolder {
    using SumTree for SumTree.Tree;

    SumTree.Tree private _tree;
    uint256 public height;

    function grow() external {
        height = _tree.grow(height);
    }

    function set(uint256 leaf, uint256 weight) external {
        _tree.set(height, leaf, weight);
    }

    function add(uint256 leaf, uint256 amount) external {
        _tree.add(height, leaf, amount);
    }

    function take(uint256 leaf, uint256 amount) external {
        _tree.take(height, leaf, amount);
    }

    function total() external view returns (uint256) {
        return _tree.total(height);
    }

    function weightAt(uint256 leaf) external view returns (uint256) {
        return _tree.weightAt(height, leaf);
    }

    function draw(uint256 point) external view returns (uint256) {
        return _tree.draw(height, point);
    }
}

contract SumTreeTest is Test {
    uint256 private constant MAX_TOTAL = 2 ** 36 - 1;
    uint256 private constant MODEL_LEAVES = 60;

    TreeHolder private tree;
    uint256[] private model;

    function setUp() public {
        tree = new TreeHolder();
    }

    function growTo(uint256 height) private {
        while (tree.height() < height) tree.grow();
    }

    // --- refusals ---

    function test_RevertWhen_TotalWouldExceedMaximum() public {
        growTo(2);
        tree.add(0, MAX_TOTAL - 5);
        tree.add(48, 5);
        vm.expectRevert(abi.encodeWithSelector(SumTree.TotalTooLarge.selector, MAX_TOTAL, 1));
        tree.add(20, 1);
        vm.expectRevert(
            abi.encodeWithSelector(SumTree.TotalTooLarge.selector, MAX_TOTAL, type(uint256).max - 5)
        );
        tree.set(48, type(uint256).max);
    }

    function test_RevertWhen_MoreIsTakenThanThere() public {
        growTo(2);
        tree.add(10, 4);
        tree.add(11, 100);
        vm.expectRevert(abi.encodeWithSelector(SumTree.WeightTooSmall.selector, 10, 4, 5));
        tree.take(10, 5);
        vm.expectRevert(abi.encodeWithSelector(SumTree.WeightTooSmall.selector, 10, 4, type(uint256).max));
        tree.take(10, type(uint256).max);
    }

    function test_RevertWhen_LeafLiesOutsideTree() public {
        vm.expectRevert(abi.encodeWithSelector(SumTree.LeafOutOfRange.selector, 0, 0));
        tree.add(0, 1);
        growTo(2);
        tree.add(48, 1);
        vm.expectRevert(abi.encodeWithSelector(SumTree.LeafOutOfRange.selector, 49, 2));
        tree.add(49, 1);
        assertEq(tree.weightAt(49), 0);
        vm.expectRevert(abi.encodeWithSelector(SumTree.WeightTooSmall.selector, 49, 0, 1));
        tree.take(49, 1);
    }

    function test_RevertWhen_PointIsNotBelowTotal() public {
        vm.expectRevert(abi.encodeWithSelector(SumTree.PointOutOfRange.selector, 0, 0));
        tree.draw(0);
        growTo(1);
        vm.expectRevert(abi.encodeWithSelector(SumTree.PointOutOfRange.selector, 0, 0));
        tree.draw(0);
        tree.add(3, 8);
        assertEq(tree.draw(7), 3);
        vm.expectRevert(abi.encodeWithSelector(SumTree.PointOutOfRange.selector, 8, 8));
        tree.draw(8);
    }

    function test_RevertWhen_TreeIsAsHighAsItGets() public {
        growTo(13);
        vm.expectRevert(abi.encodeWithSelector(SumTree.TreeTooHigh.selector, 13));
        tree.grow();
        // Its last leaf still works, and does not collide with another level's nodes.
        uint256 last = 7 ** 13 - 1;
        tree.add(last, 3);
        tree.add(0, 2);
        assertEq(tree.draw(4), last);
        assertEq(tree.draw(1), 0);
        assertEq(tree.total(), 5);
    }

    // --- behaviour ---

    function test_WhenEmpty() public {
        assertEq(tree.total(), 0);
        assertEq(tree.weightAt(0), 0);
        growTo(3);
        assertEq(tree.total(), 0);
        assertEq(tree.weightAt(342), 0);
    }

    function test_WhenOneLeafHasEverything_NeighboursStayEmpty() public {
        growTo(2);
        for (uint256 leaf; leaf < 49; ++leaf) {
            tree.set(leaf, MAX_TOTAL);
            assertEq(tree.total(), MAX_TOTAL, "total");
            for (uint256 other; other < 49; ++other) {
                assertEq(tree.weightAt(other), other == leaf ? MAX_TOTAL : 0, "weight");
            }
            assertEq(tree.draw(0), leaf);
            assertEq(tree.draw(MAX_TOTAL - 1), leaf);
            tree.set(leaf, 0);
            assertEq(tree.total(), 0, "emptied");
        }
    }

    function test_WhenGrown_WeightsStay() public {
        growTo(1);
        for (uint256 leaf; leaf < 7; ++leaf) {
            tree.add(leaf, leaf + 1);
        }
        for (uint256 height = 2; height < 8; ++height) {
            tree.grow();
            assertEq(tree.total(), 28 + height - 2, "total");
            uint256 firstNew = 7 ** (height - 1);
            tree.add(firstNew, 1);
            assertEq(tree.draw(27 + height - 1), firstNew, "new leaf");
            uint256 point;
            for (uint256 leaf; leaf < 7; ++leaf) {
                assertEq(tree.weightAt(leaf), leaf + 1, "weight");
                assertEq(tree.draw(point), leaf, "first point");
                point += leaf + 1;
                assertEq(tree.draw(point - 1), leaf, "last point");
            }
        }
    }

    function test_WhenAmountIsZero_NothingChanges() public {
        growTo(1);
        tree.add(2, 9);
        vm.record();
        tree.add(2, 0);
        tree.take(2, 0);
        tree.set(2, 9);
        (, bytes32[] memory writes) = vm.accesses(address(tree));
        assertEq(writes.length, 0);
    }

    /// It should agree with a list of weights in totals, weights and the leaf of every point, whatever is
    /// added, taken, set and grown, in any order.
    function testFuzz_AgreesWithNaiveModel(uint256 seed) public {
        growTo(1 + seed % 2);
        model = new uint256[](MODEL_LEAVES);
        for (uint256 step; step < 150; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            if (SumTree.capacity(tree.height()) < MODEL_LEAVES && seed % 40 == 0) tree.grow();
            uint256 reach = SumTree.capacity(tree.height());
            uint256 leaf = (seed >> 8) % (reach < MODEL_LEAVES ? reach : MODEL_LEAVES);
            uint256 kind = (seed >> 64) % 4;
            // Mostly small weights, so that every point can be drawn below.
            uint256 amount = (seed >> 128) % 12;
            if (kind == 0) {
                tree.add(leaf, amount);
                model[leaf] += amount;
            } else if (kind == 1) {
                amount %= model[leaf] + 1;
                tree.take(leaf, amount);
                model[leaf] -= amount;
            } else if (kind == 2) {
                tree.set(leaf, amount);
                model[leaf] = amount;
            } else {
                tree.set(leaf, 0);
                model[leaf] = 0;
            }
        }

        uint256 point;
        for (uint256 leaf; leaf < MODEL_LEAVES; ++leaf) {
            assertEq(tree.weightAt(leaf), model[leaf], "weight");
            for (uint256 end = point + model[leaf]; point < end; ++point) {
                assertEq(tree.draw(point), leaf, "drawn");
            }
        }
        assertEq(tree.total(), point, "total");
    }

    /// It should agree with the model for weights up to the whole capacity, at the edges of every share.
    function testFuzz_AgreesWithNaiveModelForLargeWeights(uint256 seed) public {
        growTo(2);
        model = new uint256[](49);
        uint256 left = MAX_TOTAL;
        for (uint256 step; step < 60; ++step) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 leaf = (seed >> 8) % 49;
            if (seed % 3 == 0) {
                tree.take(leaf, model[leaf]);
                left += model[leaf];
                model[leaf] = 0;
            } else {
                uint256 amount = seed % 5 == 0 ? left : (seed >> 64) % (left + 1);
                tree.add(leaf, amount);
                left -= amount;
                model[leaf] += amount;
            }
        }

        uint256 point;
        for (uint256 leaf; leaf < 49; ++leaf) {
            assertEq(tree.weightAt(leaf), model[leaf], "weight");
            if (model[leaf] == 0) continue;
            assertEq(tree.draw(point), leaf, "first point");
            point += model[leaf];
            assertEq(tree.draw(point - 1), leaf, "last point");
        }
        assertEq(tree.total(), point, "total");
        assertEq(point, MAX_TOTAL - left, "model");
    }

    // --- gas ---

    /// The tree's own share at 10,000 leaves, cold: five levels.
    function test_GasGrowsWithTheLogarithm() public {
        growTo(5);
        for (uint256 leaf; leaf < 10_000; leaf += 7) {
            tree.add(leaf, 1 + leaf % 100);
        }

        assertLt(gasOf(abi.encodeCall(tree.add, (5005, 10))), 34_000, "add");
        assertLt(gasOf(abi.encodeCall(tree.take, (5005, 5))), 34_000, "take");
        assertLt(gasOf(abi.encodeCall(tree.draw, (tree.total() / 2))), 18_000, "draw");
    }

    function gasOf(bytes memory data) private returns (uint256 used) {
        vm.cool(address(tree));
        used = gasleft();
        (bool success,) = address(tree).call(data);
        used -= gasleft();
        assertTrue(success);
    }
}
