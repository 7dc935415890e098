// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MeterTarget} from "../actors/MeterTarget.sol";
import {Puppet} from "../actors/Puppet.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";
import {RegistrySettlement} from "contracts/registry/RegistrySettlement.sol";
import {Vm} from "forge-std/Vm.sol";

/// forge-config: default.isolate = true
contract BatchTest is RegistryTest {
    Puppet private failing = new Puppet();
    MeterTarget private target = new MeterTarget();

    function setUp() public override {
        super.setUp();
        failing.behave(Puppet.Mode.Accept, Puppet.Mode.Reject, 0);
        _warmGrant();
    }

    function _newEntry(address to, uint256 seed) private returns (IRegistry.Execution memory) {
        IRegistry.Request memory r = _request(to, abi.encode(seed));
        r.initEthSent = 1 ether;
        return _entry(_register(r), r);
    }

    function _entries(uint256 n) private returns (IRegistry.Execution[] memory batch) {
        batch = new IRegistry.Execution[](n);
        for (uint256 i; i < n; ++i) {
            batch[i] = _newEntry(address(target), i);
        }
    }

    // --- refusals ---

    function test_RevertWhen_BatchIsEmpty() public {
        vm.expectRevert(IRegistry.EmptyBatch.selector);
        _executeBatch(new IRegistry.Execution[](0));
    }

    function test_RevertWhen_NoneSucceeds() public {
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](3);
        batch[0] = _newEntry(address(failing), 0);
        batch[1] = _newEntry(makeAddr("nobody"), 1);
        batch[2] = _newEntry(address(failing), 2);
        bytes memory first = abi.encodeWithSelector(
            IRegistry.CallFailed.selector, batch[0].id, abi.encodeWithSelector(Puppet.Rejected.selector)
        );
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NoneSucceeded.selector, first));
        _executeBatch(batch);
    }

    function test_RevertWhen_FrameIsEnteredFromOutside() public {
        IRegistry.Execution memory e = _newEntry(address(target), 0);
        RegistrySettlement.Terms memory terms;
        bytes memory data = abi.encodeCall(registry.executeInFrame, (terms, e));
        vm.expectRevert(IRegistry.OnlySelf.selector);
        _send(executor, address(registry), data);
    }

    function test_RevertWhen_AnEntryWouldGetLessGasThanItsLimit() public {
        IRegistry.Execution[] memory batch = _entries(2);
        batch[1].gasLimit = 3_000_000;
        bytes memory data = abi.encodeCall(IRegistry.executeHashedReqs, (batch));
        vm.expectPartialRevert(IRegistry.InsufficientGas.selector);
        relay.send(executor, address(registry), 0, 3_000_000, data);
        relay.send(executor, address(registry), 0, 3_300_000, data);
        assertEq(target.count(), 3);
    }

    function test_RevertWhen_GasLimitOverflows() public {
        IRegistry.Execution[] memory batch = _entries(1);
        batch[0].gasLimit = type(uint256).max;
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        _executeBatch(batch);
    }

    // --- isolation ---

    function test_WhenOneFails_ItUndoesOnlyItself() public {
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](3);
        batch[0] = _newEntry(address(target), 0);
        batch[1] = _newEntry(address(failing), 1);
        batch[2] = _newEntry(address(target), 2);
        uint256 before = executor.balance;

        vm.expectEmit(address(registry));
        emit IRegistry.ReqFailed(
            batch[1].id,
            abi.encodeWithSelector(
                IRegistry.CallFailed.selector, batch[1].id, abi.encodeWithSelector(Puppet.Rejected.selector)
            )
        );
        IRegistry.Outcome[] memory outcomes = _executeBatch(batch);

        assertTrue(outcomes[0].success && !outcomes[1].success && outcomes[2].success);
        assertEq(outcomes[1].gasCharged, 0);
        assertEq(outcomes[1].fee, 0);
        assertEq(executor.balance - before, outcomes[0].fee + outcomes[2].fee, "paid once, for both");
        assertEq(target.count(), 3);
        assertEq(address(registry).balance, 1 ether, "the deposit of the one that failed");
        assertEq(registry.getHashedReq(batch[1].id), keccak256(abi.encode(batch[1].request)));
        assertEq(registry.getHashedReq(batch[0].id), 0);
    }

    function test_WhenTheReasonIsLong_256BytesOfItAreLogged() public {
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](2);
        batch[0] = _newEntry(address(target), 0);
        batch[1] = _newEntry(address(failing), 1);
        failing.behave(Puppet.Mode.Accept, Puppet.Mode.Bomb, 0);
        batch[1].gasLimit = 5_000_000;
        vm.recordLogs();
        _executeBatch(batch);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        Vm.Log memory last = logs[logs.length - 1];
        assertEq(last.topics[0], IRegistry.ReqFailed.selector);
        assertEq(
            abi.decode(last.data, (bytes)),
            abi.encodeWithSelector(IRegistry.CallFailed.selector, batch[1].id, new bytes(256))
        );
    }

    function test_WhenOneIsNotTheRegisteredRequest_TheRestGoesOn() public {
        IRegistry.Execution[] memory batch = _entries(3);
        ++batch[0].request.initEthSent;
        batch[2].id = 1000;
        IRegistry.Outcome[] memory outcomes = _executeBatch(batch);
        assertTrue(!outcomes[0].success && outcomes[1].success && !outcomes[2].success);
    }

    function test_WhenOneIsNotCanonicallyEncoded_TheRestGoesOn() public {
        IRegistry.Execution[] memory batch = _entries(2);
        bytes memory data = abi.encodeCall(IRegistry.executeHashedReqs, (batch));
        // The last byte is padding of the second entry's call data, or of nothing: there is none. Its user's
        // high bits then: selector, offset, length, two offsets, the first entry, four words of the second.
        uint256 size = (abi.encode(batch[0]).length - 32);
        data[4 + 32 * 4 + size + 32 * 4] = 0x01;
        IRegistry.Outcome[] memory outcomes =
            abi.decode(_send(executor, address(registry), data), (IRegistry.Outcome[]));
        assertTrue(outcomes[0].success && !outcomes[1].success);
    }

    function test_WhenOneRunsOutOfGas_TheRestGoesOn() public {
        IRegistry.Execution[] memory batch = _entries(2);
        batch[0].gasLimit = 20_000;
        IRegistry.Outcome[] memory outcomes = _executeBatch(batch);
        assertTrue(!outcomes[0].success && outcomes[1].success);
    }

    // --- identity ---

    function test_WhenAnIdComesTwice_ItRunsOnce() public {
        IRegistry.Execution[] memory batch = _entries(2);
        batch[1] = batch[0];
        vm.expectEmit(address(registry));
        emit IRegistry.ReqFailed(
            batch[0].id, abi.encodeWithSelector(IRegistry.RequestMismatch.selector, batch[0].id)
        );
        IRegistry.Outcome[] memory outcomes = _executeBatch(batch);
        assertTrue(outcomes[0].success && !outcomes[1].success);
        assertEq(target.count(), 2);
    }

    function test_WhenAnAliveIdComesTwice_ItRunsOnce() public {
        vm.deal(address(target), 1 ether);
        target.set(0.1 ether, 0);
        IRegistry.Request memory r = _request(address(target), "alive");
        r.isAlive = true;
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](2);
        batch[0] = batch[1] = _entry(_register(r), r);
        vm.expectEmit(address(registry));
        emit IRegistry.ReqFailed(
            batch[0].id, abi.encodeWithSelector(IRegistry.AlreadyExecuted.selector, batch[0].id)
        );
        IRegistry.Outcome[] memory outcomes = _executeBatch(batch);
        assertTrue(outcomes[0].success && !outcomes[1].success);
        assertEq(target.count(), 2);
        // In the next transaction it runs again.
        _execute(batch[0].id, r);
        assertEq(target.count(), 3);
    }

    /// A frame that fails gives the id free again: it did not run.
    function test_WhenAnAliveIdFailed_ItMayBeTriedAgain() public {
        vm.deal(address(target), 1 ether);
        target.set(0.1 ether, 0);
        IRegistry.Request memory r = _request(address(target), "alive");
        r.isAlive = true;
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](2);
        batch[0] = _entry(_register(r), r);
        batch[1] = _entry(batch[0].id, r);
        batch[0].gasLimit = 20_000;
        IRegistry.Outcome[] memory outcomes = _executeBatch(batch);
        assertTrue(!outcomes[0].success && outcomes[1].success);
    }

    function test_WhenOneUserHasTwo_BothAreSettled() public {
        IRegistry.Execution[] memory batch = _entries(2);
        Ledger memory before = _ledger(batch[0].request);
        IRegistry.Outcome[] memory outcomes = _executeBatch(batch);
        uint256 fees = outcomes[0].fee + outcomes[1].fee;
        assertEq(executor.balance - before.executor, fees);
        assertEq(user.balance - before.user, 2 ether - fees);
        assertEq(address(registry).balance, 0);
    }

    // --- sharing ---

    function test_When300Entries_AllRun() public {
        IRegistry.Execution[] memory batch = _entries(300);
        IRegistry.Outcome[] memory outcomes = _executeBatch(batch);
        uint256 charged;
        for (uint256 i; i < 300; ++i) {
            assertTrue(outcomes[i].success);
            charged += outcomes[i].gasCharged;
        }
        assertEq(target.count(), 301);
        assertApproxEqRel(charged, relay.receiptGas(), 0.1e18);
    }

    /// The shares of what is done once fall on the executor for the entries that fail.
    function test_WhenSomeFail_TheOthersPayTheirSharesOnly() public {
        IRegistry.Execution[] memory batch = _entries(4);
        uint256 snapshot = vm.snapshotState();
        uint256 charged = _executeBatch(batch)[3].gasCharged;
        vm.revertToState(snapshot);
        batch[0].gasLimit = 1000;
        batch[1].gasLimit = 1000;
        // The first to succeed finds the target cold; the last one finds what it found before.
        assertEq(_executeBatch(batch)[3].gasCharged, charged);
    }

    function test_WhenFeeIsInserted_EntryFailsAbove102Percent() public {
        IRegistry.Request memory r = _request(address(target), abi.encodeWithSelector(0x11223344, 0));
        (r.initEthSent, r.insertFeeAmount) = (1 ether, true);
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](2);
        batch[0] = _newEntry(address(target), 0);
        batch[1] = _entry(_register(r), r);
        batch[1].expectedGas = 30_000;
        uint256 snapshot = vm.snapshotState();
        IRegistry.Outcome[] memory outcomes = _executeBatch(batch);
        uint256 charged = outcomes[1].gasCharged;
        assertEq(outcomes[1].fee, _ethFee(30_000));
        vm.revertToState(snapshot);

        batch[1].expectedGas = charged * 102 / 100 + 1;
        vm.expectEmit(address(registry));
        emit IRegistry.ReqFailed(
            batch[1].id,
            abi.encodeWithSelector(IRegistry.ExpectedGasTooHigh.selector, charged * 102 / 100 + 1, charged)
        );
        assertFalse(_executeBatch(batch)[1].success);
    }

    function test_WhenPaidInBoth_TheExecutorGetsBoth() public {
        IRegistry.Request memory r = _request(address(target), "auto");
        r.payWithAUTO = true;
        _fundAuto(user);
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](2);
        batch[0] = _newEntry(address(target), 0);
        batch[1] = _entry(_register(r), r);
        Ledger memory before = _ledger(r);
        IRegistry.Outcome[] memory outcomes = _executeBatch(batch);
        assertEq(executor.balance - before.executor, outcomes[0].fee);
        assertEq(autoToken.balanceOf(executor) - before.executorAuto, outcomes[1].fee);
        assertEq(outcomes[1].fee, _autoFee(outcomes[1].gasCharged));
    }
}
