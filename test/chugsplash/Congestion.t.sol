// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Box, ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {ISimpleLockESS} from "contracts/interfaces/ISimpleLockESS.sol";

/**
 * A basefee above the bundle's cap, from each phase on: nothing moves while it lasts, the upgrade goes on when it
 * has fallen, and of bonds and payments every wei is followed. A phase is the number of deploys that were executed
 * before it: none, one, or both, so that the switch is next.
 * forge-config: default.isolate = true
 */
contract CongestionTest is ChugSplashTest {
    uint256 private constant CAP = 15 gwei;
    uint256 private constant PHASES = 3;
    uint256 private constant DEPLOYS = 2;
    /// When it begins, in the middle of Alice's lock.
    uint256 private constant CONGESTED_AT = START + 300;

    address private proxy;
    /// what each was paid, and what of bonds went into the project
    uint256 private alicePaid;
    uint256 private bobPaid;
    uint256 private forfeited;

    function setUp() public override {
        super.setUp();
        proxy = _addProxy("proxy");
        address box = _addBox(1);
        _addStore(proxy, 0, 7);
        _addImplementation(proxy, box);
        _makeHeader();
        header.maxBaseFee = CAP;
        _propose();
        _approve();
    }

    // --- how it goes ---

    /// Alice claims, and executes so many deploys before the basefee rises.
    function _congestIn(uint256 phase) private {
        _claim(alice);
        for (uint256 i; i < phase; ++i) {
            (, uint256 payment) = _execute(alice, i, 1);
            alicePaid += payment;
        }
        vm.warp(CONGESTED_AT);
        relay.setPrices(CAP + 1, CAP + 1);
        _assertNothingMoves(alice, phase);
    }

    function _relax() private {
        relay.setPrices(BASE_FEE, BASE_FEE);
    }

    /// Neither the next action nor all that is left is executed, and no account changes.
    function _assertNothingMoves(address executor, uint256 next) private {
        bytes memory before = abi.encode(manager.accounts(), manager.bundle(id), executor.balance);
        bytes memory refusal =
            abi.encodeWithSelector(IChugSplashManager.BaseFeeAboveCap.selector, CAP + 1, CAP);
        bytes memory data = _executeCall(next, next < DEPLOYS ? 1 : plan.length - next);
        vm.expectRevert(refusal);
        relay.send(executor, address(manager), 0, TX_GAS, data);
        data = _executeCall(next, plan.length - next);
        vm.expectRevert(refusal);
        relay.send(executor, address(manager), 0, TX_GAS, data);
        assertEq(abi.encode(manager.accounts(), manager.bundle(id), executor.balance), before);
    }

    function _note() private {
        vm.expectEmit(address(lock));
        emit ISimpleLockESS.CongestionNoted(address(manager), id, alice, false);
        relay.send(
            stranger, address(lock), 0, TX_GAS, abi.encodeCall(lock.noteCongestion, (address(manager), id))
        );
    }

    function _release() private {
        vm.expectEmit(address(lock));
        emit ISimpleLockESS.CongestionNoted(address(manager), id, alice, true);
        relay.send(alice, address(lock), 0, TX_GAS, abi.encodeCall(lock.release, (address(manager), id)));
    }

    function _refuseClaim(address executor, bytes memory refusal) private {
        vm.expectRevert(refusal);
        _claim(executor);
    }

    function _congestedNow() private pure returns (bytes memory) {
        return
            abi.encodeWithSelector(ISimpleLockESS.NotReady.selector, IChugSplashManager.Readiness.CONGESTED);
    }

    /// Executes the rest, first the deploys one by one, and takes the bond back.
    function _finish(address executor, uint256 next) private {
        uint256 paid;
        while (next < plan.length) {
            (uint256 executed, uint256 payment) =
                _execute(executor, next, next < DEPLOYS ? 1 : plan.length - next);
            next += executed;
            paid += payment;
        }
        if (executor == alice) alicePaid += paid;
        else bobPaid += paid;
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertEq(Box(proxy).version(), 1);
        assertEq(Box(proxy).value(), 7);
        vm.prank(executor);
        lock.settle(address(manager), id);
    }

    /// Alice's bond of the lock before, if it is hers.
    function _withdrawAlices() private {
        if (lock.owedTo(alice) == 0) return;
        assertEq(lock.owedTo(alice), BOND);
        vm.prank(alice);
        lock.withdraw(payable(alice));
    }

    /// Every wei that there was, where it belongs.
    function _assertMoney() private {
        _withdrawAlices();
        assertEq(stranger.balance, 10 ether, "stranger");
        _assertMoney(alicePaid, bobPaid, forfeited);
    }

    // --- nobody has claimed ---

    function test_Unclaimed() public {
        relay.setPrices(CAP + 1, CAP + 1);
        _refuseClaim(alice, _congestedNow());
        vm.expectRevert(abi.encodeWithSelector(ISimpleLockESS.LockNotLive.selector, address(manager), id));
        relay.send(
            stranger, address(lock), 0, TX_GAS, abi.encodeCall(lock.noteCongestion, (address(manager), id))
        );
        _assertNothingMoves(alice, 0);
        // For whom it kept from claiming there is nothing to wait for.
        relay.setPrices(CAP, CAP);
        _claim(alice);
        _finish(alice, 0);
        _assertMoney();
    }

    /// What is executed at the cap is paid at the cap, and nothing dearer ever is.
    function test_AtTheCap() public {
        _claim(alice);
        relay.setPrices(CAP, CAP);
        vm.recordLogs();
        _execute(alice, 0, 1);
        (uint256 gasUsed, uint256 payment) = _lastExecution();
        assertEq(payment, gasUsed * CAP * 12 / 10);
        alicePaid = payment;
        _finish(alice, 1);
        _assertMoney();
    }

    // --- somebody has ---

    /// It falls while the lock is live: whether it was noted or not, the same executor goes on, and loses nothing.
    function test_ItFallsWithinTheLock_InEachPhase() public {
        for (uint256 i; i < 2 * PHASES; ++i) {
            uint256 snapshot = vm.snapshotState();
            _congestIn(i / 2);
            if (i % 2 == 0) _note();
            vm.warp(START + LOCK - 1);
            _assertNothingMoves(alice, i / 2);
            vm.warp(START + LOCK);
            _relax();
            _finish(alice, i / 2);
            _assertMoney();
            vm.revertToStateAndDelete(snapshot);
        }
    }

    /// Noted, in the last second: the bond stays Alice's when somebody else goes on after the lock.
    function test_Noted_AnotherGoesOn_InEachPhase() public {
        for (uint256 phase; phase < PHASES; ++phase) {
            uint256 snapshot = vm.snapshotState();
            _congestIn(phase);
            vm.warp(START + LOCK);
            _note();
            vm.warp(START + LOCK + 1);
            _refuseClaim(bob, _congestedNow());
            _assertNothingMoves(alice, phase);
            _relax();
            uint256 budget = manager.accounts().budget;
            _claim(bob);
            assertEq(manager.accounts().budget, budget, "nothing is forfeited");
            assertEq(lock.owedTo(alice), BOND);
            _finish(bob, phase);
            _assertMoney();
            vm.revertToStateAndDelete(snapshot);
        }
    }

    /// Not noted: she had a lock without executing, and nobody can tell why. The bond is the project's.
    function test_NotNoted_AnotherGoesOn_InEachPhase() public {
        for (uint256 phase; phase < PHASES; ++phase) {
            uint256 snapshot = vm.snapshotState();
            _congestIn(phase);
            vm.warp(START + LOCK + 1);
            _refuseClaim(bob, _congestedNow());
            _relax();
            uint256 budget = manager.accounts().budget;
            _claim(bob);
            forfeited = BOND;
            assertEq(manager.accounts().budget, budget + BOND, "into the budget");
            assertEq(lock.owedTo(alice), 0);
            _finish(bob, phase);
            _assertMoney();
            vm.revertToStateAndDelete(snapshot);
        }
    }

    /// Noted: the same executor waits one lock time after the lock, and no second more.
    function test_Noted_TheSameGoesOn_InEachPhase() public {
        for (uint256 phase; phase < PHASES; ++phase) {
            uint256 snapshot = vm.snapshotState();
            _congestIn(phase);
            _note();
            _relax();
            vm.warp(START + LOCK + 1);
            _waitAndFinish(phase, START + 2 * LOCK);
            vm.revertToStateAndDelete(snapshot);
        }
    }

    /// Released: the lock is over at once, and the time runs from then.
    function test_Released_TheSameGoesOn_InEachPhase() public {
        for (uint256 phase; phase < PHASES; ++phase) {
            uint256 snapshot = vm.snapshotState();
            _congestIn(phase);
            _release();
            _relax();
            bytes memory data = _executeCall(phase, phase < DEPLOYS ? 1 : plan.length - phase);
            vm.expectRevert(
                abi.encodeWithSelector(IChugSplashManager.NotSelected.selector, alice, address(0))
            );
            relay.send(alice, address(manager), 0, TX_GAS, data);
            _waitAndFinish(phase, CONGESTED_AT + LOCK);
            vm.revertToStateAndDelete(snapshot);
        }
    }

    function _waitAndFinish(uint256 phase, uint256 until) private {
        bytes memory cooling = abi.encodeWithSelector(ISimpleLockESS.CoolingDown.selector, alice, until);
        _refuseClaim(alice, cooling);
        vm.warp(until);
        _refuseClaim(alice, cooling);
        vm.warp(until + 1);
        _claim(alice);
        assertEq(address(lock).balance, 2 * BOND, "the old one is kept for her");
        _finish(alice, phase);
        _assertMoney();
    }

    /// Released: others need not wait.
    function test_Released_AnotherGoesOn_InEachPhase() public {
        for (uint256 phase; phase < PHASES; ++phase) {
            uint256 snapshot = vm.snapshotState();
            _congestIn(phase);
            _release();
            _refuseClaim(bob, _congestedNow());
            _relax();
            _claim(bob);
            _finish(bob, phase);
            _assertMoney();
            vm.revertToStateAndDelete(snapshot);
        }
    }
}
