// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {EssConformance} from "./EssConformance.sol";
import {ANYONE, IExecutorSelectionStrategy} from "contracts/interfaces/IExecutorSelectionStrategy.sol";
import {BlockhashSeed} from "contracts/selection/BlockhashSeed.sol";
import {StakeManager} from "contracts/selection/StakeManager.sol";
import {AutoToken} from "contracts/token/AutoToken.sol";

/// forge-config: default.isolate = true
contract SimpleLockConformanceTest is EssConformance {
    function _ess() internal view override returns (IExecutorSelectionStrategy) {
        return lock;
    }

    function _select(address executor) internal override returns (address) {
        _claim(executor);
        return executor;
    }

    function _endTurn() internal override {
        vm.warp(block.timestamp + LOCK + 1);
    }
}

/// A draw per epoch among two stakers.
/// forge-config: default.isolate = true
contract StakeManagerConformanceTest is EssConformance {
    StakeManager internal stakes;

    function setUp() public virtual override {
        super.setUp();
        AutoToken token = new AutoToken(address(this), 1e24);
        stakes = new StakeManager(address(0x4E617), address(token), new BlockhashSeed(), 100, 12);
        vm.roll(100_000);
        if (!_staked()) return;
        for (uint256 i; i < 2; ++i) {
            address staker = i == 0 ? alice : bob;
            assertTrue(token.transfer(staker, 100 ether));
            vm.startPrank(staker);
            token.approve(address(stakes), 100 ether);
            stakes.stake(100 ether);
            vm.stopPrank();
        }
        _endTurn();
    }

    function _staked() internal pure virtual returns (bool) {
        return true;
    }

    function _ess() internal view override returns (IExecutorSelectionStrategy) {
        return stakes;
    }

    function _select(address) internal view override returns (address worker) {
        (, worker) = stakes.selected();
    }

    function _endTurn() internal override {
        vm.roll(block.number + 100);
        vm.warp(block.timestamp + 1200);
        vm.setBlockhash(block.number - block.number % 100 - 1, keccak256(abi.encode(block.number)));
    }
}

/// Nobody has staked: the work is open to all.
/// forge-config: default.isolate = true
contract OpenStakeManagerConformanceTest is StakeManagerConformanceTest {
    function _staked() internal pure override returns (bool) {
        return false;
    }

    function test_ItIsOpen() public view {
        assertEq(_select(alice), ANYONE);
    }
}
