// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Puppet} from "../actors/Puppet.sol";
import {Box, ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {IProjectActor} from "contracts/interfaces/IProjectActor.sol";

contract Switch {
    bool public isOpen;

    error Closed();

    function open() external {
        isOpen = true;
    }

    function check() external payable {
        require(isOpen, Closed());
    }
}

/// Can be deployed while a switch is open: the owner flips what a constructor reads.
contract Guarded {
    constructor(Switch gate) {
        gate.check();
    }
}

contract Calling {
    address private immutable TO;

    constructor(address to) {
        TO = to;
    }

    function callBack() external {
        (bool success,) = TO.call(hex"01020304");
        require(success, "called back, and failed");
    }
}

/// A contract without a proxy that whoever comes first initialises.
contract Plain {
    address public owner;

    error AlreadyInitialized(address owner);

    function initialize(address owner_) external {
        require(owner == address(0), AlreadyInitialized(owner));
        owner = owner_;
    }
}

/**
 * What happens when an action fails: the bundle waits for its owner, and nobody loses by it but who made it so.
 * forge-config: default.isolate = true
 */
contract StallTest is ChugSplashTest {
    function _assertStalled(uint256 index) private view {
        _assertStatus(IChugSplashManager.Status.STALLED);
        assertEq(manager.bundle(id).stalledIndex, index);
        assertEq(manager.bundle(id).selectionRound, 1);
        (bool over, bool excused) = lock.outcomeOf(address(manager), id);
        assertTrue(over && excused, "excused");
    }

    function test_WhenAConstructorReverts_TheBundleStallsAndIsPaidOnce() public {
        _addBox(1);
        // reverts with 4 bytes
        address bad = _addDeploy("bad", hex"63deadbeef5f526004601cfd", 300_000);
        _addBox(2);
        _start();
        _claim(alice);
        (uint256 executed, uint256 payment) = _execute(alice, 0, 3);
        assertEq(executed, 1);
        assertGt(payment, 0);
        assertEq(alice.balance, 10 ether - BOND + payment);
        _assertStalled(1);
        assertEq(bad.code.length, 0);
        assertEq(actor.addressOf(bytes32(uint256(2))).code.length, 0);
        // Nobody is paid again before the owner decides.
        (bool success, bytes memory result) = _executeRaw(alice, TX_GAS, _executeCall(1, 1));
        assertFalse(success);
        assertEq(
            result,
            abi.encodeWithSelector(
                IChugSplashManager.WrongStatus.selector, id, IChugSplashManager.Status.STALLED
            )
        );
        vm.prank(alice);
        lock.settle(address(manager), id);
        assertEq(alice.balance, 10 ether + payment);
        _assertSolvent();
    }

    /// No stub is left where a constructor failed: the name can be used again.
    function test_WhenRetried_TheNameIsNotBurnt() public {
        Switch gate = new Switch();
        address guarded =
            _addDeploy("guarded", abi.encodePacked(type(Guarded).creationCode, abi.encode(gate)), 500_000);
        _start();
        _claim(alice);
        _execute(alice, 0, 1);
        _assertStalled(0);
        gate.open();
        vm.prank(owner);
        manager.retry();
        _claim(bob);
        _execute(bob, 0, 1);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertGt(guarded.code.length, 0);
        assertEq(lock.owedTo(alice), BOND);
    }

    function test_WhenAConstructorBurnsAllGas() public {
        _addDeploy("burner", hex"5b5f56", 500_000);
        _start();
        _claim(alice);
        (, uint256 payment) = _execute(alice, 0, 1);
        _assertStalled(0);
        assertGt(payment, 500_000 * BASE_FEE, "it is paid what it burnt");
    }

    function test_WhenALeafIsMalformed_ItStalls() public {
        // a deploy at another address than its salt gives
        address expected = _addBox(1);
        plan[0].target = stranger;
        _makeHeader();
        _stallsWith(abi.encodeWithSelector(IChugSplashManager.WrongDeployTarget.selector, expected, stranger));

        // something else among the deploys
        for (uint8 kind = 1; kind < 4; ++kind) {
            _addCall(stranger, 0, "");
            plan[0].kind = IChugSplashManager.ActionKind(kind);
            _makeHeader();
            (header.deployCount, header.switchCount) = (1, 0);
            _stallsWith(abi.encodeWithSelector(IChugSplashManager.NotDeploy.selector, kind));
        }

        // a deploy in the switch
        _addBox(7);
        _makeHeader();
        (header.deployCount, header.switchCount) = (0, 1);
        _stallsWith(
            abi.encodeWithSelector(IProjectActor.NotInSwitch.selector, IChugSplashManager.ActionKind.DEPLOY)
        );
    }

    /// The bundle of one action stalls with this reason, and is given up.
    function _stallsWith(bytes memory reason) private {
        _propose();
        _approve();
        _claim(alice);
        vm.expectEmit(address(manager));
        emit IChugSplashManager.BundleStalled(id, alice, 0, reason);
        _execute(alice, 0, 1);
        _assertStalled(0);
        _assertSolvent();
        vm.prank(owner);
        manager.close();
        delete plan;
    }

    function test_WhenTheSwitchFails_NothingOfItStays() public {
        address proxy = _addProxy("proxy");
        address box = _addBox(1);
        _addStore(proxy, 0, 7);
        _addImplementation(proxy, box);
        Switch gate = new Switch();
        _addCall(address(gate), 5, abi.encodeCall(Switch.check, ()));
        header.callValue = 5;
        _start();
        _claim(alice);
        uint256 bonded = manager.accounts().callValue;
        vm.expectEmit(address(manager));
        emit IChugSplashManager.BundleStalled(id, alice, 4, abi.encodeWithSelector(Switch.Closed.selector));
        (uint256 executed,) = _execute(alice, 0, 5);
        assertEq(executed, 2);
        _assertStalled(4);
        assertEq(vm.load(proxy, 0), 0, "storage as before");
        assertEq(manager.accounts().callValue, bonded, "value is locked again");
        _assertSolvent();

        gate.open();
        vm.prank(owner);
        manager.retry();
        _claim(alice);
        _execute(alice, 2, 3);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertEq(Box(proxy).value(), 7);
        assertEq(address(gate).balance, 5);
        _assertSolvent();
    }

    /// The executor is called by the target, and reverts: it is paid for the attempt once, keeps its bond, and the
    /// bundle only waits for the owner. As often as it is let try.
    function test_WhenTheExecutorMakesAnActionFail() public {
        Puppet executor = new Puppet();
        vm.deal(address(executor), 1 ether);
        Calling target = new Calling(address(executor));
        _addCall(address(target), 0, abi.encodeCall(Calling.callBack, ()), 300_000);
        _start();
        bytes memory data = abi.encodeCall(Puppet.act, (address(manager), 0, _executeCall(0, 1)));
        uint256 paid;
        for (uint256 i; i < 2; ++i) {
            executor.behave(Puppet.Mode.Accept, Puppet.Mode.Accept, 0);
            executor.act(address(lock), BOND, abi.encodeCall(lock.claim, (address(manager), id)));
            executor.behave(Puppet.Mode.Accept, Puppet.Mode.Reject, 0);
            vm.expectEmit(address(manager));
            emit IChugSplashManager.BundleStalled(
                id, address(executor), 0, abi.encodeWithSignature("Error(string)", "called back, and failed")
            );
            relay.send(stranger, address(executor), 0, TX_GAS, data);
            paid += _paidForNothing(address(executor), paid);
            vm.expectRevert(
                abi.encodeWithSelector(
                    IChugSplashManager.WrongStatus.selector, id, IChugSplashManager.Status.STALLED
                )
            );
            relay.send(stranger, address(executor), 0, TX_GAS, data);
            _send(owner, abi.encodeCall(manager.retry, ()));
        }
        _claim(bob);
        executor.behave(Puppet.Mode.Accept, Puppet.Mode.Accept, 0);
        (, uint256 payment) = _execute(bob, 0, 1);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertEq(executor.lastCaller(), address(target));
        assertEq(manager.accounts().free, 100 ether - paid - payment);
        _assertSolvent();
    }

    /// An attempt that failed costs the project no more than its gas, and the executor no bond.
    function _paidForNothing(address executor, uint256 paidBefore) private returns (uint256 payment) {
        _assertStatus(IChugSplashManager.Status.STALLED);
        payment = manager.accounts().paid - paidBefore;
        assertGt(payment, 0);
        // A contract's call data are not paid: with its part of the transaction it earns nothing.
        assertLt(payment, relay.receiptGas() * BASE_FEE * 12 / 10);
        assertEq(manager.bundle(id).lastExecutor, address(0), "it did nothing");
        lock.settle(address(manager), id);
        assertEq(lock.owedTo(executor), BOND);
        Puppet(payable(executor)).act(address(lock), 0, abi.encodeCall(lock.withdraw, (payable(executor))));
        assertEq(executor.balance, 1 ether + paidBefore + payment);
        _assertSolvent();
    }

    // --- by strangers ---

    /// Between the deploys and the switch anybody may initialise a contract that has no proxy, and the call of the
    /// bundle that would have done so stalls it. By design, see "What an executor can do" in docs/chugsplash.md: what
    /// strangers can move they can make fail. The owner is what its constructor should say.
    function test_WhenAStrangerInitialises_TheSwitchStalls() public {
        address plain = _addDeploy("plain", type(Plain).creationCode, 400_000);
        _addCall(plain, 0, abi.encodeCall(Plain.initialize, (owner)));
        _start();
        _claim(alice);
        _execute(alice, 0, 1);
        vm.prank(stranger);
        Plain(plain).initialize(stranger);
        vm.expectEmit(address(manager));
        emit IChugSplashManager.BundleStalled(
            id, alice, 1, abi.encodeWithSelector(Plain.AlreadyInitialized.selector, stranger)
        );
        (uint256 executed, uint256 payment) = _execute(alice, 1, 1);
        assertEq(executed, 0);
        assertGt(payment, 0, "paid for the attempt");
        _assertStalled(1);

        // No retry helps.
        _send(owner, abi.encodeCall(manager.retry, ()));
        _claim(bob);
        _execute(bob, 1, 1);
        _assertStatus(IChugSplashManager.Status.STALLED);
        assertEq(Plain(plain).owner(), stranger);
        _assertSolvent();
    }

    /// In one transaction with the switch nobody comes in between, but for who sends it.
    function test_WhenDeployAndSwitchAreOneTransaction_NoStrangerInitialises() public {
        address plain = _addDeploy("plain", type(Plain).creationCode, 400_000);
        _addCall(plain, 0, abi.encodeCall(Plain.initialize, (owner)));
        _start();
        _claim(alice);
        _executeAll(alice);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertEq(Plain(plain).owner(), owner);
    }

    // --- after FAILED ---

    /// Given up, the same bundle can be proposed anew: what was deployed is skipped, what failed is tried again.
    function test_WhenFailed_TheSameIsProposedAnew() public {
        Switch gate = new Switch();
        address first = _addBox(1);
        address guarded =
            _addDeploy("guarded", abi.encodePacked(type(Guarded).creationCode, abi.encode(gate)), 500_000);
        Box box = new Box(9);
        _addCall(address(box), 5, abi.encodeCall(Box.set, (3)));
        header.callValue = 5;
        _start();
        bytes32 failed = id;
        _claim(alice);
        (, uint256 alicePaid) = _execute(alice, 0, 3);
        _assertStalled(1);
        _send(owner, abi.encodeCall(manager.close, ()));
        vm.prank(alice);
        lock.settle(address(manager), id);
        vm.expectRevert(
            abi.encodeWithSelector(
                IChugSplashManager.WrongStatus.selector, failed, IChugSplashManager.Status.FAILED
            )
        );
        _approve();

        gate.open();
        _propose();
        assertNotEq(id, failed);
        _approve();
        _claim(bob);
        vm.expectEmit(address(manager));
        emit IChugSplashManager.DeploySkipped(id, 0, first);
        (, uint256 bobPaid) = _execute(bob, 0, 3);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertEq(uint256(manager.statusOf(failed)), uint256(IChugSplashManager.Status.FAILED));
        assertGt(guarded.code.length, 0);
        assertEq(box.value(), 3);
        vm.prank(bob);
        lock.settle(address(manager), id);
        assertEq(alice.balance, 10 ether + alicePaid);
        assertEq(bob.balance, 10 ether + bobPaid);
        assertEq(manager.accounts().paid, bobPaid, "of this bundle");
        assertEq(manager.accounts().free, 100 ether - alicePaid - bobPaid - 5);
        assertEq(address(lock).balance, 0);
        _assertSolvent();
    }
}
