// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {StakeManagerBase} from "./StakeManagerBase.sol";

/// What transactions cost at 10,000 stakers: isolated, so with their intrinsic gas and everything cold. The bounds
/// have room for contracts that are compiled for size, as they are together with ChugSplash's: forge may deploy
/// those here where it has both, and they take up to 450 gas more.
contract StakeManagerGasTest is StakeManagerBase {
    uint256 private constant STAKERS = 10_000;
    /// has staked, has tokens and has approved all of them
    address private veteran = staker(5000);

    function setUp() public override {
        super.setUp();
        vm.pauseGasMetering();
        for (uint256 i; i < STAKERS; ++i) {
            stakeAs(staker(i), (1 + i % 100) * 1 ether);
        }
        fund(veteran, 1000 ether);
        setWorkerAs(veteran, BOB);
        vm.resumeGasMetering();
        nextEpoch();
    }

    function staker(uint256 i) private pure returns (address) {
        return vm.addr(i + 1);
    }

    function gasOfStake(address who) private returns (uint256) {
        vm.prank(who);
        manager.stake(10 ether);
        return vm.lastCallGas().gasTotalUsed;
    }

    /// forge-config: default.isolate = true
    function test_GasOfAdd() public {
        manager.settle();
        assertLt(gasOfStake(veteran), 80_000);
    }

    /// forge-config: default.isolate = true
    function test_GasOfAddWithPendingDraw() public {
        assertLt(gasOfStake(veteran), 100_500); // target 95,000
    }

    /// forge-config: default.isolate = true
    function test_GasOfTake() public {
        manager.settle();
        unstakeAs(veteran, 0.7 ether);
        assertLt(vm.lastCallGas().gasTotalUsed, 80_000);
        unstakeAs(veteran, 0.3 ether);
        assertLt(vm.lastCallGas().gasTotalUsed, 80_000, "leaving");
    }

    /// forge-config: default.isolate = true
    function test_GasOfTakeWithPendingDraw() public {
        unstakeAs(veteran, 0.7 ether);
        assertLt(vm.lastCallGas().gasTotalUsed, 95_000);
    }

    /// Leaves 10,001 to 10,050: seven of them begin a node, and leaf 10,045 one of the next level too.
    /// forge-config: default.isolate = true
    function test_GasOfNewStaker() public {
        manager.settle();
        uint256 above140k;
        for (uint256 i; i < 50; ++i) {
            address newcomer = staker(STAKERS + i);
            fund(newcomer, 10 ether);
            uint256 used = gasOfStake(newcomer);
            assertLt(used, 160_000);
            if (used >= 140_000) ++above140k;
        }
        assertEq(above140k, 1);
    }

    /// forge-config: default.isolate = true
    function test_GasOfDraw() public {
        manager.settle();
        assertLt(vm.lastCallGas().gasTotalUsed, 50_000);
    }

    /// The first question of a turn draws and remembers; the next ones read one slot.
    /// forge-config: default.isolate = true
    function test_GasOfAuthorize() public {
        (, address worker) = manager.selected();
        vm.startPrank(REGISTRY);
        manager.authorize(worker, ids());
        // The rest of a transaction apart, within what the Registry gives.
        assertLt(vm.lastCallGas().gasTotalUsed, 90_000);
        manager.authorize(worker, ids());
        assertLt(vm.lastCallGas().gasTotalUsed - 21_000, 6000);
        vm.stopPrank();
    }

    function test_WhenTenThousandStake_EveryTurnHasAnExecutor() public {
        assertEq(manager.totalWeight(), 5_050_000);
        uint256 distinct;
        address last;
        for (uint256 i; i < 200; ++i) {
            nextEpoch();
            (address drawn,) = manager.selected();
            assertGt(manager.weightOf(drawn), 0);
            if (drawn != last) ++distinct;
            last = drawn;
        }
        assertGt(distinct, 195);
    }

    function test_WhenTenThousandLeave_NothingIsLeft() public {
        vm.pauseGasMetering();
        for (uint256 i; i < STAKERS; ++i) {
            unstakeAs(staker(i), manager.stakeOf(staker(i)));
        }
        assertEq(manager.totalWeight(), 0);
        assertEq(manager.totalStaked(), 0);
        nextEpoch();
        (address drawn,) = manager.selected();
        assertEq(drawn, address(0));
    }
}
