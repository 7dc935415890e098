// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Box, ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {ISimpleLockESS} from "contracts/interfaces/ISimpleLockESS.sol";

/**
 * One executor after another on one bundle: who of them may execute in which second, whichever transaction of a
 * block comes first, and whose every wei is in the end.
 * forge-config: default.isolate = true
 */
contract TakeoverTest is ChugSplashTest {
    uint256 private constant DEPLOYS = 3;
    uint256 private constant LAST_SECOND = START + LOCK;

    address private proxy;

    function setUp() public override {
        super.setUp();
        proxy = _addProxy("proxy");
        address box = _addBox(1);
        _addBox(2);
        _addStore(proxy, 0, 7);
        _addImplementation(proxy, box);
        _start();
    }

    function _refuseClaim(address executor, bytes memory refusal) private {
        uint256 before = executor.balance;
        vm.expectRevert(refusal);
        _claim(executor);
        assertEq(executor.balance, before);
    }

    function _refuseExecution(address executor, address selected, uint256 next) private {
        bytes memory data = _executeCall(next, plan.length - next);
        vm.expectRevert(abi.encodeWithSelector(IChugSplashManager.NotSelected.selector, executor, selected));
        relay.send(executor, address(manager), 0, TX_GAS, data);
    }

    function _live(address holder) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ISimpleLockESS.LockLive.selector, holder, LAST_SECOND);
    }

    /// Executes all that is left, and takes the bond back.
    function _finish(address executor, uint256 next) private returns (uint256 payment) {
        payment = _executeRest(executor, next);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertEq(Box(proxy).version(), 1);
        assertEq(Box(proxy).value(), 7);
        vm.prank(executor);
        lock.settle(address(manager), id);
    }

    // --- in one block ---

    function test_TwoClaimsInOneBlock() public {
        address[2] memory order = [alice, bob];
        for (uint256 i; i < 2; ++i) {
            uint256 snapshot = vm.snapshotState();
            _claim(order[i]);
            _refuseClaim(order[1 - i], _live(order[i]));
            assertEq(address(lock).balance, BOND);
            (address selected,) = manager.selected();
            assertEq(selected, order[i]);
            vm.revertToStateAndDelete(snapshot);
        }
    }

    /// The last second of the lock is the holder's, whichever comes first.
    function test_CompletionAndReplacementInOneBlock() public {
        _claim(alice);
        vm.warp(LAST_SECOND);
        uint256 snapshot = vm.snapshotState();
        uint256 paid = _executeAll(alice);
        _refuseClaim(
            bob,
            abi.encodeWithSelector(
                ISimpleLockESS.NotReady.selector, IChugSplashManager.Readiness.NOT_APPROVED
            )
        );
        vm.prank(alice);
        lock.settle(address(manager), id);
        _assertMoney(paid, 0, 0);
        vm.revertToStateAndDelete(snapshot);

        _refuseClaim(bob, _live(alice));
        _assertMoney(_finish(alice, 0), 0, 0);
    }

    /// The next one is nobody's, and then whose the claim is.
    function test_ReplacementAndLateCompletionInOneBlock() public {
        _claim(alice);
        vm.warp(LAST_SECOND + 1);
        uint256 snapshot = vm.snapshotState();
        _refuseExecution(alice, address(0), 0);
        _claim(bob);
        _assertMoney(0, _finish(bob, 0), BOND);
        vm.revertToStateAndDelete(snapshot);

        snapshot = vm.snapshotState();
        _claim(bob);
        _refuseExecution(alice, bob, 0);
        _assertMoney(0, _finish(bob, 0), BOND);
        vm.revertToStateAndDelete(snapshot);

        // Her own claim is no better than another's: the old bond is the project's.
        _claim(alice);
        assertEq(manager.accounts().budget, header.budget + BOND);
        _assertMoney(_finish(alice, 0), 0, BOND);
    }

    // --- in the middle ---

    /// After each of the deploys, the last of which is the last thing before the switch.
    function test_InTheMiddle_AnotherFinishes() public {
        for (uint256 done = 1; done <= DEPLOYS; ++done) {
            uint256 snapshot = vm.snapshotState();
            _claim(alice);
            (, uint256 alicePaid) = _execute(alice, 0, done);
            vm.warp(LAST_SECOND + 1);
            _refuseExecution(alice, address(0), done);
            uint256 budget = manager.accounts().budget;
            assertEq(budget, header.budget - alicePaid);
            _claim(bob);
            assertEq(manager.accounts().budget, budget + BOND, "forfeited into the budget");
            _refuseExecution(alice, bob, done);
            assertEq(manager.bundle(id).nextIndex, done);
            assertEq(manager.bundle(id).lastExecutor, alice);
            uint256 bobPaid = _finish(bob, done);
            assertEq(manager.bundle(id).lastExecutor, bob);
            _assertMoney(alicePaid, bobPaid, BOND);
            vm.revertToStateAndDelete(snapshot);
        }
    }
}
