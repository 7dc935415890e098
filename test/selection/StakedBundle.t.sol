// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Switch} from "../chugsplash/Stall.t.sol";
import {Box, ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {BlockhashSeed} from "contracts/selection/BlockhashSeed.sol";
import {StakeManager} from "contracts/selection/StakeManager.sol";
import {AutoToken} from "contracts/token/AutoToken.sol";

/**
 * A bundle from its approval to its end, carried by whom the StakeManager draws: over the boundary of an epoch, at
 * which another takes over, and paid by the bonus that falls with the time of each.
 * forge-config: default.isolate = true
 */
contract StakedBundleTest is ChugSplashTest {
    uint256 private constant EPOCH = 100;
    uint256 private constant BLOCK_SECONDS = 12;
    /// first block of the epoch in which it begins
    uint256 private constant FIRST = 100_000;

    StakeManager private stakes;
    /// Executes for Bob.
    address private worker = makeAddr("worker");
    address private proxy;

    /// The 51st block of Alice's epoch.
    function setUp() public override {
        super.setUp();
        AutoToken token = new AutoToken(address(this), 1e24);
        stakes = new StakeManager(
            makeAddr("gate's registry"), address(token), new BlockhashSeed(), EPOCH, BLOCK_SECONDS
        );
        vm.roll(FIRST - EPOCH);
        for (uint256 i; i < 2; ++i) {
            address staker = i == 0 ? alice : bob;
            assertTrue(token.transfer(staker, 100 ether));
            vm.startPrank(staker);
            token.approve(address(stakes), 100 ether);
            stakes.stake(100 ether);
            vm.stopPrank();
        }
        vm.prank(bob);
        stakes.setWorker(worker);
        _enter(FIRST + 50, alice);

        proxy = _addProxy("proxy");
        address box = _addBox(1);
        _addBox(2);
        _addStore(proxy, 0, 7);
        _addImplementation(proxy, box);
    }

    function _begin() private {
        _makeHeader();
        (header.ess, header.eps) = (address(stakes), address(diminishingBonus));
        _propose();
        _approve();
    }

    /// Goes on to a block of an epoch that `staker` is drawn for: by the first seed that says so.
    function _enter(uint256 blockNumber, address staker) private {
        _goTo(blockNumber);
        uint256 key = blockNumber - blockNumber % EPOCH - 1;
        for (uint256 i; i < 100; ++i) {
            vm.setBlockhash(key, keccak256(abi.encode(i)));
            (address drawn,) = stakes.selected();
            if (drawn == staker) return;
        }
        revert("never drawn");
    }

    function _goTo(uint256 blockNumber) private {
        vm.roll(blockNumber);
        vm.warp(_timeOf(blockNumber));
    }

    function _timeOf(uint256 blockNumber) private pure returns (uint256) {
        return START + (blockNumber - (FIRST - EPOCH)) * BLOCK_SECONDS;
    }

    function _assertSelected(address expected, uint256 expectedSeconds) private view {
        (address executor, uint256 elapsed) = manager.selected();
        assertEq(executor, expected, "selected");
        assertEq(elapsed, expectedSeconds, "elapsed");
    }

    /// Executes, and is paid on the bonus' line after so many seconds.
    function _work(address executor, uint256 first, uint256 count, uint256 elapsed)
        private
        returns (uint256 payment)
    {
        _assertSelected(executor, elapsed);
        uint256 before = executor.balance;
        vm.recordLogs();
        (, payment) = _execute(executor, first, count);
        (uint256 gasUsed,) = _lastExecution();
        assertEq(payment, gasUsed * BASE_FEE * (12_600 - 2 * elapsed) / 9000);
        assertEq(executor.balance, before + payment);
        _assertSolvent();
    }

    function _refuse(address executor, address selected, uint256 first) private {
        bytes memory data = _executeCall(first, 1);
        vm.expectRevert(abi.encodeWithSelector(IChugSplashManager.NotSelected.selector, executor, selected));
        relay.send(executor, address(manager), 0, TX_GAS, data);
    }

    function test_AnotherTakesOverAtTheBoundary() public {
        _begin();
        // Drawn before the approval: her clock begins with it.
        _refuse(worker, alice, 0);
        uint256 alicePaid = _work(alice, 0, 1, 0);
        // The last block of her epoch.
        _goTo(FIRST + EPOCH - 1);
        alicePaid += _work(alice, 1, 1, 49 * BLOCK_SECONDS);

        // And the next.
        _enter(FIRST + EPOCH, bob);
        _refuse(alice, worker, 2);
        _refuse(bob, worker, 2);
        uint256 workerPaid = _work(worker, 2, 1, 0);
        _goTo(FIRST + EPOCH + 10);
        workerPaid += _work(worker, 3, 2, 10 * BLOCK_SECONDS);

        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertEq(Box(proxy).version(), 1);
        assertEq(Box(proxy).value(), 7);
        assertEq(manager.bundle(id).lastExecutor, worker);
        // Nobody posted a bond, and the project paid what the two were paid.
        assertEq(alice.balance, 10 ether + alicePaid);
        assertEq(worker.balance, workerPaid);
        IChugSplashManager.Accounts memory a = manager.accounts();
        assertEq(a.paid, alicePaid + workerPaid);
        assertEq(a.free, 100 ether - a.paid);
        assertEq(a.budget + a.callValue + a.userBond + a.owed, 0);
    }

    /// Drawn again for the next epoch, the same executor goes on, and its bonus does not begin anew.
    function test_TheSameGoesOnOverTheBoundary() public {
        _begin();
        _work(alice, 0, 1, 0);
        _enter(FIRST + EPOCH, alice);
        _work(alice, 1, 2, 50 * BLOCK_SECONDS);
        _goTo(FIRST + EPOCH + 20);
        _work(alice, 3, 2, 70 * BLOCK_SECONDS);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
    }

    /// Who takes over does so within the epoch, however late anybody looks: the clock runs from its beginning.
    function test_TheClockOfWhoTakesOverRunsFromTheBoundary() public {
        _begin();
        _work(alice, 0, 1, 0);
        _enter(FIRST + EPOCH + 30, bob);
        _work(worker, 1, 4, 30 * BLOCK_SECONDS);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
    }

    /// A stall is the bundle's, not the epoch's: nobody is selected in it, and after a retry whoever is drawn is.
    function test_AStallAndItsRetryOverTheBoundary() public {
        Switch gate = new Switch();
        _addCall(address(gate), 0, abi.encodeCall(Switch.check, ()));
        _begin();
        (uint256 executed,) = _execute(alice, 0, 6);
        assertEq(executed, 3);
        _assertStatus(IChugSplashManager.Status.STALLED);
        assertEq(manager.bundle(id).stalledIndex, 5);
        _assertSelected(address(0), 0);

        _enter(FIRST + EPOCH, bob);
        _assertSelected(address(0), 0);
        gate.open();
        _send(owner, abi.encodeCall(manager.retry, ()));
        _refuse(alice, worker, 3);
        _work(worker, 3, 3, 0);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertEq(Box(proxy).version(), 1);
    }
}
