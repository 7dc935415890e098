// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MeterTarget} from "../actors/MeterTarget.sol";
import {Puppet} from "../actors/Puppet.sol";
import {TestGate} from "../actors/TestGate.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";
import {RegistrySettlement} from "contracts/registry/RegistrySettlement.sol";

/**
 * Whoever is called while the Registry works tries to enter every function of it that changes state. The one
 * who tries could do all of it at any other time: it is the owner, has a credit, Requests to cancel and a
 * grant to execute.
 * forge-config: default.isolate = true
 */
contract ReentrancyTest is RegistryTest {
    Puppet private puppet = new Puppet();
    MeterTarget private bystander = new MeterTarget();
    IRegistry.Request private own;
    uint256 private ownId;
    uint256 private otherId;
    /// Everything that is tried; the last one sends ETH.
    uint256 private constant TRIES = 12;

    function setUp() public override {
        super.setUp();
        _useTestGate();
        gate.answer(block.number, 0);

        vm.prank(owner);
        registry.transferOwnership(address(puppet));
        puppet.act(address(registry), 0, abi.encodeCall(Ownable2Step.acceptOwnership, ()));

        // A credit: a refund that it refused.
        own = _request(address(bystander), "own");
        own.user = payable(address(puppet));
        own.initEthSent = 1 ether;
        vm.deal(address(puppet), 10 ether);
        puppet.act(address(registry), 1 ether, _newReqCall(own));
        puppet.behave(Puppet.Mode.Reject, Puppet.Mode.Accept, 0);
        _execute(0, own);
        assertGt(registry.creditOf(address(puppet)), 0.9 ether);

        // Requests to cancel and to execute.
        ownId = 1;
        puppet.act(address(registry), 1 ether, _newReqCall(own));
        otherId = 2;
        puppet.act(address(registry), 1 ether, _newReqCall(own));

        puppet.behave(Puppet.Mode.Accept, Puppet.Mode.Accept, 0);
        puppet.script(_everything());
    }

    function _everything() private view returns (Puppet.Call[] memory calls) {
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](1);
        batch[0] = _entry(otherId, own);
        RegistrySettlement.Terms memory terms;
        bytes[TRIES] memory data = [
            abi.encodeCall(
                IRegistry.newReq, (address(bystander), payable(referer), bytes("new"), 0, false, false, false)
            ),
            _newReqCall(_request(address(bystander), "new")),
            abi.encodeCall(IRegistry.cancelHashedReq, (ownId, own)),
            abi.encodeCall(IRegistry.withdraw, (payable(referer))),
            abi.encodeCall(IRegistry.executeHashedReq, (otherId, own, 0)),
            abi.encodeCall(IRegistry.executeHashedReqs, (batch)),
            abi.encodeCall(IRegistry.setGate, (gate)),
            abi.encodeCall(IRegistry.setPriceOracle, (oracle)),
            abi.encodeCall(IRegistry.setFeeSettings, (registry.feeSettings())),
            abi.encodeCall(IRegistry.executeHashedReqs, (new IRegistry.Execution[](1))),
            abi.encodeCall(registry.executeInFrame, (terms, batch[0])),
            bytes("")
        ];
        calls = new Puppet.Call[](TRIES);
        for (uint256 i; i < TRIES; ++i) {
            calls[i] = Puppet.Call(address(registry), i == TRIES - 1 ? 1 : 0, data[i]);
        }
    }

    /// `ethTaken`: whether the ETH sent was accepted, as it is while a target runs.
    function _assertNothingWorked(bool ethTaken) private view {
        (bool[] memory results, bytes[] memory returned) = puppet.results();
        assertEq(results.length, TRIES, "it tried");
        for (uint256 i; i < TRIES; ++i) {
            if (i == TRIES - 1) {
                assertEq(results[i], ethTaken, "ETH");
                if (!ethTaken) {
                    assertEq(returned[i], abi.encodeWithSelector(IRegistry.UnexpectedEth.selector, puppet));
                }
                continue;
            }
            assertFalse(results[i], "entered");
            bytes4 reason = i == TRIES - 2 ? IRegistry.OnlySelf.selector : IRegistry.Reentered.selector;
            assertEq(bytes4(returned[i]), reason);
        }
        assertEq(registry.getHashedReq(ownId), keccak256(abi.encode(own)));
        assertEq(registry.getHashedReq(otherId), keccak256(abi.encode(own)));
    }

    // --- the calls would all work ---

    /// Each of the calls works for the puppet by itself; else the tests below would prove nothing.
    function test_WhenNothingRuns_EachCallWorks() public {
        gate.allowOnly(address(puppet));
        Puppet.Call[] memory calls = _everything();
        for (uint256 i; i < 9; ++i) {
            uint256 snapshot = vm.snapshotState();
            puppet.act(calls[i].to, calls[i].value, calls[i].data);
            vm.revertToState(snapshot);
        }
    }

    // --- from a target ---

    function _attacking(uint256 mode) private returns (uint256 id, IRegistry.Request memory r) {
        r = _request(address(puppet), "");
        r.user = payable(address(puppet));
        r.verifyUser = mode & 1 != 0;
        r.insertFeeAmount = mode & 2 != 0;
        r.payWithAUTO = mode & 4 != 0;
        r.isAlive = mode & 8 != 0;
        r.callData = abi.encodeWithSelector(0x11223344, puppet, 0, 0);
        if (r.payWithAUTO) _fundAuto(address(puppet));
        else if (!r.isAlive) r.initEthSent = 1 ether;
        id = registry.getHashedReqsLen();
        puppet.act(address(registry), r.initEthSent, _newReqCall(r));
        // A recurring Request that pays in ETH is paid for by its target.
        puppet.behave(
            Puppet.Mode.Accept, Puppet.Mode.Act, r.isAlive && !r.payWithAUTO ? uint96(0.5 ether) : 0
        );
    }

    function test_WhenTargetReenters_NothingWorksInAnyMode() public {
        for (uint256 mode; mode < 16; ++mode) {
            for (uint256 batched; batched < 2; ++batched) {
                uint256 snapshot = vm.snapshotState();
                (uint256 id, IRegistry.Request memory r) = _attacking(mode);
                Ledger memory before = _ledger(r);
                uint256 credit = registry.creditOf(address(puppet));
                if (batched == 0) {
                    _execute(id, r, 30_000);
                } else {
                    IRegistry.Execution[] memory batch = new IRegistry.Execution[](1);
                    batch[0] = _entry(id, r);
                    (batch[0].gasLimit, batch[0].expectedGas) = (10_000_000, 30_000);
                    _executeBatch(batch);
                }
                _assertNothingWorked(true);
                // User and target are one: what it has less is what the executor has more, and its deposit.
                assertEq(
                    address(puppet).balance + r.initEthSent + before.executor,
                    before.user + 2 * uint256(r.initEthSent) + before.executor
                        - (executor.balance - before.executor)
                );
                assertEq(registry.creditOf(address(puppet)), credit);
                vm.revertToState(snapshot);
            }
        }
    }

    /// What can be called: views, and handing over the ownership. Nothing that an execution goes by depends on
    /// who owns the Registry, and the Request that runs is gone already.
    function test_WhenTargetReadsAndHandsOver_TheExecutionIsTheSame() public {
        (uint256 id, IRegistry.Request memory r) = _attacking(0);
        puppet.script(new Puppet.Call[](0));
        uint256 snapshot = vm.snapshotState();
        uint256 untouched = _execute(id, r);
        vm.revertToState(snapshot);

        Puppet.Call[] memory calls = new Puppet.Call[](5);
        bytes[5] memory data = [
            abi.encodeCall(IRegistry.getHashedReq, (id)),
            abi.encodeCall(IRegistry.creditOf, (address(puppet))),
            abi.encodeCall(Ownable2Step.transferOwnership, (owner)),
            abi.encodeCall(IRegistry.setGate, (gate)),
            abi.encodeCall(Ownable.renounceOwnership, ())
        ];
        for (uint256 i; i < 5; ++i) {
            calls[i] = Puppet.Call(address(registry), 0, data[i]);
        }
        puppet.script(calls);
        Ledger memory before = _ledger(r);
        uint256 credit = registry.creditOf(address(puppet));
        uint256 gas = _execute(id, r);
        (bool[] memory results, bytes[] memory returned) = puppet.results();
        for (uint256 i; i < 5; ++i) {
            assertEq(results[i], i != 3);
        }
        assertEq(returned[0], abi.encode(0), "it is gone");
        assertEq(returned[1], abi.encode(credit));
        assertEq(returned[3], abi.encodeWithSelector(IRegistry.Reentered.selector));
        assertEq(registry.owner(), address(0));
        assertGt(gas, untouched, "measured");
        uint256 fee = executor.balance - before.executor;
        assertApproxEqAbs(fee, _ethFee(gas), 2);
        assertEq(address(puppet).balance, before.user + r.initEthSent - fee);
    }

    // --- from whoever else is called ---

    function test_WhenExecutorReentersOnItsPay_NothingWorks() public {
        bystander.set(0, 0);
        gate.allowOnly(address(puppet));
        IRegistry.Request memory r = _request(address(bystander), "abcd");
        r.initEthSent = 1 ether;
        uint256 id = _register(r);
        puppet.behave(Puppet.Mode.Act, Puppet.Mode.Accept, 0);
        bytes memory call = abi.encodeCall(IRegistry.executeHashedReq, (id, r, 0));
        _send(executor, address(puppet), abi.encodeCall(Puppet.act, (address(registry), 0, call)));
        _assertNothingWorked(false);

        IRegistry.Execution[] memory batch = new IRegistry.Execution[](1);
        batch[0] = _entry(_register(r), r);
        call = abi.encodeCall(IRegistry.executeHashedReqs, (batch));
        _send(executor, address(puppet), abi.encodeCall(Puppet.act, (address(registry), 0, call)));
        _assertNothingWorked(false);
    }

    function test_WhenUserReentersOnCancelling_NothingWorks() public {
        puppet.act(address(registry), 1 ether, _newReqCall(own));
        puppet.behave(Puppet.Mode.Act, Puppet.Mode.Accept, 0);
        puppet.act(address(registry), 0, abi.encodeCall(IRegistry.cancelHashedReq, (3, own)));
        _assertNothingWorked(false);
    }

    function test_WhenUserReentersOnWithdrawing_NothingWorks() public {
        uint256 credit = registry.creditOf(address(puppet));
        uint256 before = address(puppet).balance;
        puppet.behave(Puppet.Mode.Act, Puppet.Mode.Accept, 0);
        puppet.act(address(registry), 0, abi.encodeCall(IRegistry.withdraw, (payable(address(puppet)))));
        _assertNothingWorked(false);
        assertEq(address(puppet).balance, before + credit);
        assertEq(registry.creditOf(address(puppet)), 0);
    }

    function test_WhenGateReenters_NothingWorks() public {
        IRegistry.Request memory r = _request(address(bystander), "abcd");
        r.initEthSent = 1 ether;
        Puppet.Call[] memory all = _everything();
        for (uint256 k; k < 2 * TRIES; ++k) {
            uint256 i = k % TRIES;
            // The second time it tries again when it is told.
            gate.answer(block.number, k / TRIES);
            gate.hook(all[i].to, all[i].data);
            _execute(_register(r), r);
            assertEq(gate.told(), k < TRIES ? 0 : k + 1 - TRIES);
            assertFalse(gate.hookSucceeded());
            bytes4 reason = IRegistry.Reentered.selector;
            // It is not the owner.
            if (i >= 6 && i <= 8) reason = Ownable.OwnableUnauthorizedAccount.selector;
            if (i == TRIES - 2) reason = IRegistry.OnlySelf.selector;
            if (i == TRIES - 1) reason = IRegistry.UnexpectedEth.selector;
            assertEq(gate.hookReason(), reason);
        }
    }

    /// After all of it, the Registry is open again.
    function test_WhenReentryFailed_TheNextTransactionWorks() public {
        (uint256 id, IRegistry.Request memory r) = _attacking(0);
        _execute(id, r);
        puppet.behave(Puppet.Mode.Accept, Puppet.Mode.Accept, 0);
        _execute(otherId, own);
        puppet.act(address(registry), 0, abi.encodeCall(IRegistry.cancelHashedReq, (ownId, own)));
        puppet.act(address(registry), 0, abi.encodeCall(IRegistry.withdraw, (payable(referer))));
        // What remains is the wei that a target's ETH left behind: nothing.
        assertEq(address(registry).balance, 0);
    }
}
