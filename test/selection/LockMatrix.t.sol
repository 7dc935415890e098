// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {StatusMatrix} from "../chugsplash/StatusMatrix.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {ISimpleLockESS} from "contracts/interfaces/ISimpleLockESS.sol";

/**
 * Every function of SimpleLockESS, in every state that a bundle and a lock on it can be in, by every caller. What
 * comes of a call follows from the few facts that each column states, and from nothing else.
 * forge-config: default.isolate = true
 */
contract LockMatrixTest is StatusMatrix {
    /// A bundle's status, and what became of Alice's lock on it.
    enum Column {
        EMPTY,
        PROPOSED,
        UNCLAIMED,
        LIVE,
        EXPIRED,
        SETTLED,
        RELEASED,
        NOTED,
        NOTED_AND_EXPIRED,
        CONGESTED,
        CONGESTED_AND_UNCLAIMED,
        UNDERFUNDED,
        UNSOUND,
        PAUSE_REQUESTED,
        PAUSE_REQUESTED_AND_EXPIRED,
        PAUSED,
        PAUSED_AFTER_THE_LOCK,
        RESUMED,
        STALLED,
        RETRIED,
        COMPLETED,
        FAILED,
        CANCELLED,
        CANCELLED_AFTER_THE_LOCK
    }

    uint256 private constant CONGESTION = CAP + 1;

    /// What a column says.
    IChugSplashManager.Status private status;
    IChugSplashManager.Readiness private readiness;
    bool private hasLock;
    bool private isOver;
    bool private isExcused;
    bool private isCongested;
    /// the last second in which Alice must not claim
    uint256 private coolingUntil;

    address private caller;

    /// Bob is owed a bond, of a bundle before.
    function setUp() public override {
        super.setUp();
        _send(owner, abi.encodeCall(manager.approve, (otherId, other)));
        id = otherId;
        _claim(bob);
        _send(owner, abi.encodeCall(manager.cancel, ()));
        _lockCall(stranger, abi.encodeCall(lock.settle, (address(manager), otherId)));
        assertEq(lock.owedTo(bob), BOND);
        vm.warp(block.timestamp + 1 days);
    }

    function _lockCall(address from, bytes memory data) private {
        relay.send(from, address(lock), 0, TX_GAS, data);
    }

    // --- the columns ---

    function _enter(Column column) private {
        if (column <= Column.PROPOSED) _enterUnapproved(column);
        else if (column <= Column.NOTED_AND_EXPIRED) _enterApproved(column);
        else if (column <= Column.UNSOUND) _enterUnready(column);
        else if (column <= Column.RESUMED) _enterPaused(column);
        else _enterStopped(column);
        _assertStatus(status);
        assertEq(uint256(manager.selectionTerms(id).readiness), uint256(readiness), "readiness");
    }

    function _say(IChugSplashManager.Status status_, IChugSplashManager.Readiness readiness_) private {
        (status, readiness) = (status_, readiness_);
    }

    function _sayLock(bool over, bool excused) private {
        (hasLock, isOver, isExcused) = (true, over, excused);
    }

    function _enterUnapproved(Column column) private {
        bool isEmpty = column == Column.EMPTY;
        _reach(isEmpty ? IChugSplashManager.Status.EMPTY : IChugSplashManager.Status.PROPOSED);
        _say(
            isEmpty ? IChugSplashManager.Status.EMPTY : IChugSplashManager.Status.PROPOSED,
            IChugSplashManager.Readiness.NOT_APPROVED
        );
    }

    function _enterUnclaimed() private {
        _reach(IChugSplashManager.Status.PROPOSED);
        _approve();
        _say(IChugSplashManager.Status.APPROVED, IChugSplashManager.Readiness.READY);
    }

    function _enterLive() private {
        _reach(IChugSplashManager.Status.APPROVED);
        _say(IChugSplashManager.Status.APPROVED, IChugSplashManager.Readiness.READY);
        _sayLock(false, false);
    }

    function _enterExpired() private {
        _enterLive();
        vm.warp(lockUntil + 1);
        _sayLock(true, false);
    }

    function _inCongestion(address from, bytes memory data) private {
        relay.setPrices(CONGESTION, CONGESTION);
        _lockCall(from, data);
        relay.setPrices(BASE_FEE, BASE_FEE);
    }

    function _enterApproved(Column column) private {
        if (column == Column.UNCLAIMED) return _enterUnclaimed();
        if (column == Column.EXPIRED || column == Column.SETTLED) return _enterSettled(column);
        _enterLive();
        if (column == Column.RELEASED) {
            vm.warp(block.timestamp + 100);
            _inCongestion(alice, abi.encodeCall(lock.release, (address(manager), id)));
            _sayLock(true, true);
            coolingUntil = block.timestamp + LOCK;
        } else if (column != Column.LIVE) {
            _inCongestion(stranger, abi.encodeCall(lock.noteCongestion, (address(manager), id)));
            if (column == Column.NOTED_AND_EXPIRED) vm.warp(lockUntil + 1);
            _sayLock(column == Column.NOTED_AND_EXPIRED, true);
            coolingUntil = lockUntil + LOCK;
        }
    }

    function _enterSettled(Column column) private {
        _enterExpired();
        if (column == Column.EXPIRED) return;
        _lockCall(stranger, abi.encodeCall(lock.settle, (address(manager), id)));
        hasLock = false;
    }

    function _enterUnready(Column column) private {
        if (column == Column.UNDERFUNDED) return _enterUnderfunded();
        if (column == Column.CONGESTED_AND_UNCLAIMED) _enterUnclaimed();
        else _enterLive();
        if (column == Column.UNSOUND) {
            vm.etch(address(flatFee), address(diminishingBonus).code);
            _callManager(stranger, abi.encodeCall(manager.noteUnsound, ()));
            _sayLock(true, true);
            readiness = IChugSplashManager.Readiness.UNSOUND;
        } else {
            relay.setPrices(CONGESTION, CONGESTION);
            vm.fee(CONGESTION);
            (isCongested, readiness) = (true, IChugSplashManager.Readiness.CONGESTED);
        }
    }

    /// No cap, and a budget for twice the basefee: above that it does not pay.
    function _enterUnderfunded() private {
        _makeHeader();
        header.budget = (header.totalGas + header.maxTxs * manager.txOverhead()) * 2 * BASE_FEE * 12 / 10;
        _propose();
        _approve();
        _claim(alice);
        lockUntil = block.timestamp + LOCK;
        vm.warp(lockUntil + 1);
        relay.setPrices(2 * BASE_FEE + 1, 2 * BASE_FEE + 1);
        vm.fee(2 * BASE_FEE + 1);
        _sayLock(true, false);
        _say(IChugSplashManager.Status.APPROVED, IChugSplashManager.Readiness.UNDERFUNDED);
    }

    function _enterPaused(Column column) private {
        if (column == Column.PAUSED_AFTER_THE_LOCK) _enterExpired();
        else _enterLive();
        if (column == Column.PAUSE_REQUESTED_AND_EXPIRED) vm.warp(block.timestamp + 30);
        _callManager(owner, abi.encodeCall(manager.requestPause, ()));
        if (column <= Column.PAUSE_REQUESTED_AND_EXPIRED) {
            readiness = IChugSplashManager.Readiness.PAUSE_REQUESTED;
            if (column == Column.PAUSE_REQUESTED) return;
            vm.warp(lockUntil + 1);
            _sayLock(true, false);
            return;
        }
        _say(IChugSplashManager.Status.PAUSED, IChugSplashManager.Readiness.NOT_APPROVED);
        if (column == Column.PAUSED_AFTER_THE_LOCK) return;
        // In force by the clock, in the last second of the lock.
        vm.warp(lockUntil);
        _sayLock(true, true);
        if (column == Column.PAUSED) return;
        _callManager(owner, abi.encodeCall(manager.resume, ()));
        _say(IChugSplashManager.Status.APPROVED, IChugSplashManager.Readiness.READY);
    }

    function _enterStopped(Column column) private {
        IChugSplashManager.Status reached = IChugSplashManager.Status.STALLED;
        if (column == Column.COMPLETED) reached = IChugSplashManager.Status.COMPLETED;
        if (column == Column.FAILED) reached = IChugSplashManager.Status.FAILED;
        if (column == Column.CANCELLED) reached = IChugSplashManager.Status.CANCELLED;
        if (column == Column.CANCELLED_AFTER_THE_LOCK) {
            _enterExpired();
            _callManager(owner, abi.encodeCall(manager.cancel, ()));
            reached = IChugSplashManager.Status.CANCELLED;
        } else {
            _reach(reached);
            _sayLock(true, true);
        }
        _say(reached, IChugSplashManager.Readiness.NOT_APPROVED);
        if (column != Column.RETRIED) return;
        _callManager(owner, abi.encodeCall(manager.retry, ()));
        _say(IChugSplashManager.Status.APPROVED, IChugSplashManager.Readiness.READY);
    }

    function _callManager(address from, bytes memory data) private {
        relay.send(from, address(manager), 0, TX_GAS, data);
    }

    // --- the table ---

    function _table() private {
        bytes memory claim = abi.encodeCall(lock.claim, (address(manager), id));
        _row("claim", address(lock), BOND, claim, _whyNoClaim(), "", status);
        bytes memory wrong = abi.encodeWithSelector(ISimpleLockESS.WrongBond.selector, BOND - 1, BOND);
        _row("claim for less", address(lock), BOND - 1, claim, wrong, "", status);

        bytes memory release = abi.encodeCall(lock.release, (address(manager), id));
        bytes memory notHolder = abi.encodeWithSelector(ISimpleLockESS.NotHolder.selector, caller, alice);
        _line("release", release, _whyNotCongested(), _unless(caller == alice, notHolder));
        bytes memory note = abi.encodeCall(lock.noteCongestion, (address(manager), id));
        _line("noteCongestion", note, _whyNotCongested(), "");
        bytes memory settle = abi.encodeCall(lock.settle, (address(manager), id));
        _line("settle", settle, _unless(hasLock, _notLive()), _unless(isOver, _live()));

        bytes memory nothing = abi.encodeWithSelector(ISimpleLockESS.NothingOwed.selector, caller);
        bytes memory withdrawal = abi.encodeCall(lock.withdraw, (payable(stranger)));
        _line("withdraw", withdrawal, _unless(caller == bob, nothing), "");
        nothing = abi.encodeWithSelector(ISimpleLockESS.NothingOwed.selector, address(manager));
        _line("pushTo", abi.encodeCall(lock.pushTo, (address(manager))), nothing, "");
        nothing = abi.encodeWithSelector(ISimpleLockESS.InvalidRecipient.selector, bob);
        _line("pushTo an account", abi.encodeCall(lock.pushTo, (bob)), nothing, "");
    }

    function _line(string memory name, bytes memory data, bytes memory first, bytes memory second) private {
        _row(name, address(lock), 0, data, first, second, status);
    }

    function _whyNoClaim() private view returns (bytes memory) {
        if (hasLock && !isOver) return _live();
        if (status <= IChugSplashManager.Status.PROPOSED) {
            return abi.encodeWithSelector(ISimpleLockESS.NotSelectedBy.selector, address(0));
        }
        if (readiness != IChugSplashManager.Readiness.READY) {
            return abi.encodeWithSelector(ISimpleLockESS.NotReady.selector, readiness);
        }
        return _unless(
            caller != alice || block.timestamp > coolingUntil,
            abi.encodeWithSelector(ISimpleLockESS.CoolingDown.selector, alice, coolingUntil)
        );
    }

    function _whyNotCongested() private view returns (bytes memory) {
        if (!hasLock || isOver) return _notLive();
        return
            _unless(isCongested, abi.encodeWithSelector(ISimpleLockESS.NotCongested.selector, BASE_FEE, CAP));
    }

    function _live() private view returns (bytes memory) {
        return abi.encodeWithSelector(ISimpleLockESS.LockLive.selector, alice, lockUntil);
    }

    function _notLive() private view returns (bytes memory) {
        return abi.encodeWithSelector(ISimpleLockESS.LockNotLive.selector, address(manager), id);
    }

    function test_EveryFunctionInEveryColumnByEveryCaller() public {
        address[6] memory callers = [alice, bob, owner, stranger, heir, address(actor)];
        vm.label(address(actor), "actor");
        for (uint256 i; i <= uint256(type(Column).max); ++i) {
            uint256 snapshot = vm.snapshotState();
            _enter(Column(i));
            for (uint256 c; c < callers.length; ++c) {
                caller = callers[c];
                _table();
                _check(caller, string.concat("in column ", vm.toString(i)));
            }
            vm.revertToStateAndDelete(snapshot);
        }
    }

    // --- the bond ---

    /// Where the lock is over, its bond is Alice's or the project's, whoever settles it or claims anew.
    function test_TheBondInEveryColumn() public {
        for (uint256 i; i <= uint256(type(Column).max); ++i) {
            uint256 snapshot = vm.snapshotState();
            _enter(Column(i));
            if (hasLock && isOver) {
                _assertBondMoves(stranger, 0, abi.encodeCall(lock.settle, (address(manager), id)), i);
                caller = bob;
                bytes memory claim = abi.encodeCall(lock.claim, (address(manager), id));
                if (_whyNoClaim().length == 0) _assertBondMoves(bob, BOND, claim, i);
            }
            vm.revertToStateAndDelete(snapshot);
        }
    }

    function _assertBondMoves(address from, uint256 value, bytes memory data, uint256 column) private {
        uint256 snapshot = vm.snapshotState();
        string memory name = string.concat("column ", vm.toString(column));
        (bool over, bool excused) = lock.outcomeOf(address(manager), id);
        assertTrue(over && excused == isExcused, name);
        IChugSplashManager.Accounts memory before = manager.accounts();
        uint256 held = address(lock).balance;
        vm.deal(from, value);
        relay.send(from, address(lock), value, TX_GAS, data);

        IChugSplashManager.Accounts memory a = manager.accounts();
        bool toBudget =
            status == IChugSplashManager.Status.APPROVED || status == IChugSplashManager.Status.STALLED;
        uint256 forfeited = isExcused ? 0 : BOND;
        assertEq(lock.owedTo(alice), BOND - forfeited, name);
        assertEq(a.budget, before.budget + (toBudget ? forfeited : 0), name);
        assertEq(a.free, before.free + (toBudget ? 0 : forfeited), name);
        assertEq(address(lock).balance, held + value - forfeited, name);
        vm.revertToStateAndDelete(snapshot);
    }
}
