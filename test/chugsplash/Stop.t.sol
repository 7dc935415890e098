// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Puppet} from "../actors/Puppet.sol";
import {ScriptedStrategy} from "../actors/ScriptedStrategy.sol";
import {Box} from "../utils/ChugSplashTest.sol";
import {OwnerTest} from "./OwnerTest.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {ANYONE} from "contracts/interfaces/IExecutorSelectionStrategy.sol";
import {IProjectActor} from "contracts/interfaces/IProjectActor.sol";

/**
 * Pause, cancellation, giving up and rollback: what the owner can stop, and whose the money is then.
 * forge-config: default.isolate = true
 */
contract StopTest is OwnerTest {
    uint256 private constant CAP = 12 gwei;

    // --- pause ---

    function test_Pause_IsInForceAtOnceWhenNobodyIsSelected() public {
        _begin();
        assertEq(_pause(), block.timestamp);
        _assertStatus(IChugSplashManager.Status.PAUSED);
        assertEq(_free(), 100 ether - BOND);
        vm.prank(owner);
        manager.withdraw(payable(owner), 99 ether);
        vm.prank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(IChugSplashManager.InsufficientFunds.selector, 1 ether - BOND, 2 ether + 7)
        );
        manager.resume();
        vm.prank(owner);
        manager.deposit{value: 2 ether}();
        _resume();
        assertEq(manager.accounts().budget, 2 ether);
        assertEq(manager.accounts().callValue, 7);
        _assertSolvent();
    }

    function test_Pause_WaitsForWhoIsSelected() public {
        _begin();
        _claim(alice);
        assertEq(_pause(), START + 15 minutes);
        _assertStatus(IChugSplashManager.Status.APPROVED);
        assertEq(
            uint256(manager.selectionTerms(id).readiness),
            uint256(IChugSplashManager.Readiness.PAUSE_REQUESTED)
        );
        vm.prank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(
                IChugSplashManager.FundsLocked.selector, id, IChugSplashManager.Status.APPROVED
            )
        );
        manager.withdraw(payable(owner), 1);
        vm.warp(START + 15 minutes - 1);
        (, uint256 payment) = _execute(alice, 0, 1);
        // Asking again does not put it off.
        assertEq(_pause(), START + 15 minutes);
        vm.warp(START + 15 minutes);
        _assertStatus(IChugSplashManager.Status.PAUSED);
        bytes memory data = _executeCall(1, 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IChugSplashManager.WrongStatus.selector, id, IChugSplashManager.Status.PAUSED
            )
        );
        relay.send(alice, address(manager), 0, TX_GAS, data);
        // The views and the money say the same without anybody's transaction.
        assertEq(manager.roundEndedAt(id, 0), START + 15 minutes);
        assertEq(manager.bundle(id).selectionRound, 1);
        bytes memory accounts = abi.encode(manager.accounts());
        assertEq(manager.accounts().budget + manager.accounts().callValue, 0);
        assertEq(_free(), 100 ether - BOND - payment);
        (bool over, bool excused) = lock.outcomeOf(address(manager), id);
        assertTrue(over && excused);
        vm.prank(stranger);
        manager.deposit{value: 1}();
        vm.prank(owner);
        manager.withdraw(payable(owner), 1);
        assertEq(abi.encode(manager.accounts()), accounts, "written down");
        vm.prank(owner);
        manager.withdraw(payable(owner), 100 ether - BOND - payment);
        assertEq(address(manager).balance, BOND);
        _assertSolvent();
        vm.prank(alice);
        lock.settle(address(manager), id);
        assertEq(alice.balance, 10 ether + payment);
    }

    function test_Pause_IsInForceAtOnceInCongestion() public {
        header.maxBaseFee = 12 gwei;
        _begin();
        _claim(alice);
        relay.setPrices(12 gwei + 1, 12 gwei + 1);
        assertEq(_pause(), block.timestamp);
        _assertStatus(IChugSplashManager.Status.PAUSED);
        (, bool excused) = lock.outcomeOf(address(manager), id);
        assertTrue(excused);
    }

    function test_Pause_DoesNotWaitForAnyone() public {
        ScriptedStrategy ess = new ScriptedStrategy();
        ess.select(ANYONE, START);
        header.ess = address(ess);
        _begin();
        assertEq(_pause(), block.timestamp);
    }

    function test_Pause_CanBeTakenBackBeforeItIsInForce() public {
        _begin();
        _claim(alice);
        _pause();
        _resume();
        vm.warp(START + LOCK);
        _execute(alice, 0, 3);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        vm.prank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(
                IChugSplashManager.WrongStatus.selector, 0, IChugSplashManager.Status.EMPTY
            )
        );
        manager.resume();
    }

    function test_RevertWhen_ResumingWhatWasNotPaused() public {
        _begin();
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IChugSplashManager.NoPauseRequested.selector, id));
        manager.resume();
    }

    /// Has a wallet with code approve, and Alice claim; at `time` it pauses and resumes in one transaction.
    function _pauseAndResumeAt(uint256 time) private {
        Puppet boss = new Puppet();
        _begin();
        _asOwner(abi.encodeCall(manager.transferOwnership, (address(boss))));
        boss.act(address(manager), 0, abi.encodeCall(manager.acceptOwnership, ()));
        _claim(alice);
        vm.warp(time);
        Puppet.Call[] memory calls = new Puppet.Call[](2);
        calls[0] = Puppet.Call(address(manager), 0, abi.encodeCall(manager.requestPause, ()));
        calls[1] = Puppet.Call(address(manager), 0, abi.encodeCall(manager.resume, ()));
        boss.script(calls);
        relay.send(stranger, address(boss), 0, TX_GAS, abi.encodeCall(Puppet.run, ()));
        (bool[] memory results,) = boss.results();
        assertTrue(results[0] && results[1]);
        _assertStatus(IChugSplashManager.Status.APPROVED);
        assertEq(manager.accounts().budget, 2 ether);
        assertEq(manager.accounts().callValue, 7);
        _assertSolvent();
    }

    /// In the last second of a lock: it is the holder's all the same.
    function test_PauseAndResumeInOneTransaction_WhenTheLockIsLive() public {
        _pauseAndResumeAt(START + LOCK);
        assertEq(manager.bundle(id).selectionRound, 0);
        assertEq(manager.bundle(id).pauseAt, 0);
        (bool over, bool excused) = lock.outcomeOf(address(manager), id);
        assertFalse(over || excused);
        _execute(alice, 0, 3);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
    }

    /// Around a lock that has expired: the pause comes too late to excuse it.
    function test_PauseAndResumeInOneTransaction_WhenTheLockHasExpired() public {
        _pauseAndResumeAt(START + LOCK + 1);
        assertEq(manager.bundle(id).selectionRound, 1);
        (bool over, bool excused) = lock.outcomeOf(address(manager), id);
        assertTrue(over);
        assertFalse(excused, "she had her time");
        uint256 budget = manager.accounts().budget;
        _claim(bob);
        assertEq(manager.accounts().budget, budget + BOND, "forfeited into the project");
        _execute(bob, 0, 3);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
    }

    // --- cancellation: whose the user bond is ---

    function test_Cancel_WhenNobodyDidAnything_TheBondComesBack() public {
        _begin();
        _cancel();
        assertEq(_free(), 100 ether);
        _assertSolvent();
    }

    function test_Cancel_AClaimThatFrontRunsEarnsNothing() public {
        _begin();
        _claim(alice);
        vm.warp(START + 35);
        _cancel();
        assertEq(_free(), 100 ether);
        vm.prank(alice);
        lock.settle(address(manager), id);
        assertEq(alice.balance, 10 ether);
    }

    function test_Cancel_WhenSomebodyHasJustBegun_TheBondIsItsOwn() public {
        for (uint256 i; i < 2; ++i) {
            uint256 snapshot = vm.snapshotState();
            _begin();
            _claim(alice);
            vm.warp(START + (i == 0 ? 36 : 300));
            vm.expectEmit(address(manager));
            emit IChugSplashManager.BundleCancelled(id, alice, BOND);
            _cancel();
            assertEq(_free(), 100 ether - BOND);
            assertEq(alice.balance, 10 ether);
            vm.prank(alice);
            lock.settle(address(manager), id);
            assertEq(alice.balance, 10 ether + BOND);
            _assertSolvent();
            vm.revertToStateAndDelete(snapshot);
        }
    }

    function test_Cancel_WhenItHasNotBegunInFiveMinutes_TheBondComesBack() public {
        _begin();
        _claim(alice);
        vm.warp(START + 301);
        _cancel();
        assertEq(_free(), 100 ether);
    }

    function test_Cancel_WhenSomebodyWorked_TheBondIsItsOwn() public {
        _begin();
        _claim(alice);
        (, uint256 payment) = _execute(alice, 0, 1);
        vm.warp(START + LOCK + 100);
        _cancel();
        assertEq(alice.balance, 10 ether + payment, "user bond for the lost one");
        // Her lock had expired before.
        (, bool excused) = lock.outcomeOf(address(manager), id);
        assertFalse(excused);
        _assertSolvent();
    }

    function test_Cancel_WhenAnotherHasJustBegun_TheBondIsItsOwn() public {
        _begin();
        _claim(alice);
        (, uint256 payment) = _execute(alice, 0, 1);
        vm.warp(START + LOCK + 1);
        _claim(bob);
        vm.warp(block.timestamp + 10);
        uint256 snapshot = vm.snapshotState();
        _cancel();
        assertEq(alice.balance, 10 ether - BOND + payment + BOND, "too early: the last that worked");
        vm.revertToStateAndDelete(snapshot);
        vm.warp(block.timestamp + 100);
        _cancel();
        assertEq(bob.balance, 10 ether);
        assertEq(lock.owedTo(bob), 0);
        vm.prank(bob);
        lock.settle(address(manager), id);
        assertEq(bob.balance, 10 ether + BOND);
    }

    function test_Cancel_FromPausedAndStalled() public {
        plan[1].data = abi.encode(bytes32(uint256(2)), hex"5f5ffd");
        _makeHeader();
        header.callValue = 7;
        _begin();
        _claim(alice);
        _execute(alice, 0, 2);
        _assertStatus(IChugSplashManager.Status.STALLED);
        uint256 before = alice.balance;
        _cancel();
        assertEq(alice.balance, before + BOND, "she worked");
        _assertSolvent();

        _begin();
        _pause();
        uint256 free = _free();
        _cancel();
        assertEq(_free(), free + BOND, "nobody did");
        _assertSolvent();
    }

    function test_Cancel_WhenThePaymentIsRefused_ItIsOwed() public {
        Puppet executor = new Puppet();
        vm.deal(address(executor), 1 ether);
        _begin();
        executor.act(address(lock), BOND, abi.encodeCall(lock.claim, (address(manager), id)));
        executor.act(address(manager), 0, _executeCall(0, 1));
        executor.behave(Puppet.Mode.Burn, Puppet.Mode.Burn, 0);
        _cancel();
        _assertStatus(IChugSplashManager.Status.CANCELLED);
        assertEq(manager.owedTo(address(executor)), BOND);
        assertEq(manager.accounts().owed, BOND);
        _assertSolvent();
        executor.behave(Puppet.Mode.Accept, Puppet.Mode.Accept, 0);
        executor.act(address(manager), 0, abi.encodeCall(manager.withdrawOwed, (payable(alice))));
        assertEq(alice.balance, 10 ether + BOND);
        _assertSolvent();
    }

    /// With little gas the owner cannot make the executor's payment fail, nor the strategy.
    function testFuzz_Cancel_LittleGasMakesNoDifference(uint256 gas) public {
        _begin();
        _claim(alice);
        _execute(alice, 0, 1);
        uint256 before = alice.balance;
        vm.prank(owner);
        (bool success,) =
            address(manager).call{gas: bound(gas, 30_000, 600_000)}(abi.encodeCall(manager.cancel, ()));
        if (success) assertEq(alice.balance, before + BOND);
        else _assertStatus(IChugSplashManager.Status.APPROVED);
    }

    // --- cancellation: what is so by design, see "User bond" and "What cannot be undone" in docs/chugsplash.md ---

    /// At `time` the basefee is above the cap, a pause is in force at once and excuses the lock; it is resumed.
    function _endRoundAt(uint256 time) private {
        vm.warp(time);
        relay.setPrices(CAP + 1, CAP + 1);
        _pause();
        _assertStatus(IChugSplashManager.Status.PAUSED);
        relay.setPrices(BASE_FEE, BASE_FEE);
        _asOwner(abi.encodeCall(manager.resume, ()));
        _assertStatus(IChugSplashManager.Status.APPROVED);
    }

    /// The user bond goes to whom it says, the manager itself: comes free.
    function _cancelsFor(address to) private {
        uint256 free = _free() + manager.accounts().budget + manager.accounts().callValue;
        uint256 before = to.balance;
        vm.expectEmit(address(manager));
        emit IChugSplashManager.BundleCancelled(id, to, BOND);
        _cancel();
        if (to == address(manager)) {
            assertEq(_free(), free + BOND);
        } else {
            assertEq(to.balance, before + BOND);
            assertEq(_free(), free);
        }
        _assertSolvent();
    }

    /// An owner gets its user bond back from one that worked: it ends the round in congestion, claims with an address
    /// of its own, and cancels after 3 blocks. By design: whoever is selected is the one who waits, and which
    /// addresses are the owner's nobody can tell.
    function test_Cancel_AnotherOfTheOwnersAddressesTakesTheBondOfWhoWorked() public {
        header.maxBaseFee = CAP;
        _begin();
        _claim(alice);
        (, uint256 payment) = _execute(alice, 0, 1);
        _endRoundAt(START + 60);
        address second = bob;
        _claim(second);

        uint256 snapshot = vm.snapshotState();
        vm.warp(START + 60 + 35);
        _cancelsFor(alice);
        vm.revertToStateAndDelete(snapshot);

        vm.warp(START + 60 + 36);
        _cancelsFor(second);
        assertEq(alice.balance, 10 ether - BOND + payment, "nothing for her");
        // What it cannot take is her own bond and what she was paid.
        assertEq(lock.owedTo(alice), BOND);
        vm.prank(second);
        lock.settle(address(manager), id);
        assertEq(second.balance, 10 ether + BOND);
    }

    /// An executor that claims again keeps the time of its first claim, so that the price does not begin anew: a
    /// cancellation more than 5 minutes after that earns it nothing, young as its second claim may be. By design: it
    /// had that time to begin.
    function test_Cancel_ASecondClaimCountsFromTheFirst() public {
        header.maxBaseFee = CAP;
        _begin();
        _claim(alice);
        _endRoundAt(START + 200);
        vm.warp(START + 264);
        _claim(alice);
        assertEq(lock.lockOf(address(manager), id).lockedAt, START + 264);
        assertEq(lock.lockOf(address(manager), id).selectedAt, START);

        uint256 snapshot = vm.snapshotState();
        vm.warp(START + 300);
        _cancelsFor(alice);
        vm.revertToStateAndDelete(snapshot);

        snapshot = vm.snapshotState();
        vm.warp(START + 301);
        _cancelsFor(address(manager));
        vm.revertToStateAndDelete(snapshot);

        // Nor has it to wait 3 blocks: the time of another's first claim would begin now.
        vm.warp(START + 264);
        _cancelsFor(alice);
    }

    /// Strategies are asked who is selected, and a paused bundle has nobody selected: once it is paused, one that fails
    /// does not take the user bond from who worked. Without the pause it comes free.
    function test_Cancel_WhenPaused_TheStrategiesAreNotAsked() public {
        ScriptedStrategy eps = new ScriptedStrategy();
        eps.price(1 gwei);
        header.eps = address(eps);
        _begin();
        _claim(alice);
        _execute(alice, 0, 1);
        eps.behave(ScriptedStrategy.Mode.Revert);
        vm.warp(START + LOCK + 1);

        uint256 snapshot = vm.snapshotState();
        _cancelsFor(address(manager));
        vm.revertToStateAndDelete(snapshot);

        assertEq(_pause(), block.timestamp, "in force at once");
        _assertStatus(IChugSplashManager.Status.PAUSED);
        _cancelsFor(alice);
    }

    function test_ClosingAStalledBundleSetsEverythingFree() public {
        plan[0].data = abi.encode(bytes32(uint256(1)), hex"5f5ffd");
        _makeHeader();
        header.callValue = 7;
        _begin();
        _claim(alice);
        (, uint256 payment) = _execute(alice, 0, 1);
        vm.expectEmit(address(manager));
        emit IChugSplashManager.BundleFailed(id, 0);
        _asOwner(abi.encodeCall(manager.close, ()));
        assertEq(_free(), 100 ether - payment);
        assertEq(manager.accounts().userBond, 0);
        _assertSolvent();
        // And the next bundle can be approved.
        _addBox(9);
        _begin();
    }

    // --- rollback ---

    function test_Rollback_GivesEveryProxyWhatItHadBefore() public {
        delete plan;
        address a = _addProxy("a");
        address b = _addProxy("b");
        _addImplementation(a, address(box));
        _addImplementation(b, address(box));
        _makeHeader();
        _complete();
        // Both were new: there is nothing before.
        vm.prank(owner);
        vm.expectRevert(IProjectActor.NothingToRollBack.selector);
        manager.rollback();

        delete plan;
        address c = _addProxy("c");
        address second = address(new Box(2));
        address third = address(new Box(3));
        _addImplementation(a, second);
        _addImplementation(b, second);
        // twice in one bundle: what was between is not what was before
        _addImplementation(b, third);
        _addImplementation(c, third);
        _addStore(a, 0, 9);
        _makeHeader();
        _complete();
        assertEq(Box(b).version(), 3);
        (address[] memory proxies, address[] memory before) = actor.rollbackOf();
        assertEq(proxies.length, 2);
        assertEq(before[0], address(box));

        // A bundle that sets none does not make it forget.
        delete plan;
        _addCall(second, 0, abi.encodeCall(Box.set, (1)));
        _makeHeader();
        _complete();

        vm.prank(owner);
        manager.rollback();
        assertEq(Box(a).version(), 1);
        assertEq(Box(b).version(), 1);
        assertEq(Box(c).version(), 3, "it was new");
        assertEq(Box(a).value(), 9, "storage stays");
        vm.prank(owner);
        vm.expectRevert(IProjectActor.NothingToRollBack.selector);
        manager.rollback();
    }

    function _complete() private {
        (header.callValue, header.budget) = (0, 5 ether);
        vm.warp(block.timestamp + 1 days);
        _begin();
        _claim(alice);
        _executeAll(alice);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
    }
}
