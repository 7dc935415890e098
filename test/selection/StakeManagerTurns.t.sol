// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ANYONE} from "../../contracts/interfaces/IExecutorSelectionStrategy.sol";
import {IStakeManager} from "../../contracts/interfaces/IStakeManager.sol";
import {StakeManagerBase} from "./StakeManagerBase.sol";

contract StakeManagerTurnsTest is StakeManagerBase {
    function assertOpen() private view {
        (address staker, address worker) = manager.selected();
        assertEq(staker, address(0), "open: staker");
        assertEq(worker, ANYONE, "open: worker");
    }

    function assertSelected(address expectedStaker, address expectedWorker) private view {
        (address staker, address worker) = manager.selected();
        assertEq(staker, expectedStaker, "staker");
        assertEq(worker, expectedWorker, "worker");
        (address executor,) = manager.getSelectedExecutor(address(0), 0);
        assertEq(executor, expectedWorker, "executor");
    }

    // --- wrong callers ---

    function test_RevertWhen_AuthorizeIsNotCalledByRegistry() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.NotRegistry.selector, address(this)));
        manager.authorize(address(this), ids());
    }

    function test_RevertWhen_ExecutedIsNotCalledByRegistry() public {
        stakeAs(ALICE, 1 ether);
        nextEpoch();
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.NotRegistry.selector, ALICE));
        manager.executed(ALICE, ids());
    }

    function test_RevertWhen_CheckInIsNotCalledByTheExecutor() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.NotExecutor.selector, address(this), ANYONE));
        manager.checkIn();

        stakeAs(ALICE, 1 ether);
        setWorkerAs(ALICE, BOB);
        nextEpoch();
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.NotExecutor.selector, ALICE, BOB));
        manager.checkIn();
        vm.prank(REGISTRY);
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.NotExecutor.selector, REGISTRY, BOB));
        manager.checkIn();
    }

    // --- open epochs ---

    function test_WhenNobodyIsStaked_TheEpochIsOpen() public {
        assertOpen();
        (uint256 until, bool report) = authorize(BOB);
        assertEq(until, START + EPOCH - 1);
        assertFalse(report);
        (until,) = authorize(CAROL);
        assertEq(until, START + EPOCH - 1);
        (address executor, uint256 selectedAt) = manager.getSelectedExecutor(address(0), 0);
        assertEq(executor, ANYONE);
        assertEq(selectedAt, block.timestamp);
    }

    function test_WhenTheFirstStakerComes_TheEpochStaysOpen() public {
        stakeAs(ALICE, 1 ether);
        for (uint256 i; i < EPOCH; i += 9) {
            vm.roll(START + i);
            assertOpen();
        }
        // Nor does settling it, a second stake or the Registry change that.
        manager.settle();
        stakeAs(BOB, 1 ether);
        (uint256 until,) = authorize(CAROL);
        assertEq(until, START + EPOCH - 1);
        assertOpen();

        vm.roll(START + EPOCH);
        (address staker,) = manager.selected();
        assertTrue(staker == ALICE || staker == BOB);
    }

    function test_WhenEverybodyLeft_TheNextEpochIsOpen() public {
        stakeAs(ALICE, 1 ether);
        nextEpoch();
        unstakeAs(ALICE, 1 ether);
        assertSelected(ALICE, ALICE);
        nextEpoch();
        assertOpen();
    }

    function test_WhenOpen_ReportsAreIgnored() public {
        authorize(BOB);
        reportExecuted(BOB);
        assertFalse(manager.wasPresent(manager.currentEpoch()));
    }

    // --- epoch 0 ---

    function test_WhenChainIsFresh_Epoch0IsOpen() public {
        vm.roll(1);
        vm.warp(5);
        manager = newManager(seeds, EPOCH);
        assertOpen();
        stakeAs(ALICE, 1 ether);
        assertOpen();
        (uint256 until,) = authorize(BOB);
        assertEq(until, 99);
        (uint256 epoch, address staker) = manager.lastSettled();
        assertEq(epoch, 0);
        assertEq(staker, address(0));

        vm.roll(99);
        assertOpen();
        vm.roll(100);
        assertSelected(ALICE, ALICE);
    }

    function test_WhenBlockIs0_NothingBreaks() public {
        vm.roll(0);
        manager = newManager(seeds, 1);
        assertOpen();
        stakeAs(ALICE, 1 ether);
        manager.settle();
        assertOpen();
        vm.roll(1);
        assertSelected(ALICE, ALICE);
        (uint256 until,) = authorize(ALICE);
        assertEq(until, 1);
        (until,) = authorize(BOB);
        assertEq(until, 0);
    }

    // --- draws ---

    function test_WhenOneStaker_ItHasEveryTurn() public {
        stakeAs(ALICE, UNIT);
        for (uint256 i; i < 50; ++i) {
            nextEpoch();
            assertSelected(ALICE, ALICE);
        }
    }

    function test_WhenSettled_ViewsAreAsBefore() public {
        stakeAs(ALICE, 1 ether);
        stakeAs(BOB, 1 ether);
        setWorkerAs(BOB, CAROL);
        for (uint256 i; i < 20; ++i) {
            nextEpoch();
            vm.roll(block.number + i);
            (address staker, address worker) = manager.selected();
            (address executor, uint256 selectedAt) = manager.getSelectedExecutor(address(7), bytes32(i));
            vm.expectEmit();
            emit IStakeManager.EpochSettled(manager.currentEpoch(), staker);
            manager.settle();
            assertSelected(staker, worker);
            (address recorded, uint256 recordedAt) = manager.getSelectedExecutor(address(7), bytes32(i));
            assertEq(recorded, executor);
            assertEq(recordedAt, selectedAt);
            (uint256 epoch, address last) = manager.lastSettled();
            assertEq(epoch, manager.currentEpoch());
            assertEq(last, staker);
        }
    }

    function test_WhenSettledTwice_NothingHappens() public {
        stakeAs(ALICE, 1 ether);
        nextEpoch();
        manager.settle();
        vm.recordLogs();
        manager.settle();
        assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_WhenNothingWasEverSettled() public view {
        (uint256 epoch, address staker) = manager.lastSettled();
        assertEq(epoch, 0);
        assertEq(staker, address(0));
    }

    function test_WhenEpochsPassUnsettled_TheCurrentOneIsDrawn() public {
        stakeAs(ALICE, 1 ether);
        // more than any history of hashes holds
        vm.roll(block.number + 82 * EPOCH + 13);
        assertSelected(ALICE, ALICE);
        (uint256 until,) = authorize(ALICE);
        assertEq(until, START + 83 * EPOCH - 1);
        (uint256 epoch,) = manager.lastSettled();
        assertEq(epoch, START / EPOCH + 82);
    }

    /// It should be drawn from the stakes as they were when the epoch began, whatever anybody does in it.
    function testFuzz_ChangesWithinAnEpochDoNotChangeItsDraw(uint256 seed) public {
        stakeAs(ALICE, 5 ether);
        stakeAs(BOB, 3 ether);
        stakeAs(CAROL, 2 ether);
        vm.roll(START + EPOCH * (1 + seed % 50) + (seed >> 8) % EPOCH);
        (address staker, address worker) = manager.selected();

        address[3] memory who = [ALICE, BOB, CAROL];
        for (uint256 i; i < 8; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            address actor = who[seed % 3];
            uint256 kind = (seed >> 8) % 4;
            uint256 staked = manager.stakeOf(actor);
            if (kind == 0) stakeAs(actor, 1 + (seed >> 16) % 100 ether);
            else if (kind == 1 && staked != 0) unstakeAs(actor, 1 + (seed >> 16) % staked);
            else if (kind == 2 && staked != 0) unstakeAs(actor, staked);
            else setWorkerAs(actor, vm.addr(1 + seed % 1000));
            assertSelected(staker, worker);
        }
    }

    function test_WhenTheExecutorUnstakes_ItKeepsItsTurn() public {
        stakeAs(ALICE, 1 ether);
        stakeAs(BOB, 1 ether);
        rollUntilDrawn(ALICE);
        unstakeAs(ALICE, 1 ether);
        assertSelected(ALICE, ALICE);
        (uint256 until,) = authorize(ALICE);
        assertEq(until, epochStart() + EPOCH - 1);
        (until,) = authorize(BOB);
        assertEq(until, 0);
        checkInAs(ALICE);

        for (uint256 i; i < 20; ++i) {
            nextEpoch();
            assertSelected(BOB, BOB);
        }
    }

    function test_WhenTheExecutorStakesAgain_ItKeepsItsTurn() public {
        stakeAs(ALICE, 1 ether);
        nextEpoch();
        unstakeAs(ALICE, 1 ether);
        stakeAs(BOB, 1 ether);
        stakeAs(ALICE, 1 ether);
        assertSelected(ALICE, ALICE);
    }

    // --- authorize ---

    function test_WhenTheExecutorAsks_ItIsGrantedTheRestOfTheEpoch() public {
        stakeAs(ALICE, 1 ether);
        nextEpoch();
        vm.expectEmit();
        emit IStakeManager.EpochSettled(manager.currentEpoch(), ALICE);
        (uint256 until, bool report) = authorize(ALICE);
        assertEq(until, START + 2 * EPOCH - 1);
        assertFalse(report);

        vm.roll(START + 2 * EPOCH - 1);
        (until, report) = authorize(ALICE);
        assertEq(until, block.number);
        assertFalse(report);
        vm.roll(START + 2 * EPOCH);
        (until,) = authorize(ALICE);
        assertEq(until, START + 3 * EPOCH - 1);
    }

    function test_WhenAnotherAsks_ItIsRefused() public {
        stakeAs(ALICE, 1 ether);
        nextEpoch();
        (uint256 until, bool report) = authorize(BOB);
        assertEq(until, 0);
        assertFalse(report);
        (until,) = authorize(address(0));
        assertEq(until, 0);
        (until,) = authorize(ANYONE);
        assertEq(until, 0);
        (until,) = authorize(ALICE);
        assertGt(until, 0);
    }

    function test_WhenAskedAgain_OneSlotAnswers() public {
        stakeAs(ALICE, 1 ether);
        setWorkerAs(ALICE, BOB);
        nextEpoch();
        authorize(BOB);
        vm.record();
        authorize(BOB);
        (bytes32[] memory reads, bytes32[] memory writes) = vm.accesses(address(manager));
        assertEq(writes.length, 0);
        for (uint256 i; i < reads.length; ++i) {
            assertEq(reads[i], reads[0]);
        }
    }

    // --- presence ---

    function test_WhenCheckedIn() public {
        stakeAs(ALICE, 1 ether);
        setWorkerAs(ALICE, BOB);
        nextEpoch();
        uint256 epoch = manager.currentEpoch();
        assertFalse(manager.wasPresent(epoch));
        vm.expectEmit();
        emit IStakeManager.CheckedIn(epoch, BOB);
        checkInAs(BOB);
        assertTrue(manager.wasPresent(epoch));

        vm.recordLogs();
        checkInAs(BOB);
        assertEq(vm.getRecordedLogs().length, 0);

        nextEpoch();
        assertTrue(manager.wasPresent(epoch));
        assertFalse(manager.wasPresent(epoch + 1));
        assertFalse(manager.wasPresent(epoch - 1));
    }

    function test_WhenAnExecutionIsReported() public {
        stakeAs(ALICE, 1 ether);
        nextEpoch();
        uint256 epoch = manager.currentEpoch();
        authorize(ALICE);
        assertFalse(manager.wasPresent(epoch), "asking is not acting");
        reportExecuted(BOB);
        assertFalse(manager.wasPresent(epoch), "another's execution");
        reportExecuted(ALICE);
        assertTrue(manager.wasPresent(epoch));
    }

    /// The Registry gives a report this much gas; it must do for one that comes first in an epoch, too.
    function test_WhenReported_TheAllowanceSuffices() public {
        stakeAs(ALICE, 1 ether);
        nextEpoch();
        authorize(ALICE);
        vm.cool(address(manager));
        vm.prank(REGISTRY);
        manager.executed{gas: 40_000}(ALICE, ids());
        assertTrue(manager.wasPresent(manager.currentEpoch()));
    }

    // --- workers ---

    function test_RevertWhen_WorkerIsNobodyOrAnyone() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.InvalidWorker.selector, address(0)));
        manager.setWorker(address(0));
        vm.expectRevert(abi.encodeWithSelector(IStakeManager.InvalidWorker.selector, ANYONE));
        manager.setWorker(ANYONE);
    }

    function test_WhenWorkerIsSet_ItCountsFromTheNextEpoch() public {
        stakeAs(ALICE, 1 ether);
        nextEpoch();
        uint256 epoch = manager.currentEpoch();
        assertEq(manager.workerOf(ALICE), ALICE);
        vm.expectEmit();
        emit IStakeManager.WorkerSet(ALICE, BOB, epoch + 1);
        setWorkerAs(ALICE, BOB);
        assertEq(manager.workerOf(ALICE), ALICE);
        assertSelected(ALICE, ALICE);
        nextEpoch();
        assertEq(manager.workerOf(ALICE), BOB);
        assertSelected(ALICE, BOB);
        (uint256 until,) = authorize(ALICE);
        assertEq(until, 0);
        (until,) = authorize(BOB);
        assertGt(until, 0);
    }

    function test_WhenWorkerIsChangedTwiceWithinAnEpoch_TheLastCounts() public {
        stakeAs(ALICE, 1 ether);
        setWorkerAs(ALICE, BOB);
        nextEpoch();
        setWorkerAs(ALICE, CAROL);
        setWorkerAs(ALICE, address(77));
        assertSelected(ALICE, BOB);
        nextEpoch();
        assertSelected(ALICE, address(77));
        setWorkerAs(ALICE, ALICE);
        assertSelected(ALICE, address(77));
        nextEpoch();
        assertSelected(ALICE, ALICE);
    }

    function test_WhenWorkerIsChangedAfterSettlement_TheTurnStays() public {
        stakeAs(ALICE, 1 ether);
        setWorkerAs(ALICE, BOB);
        nextEpoch();
        authorize(BOB);
        setWorkerAs(ALICE, CAROL);
        (uint256 until,) = authorize(CAROL);
        assertEq(until, 0);
        (until,) = authorize(BOB);
        assertGt(until, 0);
        checkInAs(BOB);
    }

    function test_WhenWorkerIsShared_ItServesAll() public {
        stakeAs(ALICE, 1 ether);
        stakeAs(BOB, 1 ether);
        setWorkerAs(ALICE, CAROL);
        setWorkerAs(BOB, CAROL);
        rollUntilDrawn(ALICE);
        (uint256 until,) = authorize(CAROL);
        assertGt(until, 0);
        rollUntilDrawn(BOB);
        (until,) = authorize(CAROL);
        assertGt(until, 0);
        checkInAs(CAROL);
    }

    /// Naming a key that stakes itself, or that another named, gives it turns and takes none.
    function test_WhenWorkerIsTaken_NobodyLosesATurn() public {
        stakeAs(ALICE, 1 ether);
        stakeAs(BOB, 1 ether);
        setWorkerAs(ALICE, BOB);
        assertEq(manager.workerOf(BOB), BOB);
        rollUntilDrawn(BOB);
        assertSelected(BOB, BOB);
        rollUntilDrawn(ALICE);
        assertSelected(ALICE, BOB);
        (uint256 until,) = authorize(ALICE);
        assertEq(until, 0);
    }

    // --- selectedAt ---

    function test_SelectedAtIsWhenTheEpochBegan() public {
        stakeAs(ALICE, 1 ether);
        nextEpoch();
        for (uint256 i; i < EPOCH; i += 33) {
            vm.roll(START + EPOCH + i);
            (, uint256 selectedAt) = manager.getSelectedExecutor(address(this), "any");
            assertEq(selectedAt, block.timestamp - i * BLOCK_SECONDS);
        }
    }

    function test_WhenClockIsYoungerThanTheEpoch_SelectedAtIsNotZero() public {
        vm.roll(START + 50);
        vm.warp(50 * BLOCK_SECONDS);
        (address executor, uint256 selectedAt) = manager.getSelectedExecutor(address(this), 0);
        assertEq(executor, ANYONE);
        assertEq(selectedAt, 1);
        vm.warp(50 * BLOCK_SECONDS + 2);
        (, selectedAt) = manager.getSelectedExecutor(address(this), 0);
        assertEq(selectedAt, 2);
    }
}
