// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Puppet} from "../actors/Puppet.sol";
import {ScriptedStrategy} from "../actors/ScriptedStrategy.sol";
import {ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {ISimpleLockESS} from "contracts/interfaces/ISimpleLockESS.sol";

/**
 * Strategies that are not what they were: others' code at their address while a bundle is active, or another
 * answer when they are asked again in the same transaction.
 * forge-config: default.isolate = true
 */
contract ChangingStrategiesTest is ChugSplashTest {
    ScriptedStrategy private ess;
    ScriptedStrategy private eps;

    function setUp() public override {
        super.setUp();
        (ess, eps) = (new ScriptedStrategy(), new ScriptedStrategy());
        ess.select(alice, START);
        eps.price(1 gwei);
        for (uint256 i; i < 3; ++i) {
            _addBox(i);
        }
        _makeHeader();
    }

    function _begin(address ess_, address eps_) private {
        (header.ess, header.eps) = (ess_, eps_);
        _propose();
        _approve();
    }

    /// Nothing of it happens.
    function _refuse(address executor, uint256 index, bytes memory reason) private {
        bytes memory before = abi.encode(manager.accounts(), manager.bundle(id), executor.balance);
        bytes memory data = _executeCall(index, 1);
        vm.expectRevert(reason);
        relay.send(executor, address(manager), 0, TX_GAS, data);
        assertEq(abi.encode(manager.accounts(), manager.bundle(id), executor.balance), before);
    }

    function _assertReadiness(IChugSplashManager.Readiness expected) private view {
        assertEq(uint256(manager.selectionTerms(id).readiness), uint256(expected));
    }

    // --- others' code ---

    /// Refused from then on; the owner can pause and withdraw, or cancel with the bond back, though somebody worked.
    function _assertStopped(address changed, uint256 paid) private {
        bytes memory code = changed.code;
        // Another contract's, and none at all.
        bytes[2] memory codes = [address(diminishingBonus).code, bytes("")];
        for (uint256 i; i < codes.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            vm.etch(changed, codes[i]);
            _refuse(
                alice,
                1,
                abi.encodeWithSelector(IChugSplashManager.StrategyChanged.selector, header.ess, header.eps)
            );
            _assertReadiness(IChugSplashManager.Readiness.UNSOUND);
            _assertCancelled(paid);
            _assertPaused(paid);
            vm.revertToStateAndDelete(snapshot);
        }
        // What is as it was before is sound again.
        vm.etch(changed, codes[0]);
        vm.etch(changed, code);
        _execute(alice, 1, 2);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
    }

    function _assertCancelled(uint256 paid) private {
        uint256 snapshot = vm.snapshotState();
        // In the time in which a cancellation would be paid for, if the strategies were sound.
        vm.warp(START + 100);
        vm.expectEmit(address(manager));
        emit IChugSplashManager.BundleCancelled(id, address(manager), BOND);
        _send(owner, abi.encodeCall(manager.cancel, ()));
        assertEq(manager.accounts().free, 100 ether - paid);
        assertEq(manager.accounts().owed, 0);
        _assertSolvent();
        vm.revertToStateAndDelete(snapshot);
    }

    function _assertPaused(uint256 paid) private {
        _send(owner, abi.encodeCall(manager.requestPause, ()));
        _assertStatus(IChugSplashManager.Status.PAUSED);
        uint256 free = 100 ether - BOND - paid;
        assertEq(manager.accounts().free, free);
        _send(owner, abi.encodeCall(manager.withdraw, (payable(owner), free)));
        assertEq(address(manager).balance, BOND);
    }

    function test_Changed_TheSelectionStrategy() public {
        _begin(address(ess), address(flatFee));
        (, uint256 paid) = _execute(alice, 0, 1);
        _assertStopped(address(ess), paid);
    }

    function test_Changed_ThePaymentStrategy() public {
        _begin(address(ess), address(eps));
        (, uint256 paid) = _execute(alice, 0, 1);
        assertEq(paid, 1 gwei);
        _assertStopped(address(eps), paid);
    }

    /// The lock's holder does not pay for it, and nobody else gets into the same.
    function test_Changed_TheHoldersBondIsExcused() public {
        _begin(address(lock), address(eps));
        _claim(alice);
        vm.etch(address(eps), address(flatFee).code);
        vm.warp(START + LOCK);
        vm.expectEmit(address(manager));
        emit IChugSplashManager.RoundEnded(id, 0, START + LOCK);
        vm.prank(stranger);
        manager.noteUnsound();
        vm.expectRevert(
            abi.encodeWithSelector(ISimpleLockESS.NotReady.selector, IChugSplashManager.Readiness.UNSOUND)
        );
        _claim(bob);
        vm.prank(alice);
        lock.settle(address(manager), id);
        assertEq(alice.balance, 10 ether);
        assertEq(address(lock).balance, 0);
    }

    /// What counts is what there was at the approval.
    function test_Changed_BeforeTheApproval() public {
        (header.ess, header.eps) = (address(ess), address(eps));
        _propose();
        vm.etch(address(eps), address(flatFee).code);
        _approve();
        _assertReadiness(IChugSplashManager.Readiness.READY);
        _execute(alice, 0, 3);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
    }

    // --- another answer in the same transaction ---

    /// Little before, and more afterwards than there is: the transaction reverts as a whole, and every other.
    function test_Fickle_APaymentBeyondTheBudget() public {
        _begin(address(ess), address(eps));
        eps.beFickle(address(0), 20 ether + 1);
        bytes memory reason =
            abi.encodeWithSelector(IChugSplashManager.PaymentTooHigh.selector, 20 ether + 1, 20 ether);
        _refuse(alice, 0, reason);
        assertEq(actor.addressOf(0).code.length, 0, "undone");
        eps.beFickle(address(0), type(uint256).max);
        _refuse(
            alice,
            0,
            abi.encodeWithSelector(IChugSplashManager.PaymentTooHigh.selector, type(uint256).max, 20 ether)
        );
        // Somebody else's money is not in reach: neither what is free nor the user bond.
        eps.beFickle(address(0), 20 ether);
        (, uint256 payment) = _execute(alice, 0, 1);
        assertEq(payment, 20 ether);
        IChugSplashManager.Accounts memory a = manager.accounts();
        assertEq(a.budget, 0);
        assertEq(a.free, 80 ether - BOND);
        assertEq(a.userBond, BOND);
        _assertSolvent();
        _send(owner, abi.encodeCall(manager.cancel, ()));
        assertEq(alice.balance, 30 ether + BOND, "she worked");
        assertEq(manager.accounts().free, 80 ether - BOND);
    }

    /// More before than there is, and little afterwards: what is not surely paid is not executed.
    function test_Fickle_APriceBeyondTheBudget() public {
        _begin(address(ess), address(eps));
        eps.price(20 ether + 1);
        // For all three it is asked first, then for the first alone.
        eps.beFickle(address(0), 20 ether + 2);
        vm.expectEmit(address(manager));
        emit IChugSplashManager.BudgetExhausted(id, 20 ether + 2, 20 ether);
        (uint256 executed, uint256 payment) = _execute(alice, 0, 3);
        assertEq(executed + payment, 0);
        // The answer for less of it is believed.
        eps.beFickle(address(0), 1 gwei);
        (executed, payment) = _execute(alice, 0, 3);
        assertEq(executed, 3);
        assertEq(payment, 1 gwei);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        _assertSolvent();
    }

    /// Asked once for each execution: who was named may execute, and at the next who is named then.
    function test_Fickle_ASelection() public {
        Puppet executor = new Puppet();
        _begin(address(ess), address(flatFee));
        ess.select(address(executor), START);
        ess.beFickle(alice, 0);
        Puppet.Call[] memory calls = new Puppet.Call[](2);
        for (uint256 i; i < 2; ++i) {
            calls[i] = Puppet.Call(address(manager), 0, _executeCall(i, 1));
        }
        executor.script(calls);
        relay.send(stranger, address(executor), 0, TX_GAS, abi.encodeCall(Puppet.run, ()));
        (bool[] memory results, bytes[] memory returned) = executor.results();
        assertTrue(results[0]);
        assertFalse(results[1]);
        assertEq(
            returned[1],
            abi.encodeWithSelector(IChugSplashManager.NotSelected.selector, address(executor), alice)
        );
        assertEq(manager.bundle(id).nextIndex, 1);
        assertEq(manager.bundle(id).lastExecutor, address(executor));
        assertEq(address(executor).balance, manager.accounts().paid);
        _assertSolvent();
    }

    /// Whom a cancellation wrongs is asked once, too.
    function test_Fickle_ACancellation() public {
        _begin(address(ess), address(flatFee));
        ess.beFickle(bob, 0);
        vm.warp(START + 100);
        vm.expectEmit(address(manager));
        emit IChugSplashManager.BundleCancelled(id, alice, BOND);
        _send(owner, abi.encodeCall(manager.cancel, ()));
        assertEq(alice.balance, 10 ether + BOND);
        assertEq(bob.balance, 10 ether);
        _assertSolvent();
    }
}
