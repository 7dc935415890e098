// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Test} from "forge-std/Test.sol";

import {BlockhashSeed} from "../../contracts/selection/BlockhashSeed.sol";
import {StakeManager} from "../../contracts/selection/StakeManager.sol";
import {HookedToken} from "./actors/HookedToken.sol";
import {Reenterer} from "./actors/Reenterer.sol";

contract StakeManagerReentrancyTest is Test {
    HookedToken private token;
    StakeManager private manager;
    Reenterer private attacker;

    function setUp() public {
        vm.roll(1000);
        token = new HookedToken(100 ether);
        attacker = new Reenterer();
        manager = new StakeManager(address(attacker), address(token), new BlockhashSeed(), 10, 12);
        assertTrue(token.transfer(address(attacker), 10 ether));
        token.approve(address(manager), 90 ether);
        manager.stake(90 ether);
        attacker.join(token, manager);
    }

    function test_WhenTokenCallsBack_NothingIsEntered() public {
        attacker.act(abi.encodeCall(manager.stake, (10 ether)));
        assertEq(attacker.attempts(), 8);
        vm.roll(1010);
        attacker.act(abi.encodeCall(manager.unstake, (10 ether)));
        vm.roll(1030);
        attacker.act(abi.encodeCall(manager.claim, (address(attacker))));
        assertEq(attacker.attempts(), 16);
        assertEq(attacker.successes(), 0);
        assertEq(token.balanceOf(address(attacker)), 10 ether);
        assertEq(token.balanceOf(address(manager)), 90 ether);
        assertEq(manager.totalStaked(), 90 ether);
    }

    /// Between two calls of one transaction the guard is open again.
    function test_WhenCalledTwiceInOneTransaction_BothWork() public {
        attacker.act(abi.encodeCall(manager.stake, (4 ether)));
        attacker.act(abi.encodeCall(manager.stake, (6 ether)));
        attacker.act(abi.encodeCall(manager.unstake, (10 ether)));
        (uint256 amount,) = manager.unstakingOf(address(attacker));
        assertEq(amount, 10 ether);
    }
}
