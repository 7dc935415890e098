// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Test} from "forge-std/Test.sol";

import {StakeManager} from "../../contracts/selection/StakeManager.sol";
import {HookedToken} from "../selection/actors/HookedToken.sol";
import {Reenterer} from "../selection/actors/Reenterer.sol";
import {ScriptedSeed} from "../selection/actors/ScriptedSeed.sol";
import {StakeManagerHandler} from "./StakeManagerHandler.sol";

contract StakeManagerInvariantTest is Test {
    uint256 private constant EPOCH = 40;
    uint256 private constant FREEZE = 8;
    uint256 private constant UNIT = 0.1 ether;

    StakeManager private manager;
    HookedToken private token;
    Reenterer private reenterer;
    StakeManagerHandler private handler;

    function setUp() public {
        vm.roll(EPOCH * 100);
        token = new HookedToken(1e27);
        ScriptedSeed seeds = new ScriptedSeed(FREEZE);
        reenterer = new Reenterer();
        manager = new StakeManager(address(reenterer), address(token), seeds, EPOCH, 12);
        handler = new StakeManagerHandler(manager, token, seeds, reenterer);
        assertTrue(token.transfer(address(handler), 1e27));
        reenterer.join(token, manager);
        for (uint256 i = 1; i < handler.ACTORS(); ++i) {
            vm.prank(handler.actorOf(i));
            token.approve(address(manager), type(uint256).max);
        }

        // So that the hostile actor took part in every run.
        handler.stake(0, 1000 ether);

        bytes4[] memory selectors = new bytes4[](14);
        selectors[0] = handler.stake.selector;
        selectors[1] = handler.stake.selector;
        selectors[2] = handler.unstake.selector;
        selectors[3] = handler.unstakeTooMuch.selector;
        selectors[4] = handler.claim.selector;
        selectors[5] = handler.setWorker.selector;
        selectors[6] = handler.checkIn.selector;
        selectors[7] = handler.settle.selector;
        selectors[8] = handler.authorize.selector;
        selectors[9] = handler.executed.selector;
        selectors[10] = handler.donate.selector;
        selectors[11] = handler.roll.selector;
        selectors[12] = handler.roll.selector;
        selectors[13] = handler.prove.selector;
        targetContract(address(handler));
        targetSelector(FuzzSelector(address(handler), selectors));
    }

    /// One campaign checks all of them: six would explore the same states six times.
    function invariant_StakesTreeAndTurns() public view {
        checkBalanceIsStakesUnstakingAndDonations();
        checkAccountsAreAsInTheBooks();
        checkTreeHoldsTheWeights();
        checkExecutorNeverChangesWithinAnEpoch();
        checkCallsSucceedExactlyWhenTheyShould();
        checkNothingIsReentered();
    }

    /// balance = Σ stakes + Σ unstaking + donations
    function checkBalanceIsStakesUnstakingAndDonations() private view {
        uint256 owed = manager.totalStaked();
        for (uint256 i; i < handler.ACTORS(); ++i) {
            (uint256 amount,) = manager.unstakingOf(handler.actorOf(i));
            owed += amount;
        }
        assertEq(token.balanceOf(address(manager)), owed + handler.donated(), "balance");
    }

    /// Every account's stake, unstaking and claimable amounts are what the books say.
    function checkAccountsAreAsInTheBooks() private view {
        uint256 totalStaked;
        for (uint256 i; i < handler.ACTORS(); ++i) {
            address actor = handler.actorOf(i);
            totalStaked += handler.staked(actor);
            assertEq(manager.stakeOf(actor), handler.staked(actor), "stake");
            assertEq(manager.claimableOf(actor), handler.claimableInBooks(actor), "claimable");
            (uint256 amount, uint256 from) = manager.unstakingOf(actor);
            (uint256 expectedAmount, uint256 expectedFrom) = handler.unstakingInBooks(actor);
            assertEq(amount, expectedAmount, "unstaking");
            assertEq(from, expectedFrom, "claimable from");
        }
        assertEq(manager.totalStaked(), totalStaked, "total");
    }

    /// tree total = Σ weights = Σ floor(stake / unit)
    function checkTreeHoldsTheWeights() private view {
        uint256 total;
        for (uint256 i; i < handler.ACTORS(); ++i) {
            address actor = handler.actorOf(i);
            uint256 weight = manager.weightOf(actor);
            assertEq(weight, manager.stakeOf(actor) / UNIT, "weight");
            total += weight;
        }
        assertEq(manager.totalWeight(), total, "total");
    }

    /// Whoever is selected in an epoch stays so until it ends, recorded or not.
    function checkExecutorNeverChangesWithinAnEpoch() private view {
        assertEq(handler.executorChanges(), 0, "executor changed");
    }

    /// Every call succeeds exactly when it should: above all, unstaking whenever stakes are not frozen and the
    /// seed is proven, and claiming whenever the epoch has come.
    function checkCallsSucceedExactlyWhenTheyShould() private view {
        assertEq(handler.mispredicted(), 0, "mispredicted");
    }

    /// Nothing can be entered from inside a transfer.
    function checkNothingIsReentered() private view {
        assertGt(reenterer.attempts(), 0, "hostile actor");
        assertEq(reenterer.successes(), 0, "reentered");
    }

    /// A run that is refused most of the time would explore nothing.
    function afterInvariant() public view {
        if (handler.calls() >= 90) assertLe(handler.reverts() * 10, handler.calls() * 7);
    }
}
