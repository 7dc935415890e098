// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Test} from "forge-std/Test.sol";

import {ANYONE} from "../../contracts/interfaces/IExecutorSelectionStrategy.sol";
import {ISeedSource} from "../../contracts/interfaces/ISeedSource.sol";
import {IStakeManager} from "../../contracts/interfaces/IStakeManager.sol";
import {BlockhashSeed} from "../../contracts/selection/BlockhashSeed.sol";
import {StakeManager} from "../../contracts/selection/StakeManager.sol";
import {AutoToken} from "../../contracts/token/AutoToken.sol";

/// Shared by the tests of the StakeManager: one with block hashes as seeds, in the middle of a chain.
abstract contract StakeManagerBase is Test {
    uint256 internal constant EPOCH = 100;
    uint256 internal constant BLOCK_SECONDS = 12;
    uint256 internal constant UNIT = 0.1 ether;
    uint256 internal constant SUPPLY = 1e28;
    /// first block of the epoch in which the tests begin
    uint256 internal constant START = 1000 * EPOCH;

    address internal constant REGISTRY = address(0x4E617);
    address internal constant ALICE = address(0xA11CE);
    address internal constant BOB = address(0xB0B);
    address internal constant CAROL = address(0xCA401);

    AutoToken internal auto_;
    ISeedSource internal seeds;
    StakeManager internal manager;

    function setUp() public virtual {
        vm.roll(START);
        vm.warp(1_800_000_000);
        auto_ = new AutoToken(address(this), SUPPLY);
        seeds = new BlockhashSeed();
        manager = newManager(seeds, EPOCH);
    }

    function newManager(ISeedSource source, uint256 epochBlocks) internal returns (StakeManager) {
        return new StakeManager(REGISTRY, address(auto_), source, epochBlocks, BLOCK_SECONDS);
    }

    function fund(address staker, uint256 amount) internal {
        assertTrue(auto_.transfer(staker, amount));
        vm.prank(staker);
        auto_.approve(address(manager), type(uint256).max);
    }

    function stakeAs(address staker, uint256 amount) internal {
        fund(staker, amount);
        vm.prank(staker);
        manager.stake(amount);
    }

    function unstakeAs(address staker, uint256 amount) internal {
        vm.prank(staker);
        manager.unstake(amount);
    }

    function claimAs(address staker) internal returns (uint256 amount) {
        vm.prank(staker);
        return manager.claim(staker);
    }

    function setWorkerAs(address staker, address worker) internal {
        vm.prank(staker);
        manager.setWorker(worker);
    }

    function checkInAs(address worker) internal {
        vm.prank(worker);
        manager.checkIn();
    }

    function authorize(address executor) internal returns (uint256 grantedUntil, bool report) {
        vm.prank(REGISTRY);
        return manager.authorize(executor, ids());
    }

    function reportExecuted(address executor) internal {
        vm.prank(REGISTRY);
        manager.executed(executor, ids());
    }

    function ids() internal pure returns (uint256[] memory list) {
        list = new uint256[](1);
        list[0] = 7;
    }

    /// Rolls to the first block of the next epoch.
    function nextEpoch() internal {
        vm.roll(epochStart() + manager.epochBlocks());
    }

    function epochStart() internal view returns (uint256) {
        return block.number - block.number % manager.epochBlocks();
    }

    /// Rolls forward to the first epoch in which `staker` is drawn.
    function rollUntilDrawn(address staker) internal {
        for (uint256 i; i < 1000; ++i) {
            nextEpoch();
            (address drawn,) = manager.selected();
            if (drawn == staker) return;
        }
        revert("never drawn");
    }
}
