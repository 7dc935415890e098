// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {BlockhashSeed} from "contracts/selection/BlockhashSeed.sol";
import {StakeManager} from "contracts/selection/StakeManager.sol";
import {AutoToken} from "contracts/token/AutoToken.sol";

/// A bundle whose executor is drawn from stakes, so that there is one before the approval.
/// forge-config: default.isolate = true
contract StakedCancelTest is ChugSplashTest {
    uint256 private constant EPOCH_BLOCKS = 100;
    uint256 private constant BLOCK_SECONDS = 12;

    /// Approved a minute into the epoch of the only staker, who does nothing.
    function setUp() public override {
        super.setUp();
        AutoToken token = new AutoToken(address(this), 1e24);
        StakeManager stakes = new StakeManager(
            makeAddr("registry"), address(token), new BlockhashSeed(), EPOCH_BLOCKS, BLOCK_SECONDS
        );
        vm.roll(100_000);
        token.transfer(bob, 100 ether);
        vm.startPrank(bob);
        token.approve(address(stakes), 100 ether);
        stakes.stake(100 ether);
        vm.stopPrank();
        vm.roll(100_105);
        vm.warp(START + 105 * BLOCK_SECONDS);
        vm.setBlockhash(100_099, keccak256("seed"));
        _addBox(1);
        _makeHeader();
        header.ess = address(stakes);
        _propose();
        _approve();
    }

    function test_Cancel_PaysNobodyWhoWasSelectedBeforeTheApproval() public {
        uint256 before = bob.balance;
        _send(owner, abi.encodeCall(manager.cancel, ()));
        assertEq(bob.balance, before);
        assertEq(manager.accounts().userBond, 0);
    }

    function test_Cancel_PaysWhoHasWaitedSinceTheApproval() public {
        uint256 bond = manager.accounts().userBond;
        uint256 before = bob.balance;
        vm.warp(block.timestamp + manager.cancelMinSeconds());
        _send(owner, abi.encodeCall(manager.cancel, ()));
        assertEq(bob.balance - before, bond);
    }
}
