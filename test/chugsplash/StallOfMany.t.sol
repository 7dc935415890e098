// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Box, ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {Guarded, Switch} from "./Stall.t.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {ISimpleLockESS} from "contracts/interfaces/ISimpleLockESS.sol";
import {CREATE3} from "solady/utils/CREATE3.sol";

/**
 * Three hundred actions of which the 120th reverts, until the owner takes the cause away or gives up: who is paid
 * for what, and where every wei is.
 * forge-config: default.isolate = true
 */
contract StallOfManyTest is ChugSplashTest {
    uint256 private constant DEPLOYS = 270;
    uint256 private constant BATCH = 50;
    /// the 120th
    uint256 private constant BAD = 119;
    uint256 private constant DEPLOY_GAS = 200_000;
    uint256 private constant BAD_GAS = 500_000;
    uint256 private constant VALUE = 7;

    Switch private gate;
    Box private box;
    bytes32[] private leaves;
    uint256 private alicePaid;
    uint256 private bobPaid;
    /// Alice's bonds that went into the project
    uint256 private forfeited;

    function setUp() public override {
        super.setUp();
        (gate, box) = (new Switch(), new Box(1));
        for (uint256 i; i < DEPLOYS; ++i) {
            if (i == BAD) {
                bytes memory code = abi.encodePacked(type(Guarded).creationCode, abi.encode(gate));
                _addDeploy("guarded", code, BAD_GAS);
            } else {
                _addDeploy(bytes32(i), hex"600160005360016000f3", DEPLOY_GAS);
            }
        }
        for (uint256 i = DEPLOYS; i < 300; ++i) {
            _addCall(address(box), i == DEPLOYS ? VALUE : 0, abi.encodeCall(Box.set, (i)), 60_000);
        }
        _makeHeader();
        header.callValue = VALUE;
        _propose();
        _approve();
        leaves = _leaves();

        _claim(alice);
        alicePaid += _pay(alice, 0, BATCH, BATCH);
        alicePaid += _pay(alice, BATCH, BATCH, BATCH);
        alicePaid += _stall(alice, 2 * BATCH, BATCH, BAD - 2 * BATCH);
    }

    /// Executes a batch; its pay is what the receipt shows and a fifth.
    function _pay(address executor, uint256 first, uint256 count, uint256 done)
        private
        returns (uint256 payment)
    {
        uint256 before = executor.balance;
        uint256 executed;
        (executed, payment) = _execute(executor, first, count, leaves);
        assertEq(executed, done, "executed");
        assertEq(executor.balance, before + payment);
        assertApproxEqAbs(payment * 1000 / (relay.receiptGas() * BASE_FEE), 1200, 10, "paid / cost");
    }

    /// Executes a batch of which so many succeed, and the next is the one that reverts.
    function _stall(address executor, uint256 first, uint256 count, uint256 done)
        private
        returns (uint256 payment)
    {
        uint256 round = manager.bundle(id).selectionRound;
        vm.expectEmit(address(manager));
        emit IChugSplashManager.BundleStalled(
            id, executor, BAD, abi.encodeWithSelector(CREATE3.DeploymentFailed.selector)
        );
        payment = _pay(executor, first, count, done);
        // For the failure no more than its committed gas.
        uint256 most = done * DEPLOY_GAS + BAD_GAS + manager.txOverhead();
        assertLe(payment, most * BASE_FEE * 12 / 10);

        _assertStatus(IChugSplashManager.Status.STALLED);
        IChugSplashManager.BundleInfo memory b = manager.bundle(id);
        assertEq(b.stalledIndex, BAD);
        assertEq(b.nextIndex, BAD);
        assertEq(b.gasDone, BAD * DEPLOY_GAS, "what failed is not done");
        assertEq(b.selectionRound, round + 1);
        (bool over, bool excused) = lock.outcomeOf(address(manager), id);
        assertTrue(over && excused);
        _refuseMore(executor);
    }

    /// It is paid for it once.
    function _refuseMore(address executor) private {
        bytes memory data = _executeCall(BAD, 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IChugSplashManager.WrongStatus.selector, id, IChugSplashManager.Status.STALLED
            )
        );
        relay.send(executor, address(manager), 0, TX_GAS, data);
    }

    function _settle(address executor) private {
        vm.prank(executor);
        lock.settle(address(manager), id);
    }

    /// The project's accounts while the bundle is active.
    function _assertLocked() private view {
        IChugSplashManager.Accounts memory a = manager.accounts();
        assertEq(a.paid, alicePaid + bobPaid, "paid");
        assertEq(a.free, 100 ether - BOND - header.budget - VALUE, "free");
        assertEq(a.budget, header.budget + forfeited - a.paid, "budget");
        assertEq(a.callValue, VALUE, "call value");
        assertEq(a.userBond, BOND, "user bond");
        assertEq(a.owed, 0, "owed");
        _assertSolvent();
    }

    /// The same when it is not any more, and no bond is left with the lock. `sent` went into the box.
    function _assertDone(uint256 sent) private view {
        IChugSplashManager.Accounts memory a = manager.accounts();
        assertEq(a.paid, alicePaid + bobPaid, "paid");
        assertEq(a.free, 100 ether + forfeited - a.paid - sent, "free");
        assertEq(a.budget + a.callValue + a.userBond + a.owed, 0, "locked and owed");
        assertEq(address(box).balance, sent, "box");
        _assertSolvent();
        assertEq(alice.balance, 10 ether + alicePaid - forfeited, "alice");
        assertEq(bob.balance, 10 ether + bobPaid, "bob");
        assertEq(address(lock).balance, 0, "lock");
    }

    function test_Retry_StallsAgainAndPassesWhenTheCauseIsAway() public {
        _assertLocked();
        assertEq(alice.balance, 10 ether + alicePaid - BOND);
        _settle(alice);
        assertEq(alice.balance, 10 ether + alicePaid);

        // The cause is still there: whoever comes next is paid for the attempt as well, and keeps its bond.
        _send(owner, abi.encodeCall(manager.retry, ()));
        _claim(bob);
        bobPaid = _stall(bob, BAD, 1, 0);
        _settle(bob);
        assertEq(bob.balance, 10 ether + bobPaid);
        assertEq(manager.bundle(id).lastExecutor, alice, "the last that did something");
        _assertLocked();

        gate.open();
        _send(owner, abi.encodeCall(manager.retry, ()));
        _claim(bob);
        for (uint256 next = BAD; next < DEPLOYS; next += BATCH) {
            uint256 count = DEPLOYS - next < BATCH ? DEPLOYS - next : BATCH;
            bobPaid += _pay(bob, next, count, count);
        }
        _assertLocked();
        bobPaid += _pay(bob, DEPLOYS, 30, 30);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertEq(box.value(), 299);
        assertGt(actor.addressOf("guarded").code.length, 0);
        _settle(bob);
        _assertDone(VALUE);
    }

    /// Behind what fails, a batch is sent in vain: no more is paid than the committed gas of the one, and the
    /// transaction's part.
    function test_Retry_WhatWasSentBehindItIsNotPaid() public {
        _send(owner, abi.encodeCall(manager.retry, ()));
        _claim(bob);
        (, uint256 payment) = _execute(bob, BAD, BATCH, leaves);
        assertEq(payment, (BAD_GAS + manager.txOverhead()) * BASE_FEE * 12 / 10);
        assertApproxEqAbs(payment * 1000 / (relay.receiptGas() * BASE_FEE), 900, 10, "a loss");
    }

    /// The issue's sequence: the 120th reverts, the owner lets it be tried again, and gives up. Who tries keeps its
    /// bond each time; who only held the lock in between loses it to the project.
    function test_Close_AfterARetryThatStallsAgain_SetsEverythingFree() public {
        _settle(alice);
        assertEq(alice.balance, 10 ether + alicePaid, "her bond is back");
        _send(owner, abi.encodeCall(manager.retry, ()));
        _assertStatus(IChugSplashManager.Status.APPROVED);
        _claim(alice);
        vm.warp(block.timestamp + LOCK + 1);
        _claim(bob);
        forfeited = BOND;
        assertEq(lock.owedTo(alice), 0);
        assertEq(address(lock).balance, BOND, "Bob's");
        _assertLocked();
        bobPaid = _stall(bob, BAD, 1, 0);
        assertGt(bobPaid, 0);
        _settle(bob);
        assertEq(bob.balance, 10 ether + bobPaid, "his bond is back");
        _assertLocked();

        vm.expectEmit(address(manager));
        emit IChugSplashManager.BundleFailed(id, BAD);
        _send(owner, abi.encodeCall(manager.close, ()));
        _assertStatus(IChugSplashManager.Status.FAILED);
        assertEq(manager.activeBundleId(), 0);
        assertEq(box.value(), 0);
        // What was deployed stays; of what failed there is nothing, and its name is not burnt.
        assertGt(actor.addressOf(bytes32(BAD - 1)).code.length, 0);
        assertEq(actor.addressOf("guarded").code.length, 0);
        assertEq(actor.addressOf(bytes32(BAD + 1)).code.length, 0);
        _assertDone(0);

        // It is over: no executor can stake a bond on it any more, nor the owner let it go on.
        vm.expectRevert(
            abi.encodeWithSelector(
                ISimpleLockESS.NotReady.selector, IChugSplashManager.Readiness.NOT_APPROVED
            )
        );
        _claim(bob);
        vm.expectRevert(
            abi.encodeWithSelector(
                IChugSplashManager.WrongStatus.selector, 0, IChugSplashManager.Status.EMPTY
            )
        );
        _send(owner, abi.encodeCall(manager.retry, ()));

        uint256 rest = 100 ether + BOND - alicePaid - bobPaid;
        _send(owner, abi.encodeCall(manager.withdraw, (payable(owner), rest)));
        assertEq(owner.balance, 900 ether + rest);
        assertEq(address(manager).balance, 0);
    }
}
