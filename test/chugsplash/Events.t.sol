// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Puppet} from "../actors/Puppet.sol";
import {FakeProject} from "../selection/SimpleLockESS.t.sol";
import {AdoptedProxiesTest, UupsBox} from "../utils/AdoptedProxiesTest.sol";
import {OwnerTest} from "./OwnerTest.sol";
import {Switch} from "./Stall.t.sol";
import {ProxyAdmin} from "@openzeppelin/contracts/proxy/transparent/ProxyAdmin.sol";
import {ChugSplashProxy} from "contracts/chugsplash/ChugSplashProxy.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {IChugSplashProxy} from "contracts/interfaces/IChugSplashProxy.sol";
import {IProjectActor} from "contracts/interfaces/IProjectActor.sol";
import {ISimpleLockESS} from "contracts/interfaces/ISimpleLockESS.sol";

/**
 * What the events of a manager say, to the last word, beside the balances that say the same. A bundle of two deploys
 * and a call that reverts until its gate is open.
 * forge-config: default.isolate = true
 */
contract ManagerEventsTest is OwnerTest {
    uint256 private constant BUDGET = 2 ether;
    uint256 private constant VALUE = 7;

    Switch private gate;

    function setUp() public override {
        super.setUp();
        gate = new Switch();
        plan.pop();
        _addCall(address(gate), VALUE, abi.encodeCall(Switch.check, ()));
        _makeHeader();
        (header.callValue, header.budget) = (VALUE, BUDGET);
    }

    /// The next call emits what is emitted next: every topic and all data.
    function _expect(address emitter) private {
        vm.expectEmit(true, true, true, true, emitter);
    }

    function _expect() private {
        _expect(address(manager));
    }

    /// Alice does the deploys, and the call fails. Returns what she was paid.
    function _stall() private returns (uint256 paid) {
        _begin();
        _claim(alice);
        uint256 before = alice.balance;
        _execute(alice, 0, 3);
        _assertStatus(IChugSplashManager.Status.STALLED);
        return alice.balance - before;
    }

    // --- deposits ---

    /// A stranger deposits; the budget or the free balance has it, and nothing else moves.
    function _deposit(bool toBudget) private {
        IChugSplashManager.Accounts memory a = manager.accounts();
        if (toBudget) a.budget += 3 ether;
        else a.free += 3 ether;
        (uint256 ours, uint256 theirs) = (stranger.balance, address(manager).balance);
        _expect();
        emit IChugSplashManager.Deposited(stranger, 3 ether, toBudget);
        relay.send(stranger, address(manager), 3 ether, TX_GAS, abi.encodeCall(manager.deposit, ()));
        assertEq(stranger.balance, ours - 3 ether);
        assertEq(address(manager).balance, theirs + 3 ether);
        assertEq(abi.encode(manager.accounts()), abi.encode(a), "accounts");
        _assertSolvent();
    }

    function test_Deposited_WhenNoneIsActive_IsFree() public {
        _deposit(false);
        _propose();
        _deposit(false);
    }

    function test_Deposited_ByPlainEth() public {
        _expect();
        emit IChugSplashManager.Deposited(stranger, 5, false);
        relay.send(stranger, address(manager), 5, TX_GAS, "");
        assertEq(_free(), 100 ether + 5);
    }

    function test_Deposited_WhenApproved_IsForTheBudget() public {
        _begin();
        _deposit(true);
        // Until a pause is in force it is no other.
        _claim(alice);
        _pause();
        _deposit(true);
    }

    function test_Deposited_WhenStalled_IsForTheBudget() public {
        _stall();
        _deposit(true);
    }

    function test_Deposited_WhenPaused_IsFree() public {
        _begin();
        _pause();
        _deposit(false);
    }

    /// A pause comes in force by itself; the deposit only writes it down first.
    function test_Deposited_WhenAPauseIsDue_IsFree() public {
        _begin();
        _claim(alice);
        _pause();
        vm.warp(START + 15 minutes);
        _expect();
        emit IChugSplashManager.BundlePaused(id, BUDGET + VALUE);
        _deposit(false);
        assertEq(_free(), 103 ether - BOND);
    }

    // --- withdrawals ---

    /// The owner takes it, and another has it.
    function _withdraw(uint256 amount) private {
        address treasury = makeAddr("treasury");
        uint256 free = _free();
        (uint256 owners, uint256 treasurys) = (owner.balance, treasury.balance);
        _expect();
        emit IChugSplashManager.Withdrawn(treasury, amount);
        _asOwner(abi.encodeCall(manager.withdraw, (payable(treasury), amount)));
        assertEq(treasury.balance, treasurys + amount, "who was named");
        assertEq(owner.balance, owners, "not the owner");
        assertEq(_free(), free - amount);
        _assertSolvent();
    }

    function test_Withdrawn_GoesToWhomTheOwnerNames() public {
        _withdraw(30 ether);
        _withdraw(70 ether);
        assertEq(address(manager).balance, 0);
    }

    function test_Withdrawn_WhilePaused() public {
        _begin();
        _pause();
        _withdraw(100 ether - BOND);
        assertEq(address(manager).balance, BOND);
    }

    function test_Owed_AndOwedWithdrawn() public {
        Puppet executor = new Puppet();
        vm.deal(address(executor), 1 ether);
        _begin();
        executor.act(address(lock), BOND, abi.encodeCall(lock.claim, (address(manager), id)));
        executor.act(address(manager), 0, _executeCall(0, 1));
        executor.behave(Puppet.Mode.Reject, Puppet.Mode.Reject, 0);
        uint256 before = address(executor).balance;
        _expect();
        emit IChugSplashManager.Owed(address(executor), BOND);
        _cancel();
        assertEq(address(executor).balance, before);
        assertEq(manager.accounts().owed, BOND);
        _assertSolvent();

        before = address(manager).balance;
        _expect();
        emit IChugSplashManager.OwedWithdrawn(address(executor), bob, BOND);
        executor.act(address(manager), 0, abi.encodeCall(manager.withdrawOwed, (payable(bob))));
        assertEq(bob.balance, 10 ether + BOND);
        assertEq(address(manager).balance, before - BOND);
        assertEq(manager.accounts().owed, 0);
        _assertSolvent();
    }

    // --- proposal and approval ---

    function test_ProposerSet() public {
        _expect();
        emit IChugSplashManager.ProposerSet(stranger, true);
        _asOwner(abi.encodeCall(manager.setProposer, (stranger, true)));
        assertTrue(manager.isProposer(stranger));
        _expect();
        emit IChugSplashManager.ProposerSet(stranger, false);
        _asOwner(abi.encodeCall(manager.setProposer, (stranger, false)));
        assertFalse(manager.isProposer(stranger));
    }

    /// An id is of the chain, the manager, a number that counts up, and the header.
    function test_BundleProposed() public {
        _asOwner(abi.encodeCall(manager.setProposer, (stranger, true)));
        IChugSplashManager.BundleHeader memory h = header;
        address[2] memory proposers = [stranger, owner];
        for (uint256 nonce; nonce < 2; ++nonce) {
            bytes32 expected = keccak256(abi.encode(block.chainid, address(manager), nonce, h));
            _expect();
            emit IChugSplashManager.BundleProposed(expected, proposers[nonce], nonce);
            vm.prank(proposers[nonce]);
            assertEq(manager.propose(h), expected);
        }
    }

    function test_BundleApproved() public {
        _propose();
        _expect();
        emit IChugSplashManager.BundleApproved(id, BOND, BUDGET, VALUE);
        _approve();
        assertEq(_free(), 100 ether - BOND - BUDGET - VALUE);
    }

    // --- pause ---

    function test_BundlePaused_AtOnceWhenNobodyIsSelected() public {
        _begin();
        vm.warp(START + 100);
        uint256 free = _free();
        _expect();
        emit IChugSplashManager.PauseRequested(id, START + 100);
        _expect();
        emit IChugSplashManager.BundlePaused(id, BUDGET + VALUE);
        _pause();
        assertEq(_free(), free + BUDGET + VALUE);
        _expect();
        emit IChugSplashManager.BundleResumed(id);
        _asOwner(abi.encodeCall(manager.resume, ()));
        assertEq(_free(), free);
        _assertStatus(IChugSplashManager.Status.APPROVED);
    }

    /// What was paid until then is not set free.
    function test_BundlePaused_WithTheNextStepWhenSomebodyIsSelected() public {
        _begin();
        _claim(alice);
        vm.warp(START + 100);
        _expect();
        emit IChugSplashManager.PauseRequested(id, START + 100 + 15 minutes);
        _pause();
        uint256 before = alice.balance;
        _execute(alice, 0, 1);
        uint256 paid = alice.balance - before;
        assertGt(paid, 0);
        vm.warp(START + 100 + 15 minutes);
        _expect();
        emit IChugSplashManager.BundlePaused(id, BUDGET + VALUE - paid);
        _expect();
        emit IChugSplashManager.BundleResumed(id);
        _asOwner(abi.encodeCall(manager.resume, ()));
        assertEq(_free(), 100 ether - BOND - BUDGET - VALUE, "locked again");
        _assertSolvent();
    }

    function test_BundleResumed_WhenARequestIsTakenBack() public {
        _begin();
        _claim(alice);
        _pause();
        _expect();
        emit IChugSplashManager.BundleResumed(id);
        _asOwner(abi.encodeCall(manager.resume, ()));
        assertEq(manager.bundle(id).pauseAt, 0);
    }

    // --- stall and completion ---

    function test_BundleRetried() public {
        _stall();
        _expect();
        emit IChugSplashManager.BundleRetried(id);
        _asOwner(abi.encodeCall(manager.retry, ()));
        _assertStatus(IChugSplashManager.Status.APPROVED);
    }

    /// The sum is what all executors have got, whoever was the last, and nothing of it is still owed.
    function test_BundleCompleted_SaysWhatAllExecutorsGot() public {
        uint256 paid = _stall();
        assertGt(paid, 0);
        gate.open();
        _asOwner(abi.encodeCall(manager.retry, ()));
        _claim(bob);
        // What he gets is seen in his balance first, and then done again.
        uint256 before = bob.balance;
        uint256 snapshot = vm.snapshotState();
        _execute(bob, 2, 1);
        assertGt(bob.balance, before);
        paid += bob.balance - before + manager.accounts().owed;
        vm.revertToStateAndDelete(snapshot);

        _expect();
        emit IChugSplashManager.BundleCompleted(id, bob, paid);
        _execute(bob, 2, 1);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        lock.settle(address(manager), id);
        assertEq(lock.owedTo(alice), BOND);
        assertEq(lock.owedTo(bob), BOND);
        assertEq(alice.balance + bob.balance, 20 ether - 2 * BOND + paid, "balances");
        assertEq(manager.accounts().owed, 0);
        assertEq(address(manager).balance, 100 ether - VALUE - paid);
    }
}

/**
 * What the events of the lock say about bonds, beside where these go.
 * forge-config: default.isolate = true
 */
contract LockEventsTest is OwnerTest {
    function setUp() public override {
        super.setUp();
        _begin();
        _claim(alice);
    }

    /// The next call emits what is emitted next: every topic and all data.
    function _expect() private {
        vm.expectEmit(true, true, true, true, address(lock));
    }

    function _settleAs(address from) private {
        relay.send(from, address(lock), 0, TX_GAS, abi.encodeCall(lock.settle, (address(manager), id)));
    }

    function test_BondExcused_AndWithdrawnToAnother() public {
        _executeAll(alice);
        uint256 before = alice.balance;
        _expect();
        emit ISimpleLockESS.BondExcused(address(manager), id, alice);
        _settleAs(stranger);
        assertEq(lock.owedTo(alice), BOND);
        _expect();
        emit ISimpleLockESS.Withdrawn(alice, bob, BOND);
        relay.send(alice, address(lock), 0, TX_GAS, abi.encodeCall(lock.withdraw, (payable(bob))));
        assertEq(alice.balance, before);
        assertEq(bob.balance, 10 ether + BOND);
        assertEq(address(lock).balance, 0);
    }

    function test_BondExcused_AndWithdrawnByItsOwnSettlement() public {
        _executeAll(alice);
        uint256 before = alice.balance;
        _expect();
        emit ISimpleLockESS.BondExcused(address(manager), id, alice);
        _expect();
        emit ISimpleLockESS.Withdrawn(alice, alice, BOND);
        _settleAs(alice);
        assertEq(alice.balance, before + BOND);
        assertEq(address(lock).balance, 0);
    }

    function test_BondForfeited_GoesIntoTheProject() public {
        vm.warp(START + LOCK + 1);
        uint256 budget = manager.accounts().budget;
        _expect();
        emit ISimpleLockESS.BondForfeited(address(manager), id, alice);
        vm.expectEmit(true, true, true, true, address(manager));
        emit IChugSplashManager.Deposited(address(lock), BOND, true);
        _settleAs(stranger);
        assertEq(manager.accounts().budget, budget + BOND);
        assertEq(address(lock).balance, 0);
        assertEq(alice.balance, 10 ether - BOND);
    }

    function test_BondForfeited_ByTheNextClaim() public {
        vm.warp(START + LOCK + 1);
        _expect();
        emit ISimpleLockESS.BondForfeited(address(manager), id, alice);
        _claim(bob);
        assertEq(address(lock).balance, BOND, "Bob's");
    }

    /// What a project did not take it is owed, and anybody may have it sent.
    function test_Withdrawn_WhenAForfeitedBondIsPushed() public {
        FakeProject project = new FakeProject(address(lock));
        vm.prank(bob);
        lock.claim{value: BOND}(address(project), "x");
        vm.warp(START + LOCK + 1);
        project.lie(0, true);
        _expect();
        emit ISimpleLockESS.BondForfeited(address(project), "x", bob);
        lock.settle(address(project), "x");
        assertEq(address(project).balance, 0);
        project.lie(0, false);
        _expect();
        emit ISimpleLockESS.Withdrawn(address(project), address(project), BOND);
        lock.pushTo(address(project));
        assertEq(address(project).balance, BOND);
    }
}

/**
 * What the events of an actor say about the proxies of its project.
 * forge-config: default.isolate = true
 */
contract ActorEventsTest is AdoptedProxiesTest {
    /// The next call emits what is emitted next: every topic and all data.
    function _expect() private {
        vm.expectEmit(true, true, true, true, address(actor));
    }

    /// Adoption sets the implementation that its owner names, and says both. `previous` is what it had.
    function _adopts(
        address proxy,
        IChugSplashManager.ProxyKind kind,
        address admin,
        address implementation,
        address previous
    ) private {
        _expect();
        emit IProjectActor.ImplementationSet(proxy, implementation, previous);
        _expect();
        emit IProjectActor.ProxyAdopted(proxy, kind, admin, implementation);
        _adopt(proxy, kind, admin, implementation);
    }

    function _releases(address proxy) private {
        _expect();
        emit IProjectActor.ProxyReleased(proxy, owner);
        vm.prank(owner);
        manager.release(proxy, owner);
    }

    function test_OfOurOwnProxy() public {
        address proxy = address(new ChugSplashProxy(address(actor)));
        _adopts(proxy, CHUGSPLASH, address(0), one, address(0));
        _releases(proxy);
        vm.prank(owner);
        IChugSplashProxy(proxy).changeAdmin(address(actor));
        _adopts(proxy, CHUGSPLASH, address(0), two, one);
    }

    /// The actor cannot see what a proxy of OpenZeppelin's had, and believes the owner.
    function test_OfATransparentProxy() public {
        (address proxy, address admin) = _transparent();
        _releases(proxy);
        vm.prank(owner);
        ProxyAdmin(admin).transferOwnership(address(actor));
        _adopts(proxy, TRANSPARENT, admin, one, one);
    }

    function test_OfAUupsProxy() public {
        address proxy = _uups();
        _releases(proxy);
        vm.prank(owner);
        UupsBox(proxy).transferOwnership(address(actor));
        _adopts(proxy, UUPS, address(0), uupsOne, uupsOne);
    }

    /// A proxy of each kind is switched and rolled back, and one that had nothing behind it, which stays.
    function test_ImplementationSet_AndRolledBack() public {
        (address transparent,) = _transparent();
        address uups = _uups();
        address own = address(new ChugSplashProxy(address(actor)));
        _adopt(own, CHUGSPLASH, address(0), one);
        address fresh = address(new ChugSplashProxy(address(actor)));
        _addImplementation(transparent, two);
        _addImplementation(uups, uupsTwo);
        _addImplementation(own, two);
        _addImplementation(fresh, two);
        _start();
        _claim(alice);
        _set(transparent, two, one);
        _set(uups, uupsTwo, uupsOne);
        _set(own, two, one);
        _set(fresh, two, address(0));
        _executeAll(alice);

        _set(transparent, one, two);
        _set(uups, uupsOne, uupsTwo);
        _set(own, one, two);
        vm.expectEmit(true, true, true, true, address(manager));
        emit IChugSplashManager.RolledBack(3);
        _send(owner, abi.encodeCall(manager.rollback, ()));
    }

    function _set(address proxy, address implementation, address previous) private {
        _expect();
        emit IProjectActor.ImplementationSet(proxy, implementation, previous);
    }
}
