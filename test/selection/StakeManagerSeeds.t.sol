// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ANYONE} from "../../contracts/interfaces/IExecutorSelectionStrategy.sol";
import {ISeedSource} from "../../contracts/interfaces/ISeedSource.sol";
import {IStakeManager} from "../../contracts/interfaces/IStakeManager.sol";
import {StakeManagerBase} from "./StakeManagerBase.sol";
import {ScriptedSeed} from "./actors/ScriptedSeed.sol";

/// Seeds that have to be proven, may be lost and can be foreseen for the last blocks of an epoch.
contract StakeManagerSeedsTest is StakeManagerBase {
    uint256 private constant FREEZE = 8;

    ScriptedSeed private scripted;

    function setUp() public override {
        super.setUp();
        scripted = new ScriptedSeed(FREEZE);
        manager = newManager(scripted, EPOCH);
        stakeAs(ALICE, 10 ether);
        stakeAs(BOB, 10 ether);
    }

    function key() private view returns (uint256) {
        return epochStart() - 1;
    }

    function expectNotProven() private {
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.SeedNotProven.selector, key()));
    }

    // --- pending ---

    function test_RevertWhen_SeedIsNotProven() public {
        nextEpoch();
        fund(ALICE, 1 ether);
        vm.startPrank(ALICE);
        expectNotProven();
        manager.stake(1 ether);
        expectNotProven();
        manager.unstake(1 ether);
        expectNotProven();
        manager.checkIn();
        expectNotProven();
        manager.settle();
        expectNotProven();
        manager.selected();
        vm.stopPrank();
        vm.startPrank(REGISTRY);
        expectNotProven();
        manager.authorize(ALICE, ids());
        expectNotProven();
        manager.executed(ALICE, ids());
    }

    function test_WhenSeedIsNotProven_NobodyIsSelected() public {
        nextEpoch();
        (address executor, uint256 selectedAt) = manager.getSelectedExecutor(address(this), 0);
        assertEq(executor, address(0));
        assertEq(selectedAt, 0);
    }

    function test_WhenSeedIsNotProven_WorkersChangeAndTokensAreClaimed() public {
        unstakeAs(ALICE, 4 ether);
        nextEpoch();
        nextEpoch();
        assertEq(claimAs(ALICE), 4 ether);
        setWorkerAs(ALICE, CAROL);
    }

    function test_WhenProven_TheTurnBegins() public {
        nextEpoch();
        vm.roll(block.number + 5);
        scripted.setStatus(key(), ISeedSource.Status.Known);
        (address staker, address worker) = manager.selected();
        assertTrue(staker == ALICE || staker == BOB);
        (address executor, uint256 selectedAt) = manager.getSelectedExecutor(address(this), 0);
        assertEq(executor, worker);
        assertEq(selectedAt, block.timestamp - 5 * BLOCK_SECONDS);
        (uint256 until,) = authorize(worker);
        assertEq(until, epochStart() + EPOCH - 1);
        checkInAs(worker);
        unstakeAs(ALICE, 10 ether);
    }

    function test_WhenNobodyIsStaked_NoSeedIsNeeded() public {
        manager = newManager(scripted, EPOCH);
        nextEpoch();
        (, address worker) = manager.selected();
        assertEq(worker, ANYONE);
        stakeAs(ALICE, 1 ether);
        (uint256 until,) = authorize(CAROL);
        assertGt(until, 0);
    }

    // --- lost ---

    function test_WhenSeedIsLost_TheEpochIsOpenUntilItEnds() public {
        nextEpoch();
        scripted.setStatus(key(), ISeedSource.Status.Lost);
        (, address worker) = manager.selected();
        assertEq(worker, ANYONE);
        (uint256 until,) = authorize(CAROL);
        assertEq(until, epochStart() + EPOCH - 1);
        stakeAs(CAROL, 100 ether);
        unstakeAs(ALICE, 10 ether);
        (, worker) = manager.selected();
        assertEq(worker, ANYONE);

        nextEpoch();
        scripted.setStatus(key(), ISeedSource.Status.Known);
        (address staker,) = manager.selected();
        assertTrue(staker == BOB || staker == CAROL);
    }

    /// A recorded draw does not depend on the seed any more.
    function test_WhenSeedIsLostAfterSettlement_TheTurnStays() public {
        nextEpoch();
        scripted.setStatus(key(), ISeedSource.Status.Known);
        manager.settle();
        (address staker,) = manager.selected();
        scripted.setStatus(key(), ISeedSource.Status.Lost);
        (address still,) = manager.selected();
        assertEq(still, staker);
        (uint256 until,) = authorize(staker);
        assertGt(until, 0);
    }

    // --- frozen ---

    function test_RevertWhen_StakesAreFrozen() public {
        nextEpoch();
        scripted.setStatus(key(), ISeedSource.Status.Known);
        uint256 last = epochStart() + EPOCH - 1;
        fund(ALICE, 10 ether);
        vm.startPrank(ALICE);
        vm.roll(last - FREEZE);
        manager.stake(1 ether);
        manager.unstake(1 ether);
        for (uint256 i; i < FREEZE; ++i) {
            vm.roll(last - i);
            vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeFrozen.selector, last));
            manager.stake(1 ether);
            vm.expectRevert(abi.encodeWithSelector(IStakeManager.StakeFrozen.selector, last));
            manager.unstake(1 ether);
        }
        vm.stopPrank();
        vm.roll(last + 1);
        scripted.setStatus(last, ISeedSource.Status.Known);
        unstakeAs(ALICE, 1 ether);
    }

    function test_WhenFrozen_EverythingElseWorks() public {
        unstakeAs(ALICE, 4 ether);
        nextEpoch();
        nextEpoch();
        scripted.setStatus(key(), ISeedSource.Status.Known);
        vm.roll(epochStart() + EPOCH - 1);
        assertEq(claimAs(ALICE), 4 ether);
        setWorkerAs(BOB, CAROL);
        (, address worker) = manager.selected();
        manager.settle();
        authorize(worker);
        checkInAs(worker);
    }

    /// With block hashes nothing is foreseeable before the epoch's last block is built.
    function test_WhenSeedsAreBlockhashes_NothingIsFrozen() public {
        manager = newManager(seeds, EPOCH);
        vm.roll(epochStart() + EPOCH - 1);
        stakeAs(ALICE, 1 ether);
        unstakeAs(ALICE, 1 ether);
    }
}
