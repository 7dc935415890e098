// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Puppet} from "../actors/Puppet.sol";
import {ScriptedStrategy} from "../actors/ScriptedStrategy.sol";
import {Box, ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {ANYONE} from "contracts/interfaces/IExecutorSelectionStrategy.sol";
import {ISimpleLockESS} from "contracts/interfaces/ISimpleLockESS.sol";

/// Makes calls while it is constructed, and tells how they went.
contract Reentrant {
    bool[] public succeeded;
    bytes[] public reasons;

    constructor(address[] memory to, bytes[] memory data) {
        for (uint256 i; i < to.length; ++i) {
            (bool success, bytes memory reason) = to[i].call(data[i]);
            succeeded.push(success);
            reasons.push(reason);
        }
    }
}

/**
 * Strategies, constructors, targets and executors that mean no good.
 * forge-config: default.isolate = true
 */
contract HostileTest is ChugSplashTest {
    ScriptedStrategy private ess;
    ScriptedStrategy private eps;

    function setUp() public override {
        super.setUp();
        ess = new ScriptedStrategy();
        eps = new ScriptedStrategy();
        ess.select(alice, START);
        eps.price(1 gwei);
        _addBox(1);
        _addBox(2);
    }

    function _begin(address ess_, address eps_) private {
        _makeHeader();
        (header.ess, header.eps) = (ess_, eps_);
        _propose();
        _approve();
    }

    function _refused(bytes memory reason) private {
        bytes memory data = _executeCall(0, 1);
        vm.expectRevert(reason);
        relay.send(alice, address(manager), 0, TX_GAS, data);
    }

    function _cancelGivesTheBondBack() private {
        uint256 before = manager.accounts().free;
        uint256 locked = manager.accounts().budget;
        _send(owner, abi.encodeCall(manager.cancel, ()));
        assertEq(manager.accounts().free, before + locked + BOND);
        _assertSolvent();
    }

    // --- strategies ---

    function test_AnEssThatMisbehavesStopsItsOwnProjectOnly() public {
        for (uint256 mode = 1; mode <= uint256(type(ScriptedStrategy.Mode).max); ++mode) {
            uint256 snapshot = vm.snapshotState();
            _begin(address(ess), address(flatFee));
            ess.behave(ScriptedStrategy.Mode(mode));
            _refused(abi.encodeWithSelector(IChugSplashManager.StrategyFailed.selector, address(ess)));
            (address executor,) = manager.selected();
            assertEq(executor, address(0));
            // The owner can pause and cancel all the same.
            uint256 paused = abi.decode(_send(owner, abi.encodeCall(manager.requestPause, ())), (uint256));
            assertEq(paused, block.timestamp);
            _send(owner, abi.encodeCall(manager.resume, ()));
            _cancelGivesTheBondBack();
            vm.revertToStateAndDelete(snapshot);
        }
    }

    function test_AnEpsThatMisbehavesStopsItsOwnProjectOnly() public {
        for (uint256 mode = 1; mode <= 4; ++mode) {
            uint256 snapshot = vm.snapshotState();
            _begin(address(lock), address(eps));
            _claim(alice);
            eps.behave(ScriptedStrategy.Mode(mode));
            _refused(abi.encodeWithSelector(IChugSplashManager.StrategyFailed.selector, address(eps)));
            // Whoever was selected need not lose its bond by it.
            vm.prank(stranger);
            manager.noteUnsound();
            vm.prank(alice);
            lock.settle(address(manager), id);
            assertEq(alice.balance, 10 ether);
            vm.expectRevert(
                abi.encodeWithSelector(ISimpleLockESS.NotReady.selector, IChugSplashManager.Readiness.UNSOUND)
            );
            _claim(bob);
            _cancelGivesTheBondBack();
            vm.revertToStateAndDelete(snapshot);
        }
    }

    function test_AnEpsThatAsksForMoreThanTheBudget() public {
        _begin(address(ess), address(eps));
        uint256 budget = manager.accounts().budget;
        // At every size: nothing is affordable, so the round ends and nothing is paid.
        eps.price(budget + 1);
        (uint256 executed, uint256 payment) = _execute(alice, 0, 2);
        assertEq(executed + payment, 0);
        assertEq(manager.accounts().budget, budget);
        eps.price(type(uint256).max);
        (executed, payment) = _execute(alice, 0, 2);
        assertEq(executed + payment, 0);
        // All of it is the most that it can take.
        eps.price(budget);
        (executed, payment) = _execute(alice, 0, 1);
        assertEq(payment, budget);
        _assertSolvent();
    }

    function test_RevertWhen_SoundStrategiesAreNoted() public {
        _begin(address(lock), address(flatFee));
        vm.expectRevert(abi.encodeWithSelector(IChugSplashManager.StrategiesSound.selector, id));
        manager.noteUnsound();
    }

    /// As the owner, which they are here, they could do all this; as strategies, while they are asked, nothing.
    function test_StrategiesThatReenter() public {
        _begin(address(ess), address(eps));
        bytes[8] memory calls = [
            abi.encodeCall(manager.cancel, ()),
            abi.encodeCall(manager.requestPause, ()),
            abi.encodeCall(manager.withdraw, (payable(owner), 1)),
            abi.encodeCall(manager.transferOwnership, (stranger)),
            abi.encodeCall(manager.propose, (header)),
            abi.encodeCall(manager.deposit, ()),
            abi.encodeCall(manager.recordSelection, ()),
            _executeCall(0, 1)
        ];
        for (uint256 i; i < 2 * calls.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            ScriptedStrategy strategy = i % 2 == 0 ? ess : eps;
            vm.prank(owner);
            manager.transferOwnership(address(strategy));
            strategy.act(address(manager), abi.encodeCall(manager.acceptOwnership, ()));
            strategy.callBack(address(manager), calls[i / 2], _reentered());
            (uint256 executed,) = _execute(alice, 0, 1);
            assertEq(executed, 1);
            _execute(alice, 1, 1);
            _assertStatus(IChugSplashManager.Status.COMPLETED);
            assertEq(manager.owner(), address(strategy));
            assertEq(manager.accounts().free, 100 ether - 2 gwei);
            vm.revertToStateAndDelete(snapshot);
        }
        // What they call to is reached: a view answers them, and then it is they who fail.
        ess.callBack(address(manager), abi.encodeCall(manager.accounts, ()), "");
        _refused(abi.encodeWithSelector(IChugSplashManager.StrategyFailed.selector, address(ess)));
    }

    /// The same while a bundle is approved, stopped and claimed.
    function test_StrategiesThatReenterOtherSteps() public {
        _makeHeader();
        (header.ess, header.eps) = (address(ess), address(eps));
        bytes memory deposit = abi.encodeCall(manager.deposit, ());
        ess.callBack(address(manager), deposit, _reentered());
        eps.callBack(address(manager), deposit, _reentered());
        _propose();
        _approve();
        _send(stranger, abi.encodeCall(manager.recordSelection, ()));
        vm.expectRevert(abi.encodeWithSelector(IChugSplashManager.StrategiesSound.selector, id));
        _send(stranger, abi.encodeCall(manager.noteUnsound, ()));
        uint256 effectiveAt = abi.decode(_send(owner, abi.encodeCall(manager.requestPause, ())), (uint256));
        assertEq(effectiveAt, START + 15 minutes, "Alice is selected");
        vm.warp(START + 100);
        vm.expectEmit(address(manager));
        emit IChugSplashManager.BundleCancelled(id, alice, BOND);
        _send(owner, abi.encodeCall(manager.cancel, ()));
        _assertSolvent();
    }

    function test_AnEssThatLies() public {
        _begin(address(ess), address(diminishingBonus));
        // In the future: nothing has elapsed, and nothing underflows.
        ess.select(alice, type(uint256).max);
        (address executor, uint256 elapsed) = manager.selected();
        assertEq(executor, alice);
        assertEq(elapsed, 0);
        _execute(alice, 0, 1);
        // Another at each call: whoever it names may execute, in the order of the bundle.
        ess.select(bob, 1);
        (executor, elapsed) = manager.selected();
        assertEq(elapsed, 0, "not before the approval");
        _execute(bob, 1, 1);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        _assertSolvent();
    }

    function test_AnEssThatSaysAnyone() public {
        _addBox(3);
        ess.select(ANYONE, START + 5);
        _begin(address(ess), address(diminishingBonus));
        vm.warp(START + 450);
        (address executor, uint256 elapsed) = manager.selected();
        assertEq(executor, ANYONE);
        assertEq(elapsed, 450, "from the approval");
        _execute(alice, 0, 1);
        _execute(bob, 1, 1);
        assertEq(manager.bundle(id).lastExecutor, bob);
        // Nobody counts as selected when the owner cancels: the last that worked gets the bond.
        uint256 before = bob.balance;
        _send(owner, abi.encodeCall(manager.cancel, ()));
        assertEq(bob.balance, before + BOND);
    }

    /// The clock of a rolling strategy starts once, wherever it was recorded first.
    function test_RecordedSelectionsKeepTheirClock() public {
        ess.select(address(0), 0);
        _begin(address(ess), address(diminishingBonus));
        ess.select(alice, START + 100);
        vm.warp(START + 100);
        vm.expectEmit(address(manager));
        emit IChugSplashManager.SelectionRecorded(id, alice, START + 100);
        vm.prank(stranger);
        manager.recordSelection();
        // Her next epoch is not a new beginning.
        vm.warp(START + 700);
        ess.select(alice, START + 700);
        manager.recordSelection();
        (, uint256 elapsed) = manager.selected();
        assertEq(elapsed, 600);
        // Somebody else's is.
        ess.select(bob, START + 800);
        vm.warp(START + 800);
        manager.recordSelection();
        ess.select(alice, START + 900);
        vm.warp(START + 900);
        (, elapsed) = manager.selected();
        assertEq(elapsed, 0);
    }

    // --- callbacks ---

    function test_AConstructorThatReenters() public {
        delete plan;
        bytes[] memory data = new bytes[](9);
        address[] memory to = new address[](9);
        _begin0();
        for (uint256 i; i < 9; ++i) {
            to[i] = i < 7 ? address(manager) : address(lock);
        }
        data[0] = abi.encodeCall(manager.deposit, ());
        data[1] = abi.encodeCall(manager.recordSelection, ());
        data[2] = abi.encodeCall(manager.noteUnsound, ());
        data[3] = abi.encodeCall(manager.cancel, ());
        data[4] = abi.encodeCall(manager.withdrawOwed, (payable(alice)));
        data[5] = abi.encodeCall(manager.requestPause, ());
        data[6] = abi.encodeCall(manager.propose, (header));
        data[7] = abi.encodeCall(lock.settle, (address(manager), bytes32(0)));
        data[8] = abi.encodeCall(lock.claim, (address(manager), bytes32(0)));
        // It is the owner, so that only the guard can refuse it.
        address reentrant = _addDeploy(
            "reentrant", abi.encodePacked(type(Reentrant).creationCode, abi.encode(to, data)), 5_000_000
        );
        _begin(address(lock), address(flatFee));
        vm.prank(owner);
        manager.transferOwnership(reentrant);
        vm.prank(reentrant);
        manager.acceptOwnership();
        vm.resetNonce(reentrant); // nothing can be created where somebody has sent from
        _claim(alice);
        _execute(alice, 0, 1);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        for (uint256 i; i < 9; ++i) {
            assertFalse(Reentrant(reentrant).succeeded(i), vm.toString(i));
            if (i < 7) assertEq(Reentrant(reentrant).reasons(i), _reentered(), vm.toString(i));
        }
        assertEq(
            Reentrant(reentrant).reasons(7),
            abi.encodeWithSelector(ISimpleLockESS.LockNotLive.selector, address(manager), bytes32(0))
        );
        assertEq(
            Reentrant(reentrant).reasons(8),
            abi.encodeWithSelector(ISimpleLockESS.WrongBond.selector, 0, BOND)
        );
        _assertSolvent();
    }

    function _reentered() private pure returns (bytes memory) {
        return abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
    }

    function _begin0() private {
        _addBox(1);
        _makeHeader();
        delete plan;
    }

    /// The owner is a contract that a CALL reaches: it cannot stop the bundle from inside.
    function test_AnOwnerThatReentersFromTheSwitch() public {
        Puppet boss = new Puppet();
        delete plan;
        _addCall(address(boss), 0, hex"01020304", 3_000_000);
        _begin(address(lock), address(flatFee));
        vm.prank(owner);
        manager.transferOwnership(address(boss));
        boss.act(address(manager), 0, abi.encodeCall(manager.acceptOwnership, ()));
        Puppet.Call[] memory calls = new Puppet.Call[](5);
        calls[0] = Puppet.Call(address(manager), 0, abi.encodeCall(manager.cancel, ()));
        calls[1] = Puppet.Call(address(manager), 0, abi.encodeCall(manager.requestPause, ()));
        calls[2] = Puppet.Call(address(manager), 0, abi.encodeCall(manager.withdraw, (payable(owner), 1)));
        calls[3] = Puppet.Call(address(manager), 0, abi.encodeCall(manager.transferOwnership, (owner)));
        calls[4] = Puppet.Call(address(manager), 0, abi.encodeCall(manager.rollback, ()));
        boss.script(calls);
        boss.behave(Puppet.Mode.Accept, Puppet.Mode.Act, 0);
        _claim(alice);
        _execute(alice, 0, 1);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        (bool[] memory results, bytes[] memory reasons) = boss.results();
        assertEq(results.length, 5);
        for (uint256 i; i < 5; ++i) {
            assertFalse(results[i]);
            assertEq(reasons[i], _reentered());
        }
    }

    /// An executor that executes again when it is paid.
    function test_AnExecutorThatReentersWhenItIsPaid() public {
        Puppet executor = new Puppet();
        vm.deal(address(executor), 1 ether);
        _begin(address(lock), address(flatFee));
        executor.act(address(lock), BOND, abi.encodeCall(lock.claim, (address(manager), id)));
        Puppet.Call[] memory calls = new Puppet.Call[](2);
        calls[0] = Puppet.Call(address(manager), 0, _executeCall(1, 1));
        calls[1] = Puppet.Call(address(manager), 1, "");
        executor.script(calls);
        executor.behave(Puppet.Mode.Act, Puppet.Mode.Accept, 0);
        bytes memory first = abi.encodeCall(Puppet.act, (address(manager), 0, _executeCall(0, 1)));
        relay.send(stranger, address(executor), 0, TX_GAS, first);
        (bool[] memory results, bytes[] memory reasons) = executor.results();
        for (uint256 i; i < 2; ++i) {
            assertFalse(results[i]);
            assertEq(reasons[i], _reentered());
        }
        assertEq(manager.bundle(id).nextIndex, 1);
        _assertSolvent();
        // One that refuses its pay undoes its own work.
        executor.behave(Puppet.Mode.Reject, Puppet.Mode.Accept, 0);
        bytes memory next = abi.encodeCall(Puppet.act, (address(manager), 0, _executeCall(1, 1)));
        vm.expectRevert(abi.encodeWithSelector(IChugSplashManager.PaymentRefused.selector, address(executor)));
        relay.send(stranger, address(executor), 0, TX_GAS, next);
    }

    /// A target that returns or reverts with a megabyte costs what it costs, and stalls at most.
    function test_ATargetThatThrowsBombs() public {
        Puppet bomb = new Puppet();
        bomb.behave(Puppet.Mode.Bomb, Puppet.Mode.Bomb, 0);
        delete plan;
        _addCall(address(bomb), 0, hex"01020304", 5_000_000);
        _begin(address(lock), address(flatFee));
        _claim(alice);
        _execute(alice, 0, 1);
        _assertStatus(IChugSplashManager.Status.STALLED);
        bomb.behave(Puppet.Mode.Burn, Puppet.Mode.Burn, 0);
        _send(owner, abi.encodeCall(manager.retry, ()));
        _claim(alice);
        (, uint256 payment) = _execute(alice, 0, 1);
        _assertStatus(IChugSplashManager.Status.STALLED);
        assertGt(payment, 4_800_000 * BASE_FEE);
        assertLe(payment, (5_000_000 + manager.txOverhead()) * BASE_FEE * 12 / 10);
    }

    // --- the owner as a thief ---

    /// Whatever the owner does while a lock is live, the bond of one that did its duty comes back.
    function testFuzz_TheOwnerCannotHarvestBonds(uint256 seed, uint32 wait) public {
        _begin(address(lock), address(flatFee));
        _claim(alice);
        vm.warp(START + bound(wait, 0, LOCK));
        for (uint256 i; i < 4; ++i) {
            uint256 step = (seed >> (8 * i)) % 6;
            bytes memory data;
            if (step == 0) data = abi.encodeCall(manager.cancel, ());
            if (step == 1) data = abi.encodeCall(manager.requestPause, ());
            if (step == 2) data = abi.encodeCall(manager.resume, ());
            if (step == 3) data = abi.encodeCall(manager.withdraw, (payable(owner), 1));
            if (step == 4) data = abi.encodeCall(manager.setProposer, (owner, true));
            if (step == 5) data = abi.encodeCall(manager.approve, (id, header));
            vm.prank(owner);
            (bool success,) = address(manager).call(data);
            success;
        }
        // She executes if she still may.
        if (_status() == IChugSplashManager.Status.APPROVED) {
            _execute(alice, 0, 2);
            _assertStatus(IChugSplashManager.Status.COMPLETED);
        }
        vm.prank(alice);
        lock.settle(address(manager), id);
        assertGe(alice.balance, 10 ether);
        _assertSolvent();
    }

    function test_NobodyCanRenounceTheMoney() public {
        vm.prank(owner);
        (bool success, bytes memory result) =
            address(manager).call(abi.encodeWithSignature("renounceOwnership()"));
        assertFalse(success);
        assertEq(result, abi.encodeWithSelector(IChugSplashManager.RenounceRefused.selector));
    }
}
