// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ISeedSource} from "../../contracts/interfaces/ISeedSource.sol";
import {IStakeManager} from "../../contracts/interfaces/IStakeManager.sol";
import {StakeManagerBase} from "./StakeManagerBase.sol";

contract BlockhashSeedTest is StakeManagerBase {
    function test_WhenBlockIsNotMined_SeedIsPending() public view {
        assertSeed(block.number, ISeedSource.Status.Pending);
        assertSeed(block.number + 1, ISeedSource.Status.Pending);
        assertSeed(type(uint256).max, ISeedSource.Status.Pending);
    }

    function test_WhenBlockIsOneOfTheLast256_SeedIsItsHash() public {
        vm.setBlockhash(START - 1, keccak256("newest"));
        vm.setBlockhash(START - 256, keccak256("oldest"));
        (ISeedSource.Status status, bytes32 seed) = seeds.seedOf(START - 1);
        assertTrue(status == ISeedSource.Status.Known);
        assertEq(seed, keccak256("newest"));
        (status, seed) = seeds.seedOf(START - 256);
        assertTrue(status == ISeedSource.Status.Known);
        assertEq(seed, keccak256("oldest"));
    }

    function test_WhenBlockIsOlder_SeedIsLost() public view {
        assertSeed(START - 257, ISeedSource.Status.Lost);
        // Nor is the history of EIP-2935 asked.
        assertSeed(START - 8191, ISeedSource.Status.Lost);
        assertSeed(START - 8192, ISeedSource.Status.Lost);
        assertSeed(0, ISeedSource.Status.Lost);
    }

    function assertSeed(uint256 key, ISeedSource.Status expected) private view {
        (ISeedSource.Status status, bytes32 seed) = seeds.seedOf(key);
        assertTrue(status == expected);
        assertEq(seed, 0);
    }

    /// The longest epoch: in its last block the seed is 256 blocks old, the oldest that can be read.
    function test_WhenEpochIsLongest_ItsSeedIsKnownToTheEnd() public {
        vm.roll(256 * 500);
        manager = newManager(seeds, 256);
        stakeAs(ALICE, 1 ether);
        stakeAs(BOB, 1 ether);
        nextEpoch();
        (address staker,) = manager.selected();
        vm.roll(256 * 502 - 1);
        (ISeedSource.Status status,) = seeds.seedOf(256 * 501 - 1);
        assertTrue(status == ISeedSource.Status.Known);
        (address still,) = manager.selected();
        assertEq(still, staker);
        (uint256 until,) = authorize(staker);
        assertEq(until, block.number);

        vm.roll(256 * 502);
        (status,) = seeds.seedOf(256 * 501 - 1);
        assertTrue(status == ISeedSource.Status.Lost);
    }

    function test_WhenEpochIsOneBlock_EveryBlockIsATurn() public {
        manager = newManager(seeds, 1);
        stakeAs(ALICE, 1 ether);
        stakeAs(BOB, 1 ether);
        uint256 turnsOfAlice;
        for (uint256 i; i < 100; ++i) {
            vm.roll(block.number + 1);
            (address staker,) = manager.selected();
            (uint256 until,) = authorize(staker);
            assertEq(until, block.number);
            if (staker == ALICE) ++turnsOfAlice;
        }
        assertGt(turnsOfAlice, 25);
        assertLt(turnsOfAlice, 75);
    }

    /// Two managers that share a seed draw independently of each other.
    function test_WhenSeedIsShared_DrawsDiffer() public {
        stakeAs(ALICE, 1 ether);
        stakeAs(BOB, 1 ether);
        IStakeManager first = manager;
        manager = newManager(seeds, EPOCH);
        stakeAs(ALICE, 1 ether);
        stakeAs(BOB, 1 ether);
        uint256 same;
        for (uint256 i; i < 200; ++i) {
            nextEpoch();
            (address one,) = first.selected();
            (address two,) = manager.selected();
            if (one == two) ++same;
        }
        assertGt(same, 60);
        assertLt(same, 140);
    }
}
