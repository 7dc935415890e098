// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ForceFeeder} from "../actors/ForceFeeder.sol";
import {Puppet} from "../actors/Puppet.sol";
import {OwnerTest} from "./OwnerTest.sol";
import {Switch} from "./Stall.t.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {IChugSplashRegistry} from "contracts/interfaces/IChugSplashRegistry.sol";

/**
 * Registration, proposal, approval and money: what the owner decides before anything runs.
 * forge-config: default.isolate = true
 */
contract LifeCycleTest is OwnerTest {
    // --- registration ---

    function test_AddressesAreKnownBefore() public {
        (address expected, address expectedActor) = registry.addressesOf(alice, "x");
        assertFalse(registry.isManager(expected));
        vm.expectEmit(address(registry));
        emit IChugSplashRegistry.ManagerRegistered(expected, alice, expectedActor, "x");
        vm.prank(stranger);
        address made = registry.register(alice, "x");
        assertEq(made, expected);
        assertEq(IChugSplashManager(made).actor(), expectedActor);
        assertEq(IChugSplashManager(made).owner(), alice);
        assertTrue(registry.isManager(made));
        (address other,) = registry.addressesOf(bob, "x");
        assertNotEq(other, made, "the owner is part of it");
        vm.expectRevert(Errors.FailedDeployment.selector);
        registry.register(alice, "x");
        vm.expectRevert(IChugSplashRegistry.ZeroOwner.selector);
        registry.register(address(0), "x");
    }

    function test_RevertWhen_TheSharedCodeIsUsed() public {
        IChugSplashManager code = IChugSplashManager(registry.managerImplementation());
        assertEq(code.owner(), address(registry));
        vm.prank(address(registry));
        vm.expectRevert(
            abi.encodeWithSelector(IChugSplashManager.NotInitializable.selector, address(registry))
        );
        code.initialize(alice);
    }

    function test_OwnershipMovesInTwoStepsWhileABundleIsActive() public {
        _begin();
        _claim(alice);
        vm.prank(owner);
        manager.transferOwnership(bob);
        assertEq(manager.owner(), owner);
        assertEq(manager.pendingOwner(), bob);
        vm.prank(bob);
        manager.acceptOwnership();
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, owner));
        manager.cancel();
        // The bonds stay where they are: with the manager.
        uint256 free = _free();
        vm.prank(bob);
        manager.cancel();
        assertEq(_free(), free + BOND + 2 ether + 7);
    }

    /// The executor does not notice; what is free in the end is the new owner's, and so are all decisions before.
    function test_OwnershipMovesInEachStateOfABundle() public {
        Switch gate = new Switch();
        _addCall(address(gate), 0, abi.encodeCall(Switch.check, ()));
        _makeHeader();
        header.callValue = 7;
        _begin();
        _claim(alice);
        (, uint256 paid) = _execute(alice, 0, 1);
        // In the middle of her work.
        _handOver(bob);
        (, uint256 payment) = _execute(alice, 1, 3);
        paid += payment;
        _assertStatus(IChugSplashManager.Status.STALLED);
        vm.prank(alice);
        lock.settle(address(manager), id);
        // While it is stalled.
        _handOver(stranger);
        _refuseOldOwner(bob, abi.encodeCall(manager.retry, ()));
        _send(stranger, abi.encodeCall(manager.retry, ()));
        _send(stranger, abi.encodeCall(manager.requestPause, ()));
        _assertStatus(IChugSplashManager.Status.PAUSED);
        // While it is paused.
        _handOver(owner);
        _refuseOldOwner(stranger, abi.encodeCall(manager.resume, ()));
        _refuseOldOwner(stranger, abi.encodeCall(manager.withdraw, (payable(stranger), 1)));
        _asOwner(abi.encodeCall(manager.resume, ()));
        gate.open();
        _claim(alice);
        (, payment) = _execute(alice, 2, 2);
        paid += payment;
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertEq(alice.balance, 10 ether + paid - BOND);
        assertEq(_free(), 100 ether - paid - 7);
        _asOwner(abi.encodeCall(manager.withdraw, (payable(owner), 100 ether - paid - 7)));
        assertEq(address(manager).balance, 0);
    }

    function _handOver(address to) private {
        IChugSplashManager.Status before = _status();
        bytes memory accounts = abi.encode(manager.accounts());
        _send(manager.owner(), abi.encodeCall(manager.transferOwnership, (to)));
        _send(to, abi.encodeCall(manager.acceptOwnership, ()));
        assertEq(manager.owner(), to);
        assertEq(manager.pendingOwner(), address(0));
        _assertStatus(before);
        assertEq(abi.encode(manager.accounts()), accounts);
    }

    function _refuseOldOwner(address old, bytes memory data) private {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, old));
        _send(old, data);
    }

    // --- proposal and approval ---

    function test_RevertWhen_AHeaderCannotBe() public {
        IChugSplashManager.BundleHeader memory good = header;
        _refuseHeader("count", good, 0, 0);
        _refuseHeader("count", good, 65_536, 1);
        _refuseHeader("count", good, type(uint256).max, 1);
        header.totalGas = 2 ** 48;
        _refuse("totalGas");
        header = good;
        header.maxTxs = 0;
        _refuse("maxTxs");
        header = good;
        header.callValue = 2 ** 88;
        _refuse("callValue");
        header = good;
        header.budget = 2 ** 88;
        _refuse("budget");
        header = good;
        header.actionRoot = 0;
        _refuse("actionRoot");
    }

    function _refuseHeader(
        string memory field,
        IChugSplashManager.BundleHeader memory good,
        uint256 a,
        uint256 b
    ) private {
        (header.deployCount, header.switchCount) = (a, b);
        _refuse(field);
        header = good;
    }

    function _refuse(string memory field) private {
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IChugSplashManager.InvalidHeader.selector, field));
        manager.propose(header);
    }

    function test_RevertWhen_AnotherHeaderIsApproved() public {
        _propose();
        header.budget += 1;
        bytes32 computed = manager.bundleIdOf(0, header);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IChugSplashManager.HeaderMismatch.selector, id, computed));
        manager.approve(id, header);
    }

    function test_TheIdBindsChainManagerAndNonce() public {
        bytes32 first = manager.bundleIdOf(0, header);
        assertEq(first, keccak256(abi.encode(block.chainid, address(manager), uint256(0), header)));
        assertNotEq(first, manager.bundleIdOf(1, header));
        IChugSplashManager other = IChugSplashManager(registry.register(owner, "other"));
        assertNotEq(first, other.bundleIdOf(0, header));
        vm.chainId(2);
        assertNotEq(first, manager.bundleIdOf(0, header));
    }

    function test_RevertWhen_MoneyIsMissing() public {
        header.budget = 100 ether - BOND - 6;
        _propose();
        vm.prank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(IChugSplashManager.InsufficientFunds.selector, 100 ether, 100 ether + 1)
        );
        manager.approve(id, header);
        vm.prank(stranger);
        manager.deposit{value: 1}();
        _approve();
        assertEq(_free(), 0);
        _assertSolvent();
    }

    function test_RevertWhen_TheBudgetCannotPayTheCommittedGas() public {
        uint256 gas = header.totalGas + header.maxTxs * manager.txOverhead();
        uint256 atTwice = gas * 2 * BASE_FEE * 12 / 10;
        _refuseBudget(atTwice - 1, atTwice);
        // A cap below that needs less.
        header.maxBaseFee = 11 gwei;
        uint256 atCap = gas * 11 gwei * 12 / 10;
        _refuseBudget(atCap - 1, atCap);
        header.budget = atCap;
        _begin();
        // What was priced with the bonus needs the bonus at its highest.
        _cancel();
        header.eps = address(diminishingBonus);
        _refuseBudget(atCap, gas * 11 gwei * 14 / 10);
    }

    function _refuseBudget(uint256 budget, uint256 needed) private {
        header.budget = budget;
        _propose();
        vm.expectRevert(abi.encodeWithSelector(IChugSplashManager.BudgetTooLow.selector, budget, needed));
        _approve();
    }

    function test_RevertWhen_AStrategyIsNone() public {
        header.ess = stranger;
        _propose();
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IChugSplashManager.StrategyWithoutCode.selector, stranger));
        manager.approve(id, header);
        header.ess = address(box);
        _propose();
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IChugSplashManager.StrategyFailed.selector, address(box)));
        manager.approve(id, header);
        (header.ess, header.eps) = (address(lock), address(box));
        _propose();
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IChugSplashManager.StrategyFailed.selector, address(box)));
        manager.approve(id, header);
    }

    // --- money ---

    function test_DepositsGoToTheActiveBundle() public {
        vm.prank(stranger);
        manager.deposit{value: 3}();
        assertEq(_free(), 100 ether + 3);
        _begin();
        vm.prank(stranger);
        (bool success,) = address(manager).call{value: 4}("");
        assertTrue(success);
        assertEq(manager.accounts().budget, 2 ether + 4);
        _pause();
        vm.prank(stranger);
        manager.deposit{value: 5}();
        assertEq(manager.accounts().budget, 0);
        assertEq(_free(), 100 ether + 3 + 4 + 5 - BOND);
        _assertSolvent();
    }

    function test_ForcedEthIsNobodys() public {
        vm.deal(address(this), 2 ether);
        ForceFeeder.feed(address(manager), 1 ether);
        assertEq(_free(), 100 ether);
        vm.prank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(IChugSplashManager.InsufficientFunds.selector, 100 ether, 100 ether + 1)
        );
        manager.withdraw(payable(owner), 100 ether + 1);
        vm.prank(owner);
        manager.withdraw(payable(owner), 100 ether);
        assertEq(address(manager).balance, 1 ether);
        ForceFeeder.feed(address(actor), 1 ether);
        vm.prank(owner);
        manager.deposit{value: 10 ether}();
        _begin();
        _claim(alice);
        (, uint256 payment) = _execute(alice, 0, 3);
        // What was forced upon the actor came to the project with the switch.
        assertEq(_free(), 10 ether + 1 ether - payment - 7);
    }

    /// While a bundle runs it changes nothing of what is paid, locked or free.
    function test_ForcedEthIsNobodysWhileABundleIsActive() public {
        vm.deal(address(this), 6 ether);
        _begin();
        _claim(alice);
        bytes memory accounts = abi.encode(manager.accounts());
        ForceFeeder.feed(address(manager), 1 ether);
        ForceFeeder.feed(address(lock), 2 ether);
        assertEq(abi.encode(manager.accounts()), accounts);
        (, uint256 paid) = _execute(alice, 0, 2);
        ForceFeeder.feed(address(actor), 3 ether);
        (, uint256 payment) = _execute(alice, 2, 1);
        paid += payment;
        vm.prank(alice);
        lock.settle(address(manager), id);
        assertEq(alice.balance, 10 ether + paid);
        assertEq(address(lock).balance, 2 ether, "nobody's");
        // The actor gives what it has to the project.
        assertEq(_free(), 100 ether - paid - 7 + 3 ether);
        assertEq(address(manager).balance, _free() + 1 ether, "nobody's");
        assertEq(address(actor).balance, 0);
    }

    function test_RevertWhen_WithdrawingToWhereItComesBackFrom() public {
        address[3] memory bad = [address(0), address(manager), address(actor)];
        for (uint256 i; i < 3; ++i) {
            vm.prank(owner);
            vm.expectRevert(abi.encodeWithSelector(IChugSplashManager.InvalidRecipient.selector, bad[i]));
            manager.withdraw(payable(bad[i]), 1);
        }
        Puppet puppet = new Puppet();
        puppet.behave(Puppet.Mode.Reject, Puppet.Mode.Reject, 0);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IChugSplashManager.PaymentRefused.selector, address(puppet)));
        manager.withdraw(payable(address(puppet)), 1);
    }
}
