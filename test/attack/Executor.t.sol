// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MeterTarget} from "../actors/MeterTarget.sol";
import {Puppet} from "../actors/Puppet.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";

/// A target that records what gas it was left.
contract GasRecorder {
    uint256 public left;

    fallback() external {
        left = gasleft();
    }
}

/// Executors that want more than their due, or want a Request to fail.
/// forge-config: default.isolate = true
contract ExecutorAttackTest is RegistryTest {
    MeterTarget private target = new MeterTarget();

    function setUp() public override {
        super.setUp();
        _warmGrant();
    }

    function _new() private returns (uint256 id, IRegistry.Request memory r) {
        r = _request(address(target), "abcd");
        r.initEthSent = 1 ether;
        id = _register(r);
    }

    // --- inflation ---

    function test_WhenCallDataArePadded_PaddingIsNotPaid() public {
        (uint256 id, IRegistry.Request memory r) = _new();
        bytes memory data = abi.encodeCall(IRegistry.executeHashedReq, (id, r, 0));
        uint256 snapshot = vm.snapshotState();
        uint256 plain = abi.decode(_send(executor, address(registry), data), (uint256));
        vm.revertToState(snapshot);

        bytes memory padding = new bytes(10_000);
        for (uint256 i; i < padding.length; ++i) {
            padding[i] = 0xff;
        }
        uint256 padded =
            abi.decode(_send(executor, address(registry), bytes.concat(data, padding)), (uint256));
        assertEq(padded, plain, "behind the Request");
        assertGt(relay.receiptGas(), padded + 150_000, "the executor's loss");
        vm.revertToState(snapshot);

        // In front of it: the Request's offset points behind 10,016 bytes.
        bytes memory shifted = bytes.concat(data);
        assembly ("memory-safe") {
            mstore(add(shifted, 0x44), add(0x60, 10016))
        }
        bytes memory head = new bytes(100);
        bytes memory tail = new bytes(shifted.length - 100);
        for (uint256 i; i < shifted.length; ++i) {
            if (i < 100) head[i] = shifted[i];
            else tail[i - 100] = shifted[i];
        }
        shifted = bytes.concat(head, padding, new bytes(16), tail);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotCanonicallyEncoded.selector, 0x60 + 10_016, 0x60));
        _send(executor, address(registry), shifted);
    }

    function test_WhenExpectedGasIsInflated_TwoPercentAreGained() public {
        IRegistry.Request memory r = _request(address(target), abi.encodeWithSelector(0x11223344, 0));
        (r.initEthSent, r.insertFeeAmount) = (1 ether, true);
        uint256 id = _register(r);
        uint256 gas = _gasOf(id, r);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.ExpectedGasTooHigh.selector, gas * 2, gas));
        _execute(id, r, gas * 2);
        Ledger memory before = _ledger(r);
        _execute(id, r, gas * 102 / 100);
        (, uint256 fee) = _assertConserved(before, r);
        assertLe(fee, _ethFee(gas) * 102 / 100);
    }

    function test_WhenTipIsInflated_TipCapIsPaid() public {
        uint256 tipCap = registry.feeSettings().tipCapWei;
        (uint256 id, IRegistry.Request memory r) = _new();
        uint256[4] memory prices = [BASE_FEE, BASE_FEE + tipCap, BASE_FEE + tipCap + 1, 1_000_000 gwei];
        uint256[4] memory fees;
        uint256[4] memory gas;
        for (uint256 i; i < 4; ++i) {
            uint256 snapshot = vm.snapshotState();
            relay.setPrices(BASE_FEE, prices[i]);
            Ledger memory before = _ledger(r);
            gas[i] = _execute(id, r);
            (, fees[i]) = _assertConserved(before, r);
            vm.revertToState(snapshot);
        }
        assertApproxEqAbs(fees[0], gas[0] * BASE_FEE * 13 / 10, 2);
        assertApproxEqAbs(fees[1], gas[1] * (BASE_FEE + tipCap) * 13 / 10, 2);
        assertEq(fees[2], fees[1]);
        assertEq(fees[3], fees[1]);
    }

    /// A contract that calls ten times is paid one transaction's base.
    function test_WhenCalledTenTimesInATransaction_BaseIsChargedOnce() public {
        Puppet greedy = new Puppet();
        Puppet.Call[] memory calls = new Puppet.Call[](10);
        for (uint256 i; i < 10; ++i) {
            (uint256 id, IRegistry.Request memory r) = _new();
            calls[i].to = address(registry);
            calls[i].data = abi.encodeCall(IRegistry.executeHashedReq, (id, r, 0));
            if (i == 5) {
                IRegistry.Execution[] memory batch = new IRegistry.Execution[](1);
                batch[0] = _entry(id, r);
                calls[i].data = abi.encodeCall(IRegistry.executeHashedReqs, (batch));
            }
        }
        greedy.script(calls);
        uint256 before = address(greedy).balance;
        _send(executor, address(greedy), abi.encodeCall(Puppet.run, ()));
        (bool[] memory results, bytes[] memory returned) = greedy.results();
        uint256 charged;
        for (uint256 i; i < 10; ++i) {
            assertTrue(results[i]);
            uint256 gas = i == 5
                ? abi.decode(returned[i], (IRegistry.Outcome[]))[0].gasCharged
                : abi.decode(returned[i], (uint256));
            // From the second on target and user are warm, too.
            if (i == 0) assertGt(gas, 55_000);
            else assertLt(gas, 40_000);
            charged += gas;
        }
        assertApproxEqAbs(address(greedy).balance - before, _ethFee(charged), 20);
        assertLt(charged, relay.receiptGas());
    }

    /// A first call that fails does not carry the base away.
    function test_WhenTheFirstCallFails_TheSecondCarriesTheBase() public {
        Puppet greedy = new Puppet();
        (uint256 id, IRegistry.Request memory r) = _new();
        Puppet.Call[] memory calls = new Puppet.Call[](2);
        calls[0].to = calls[1].to = address(registry);
        calls[0].data = abi.encodeCall(IRegistry.executeHashedReq, (id + 1, r, 0));
        calls[1].data = abi.encodeCall(IRegistry.executeHashedReq, (id, r, 0));
        greedy.script(calls);
        _send(executor, address(greedy), abi.encodeCall(Puppet.run, ()));
        (bool[] memory results, bytes[] memory returned) = greedy.results();
        assertTrue(!results[0] && results[1]);
        assertGt(abi.decode(returned[1], (uint256)), 50_000);
    }

    /// Other calls to the Registry do not count as an execution.
    function test_WhenCancelledBefore_TheBaseIsStillCharged() public {
        Puppet wallet = new Puppet();
        vm.deal(address(wallet), 1 ether);
        IRegistry.Request memory own = _request(address(target), "own");
        (own.user, own.initEthSent) = (payable(address(wallet)), 1 ether);
        uint256 ownId = registry.getHashedReqsLen();
        wallet.act(address(registry), 1 ether, _newReqCall(own));
        (uint256 id, IRegistry.Request memory r) = _new();
        Puppet.Call[] memory calls = new Puppet.Call[](2);
        calls[0].to = calls[1].to = address(registry);
        calls[0].data = abi.encodeCall(IRegistry.cancelHashedReq, (ownId, own));
        calls[1].data = abi.encodeCall(IRegistry.executeHashedReq, (id, r, 0));
        wallet.script(calls);
        _send(executor, address(wallet), abi.encodeCall(Puppet.run, ()));
        (bool[] memory results, bytes[] memory returned) = wallet.results();
        assertTrue(results[0] && results[1]);
        assertGt(abi.decode(returned[1], (uint256)), 50_000);
    }

    // --- starvation ---

    /// With any amount of gas a single execution does all of it or nothing.
    function test_WhenSingleIsStarved_ItRevertsOrSucceeds() public {
        (uint256 id, IRegistry.Request memory r) = _new();
        bytes memory data = abi.encodeCall(IRegistry.executeHashedReq, (id, r, 0));
        uint256 succeeded;
        for (uint256 gas = 20_000; gas < 120_000; gas += 500) {
            uint256 snapshot = vm.snapshotState();
            uint256 before = executor.balance;
            try relay.send(executor, address(registry), 0, gas, data) {
                ++succeeded;
                assertEq(target.count(), 2);
                assertEq(registry.creditOf(user), 0);
                assertGt(executor.balance, before);
            } catch {
                assertEq(target.count(), 1);
                assertEq(registry.getHashedReq(id), keccak256(abi.encode(r)));
            }
            vm.revertToState(snapshot);
        }
        assertGt(succeeded, 10);
    }

    /// With any amount of gas each entry of a batch gets its limit, or all of it reverts.
    function test_WhenBatchIsStarved_NoEntryIs() public {
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](3);
        for (uint256 i; i < 3; ++i) {
            (uint256 id, IRegistry.Request memory r) = _new();
            batch[i] = _entry(id, r);
            batch[i].gasLimit = 150_000;
        }
        bytes memory data = abi.encodeCall(IRegistry.executeHashedReqs, (batch));
        uint256 succeeded;
        for (uint256 gas = 50_000; gas < 400_000; gas += 1000) {
            uint256 snapshot = vm.snapshotState();
            try relay.send(executor, address(registry), 0, gas, data) {
                ++succeeded;
                assertEq(target.count(), 4, "all three");
            } catch {
                assertEq(target.count(), 1);
            }
            vm.revertToState(snapshot);
        }
        assertGt(succeeded, 10);
    }

    /// At the very amount of gas from which a batch passes, its frame gets what it gets with plenty. The long
    /// call data are copied into the frame's input on the way, which takes gas.
    function test_WhenGasIsTuned_AFrameGetsItsLimit() public {
        GasRecorder recorder = new GasRecorder();
        uint256[3] memory lengths = [uint256(4), 3000, 120_000];
        for (uint256 i; i < lengths.length; ++i) {
            IRegistry.Request memory r = _request(address(recorder), new bytes(lengths[i]));
            r.initEthSent = 1 ether;
            IRegistry.Execution[] memory batch = new IRegistry.Execution[](1);
            batch[0] = _entry(_register(r), r);
            batch[0].gasLimit = 5_000_000;
            bytes memory data = abi.encodeCall(IRegistry.executeHashedReqs, (batch));
            uint256 plenty = _gasInTarget(recorder, TX_GAS, data);
            (uint256 fails, uint256 passes) = (batch[0].gasLimit, TX_GAS);
            while (passes - fails > 1) {
                uint256 gas = (fails + passes) / 2;
                if (_gasInTarget(recorder, gas, data) == 0) fails = gas;
                else passes = gas;
            }
            assertEq(_gasInTarget(recorder, passes, data), plenty);
        }
    }

    /// Gas that the target of the only entry finds; 0 when the batch reverts.
    function _gasInTarget(GasRecorder recorder, uint256 gas, bytes memory data)
        private
        returns (uint256 left)
    {
        uint256 snapshot = vm.snapshotState();
        try relay.send(executor, address(registry), 0, gas, data) {
            left = recorder.left();
        } catch {}
        vm.revertToStateAndDelete(snapshot);
    }
}
