// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MeterTarget} from "../actors/MeterTarget.sol";
import {TestGate} from "../actors/TestGate.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IExecutorGate} from "contracts/interfaces/IExecutorGate.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";

/// Who may execute: grants, reports, and gates that misbehave.
/// forge-config: default.isolate = true
contract GateTest is RegistryTest {
    MeterTarget private target = new MeterTarget();

    function setUp() public override {
        super.setUp();
        _useTestGate();
        gate.answer(block.number, 0);
    }

    function _new() private returns (uint256 id, IRegistry.Request memory r) {
        r = _request(address(target), "abcd");
        r.initEthSent = 1 ether;
        id = _register(r);
    }

    function _run() private returns (uint256 gas) {
        (uint256 id, IRegistry.Request memory r) = _new();
        return _execute(id, r);
    }

    function _batch(uint256 n) private returns (IRegistry.Execution[] memory batch) {
        batch = new IRegistry.Execution[](n);
        for (uint256 i; i < n; ++i) {
            (uint256 id, IRegistry.Request memory r) = _new();
            batch[i] = _entry(id, r);
        }
    }

    function _expectRefused(bytes memory reason) private {
        (uint256 id, IRegistry.Request memory r) = _new();
        vm.expectRevert(reason);
        _execute(id, r);
        IRegistry.Execution[] memory batch = _batch(2);
        vm.expectRevert(reason);
        _executeBatch(batch);
    }

    // --- grants ---

    function test_RevertWhen_GateRefuses() public {
        gate.answer(0, 0);
        _expectRefused(abi.encodeWithSelector(IRegistry.NotExecutor.selector, executor));
    }

    function test_RevertWhen_GrantIsOver() public {
        gate.answer(block.number - 1, 0);
        _expectRefused(abi.encodeWithSelector(IRegistry.NotExecutor.selector, executor));
    }

    function test_WhenGrantedForThisBlock_GateIsAskedEachTime() public {
        _run();
        _run();
        _executeBatch(_batch(3));
        assertEq(gate.asked(), 3);
        (address holder, uint256 until) = registry.grant();
        assertEq(holder, address(0));
        assertEq(until, 0);
    }

    function test_WhenGrantedAhead_GateIsAskedOnce() public {
        uint256 last = block.number + 5;
        gate.answer(last, 0);
        _run();
        (address holder, uint256 until) = registry.grant();
        assertEq(holder, executor);
        assertEq(until, last);

        gate.answer(0, 0);
        _run();
        _executeBatch(_batch(2));
        vm.roll(last);
        _run();
        assertEq(gate.asked(), 1);

        vm.roll(last + 1);
        _expectRefused(abi.encodeWithSelector(IRegistry.NotExecutor.selector, executor));
    }

    function test_WhenGrantIsAnothers_GateIsAsked() public {
        gate.answer(block.number + 5, 0);
        _run();
        gate.allowOnly(executor);
        executor = makeAddr("another");
        _expectRefused(abi.encodeWithSelector(IRegistry.NotExecutor.selector, executor));

        // A second holder takes the first one's place.
        gate.allowOnly(executor);
        _run();
        (address holder,) = registry.grant();
        assertEq(holder, executor);
    }

    function test_WhenGateGrantsForEver_ChangingItForgetsTheGrant() public {
        gate.answer(type(uint48).max, 0);
        _run();
        vm.roll(block.number + 1_000_000);
        _run();
        assertEq(gate.asked(), 1);

        _useTestGate();
        (address holder, uint256 until) = registry.grant();
        assertEq(holder, address(0));
        assertEq(until, 0);
        gate.answer(0, 0);
        _expectRefused(abi.encodeWithSelector(IRegistry.NotExecutor.selector, executor));
    }

    // --- reports ---

    function test_WhenReportIsAskedFor_GateLearnsWhatSucceeded() public {
        gate.answer(block.number, 1);
        uint256[] memory ids = new uint256[](1);
        IRegistry.Request memory r;
        (ids[0], r) = _new();
        vm.expectEmit(address(gate));
        emit TestGate.Told(executor, ids);
        _execute(ids[0], r);
        assertApproxEqAbs(gate.lastAllowance(), 48_000, 1000);

        IRegistry.Execution[] memory batch = _batch(4);
        batch[0].gasLimit = batch[2].gasLimit = 1000;
        ids = new uint256[](2);
        (ids[0], ids[1]) = (batch[1].id, batch[3].id);
        vm.expectEmit(address(gate));
        emit TestGate.Told(executor, ids);
        _executeBatch(batch);
        assertApproxEqAbs(gate.lastAllowance(), 56_000, 1000);
        assertEq(gate.told(), 2);
    }

    function test_WhenGrantedAhead_ReportIsNotHonoured() public {
        gate.answer(block.number + 1, 1);
        _run();
        _executeBatch(_batch(2));
        assertEq(gate.told(), 0);
    }

    function test_WhenReportFails_NothingChanges() public {
        gate.answer(block.number, 1);
        uint256 snapshot = vm.snapshotState();
        uint256 gas = _run();
        uint256 paid = executor.balance;
        TestGate.Fault[3] memory faults = [TestGate.Fault.Revert, TestGate.Fault.Burn, TestGate.Fault.Bomb];
        for (uint256 i; i < 3; ++i) {
            vm.revertToState(snapshot);
            gate.fail(TestGate.Fault.None, faults[i]);
            // The gate's other answers are of the same cost.
            assertApproxEqAbs(_run(), gas, 3000);
            assertApproxEqAbs(executor.balance, paid, _ethFee(3000));
            assertEq(gate.told(), 0);
            assertEq(target.count(), 2);
        }
    }

    function test_RevertWhen_ReportWouldGetLessThanItsAllowance() public {
        gate.answer(block.number, 1);
        (uint256 id, IRegistry.Request memory r) = _new();
        bytes memory data = abi.encodeCall(IRegistry.executeHashedReq, (id, r, 0));
        bool starved;
        for (uint256 gas = 60_000; gas < 200_000; gas += 500) {
            uint256 snapshot = vm.snapshotState();
            try relay.send(executor, address(registry), 0, gas, data) {
                assertEq(gate.told(), 1, "told whenever it succeeded");
            } catch (bytes memory reason) {
                if (bytes4(reason) == IRegistry.InsufficientGas.selector) starved = true;
            }
            vm.revertToState(snapshot);
        }
        assertTrue(starved, "the check was met");
    }

    // --- gates that misbehave ---

    function test_RevertWhen_GateFails() public {
        bytes memory failed = abi.encodeWithSelector(IRegistry.GateFailed.selector, address(gate));
        gate.fail(TestGate.Fault.Revert, TestGate.Fault.None);
        _expectRefused(failed);
        gate.fail(TestGate.Fault.Short, TestGate.Fault.None);
        _expectRefused(failed);
        gate.fail(TestGate.Fault.Burn, TestGate.Fault.None);
        _expectRefused(failed);
    }

    function test_RevertWhen_GateLies() public {
        bytes memory failed = abi.encodeWithSelector(IRegistry.GateFailed.selector, address(gate));
        gate.answer(uint256(type(uint48).max) + 1, 0);
        _expectRefused(failed);
        gate.answer(type(uint256).max, 0);
        _expectRefused(failed);
        gate.answer(block.number, 2);
        _expectRefused(failed);
        gate.answer(block.number, type(uint256).max);
        _expectRefused(failed);
    }

    /// A long answer is an answer: its first two words count, and nothing more of it is copied.
    function test_WhenGateReturnsABomb_OnlyTwoWordsAreRead() public {
        gate.fail(TestGate.Fault.Bomb, TestGate.Fault.None);
        (uint256 id, IRegistry.Request memory r) = _new();
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotExecutor.selector, executor));
        _execute(id, r);
    }

    function test_WhenGateEatsGas_10000AreChargedAtMost() public {
        gate.answer(block.number, 0);
        _run();
        uint256 plain = _run();
        gate.waste(50_000);
        uint256 fifty = _run();
        gate.waste(400_000);
        uint256 much = _run();
        assertEq(fifty, much);
        assertLe(much, plain + 10_000);
        assertGt(relay.receiptGas(), much + 380_000, "the rest is the executor's");

        gate.waste(600_000);
        (uint256 id, IRegistry.Request memory r) = _new();
        vm.expectRevert(abi.encodeWithSelector(IRegistry.GateFailed.selector, address(gate)));
        _execute(id, r);
    }

    function test_WhenGateEatsGasInABatch_ItsChargeIsShared() public {
        gate.answer(block.number, 0);
        gate.waste(400_000);
        _executeBatch(_batch(10));
        IRegistry.Outcome[] memory outcomes = _executeBatch(_batch(10));
        uint256 shared = outcomes[9].gasCharged;
        gate.answer(block.number + 1, 0);
        _run();
        outcomes = _executeBatch(_batch(10));
        // A tenth of 10,000, and of what asking takes on this side.
        assertApproxEqAbs(shared, outcomes[9].gasCharged + 1000, 1000);
    }

    function test_WhenGateReenters_ItGetsNowhere() public {
        (uint256 id, IRegistry.Request memory r) = _new();
        gate.answer(block.number, 1);
        gate.hook(address(registry), abi.encodeCall(IRegistry.executeHashedReq, (id, r, 0)));
        _run();
        assertFalse(gate.hookSucceeded());
        assertEq(target.count(), 2);
    }

    // --- changing it ---

    function test_RevertWhen_StrangerSetsGate() public {
        vm.expectRevert(abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", user));
        vm.prank(user);
        registry.setGate(gate);
    }

    function test_RevertWhen_GateHasNoCode() public {
        IExecutorGate nobody = IExecutorGate(makeAddr("nobody"));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotContract.selector, address(nobody)));
        vm.prank(owner);
        registry.setGate(nobody);
    }

    function test_WhenGateIsSet_TimeIsKept() public {
        vm.warp(block.timestamp + 1000);
        TestGate next = new TestGate();
        vm.expectEmit(address(registry));
        emit IRegistry.GateSet(address(next));
        vm.prank(owner);
        registry.setGate(next);
        assertEq(address(registry.gate()), address(next));
        assertEq(registry.gateSince(), block.timestamp);
    }
}
