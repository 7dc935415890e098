// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {ANYONE} from "../../contracts/interfaces/IExecutorSelectionStrategy.sol";
import {ISeedSource} from "../../contracts/interfaces/ISeedSource.sol";
import {IStakeManager} from "../../contracts/interfaces/IStakeManager.sol";
import {StakeManager} from "../../contracts/selection/StakeManager.sol";
import {StakeManagerBase} from "./StakeManagerBase.sol";
import {ScriptedSeed} from "./actors/ScriptedSeed.sol";

contract StakeManagerConstructorTest is StakeManagerBase {
    function test_RevertWhen_EpochLengthOutOfBounds() public {
        expectLengthError(0, 1);
        newManager(seeds, 0);
        expectLengthError(257, 1);
        newManager(seeds, 257);

        ISeedSource proven = new ScriptedSeed(8);
        expectLengthError(31, 32);
        newManager(proven, 31);
        assertEq(newManager(proven, 32).epochBlocks(), 32);

        ISeedSource slow = new ScriptedSeed(65);
        expectLengthError(256, 260);
        newManager(slow, 256);
    }

    function expectLengthError(uint256 length, uint256 min) private {
        vm.expectRevert(
            abi.encodeWithSelector(IStakeManager.EpochLengthOutOfBounds.selector, length, min, 256)
        );
    }

    function test_RevertWhen_BlocksTakeTooLong() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.BlockSecondsTooHigh.selector, 3601, 3600));
        new StakeManager(REGISTRY, address(auto_), seeds, EPOCH, 3601);
        assertEq(new StakeManager(REGISTRY, address(auto_), seeds, EPOCH, 3600).blockSeconds(), 3600);
    }

    function test_RevertWhen_AddressesAreNot() public {
        vm.expectRevert(IStakeManager.ZeroRegistry.selector);
        new StakeManager(address(0), address(auto_), seeds, EPOCH, BLOCK_SECONDS);
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.NotContract.selector, ALICE));
        new StakeManager(REGISTRY, ALICE, seeds, EPOCH, BLOCK_SECONDS);
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.NotContract.selector, BOB));
        new StakeManager(REGISTRY, address(auto_), ISeedSource(BOB), EPOCH, BLOCK_SECONDS);
    }

    function test_WhenDeployed_TheRegistryNeedNotExist() public view {
        assertEq(REGISTRY.code.length, 0);
        assertEq(manager.registry(), REGISTRY);
        assertEq(manager.autoToken(), address(auto_));
        assertEq(address(manager.seedSource()), address(seeds));
        assertEq(manager.epochBlocks(), EPOCH);
        assertEq(manager.blockSeconds(), BLOCK_SECONDS);
        assertEq(manager.unit(), UNIT);
        assertEq(manager.currentEpoch(), START / EPOCH);
    }
}

contract StakeManagerStakeTest is StakeManagerBase {
    // --- stake ---

    function test_RevertWhen_StakingNothing() public {
        vm.expectRevert(IStakeManager.ZeroAmount.selector);
        manager.stake(0);
    }

    function test_RevertWhen_StakerHasTooLittle() public {
        fund(ALICE, 5);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, ALICE, 5, 6));
        manager.stake(6);
        vm.prank(BOB);
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(manager), 0, 1 ether
            )
        );
        manager.stake(1 ether);
        assertEq(manager.totalStaked(), 0);
        assertEq(manager.totalWeight(), 0);
    }

    function test_RevertWhen_StakingBeyondTheTree() public {
        uint256 max = 2 ** 36 - 1;
        stakeAs(ALICE, 7 * UNIT);
        fund(BOB, (max - 6) * UNIT);
        vm.startPrank(BOB);
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.TotalTooLarge.selector, 7, max - 6));
        manager.stake((max - 6) * UNIT);
        manager.stake((max - 7) * UNIT);
        assertEq(manager.totalWeight(), max);

        vm.expectRevert(abi.encodeWithSelector(IStakeManager.TotalTooLarge.selector, max, 1));
        manager.stake(UNIT);
        // Less than a unit weighs nothing, so it still finds room.
        manager.stake(UNIT - 1);
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.TotalTooLarge.selector, max, 1));
        manager.stake(1);
        vm.expectRevert(
            abi.encodeWithSelector(IStakeManager.TotalTooLarge.selector, max, type(uint256).max / UNIT + 1)
        );
        manager.stake(type(uint256).max);
        vm.stopPrank();
    }

    function test_WhenStaked() public {
        fund(ALICE, 10 ether);
        vm.expectEmit();
        emit IStakeManager.EpochSettled(START / EPOCH, address(0));
        vm.expectEmit();
        emit IStakeManager.Staked(ALICE, 3.25 ether);
        vm.prank(ALICE);
        manager.stake(3.25 ether);

        assertEq(manager.stakeOf(ALICE), 3.25 ether);
        assertEq(manager.totalStaked(), 3.25 ether);
        assertEq(manager.weightOf(ALICE), 32);
        assertEq(manager.totalWeight(), 32);
        assertEq(auto_.balanceOf(address(manager)), 3.25 ether);
        assertEq(auto_.balanceOf(ALICE), 6.75 ether);

        vm.prank(ALICE);
        manager.stake(0.05 ether);
        assertEq(manager.weightOf(ALICE), 33);
    }

    function test_WhenDustIsStaked_ItWeighsNothingUntilAUnitIsFull() public {
        stakeAs(ALICE, 1);
        assertEq(manager.stakeOf(ALICE), 1);
        assertEq(manager.weightOf(ALICE), 0);
        nextEpoch();
        (address drawn, address worker) = manager.selected();
        assertEq(drawn, address(0));
        assertEq(worker, ANYONE);

        stakeAs(ALICE, UNIT - 2);
        assertEq(manager.totalWeight(), 0);
        stakeAs(ALICE, 1);
        assertEq(manager.totalWeight(), 1);
        nextEpoch();
        (drawn,) = manager.selected();
        assertEq(drawn, ALICE);
    }

    function test_WhenTheWholeSupplyThatFitsIsStaked() public {
        uint256 whole = (2 ** 36 - 1) * UNIT;
        stakeAs(ALICE, whole);
        assertEq(manager.totalWeight(), 2 ** 36 - 1);
        nextEpoch();
        (address drawn,) = manager.selected();
        assertEq(drawn, ALICE);
        unstakeAs(ALICE, whole);
        assertEq(manager.totalWeight(), 0);
        nextEpoch();
        nextEpoch();
        assertEq(claimAs(ALICE), whole);
    }

    /// It should round the weight down from the whole stake, in whatever pieces it came and went.
    function testFuzz_WeightIsFloorOfStake(uint256[8] memory amounts) public {
        uint256 staked;
        for (uint256 i; i < 8; ++i) {
            if (i % 3 == 2 && staked != 0) {
                uint256 out = bound(amounts[i], 1, staked);
                unstakeAs(ALICE, out);
                staked -= out;
            } else {
                uint256 amount = bound(amounts[i], 1, 1000 ether);
                stakeAs(ALICE, amount);
                staked += amount;
            }
            assertEq(manager.stakeOf(ALICE), staked, "stake");
            assertEq(manager.totalStaked(), staked, "total");
            assertEq(manager.weightOf(ALICE), staked / UNIT, "weight");
            assertEq(manager.totalWeight(), staked / UNIT, "total weight");
        }
    }

    // --- unstake ---

    function test_RevertWhen_UnstakingNothing() public {
        stakeAs(ALICE, 1 ether);
        vm.prank(ALICE);
        vm.expectRevert(IStakeManager.ZeroAmount.selector);
        manager.unstake(0);
    }

    function test_RevertWhen_UnstakingMoreThanStaked() public {
        stakeAs(ALICE, 1 ether);
        stakeAs(BOB, 100 ether);
        vm.startPrank(ALICE);
        vm.expectRevert(
            abi.encodeWithSelector(IStakeManager.InsufficientStake.selector, 1 ether + 1, 1 ether)
        );
        manager.unstake(1 ether + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IStakeManager.InsufficientStake.selector, type(uint256).max, 1 ether)
        );
        manager.unstake(type(uint256).max);

        manager.unstake(1 ether);
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.InsufficientStake.selector, 1, 0));
        manager.unstake(1);
    }

    function test_WhenUnstaked_WeightFallsAtOnceAndTokensStay() public {
        stakeAs(ALICE, 10 ether);
        uint256 epoch = manager.currentEpoch();
        vm.expectEmit();
        emit IStakeManager.Unstaked(ALICE, 4 ether, epoch + 2);
        unstakeAs(ALICE, 4 ether);

        assertEq(manager.weightOf(ALICE), 60);
        assertEq(manager.stakeOf(ALICE), 6 ether);
        assertEq(manager.totalStaked(), 6 ether);
        assertEq(auto_.balanceOf(address(manager)), 10 ether);
        (uint256 amount, uint256 from) = manager.unstakingOf(ALICE);
        assertEq(amount, 4 ether);
        assertEq(from, epoch + 2);
        assertEq(manager.claimableOf(ALICE), 0);
    }

    function test_WhenUnstakedTwiceWithinAnEpoch() public {
        stakeAs(ALICE, 10 ether);
        unstakeAs(ALICE, 4 ether);
        unstakeAs(ALICE, 6 ether);
        (uint256 amount, uint256 from) = manager.unstakingOf(ALICE);
        assertEq(amount, 10 ether);
        assertEq(from, manager.currentEpoch() + 2);
        nextEpoch();
        nextEpoch();
        assertEq(claimAs(ALICE), 10 ether);
    }

    function test_WhenUnstakedInEveryEpoch_EachKeepsItsOwn() public {
        stakeAs(ALICE, 15 ether);
        // Amounts that tell by their sum which of them were claimable.
        for (uint256 i; i < 4; ++i) {
            unstakeAs(ALICE, 2 ** i * 1 ether);
            uint256 matured = i < 2 ? 0 : 2 ** (i - 1) - 1;
            assertEq(manager.claimableOf(ALICE), matured * 1 ether, "claimable");
            nextEpoch();
        }
        (uint256 amount, uint256 from) = manager.unstakingOf(ALICE);
        assertEq(amount, 15 ether);
        assertEq(from, manager.currentEpoch() + 1);
        assertEq(claimAs(ALICE), 7 ether);
        (amount, from) = manager.unstakingOf(ALICE);
        assertEq(amount, 8 ether);
        assertEq(from, manager.currentEpoch() + 1);
        nextEpoch();
        assertEq(claimAs(ALICE), 8 ether);
        (amount, from) = manager.unstakingOf(ALICE);
        assertEq(amount, 0);
        assertEq(from, 0);
        assertEq(auto_.balanceOf(address(manager)), 0);
    }

    function test_WhenStakedAndUnstakedWithinAnEpoch_ItNeverCounts() public {
        stakeAs(ALICE, 1 ether);
        nextEpoch();
        stakeAs(BOB, 1_000_000 ether);
        unstakeAs(BOB, 1_000_000 ether);
        nextEpoch();
        (address drawn,) = manager.selected();
        assertEq(drawn, ALICE);
    }

    function test_WhenStakeIsRentedForABlock_ItIsHeldForMoreThanAnEpoch() public {
        vm.roll(START + EPOCH - 1);
        stakeAs(ALICE, 1 ether);
        vm.roll(START + EPOCH);
        unstakeAs(ALICE, 1 ether);
        (address drawn,) = manager.selected();
        assertEq(drawn, ALICE, "has its turn");

        vm.roll(START + 3 * EPOCH - 1);
        assertEq(manager.claimableOf(ALICE), 0);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.NothingToClaim.selector, ALICE));
        manager.claim(ALICE);
        vm.roll(START + 3 * EPOCH);
        assertEq(claimAs(ALICE), 1 ether);
    }

    // --- claim ---

    function test_RevertWhen_NothingCanBeClaimed() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.NothingToClaim.selector, address(this)));
        manager.claim(address(this));

        stakeAs(ALICE, 1 ether);
        unstakeAs(ALICE, 1 ether);
        nextEpoch();
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.NothingToClaim.selector, ALICE));
        manager.claim(ALICE);

        nextEpoch();
        claimAs(ALICE);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.NothingToClaim.selector, ALICE));
        manager.claim(ALICE);
        // Nor is it another's to claim.
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.NothingToClaim.selector, BOB));
        vm.prank(BOB);
        manager.claim(BOB);
    }

    function test_RevertWhen_ClaimedTokensWouldBeLost() public {
        stakeAs(ALICE, 1 ether);
        unstakeAs(ALICE, 1 ether);
        nextEpoch();
        nextEpoch();
        vm.startPrank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.InvalidRecipient.selector, address(0)));
        manager.claim(address(0));
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.InvalidRecipient.selector, address(manager)));
        manager.claim(address(manager));
    }

    function test_WhenClaimedToAnother() public {
        stakeAs(ALICE, 3 ether);
        unstakeAs(ALICE, 2 ether);
        nextEpoch();
        nextEpoch();
        vm.expectEmit();
        emit IStakeManager.Claimed(ALICE, CAROL, 2 ether);
        vm.prank(ALICE);
        assertEq(manager.claim(CAROL), 2 ether);
        assertEq(auto_.balanceOf(CAROL), 2 ether);
        assertEq(auto_.balanceOf(address(manager)), 1 ether);
        assertEq(manager.stakeOf(ALICE), 1 ether);
    }

    function test_WhenTokensAreDonated_TheyAreNobodys() public {
        stakeAs(ALICE, 1 ether);
        assertTrue(auto_.transfer(address(manager), 50 ether));
        assertEq(manager.totalStaked(), 1 ether);
        unstakeAs(ALICE, 1 ether);
        nextEpoch();
        nextEpoch();
        assertEq(claimAs(ALICE), 1 ether);
        assertEq(auto_.balanceOf(address(manager)), 50 ether);
    }

    // --- leaves ---

    function test_WhenStakersComeAndGo_LeavesAreTakenAgain() public {
        for (uint160 i = 1; i <= 7; ++i) {
            stakeAs(address(i + 1000), 1 ether);
        }
        for (uint160 round; round < 3; ++round) {
            for (uint160 i = 1; i <= 6; ++i) {
                unstakeAs(address(i + 1000 + round * 100), 1 ether);
            }
            for (uint160 i = 1; i <= 6; ++i) {
                stakeAs(address(i + 1100 + round * 100), 1 ether);
            }
            nextEpoch();
        }
        assertEq(manager.totalWeight(), 70);
        // An eighth leaf would have made the tree's change one level, and one cold word, more expensive.
        assertEq(_slotsWrittenByAdd(), 4, "position, two levels, book");
    }

    function _slotsWrittenByAdd() private returns (uint256) {
        fund(address(1007), 1 ether);
        manager.settle();
        vm.record();
        vm.prank(address(1007));
        manager.stake(0.5 ether);
        (, bytes32[] memory writes) = vm.accesses(address(manager));
        uint256 distinct;
        for (uint256 i; i < writes.length; ++i) {
            bool seen;
            for (uint256 j; j < i; ++j) {
                seen = seen || writes[i] == writes[j];
            }
            if (!seen) ++distinct;
        }
        return distinct;
    }

    /// The leaf of a drawn staker that left names it until the epoch ends, whoever comes meanwhile.
    function test_WhenTheDrawnStakerLeaves_ItsLeafWaits() public {
        stakeAs(ALICE, 10 ether);
        stakeAs(BOB, 1 ether);
        setWorkerAs(ALICE, CAROL);
        rollUntilDrawn(ALICE);

        unstakeAs(ALICE, 10 ether);
        stakeAs(address(2001), 1 ether);
        assertDrawnIsAlice();
        // Another leaf is left, and taken while the drawn one lies before or behind it in the list.
        unstakeAs(BOB, 1 ether);
        stakeAs(address(2002), 1 ether);
        assertDrawnIsAlice();
        stakeAs(address(2003), 1 ether);
        assertDrawnIsAlice();
        unstakeAs(address(2001), 1 ether);
        unstakeAs(address(2002), 1 ether);
        stakeAs(address(2004), 1 ether);
        stakeAs(address(2005), 1 ether);
        assertDrawnIsAlice();
        stakeAs(ALICE, 2 ether);
        assertDrawnIsAlice();
        assertEq(manager.totalWeight(), 50);

        nextEpoch();
        stakeAs(address(2006), 1 ether);
        (, address drawn) = manager.lastSettled();
        assertEq(manager.totalWeight(), 60);
        assertTrue(drawn != address(0));
        assertEq(manager.weightOf(ALICE), 20);
    }

    function test_WhenTheDrawnLeafIsFirstOfTwo_TheSecondIsTaken() public {
        stakeAs(BOB, 1 ether);
        stakeAs(ALICE, 10 ether);
        rollUntilDrawn(ALICE);
        unstakeAs(BOB, 1 ether);
        unstakeAs(ALICE, 10 ether);
        stakeAs(address(2001), 1 ether);
        stakeAs(address(2002), 1 ether);
        (address drawn,) = manager.selected();
        assertEq(drawn, ALICE);
        assertEq(manager.totalWeight(), 20);

        // From the next epoch on the leaf is free again.
        nextEpoch();
        stakeAs(address(2003), 3 ether);
        assertEq(manager.weightOf(address(2003)), 30);
        assertEq(manager.weightOf(address(2001)), 10);
        assertEq(manager.weightOf(address(2002)), 10);
        assertEq(manager.totalWeight(), 50);
    }

    function assertDrawnIsAlice() private view {
        (address drawn, address worker) = manager.selected();
        assertEq(drawn, ALICE);
        assertEq(worker, CAROL);
    }
}
