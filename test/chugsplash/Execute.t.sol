// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {GasMeter} from "../actors/GasMeter.sol";
import {Puppet} from "../actors/Puppet.sol";
import {Box, ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {Vm} from "forge-std/Vm.sol";

/// One half of a circle: knows its partner's address before there is one.
contract Half {
    address public immutable partner;

    constructor(address partner_) {
        partner = partner_;
    }
}

/**
 * Execution: order, proofs, gas, phases, stalls, and what is paid for them.
 * forge-config: default.isolate = true
 */
contract ExecuteTest is ChugSplashTest {
    function _assertRefused(address executor, bytes memory data, bytes memory reason) private {
        (bool success, bytes memory result) = _executeRaw(executor, TX_GAS, data);
        assertFalse(success, "refused");
        assertEq(result, reason);
    }

    function _deploysAndSwitch() private returns (address proxy, address box) {
        proxy = _addProxy("proxy");
        box = _addBox(1);
        _addStore(proxy, 0, 7);
        _addImplementation(proxy, box);
        _addCall(proxy, 0, abi.encodeCall(Box.set, (8)));
        _start();
        _claim(alice);
    }

    // --- refusals ---

    function test_RevertWhen_BatchIsEmptyOrProofsAreMissing() public {
        _deploysAndSwitch();
        (IChugSplashManager.Action[] memory actions, bytes32[][] memory proofs) = _slice(0, 0);
        _assertRefused(
            alice,
            abi.encodeCall(manager.execute, (id, 0, actions, proofs)),
            abi.encodeWithSelector(IChugSplashManager.LengthMismatch.selector, 0, 0)
        );
        (actions,) = _slice(0, 1);
        _assertRefused(
            alice,
            abi.encodeCall(manager.execute, (id, 0, actions, proofs)),
            abi.encodeWithSelector(IChugSplashManager.LengthMismatch.selector, 1, 0)
        );
    }

    function test_RevertWhen_IndexIsNotTheNext() public {
        _deploysAndSwitch();
        bytes4 wrongIndex = IChugSplashManager.WrongIndex.selector;
        _assertRefused(alice, _executeCall(1, 1), abi.encodeWithSelector(wrongIndex, 0, 1));
        _execute(alice, 0, 1);
        _assertRefused(alice, _executeCall(0, 1), abi.encodeWithSelector(wrongIndex, 1, 0));
        _assertRefused(alice, _executeCall(0, 5), abi.encodeWithSelector(wrongIndex, 1, 0));
    }

    function test_RevertWhen_SwitchIsNotWhole() public {
        _deploysAndSwitch();
        bytes4 incomplete = IChugSplashManager.IncompleteSwitch.selector;
        _assertRefused(alice, _executeCall(0, 4), abi.encodeWithSelector(incomplete, 5, 4));
        _execute(alice, 0, 2);
        _assertRefused(alice, _executeCall(2, 1), abi.encodeWithSelector(incomplete, 3, 1));
        _execute(alice, 2, 3);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
    }

    function testFuzz_RevertWhen_AnActionIsNotTheBundles(uint256 which, uint256 field, uint256 value) public {
        _deploysAndSwitch();
        (IChugSplashManager.Action[] memory actions, bytes32[][] memory proofs) = _slice(0, 5);
        bytes32 sound = keccak256(abi.encode(actions, proofs));
        which = bound(which, 0, 4);
        field = bound(field, 0, 5);
        if (field == 0) {
            actions[which].target = address(uint160(value));
        } else if (field == 1) {
            actions[which].gas = uint64(value);
        } else if (field == 2) {
            actions[which].data = abi.encode(value);
        } else if (field == 3) {
            actions[which].kind = IChugSplashManager.ActionKind((uint8(actions[which].kind) + 1) % 4);
        } else if (field == 4) {
            proofs[which] = new bytes32[](0);
        } else {
            proofs[which][0] = bytes32(value);
        }
        vm.assume(keccak256(abi.encode(actions, proofs)) != sound);
        _assertRefused(
            alice,
            abi.encodeCall(manager.execute, (id, 0, actions, proofs)),
            abi.encodeWithSelector(IChugSplashManager.InvalidProof.selector, which)
        );
    }

    function test_RevertWhen_CallerIsNotSelected() public {
        _addBox(1);
        _start();
        bytes4 notSelected = IChugSplashManager.NotSelected.selector;
        _assertRefused(alice, _executeCall(0, 1), abi.encodeWithSelector(notSelected, alice, address(0)));
        _claim(alice);
        _assertRefused(bob, _executeCall(0, 1), abi.encodeWithSelector(notSelected, bob, alice));
        // The last second of the lock, and the next.
        vm.warp(START + LOCK);
        uint256 snapshot = vm.snapshotState();
        _execute(alice, 0, 1);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        vm.revertToStateAndDelete(snapshot);
        vm.warp(START + LOCK + 1);
        _assertRefused(alice, _executeCall(0, 1), abi.encodeWithSelector(notSelected, alice, address(0)));
    }

    function test_RevertWhen_BaseFeeIsAboveTheCap_InEachPhase() public {
        address proxy = _addProxy("proxy");
        address box = _addBox(1);
        _addImplementation(proxy, box);
        _makeHeader();
        header.maxBaseFee = 15 gwei;
        _propose();
        _approve();
        _claim(alice);
        bytes memory refusal =
            abi.encodeWithSelector(IChugSplashManager.BaseFeeAboveCap.selector, 15 gwei + 1, 15 gwei);
        relay.setPrices(15 gwei + 1, 15 gwei + 1);
        _assertRefused(alice, _executeCall(0, 1), refusal);
        relay.setPrices(15 gwei, 15 gwei);
        _execute(alice, 0, 1);
        relay.setPrices(15 gwei + 1, 15 gwei + 1);
        _assertRefused(alice, _executeCall(1, 1), refusal);
        relay.setPrices(15 gwei, 15 gwei);
        _execute(alice, 1, 1);
        relay.setPrices(15 gwei + 1, 15 gwei + 1);
        _assertRefused(alice, _executeCall(2, 1), refusal);
        relay.setPrices(15 gwei, 15 gwei);
        _execute(alice, 2, 1);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
    }

    // --- gas ---

    /// Whatever gas an executor brings: the transaction reverts, or everything happens. It can never make an
    /// action fail by bringing little.
    function testFuzz_LittleGasNeverStalls(uint256 gasLimit) public {
        _deploysAndSwitch();
        gasLimit = bound(gasLimit, 21_000, 3_000_000);
        (bool success,) = _executeRaw(alice, gasLimit, _executeCall(0, 5));
        _assertStatus(success ? IChugSplashManager.Status.COMPLETED : IChugSplashManager.Status.APPROVED);
        if (!success) assertEq(manager.bundle(id).nextIndex, 0);
        _assertSolvent();
    }

    function test_RevertWhen_CommittedGasIsNotThere() public {
        _addDeploy("box", _boxCode(1), 2_000_000);
        _start();
        _claim(alice);
        (bool success, bytes memory result) = _executeRaw(alice, 2_000_000, _executeCall(0, 1));
        assertFalse(success);
        assertEq(bytes4(result), IChugSplashManager.InsufficientGas.selector);
        (success,) = _executeRaw(alice, 2_300_000, _executeCall(0, 1));
        assertTrue(success);
    }

    /// An action finds its committed gas, to the unit, whatever the transaction brings.
    function testFuzz_ForwardsExactlyTheCommittedGas(uint256 gasLimit, uint64 committed) public {
        committed = uint64(bound(committed, 60_000, 1_000_000));
        GasMeter meter = new GasMeter();
        _addCall(address(meter), 0, hex"01", committed);
        _start();
        _claim(alice);
        _executeRaw(alice, bound(gasLimit, 2_000_000, TX_GAS), _executeCall(0, 1));
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        uint256 seen = meter.seen();
        assertGt(seen, uint256(committed) * 63 / 64 - 30_000);
        assertLt(seen, committed);
        uint256 first = seen;
        // The same with all the gas there is.
        delete plan;
        meter.reset();
        vm.warp(block.timestamp + 1 days);
        _addCall(address(meter), 0, hex"01", committed);
        _start();
        _claim(alice);
        _execute(alice, 0, 1);
        assertEq(meter.seen(), first);
    }

    // --- deploys ---

    function test_WhenBundleIsExecutedInOne() public {
        (address proxy, address box) = _deploysAndSwitch();
        (uint256 executed, uint256 payment) = _execute(alice, 0, 5);
        assertEq(executed, 5);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertEq(Box(proxy).value(), 8);
        assertEq(Box(proxy).version(), 1);
        assertEq(Box(box).value(), 0);
        assertEq(manager.activeBundleId(), 0);
        assertEq(manager.accounts().free, 100 ether - payment);
        assertEq(manager.accounts().paid, payment);
        _assertSolvent();
    }

    function test_WhenThereIsNoSwitch_TheLastDeployCompletes() public {
        _addBox(1);
        _addBox(2);
        _start();
        _claim(alice);
        _execute(alice, 0, 1);
        _assertStatus(IChugSplashManager.Status.APPROVED);
        _execute(alice, 1, 1);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
    }

    function test_WhenThereIsNoDeploy() public {
        Box box = new Box(1);
        _addCall(address(box), 0, abi.encodeCall(Box.set, (3)));
        _start();
        _claim(alice);
        _execute(alice, 0, 1);
        assertEq(box.value(), 3);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
    }

    function test_ContractsReferToEachOtherInACircle() public {
        address a = actor.addressOf("a");
        address b = actor.addressOf("b");
        bytes memory code = type(Half).creationCode;
        _addDeploy("a", abi.encodePacked(code, abi.encode(b)), 500_000);
        _addDeploy("b", abi.encodePacked(code, abi.encode(a)), 500_000);
        _start();
        _claim(alice);
        _execute(alice, 0, 2);
        assertEq(Half(a).partner(), b);
        assertEq(Half(b).partner(), a);
    }

    function test_WhenCodeIsThere_TheDeployIsSkippedAndPaid() public {
        address box = _addBox(1);
        _addBox(1);
        _addBox(2);
        _start();
        _claim(alice);
        _execute(alice, 0, 1);
        bytes32 code = box.codehash;
        vm.expectEmit(address(manager));
        emit IChugSplashManager.DeploySkipped(id, 1, box);
        (uint256 executed, uint256 payment) = _execute(alice, 1, 2);
        assertEq(executed, 2);
        assertGt(payment, 0);
        assertEq(box.codehash, code);
    }

    // --- many ---

    function test_ThreeHundredActions() public {
        for (uint256 i; i < 270; ++i) {
            _addDeploy(bytes32(i), hex"600160005360016000f3", 200_000);
        }
        Box box = new Box(1);
        for (uint256 i; i < 30; ++i) {
            _addCall(address(box), 0, abi.encodeCall(Box.set, (i)), 60_000);
        }
        _start();
        _claim(alice);
        uint256 transactions;
        for (uint256 from; from < 270; from += 45) {
            _execute(alice, from, 45);
            assertLe(relay.receiptGas(), TX_GAS);
            ++transactions;
        }
        _execute(alice, 270, 30);
        assertLe(relay.receiptGas(), TX_GAS);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertEq(box.value(), 29);
        assertEq(manager.bundle(id).txCount, transactions + 1);
        _assertSolvent();
    }

    /// 300 transactions of one action, where ten were planned for: each costs the executor more than it is paid.
    function test_SplittingEarnsNothing() public {
        for (uint256 i; i < 300; ++i) {
            _addDeploy(bytes32(i), hex"600160005360016000f3", 110_000);
        }
        _makeHeader();
        header.maxTxs = 10;
        _propose();
        _approve();
        _claim(alice);
        uint256 paid;
        uint256 cost;
        bytes32[] memory leaves = _leaves();
        for (uint256 i; i < 300; ++i) {
            uint256 free;
            assembly ("memory-safe") {
                free := mload(0x40)
            }
            (, uint256 payment) = _execute(alice, i, 1, leaves);
            // Nothing of it is needed any more, and the next one would have to pay for it.
            assembly ("memory-safe") {
                mstore(0x40, free)
            }
            if (i >= 10) {
                assertLt(payment, relay.receiptGas() * BASE_FEE, "a loss");
                assertLe(payment, 110_000 * BASE_FEE * 12 / 10, "no more than what was committed");
            }
            paid += payment;
            cost += relay.receiptGas() * BASE_FEE;
        }
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertLt(paid, cost);
    }

    /// Copying it in memory would be paid, though its price in the transaction were not.
    function test_RevertWhen_CallDataArePadded() public {
        _addBox(1);
        _addBox(2);
        _start();
        _claim(alice);
        bytes memory data = _executeCall(0, 1);
        uint16[3] memory lengths = [1, 32, 10_000];
        for (uint256 i; i < lengths.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IChugSplashManager.NotCanonicallyEncoded.selector, data.length + lengths[i], data.length
                )
            );
            relay.send(alice, address(manager), 0, TX_GAS, bytes.concat(data, new bytes(lengths[i])));
        }
        relay.send(alice, address(manager), 0, TX_GAS, data);
        assertEq(manager.bundle(id).nextIndex, 1);
    }

    /// A contract that executes twice in a transaction is paid its intrinsic gas once.
    function test_IntrinsicGasIsPaidOnceInATransaction() public {
        Puppet executor = new Puppet();
        vm.deal(address(executor), 1 ether);
        for (uint256 i; i < 4; ++i) {
            _addBox(i);
        }
        _start();
        executor.act(address(lock), BOND, abi.encodeCall(lock.claim, (address(manager), id)));
        executor.act(address(manager), 0, _executeCall(0, 1));
        Puppet.Call[] memory calls = new Puppet.Call[](2);
        for (uint256 i; i < 2; ++i) {
            calls[i] = Puppet.Call(address(manager), 0, _executeCall(1 + i, 1));
        }
        executor.script(calls);
        vm.recordLogs();
        executor.run();
        (uint256 first, uint256 second) = _gasUsedOf(vm.getRecordedLogs());
        assertGt(first, second + 21_000);
    }

    function _gasUsedOf(Vm.Log[] memory logs) private pure returns (uint256 first, uint256 second) {
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] != IChugSplashManager.ActionsExecuted.selector) continue;
            (,, uint256 gasUsed,) = abi.decode(logs[i].data, (uint256, uint256, uint256, uint256));
            if (first == 0) first = gasUsed;
            else second = gasUsed;
        }
    }

    // --- the budget ---

    function test_WhenTheBudgetIsExhausted_TheRoundEndsAndAToppedUpBundleGoesOn() public {
        _addBox(1);
        _addBox(2);
        _makeHeader();
        header.maxTxs = 2;
        // Just what the approval asks for, at twice the basefee.
        header.budget = (header.totalGas + 2 * manager.txOverhead()) * 2 * BASE_FEE * 12 / 10;
        _propose();
        _approve();
        _claim(alice);
        relay.setPrices(50 gwei, 50 gwei);
        vm.fee(50 gwei);
        uint256 needed = (400_000 + manager.txOverhead()) * 50 gwei * 12 / 10;
        vm.expectEmit(address(manager));
        emit IChugSplashManager.BudgetExhausted(id, needed, header.budget);
        (uint256 executed, uint256 payment) = _execute(alice, 0, 2);
        assertEq(executed + payment, 0);
        _assertStatus(IChugSplashManager.Status.APPROVED);
        assertEq(manager.bundle(id).nextIndex, 0);
        (bool over, bool excused) = lock.outcomeOf(address(manager), id);
        assertTrue(over && excused);
        assertEq(
            uint256(manager.selectionTerms(id).readiness), uint256(IChugSplashManager.Readiness.UNDERFUNDED)
        );

        vm.prank(stranger);
        manager.deposit{value: 1 ether}();
        _claim(bob);
        _execute(bob, 0, 2);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        _assertSolvent();
    }

    function test_WhenTheBudgetPaysSomeActions_TheseAreExecuted() public {
        for (uint256 i; i < 4; ++i) {
            _addBox(i);
        }
        _makeHeader();
        header.maxTxs = 1;
        header.budget = (header.totalGas + manager.txOverhead()) * 2 * BASE_FEE * 12 / 10;
        _propose();
        _approve();
        _claim(alice);
        // 1.76 million gas at 20 gwei pay three of four at 26.
        relay.setPrices(26 gwei, 26 gwei);
        vm.fee(26 gwei);
        (uint256 executed, uint256 payment) = _execute(alice, 0, 4);
        assertEq(executed, 2);
        assertGt(payment, 0);
        assertLe(payment, header.budget);
        _assertStatus(IChugSplashManager.Status.APPROVED);
        assertEq(manager.bundle(id).selectionRound, 0, "the lock goes on");
    }

    // --- ETH ---

    function test_WhatTargetsGiveBackGoesToTheProject() public {
        Puppet target = new Puppet();
        target.behave(Puppet.Mode.Accept, Puppet.Mode.Accept, 4);
        _addCall(address(target), 10, hex"01020304", 400_000);
        header.callValue = 10;
        _start();
        _claim(alice);
        (, uint256 payment) = _execute(alice, 0, 1);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertEq(address(target).balance, 6);
        assertEq(manager.accounts().free, 100 ether - payment - 6);
        _assertSolvent();
    }

    function test_PlainEthGoesToAnAccountWithoutCode() public {
        address account = makeAddr("somebody");
        _addCall(account, 3, "");
        header.callValue = 5;
        _start();
        _claim(alice);
        (, uint256 payment) = _execute(alice, 0, 1);
        assertEq(account.balance, 3);
        // What was locked and not sent comes back.
        assertEq(manager.accounts().free, 100 ether - payment - 3);
        _assertSolvent();
    }

    function test_ReApprovalOfACompletedHeaderIsAnotherBundle() public {
        _addCall(address(new Box(1)), 0, abi.encodeCall(Box.set, (1)));
        _start();
        bytes32 first = id;
        _claim(alice);
        _execute(alice, 0, 1);
        vm.prank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(
                IChugSplashManager.WrongStatus.selector, first, IChugSplashManager.Status.COMPLETED
            )
        );
        manager.approve(first, header);
        _propose();
        assertNotEq(id, first);
        _approve();
        assertEq(manager.bundle(id).nextIndex, 0);
        _claim(bob);
        _execute(bob, 0, 1);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
    }
}
