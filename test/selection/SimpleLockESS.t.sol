// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Puppet} from "../actors/Puppet.sol";
import {Box, ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {ISimpleLockESS} from "contracts/interfaces/ISimpleLockESS.sol";
import {SimpleLockESS} from "contracts/selection/SimpleLockESS.sol";

/// A project of its own making: says what suits it, and takes what it likes.
contract FakeProject {
    address public ess;
    uint256 public endedAt;
    bool public refuses;

    constructor(address ess_) {
        ess = ess_;
    }

    function lie(uint256 endedAt_, bool refuses_) external {
        (endedAt, refuses) = (endedAt_, refuses_);
    }

    function selectionTerms(bytes32) external view returns (IChugSplashManager.SelectionTerms memory terms) {
        terms.ess = ess;
    }

    function roundEndedAt(bytes32, uint256) external view returns (uint256) {
        return endedAt;
    }

    function deposit() external payable {
        require(!refuses, "refused");
        // Takes the lock again, if it can.
        (bool success,) = ess.call(abi.encodeCall(ISimpleLockESS.pushTo, (address(this))));
        require(!success, "re-entered");
    }
}

/**
 * Locks and their bonds: who wins one, when it ends, and whose the bond is then.
 * forge-config: default.isolate = true
 */
contract SimpleLockESSTest is ChugSplashTest {
    uint256 private constant CAP = 15 gwei;

    function setUp() public override {
        super.setUp();
        for (uint256 i; i < 4; ++i) {
            _addBox(i);
        }
        _makeHeader();
        header.maxBaseFee = CAP;
        _propose();
        _approve();
    }

    function _refuseClaim(address executor, bytes memory reason) private {
        vm.expectRevert(reason);
        _claim(executor);
    }

    function _congest() private {
        relay.setPrices(CAP + 1, CAP + 1);
    }

    function _relax() private {
        relay.setPrices(BASE_FEE, BASE_FEE);
    }

    function _lockCall(address from, bytes memory data) private {
        relay.send(from, address(lock), 0, TX_GAS, data);
    }

    function _settle(address from) private {
        _lockCall(from, abi.encodeCall(lock.settle, (address(manager), id)));
    }

    function _assertOutcome(bool over, bool excused) private view {
        (bool isOver, bool isExcused) = lock.outcomeOf(address(manager), id);
        assertEq(isOver, over, "over");
        assertEq(isExcused, excused, "excused");
    }

    // --- claims ---

    function testFuzz_RevertWhen_TheBondIsAnother(uint256 value) public {
        value = bound(value, 0, 1 ether);
        vm.assume(value != BOND);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(ISimpleLockESS.WrongBond.selector, value, BOND));
        lock.claim{value: value}(address(manager), id);
    }

    function test_Claim_At1459And1500And1501() public {
        _claim(alice);
        bytes memory live = abi.encodeWithSelector(ISimpleLockESS.LockLive.selector, alice, START + LOCK);
        _refuseClaim(bob, live);
        vm.warp(START + 14 minutes + 59);
        _refuseClaim(bob, live);
        vm.warp(START + 15 minutes);
        _refuseClaim(bob, live);
        _refuseClaim(alice, live);
        vm.warp(START + 15 minutes + 1);
        _claim(bob);
        assertEq(lock.lockOf(address(manager), id).executor, bob);
        assertEq(manager.accounts().budget, header.budget + BOND, "forfeited into the budget");
        assertEq(address(lock).balance, BOND);
    }

    function test_RevertWhen_ItIsNotReady() public {
        bytes4 notReady = ISimpleLockESS.NotReady.selector;
        _congest();
        _refuseClaim(alice, abi.encodeWithSelector(notReady, IChugSplashManager.Readiness.CONGESTED));
        _relax();
        bytes32 active = id;
        _propose();
        _refuseClaim(alice, abi.encodeWithSelector(ISimpleLockESS.NotSelectedBy.selector, address(0)));
        id = active;
        _claim(alice);
        vm.prank(owner);
        manager.requestPause();
        vm.warp(START + LOCK - 1);
        vm.prank(owner);
        manager.resume();
        vm.warp(START + LOCK + 1);
        _claim(bob);
        vm.prank(owner);
        manager.requestPause();
        vm.warp(START + 2 * LOCK + 2);
        _refuseClaim(alice, abi.encodeWithSelector(notReady, IChugSplashManager.Readiness.NOT_APPROVED));
    }

    function test_RevertWhen_AnotherStrategySelects() public {
        SimpleLockESS other = new SimpleLockESS(BOND, LOCK);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(ISimpleLockESS.NotSelectedBy.selector, address(lock)));
        other.claim{value: BOND}(address(manager), id);
    }

    function test_RevertWhen_LockTimeIsOutOfBounds() public {
        vm.expectRevert(abi.encodeWithSelector(ISimpleLockESS.LockTimeOutOfBounds.selector, 0));
        new SimpleLockESS(BOND, 0);
        vm.expectRevert(abi.encodeWithSelector(ISimpleLockESS.LockTimeOutOfBounds.selector, 1 days + 1));
        new SimpleLockESS(BOND, 1 days + 1);
    }

    /// The clock of the bonus does not start anew with a second claim, but it does after somebody else.
    function test_SelectedAt_IsTheFirstClaimWithoutABreak() public {
        _claim(alice);
        vm.warp(START + LOCK + 1);
        _claim(alice);
        (, uint256 selectedAt) = lock.getSelectedExecutor(address(manager), id);
        assertEq(selectedAt, START);
        vm.warp(START + 2 * LOCK + 2);
        _claim(bob);
        vm.warp(START + 3 * LOCK + 3);
        _claim(alice);
        (, selectedAt) = lock.getSelectedExecutor(address(manager), id);
        assertEq(selectedAt, START + 3 * LOCK + 3);
    }

    // --- excuses ---

    function test_Excused_WhenCompletedInTime() public {
        _claim(alice);
        _assertOutcome(false, false);
        (, uint256 payment) = _execute(alice, 0, 4);
        _assertOutcome(true, true);
        _settle(alice);
        assertEq(alice.balance, 10 ether + payment);
        assertEq(address(lock).balance, 0);
        vm.expectRevert(abi.encodeWithSelector(ISimpleLockESS.LockNotLive.selector, address(manager), id));
        _settle(alice);
    }

    function test_Excused_StaysSoLongAfterTheLock() public {
        _claim(alice);
        vm.prank(owner);
        manager.cancel();
        _assertOutcome(true, true);
        vm.warp(START + 30 days);
        _assertOutcome(true, true);
        _settle(stranger);
        assertEq(lock.owedTo(alice), BOND);
        vm.prank(alice);
        assertEq(lock.withdraw(payable(bob)), BOND);
        assertEq(bob.balance, 10 ether + BOND);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(ISimpleLockESS.NothingOwed.selector, alice));
        lock.withdraw(payable(bob));
    }

    function test_Excused_ByAPauseThatCameInForceInTime() public {
        _claim(alice);
        vm.prank(owner);
        manager.requestPause();
        vm.warp(START + LOCK);
        _assertOutcome(true, true);
        vm.prank(owner);
        manager.resume();
        _claim(bob);
        assertEq(lock.owedTo(alice), BOND, "the next claim settles it for her");
        assertEq(manager.accounts().budget, header.budget);
    }

    /// What happens after a lock has expired excuses it no more.
    function test_Forfeited_WhenTheRoundEndsLater() public {
        _claim(alice);
        vm.warp(START + LOCK + 1);
        vm.prank(owner);
        manager.cancel();
        _assertOutcome(true, false);
        uint256 free = manager.accounts().free;
        _settle(alice);
        assertEq(alice.balance, 10 ether - BOND);
        assertEq(manager.accounts().free, free + BOND);
    }

    // --- congestion ---

    function test_Congestion_Released() public {
        _claim(alice);
        vm.expectRevert(abi.encodeWithSelector(ISimpleLockESS.NotCongested.selector, BASE_FEE, CAP));
        _lockCall(alice, abi.encodeCall(lock.release, (address(manager), id)));
        _congest();
        vm.warp(START + 100);
        vm.expectRevert(abi.encodeWithSelector(ISimpleLockESS.NotHolder.selector, bob, alice));
        _lockCall(bob, abi.encodeCall(lock.release, (address(manager), id)));
        _lockCall(alice, abi.encodeCall(lock.release, (address(manager), id)));
        _assertOutcome(true, true);
        (address executor,) = lock.getSelectedExecutor(address(manager), id);
        assertEq(executor, address(0));
        _relax();
        // No free option: she waits a lock time, others do not.
        bytes memory cooling =
            abi.encodeWithSelector(ISimpleLockESS.CoolingDown.selector, alice, START + 100 + LOCK);
        _refuseClaim(alice, cooling);
        vm.warp(START + 100 + LOCK);
        _refuseClaim(alice, cooling);
        vm.warp(START + 101 + LOCK);
        _claim(alice);
        assertEq(lock.owedTo(alice), BOND);
    }

    function test_Congestion_Noted() public {
        _claim(alice);
        _congest();
        vm.warp(START + LOCK);
        _lockCall(stranger, abi.encodeCall(lock.noteCongestion, (address(manager), id)));
        _assertOutcome(false, true);
        _relax();
        // The lock goes on to its end.
        (uint256 executed,) = _execute(alice, 0, 1);
        assertEq(executed, 1);
        vm.warp(START + LOCK + 1);
        _assertOutcome(true, true);
        _refuseClaim(
            alice, abi.encodeWithSelector(ISimpleLockESS.CoolingDown.selector, alice, START + 2 * LOCK)
        );
        _claim(bob);
        assertEq(lock.owedTo(alice), BOND);
        _execute(bob, 1, 3);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
    }

    function test_Congestion_NotNoted() public {
        _claim(alice);
        _congest();
        vm.warp(START + LOCK + 1);
        vm.expectRevert(abi.encodeWithSelector(ISimpleLockESS.LockNotLive.selector, address(manager), id));
        _lockCall(stranger, abi.encodeCall(lock.noteCongestion, (address(manager), id)));
        _relax();
        _assertOutcome(true, false);
        _claim(bob);
        assertEq(lock.owedTo(alice), 0);
    }

    // --- money that does not move as it should ---

    function test_RevertWhen_TheReceiverRefuses() public {
        Puppet executor = new Puppet();
        vm.deal(address(executor), 1 ether);
        executor.act(address(lock), BOND, abi.encodeCall(lock.claim, (address(manager), id)));
        vm.prank(owner);
        manager.cancel();
        executor.behave(Puppet.Mode.Reject, Puppet.Mode.Accept, 0);
        vm.expectRevert(abi.encodeWithSelector(ISimpleLockESS.PaymentRefused.selector, address(executor)));
        executor.act(address(lock), 0, abi.encodeCall(lock.settle, (address(manager), id)));
        _settle(stranger);
        executor.act(address(lock), 0, abi.encodeCall(lock.withdraw, (payable(alice))));
        assertEq(alice.balance, 10 ether + BOND);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(ISimpleLockESS.InvalidRecipient.selector, address(lock)));
        lock.withdraw(payable(address(lock)));
    }

    /// A project that is none harms only who claimed with it.
    function test_AFakeProjectTakesItsOwnBondsOnly() public {
        FakeProject fake = new FakeProject(address(lock));
        _claim(alice);
        vm.prank(bob);
        lock.claim{value: BOND}(address(fake), "x");
        vm.warp(START + LOCK + 1);
        fake.lie(0, true);
        lock.settle(address(fake), "x");
        assertEq(lock.forfeitedTo(address(fake)), BOND, "it is held for it");
        vm.expectRevert("refused");
        lock.pushTo(address(fake));
        fake.lie(0, false);
        lock.pushTo(address(fake));
        assertEq(address(fake).balance, BOND);
        assertEq(address(lock).balance, BOND, "Alice's");
        vm.expectRevert(abi.encodeWithSelector(ISimpleLockESS.NothingOwed.selector, address(fake)));
        lock.pushTo(address(fake));
    }

    /// An executor that has a function `deposit` would have to account for it as somebody else's.
    function test_RevertWhen_AnExecutorsBondIsPushed() public {
        Puppet executor = new Puppet();
        vm.deal(address(executor), BOND);
        executor.act(address(lock), BOND, abi.encodeCall(lock.claim, (address(manager), id)));
        vm.prank(owner);
        manager.cancel();
        _settle(stranger);
        vm.expectRevert(abi.encodeWithSelector(ISimpleLockESS.NothingOwed.selector, address(executor)));
        lock.pushTo(address(executor));
        assertEq(lock.owedTo(address(executor)), BOND, "it is there to be withdrawn");
    }

    function testFuzz_LittleGasNeverMisplacesABond(uint256 gas) public {
        _claim(alice);
        vm.warp(START + LOCK + 1);
        vm.prank(stranger);
        (bool success,) = address(lock).call{gas: bound(gas, 30_000, 400_000)}(
            abi.encodeCall(lock.settle, (address(manager), id))
        );
        assertEq(lock.forfeitedTo(address(manager)), 0);
        assertEq(manager.accounts().budget, header.budget + (success ? BOND : 0));
    }
}
