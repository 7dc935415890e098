// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ForceFeeder} from "../actors/ForceFeeder.sol";
import {Puppet} from "../actors/Puppet.sol";
import {TestGate} from "../actors/TestGate.sol";
import {TestOracle} from "../actors/TestOracle.sol";
import {Relay} from "../utils/Relay.sol";
import {RegistryMoney} from "./RegistryMoney.sol";
import {RegistryStore} from "./RegistryStore.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";
import {Registry} from "contracts/registry/Registry.sol";
import {AutoToken} from "contracts/token/AutoToken.sol";
import {Vm} from "forge-std/Vm.sol";

/**
 * Users, executors, targets, gate, oracle and owner of one Registry, doing what they like. Contracts among
 * them reject ETH, burn gas, return bombs and call back. After each step money is counted; what is wrong is
 * noted in the store.
 */
contract RegistryHandler is RegistryMoney {
    uint256 private constant TX_GAS = 30_000_000;

    TestGate public immutable gate;
    address private immutable owner;

    uint256 private _disturbances;

    constructor(Registry registry_, AutoToken autoToken_, TestGate gate_, TestOracle oracle_, Relay relay_)
        RegistryMoney(registry_, autoToken_, oracle_, relay_)
    {
        (gate, owner) = (gate_, registry_.owner());
        users.push(makeAddr("user of the invariant"));
        for (uint256 i; i < 4; ++i) {
            users.push(address(new Puppet()));
            targets.push(address(new Puppet()));
        }
        executors.push(makeAddr("executor of the invariant"));
        executors.push(address(new Puppet()));
        for (uint256 i; i < users.length; ++i) {
            vm.deal(users[i], 1000 ether);
            _fundAuto(users[i], type(uint96).max, type(uint96).max);
        }
        for (uint256 i; i < targets.length; ++i) {
            vm.deal(targets[i], 1000 ether);
        }
        // The Registry lets nobody in while it works, whatever they try.
        Puppet.Call[] memory calls = new Puppet.Call[](4);
        calls[0] =
            Puppet.Call(address(registry), 0, abi.encodeCall(IRegistry.withdraw, (payable(address(this)))));
        calls[1] = Puppet.Call(address(registry), 0.001 ether, "");
        calls[2] = Puppet.Call(
            address(registry),
            0.01 ether,
            abi.encodeCall(IRegistry.newReq, (targets[0], payable(0), "", 0, false, false, false))
        );
        calls[3] = Puppet.Call(registry.plainForwarder(), 0.001 ether, "");
        for (uint256 i; i < 4; ++i) {
            Puppet(payable(targets[i])).script(calls);
            // Recurring Requests that pay in ETH are paid for by their targets. What the last one gives is worth
            // less than sending it on.
            uint96 giveBack = i == 3 ? 1 : 0.1 ether;
            Puppet(payable(targets[i])).behave(Puppet.Mode.Accept, Puppet.Mode.Accept, giveBack);
            Puppet(payable(users[i + 1])).script(calls);
        }
        Puppet(payable(executors[1])).script(calls);
        // One refuses ETH and stays so: there is something to withdraw.
        Puppet(payable(users[1])).behave(Puppet.Mode.Reject, Puppet.Mode.Accept, 0);
    }

    // --- users ---

    function register(uint256 seed, uint112 value, uint112 forCall, uint8 flags, uint16 size) external {
        IRegistry.Request memory r;
        r.user = payable(users[seed % users.length]);
        r.target = targets[(seed >> 8) % targets.length];
        r.referer = payable(address(uint160(seed >> 16)));
        r.verifyUser = flags & 1 != 0;
        r.insertFeeAmount = flags & 2 != 0;
        r.payWithAUTO = flags & 4 != 0;
        r.isAlive = flags & 24 == 24;
        if (!r.isAlive) {
            // One in eight may not be able to pay its fee.
            bool poor = flags >= 224;
            r.initEthSent = uint112(_bound(value, poor ? 0 : 0.1 ether, 2 ether));
            r.ethForCall = uint112(_bound(forCall, 0, poor ? r.initEthSent : r.initEthSent - 0.1 ether));
            if (r.payWithAUTO) r.ethForCall = r.initEthSent;
        }
        r.callData = bytes.concat(
            bytes4(0x11223344),
            bytes32(uint256(uint160(address(r.user)))),
            bytes32(0),
            new bytes(_bound(size, 0, 500))
        );
        vm.deal(r.user, r.user.balance + r.initEthSent);
        bytes memory data = abi.encodeCall(
            IRegistry.newReqPaySpecific,
            (
                r.target,
                r.referer,
                r.callData,
                r.ethForCall,
                r.verifyUser,
                r.insertFeeAmount,
                r.payWithAUTO,
                r.isAlive
            )
        );
        try relay.send(r.user, address(registry), r.initEthSent, TX_GAS, data) returns (bytes memory id) {
            store.add(abi.decode(id, (uint256)), r);
            store.count("register", true);
        } catch {
            store.count("register", false);
        }
    }

    function cancel(uint256 seed, bool byStranger) external {
        if (store.length() == 0) return;
        uint256 id = store.pick(seed);
        IRegistry.Request memory r = store.request(id);
        address caller = byStranger && seed % 8 == 0 ? executors[0] : r.user;
        uint256 before = _ethOf(r.user);
        bytes memory data = abi.encodeCall(IRegistry.cancelHashedReq, (id, r));
        try relay.send(caller, address(registry), 0, TX_GAS, data) {
            if (caller != r.user) store.fail("cancelled by a stranger");
            store.cancelled(id);
            if (_ethOf(r.user) != before + r.initEthSent) store.fail("cancelling: refund != deposit");
            store.count("cancel", true);
        } catch {
            if (caller == r.user && store.entryOf(id).state == RegistryStore.State.Live) {
                store.fail("cancelling must always work");
            }
            store.count("cancel", false);
        }
    }

    /// The first account from some on that has a credit takes it.
    function withdraw(uint256 seed) external {
        for (uint256 i; i < users.length; ++i) {
            address account = users[(seed % users.length + i) % users.length];
            if (registry.creditOf(account) != 0) return _withdraw(account);
        }
    }

    function _withdraw(address account) private {
        address to = users[0];
        (uint256 credit, uint256 before) = (registry.creditOf(account), to.balance);
        bytes memory data = abi.encodeCall(IRegistry.withdraw, (payable(to)));
        relay.send(account, address(registry), 0, TX_GAS, data);
        if (to.balance != before + credit) store.fail("withdrawing: credit != ETH");
        if (registry.creditOf(account) != 0) store.fail("withdrawing: credit is left");
        store.count("withdraw", true);
    }

    function _fundAuto(address account, uint96 balance, uint96 allowance) private {
        deal(address(autoToken), account, balance);
        address spender = registry.autoPayments();
        vm.prank(account);
        autoToken.approve(spender, allowance);
    }

    // --- executors ---

    function execute(uint256 seed, uint256 gasLimit, uint32 expectedGas) external {
        if (store.length() == 0) return;
        uint256 id = store.pick(seed);
        IRegistry.Request memory r = store.request(id);
        bytes memory data =
            abi.encodeCall(IRegistry.executeHashedReq, (id, r, _bound(expectedGas, 0, 60_000)));
        // Now and then with too little gas.
        uint256 gas = gasLimit % 4 == 0 ? _bound(gasLimit, 30_000, 300_000) : TX_GAS;
        (bool success, bytes memory result) = _transact(seed >> 128, gas, data, "execute");
        if (success) _checkFee(id, _bound(expectedGas, 0, 60_000), abi.decode(result, (uint256)));
    }

    function executeBatch(uint256 seed, uint8 count, uint32 expectedGas, uint256 gasLimit) external {
        if (store.length() == 0) return;
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](1 + count % 6);
        for (uint256 i; i < batch.length; ++i) {
            uint256 id = store.pick(uint256(keccak256(abi.encode(seed, i))));
            batch[i] = IRegistry.Execution(
                id,
                store.request(id),
                _bound(expectedGas, 0, 40_000),
                gasLimit % 4 == 0 ? _bound(gasLimit, 20_000, 200_000) : 2_000_000
            );
        }
        (bool success, bytes memory result) =
            _transact(seed, TX_GAS, abi.encodeCall(IRegistry.executeHashedReqs, (batch)), "batch");
        if (!success) return;
        IRegistry.Outcome[] memory outcomes = abi.decode(result, (IRegistry.Outcome[]));
        for (uint256 i; i < batch.length; ++i) {
            if (!outcomes[i].success) continue;
            if (outcomes[i].fee != feeOf[batch[i].id]) store.fail("the fee returned != the fee logged");
            _checkFee(batch[i].id, batch[i].expectedGas, outcomes[i].gasCharged);
        }
    }

    /// Has a contract execute several in one transaction, and register in between: the guard is idle again
    /// after each of them.
    function executeInARow(uint256 seed, uint8 count) external {
        if (store.length() == 0) return;
        Puppet caller = Puppet(payable(executors[1]));
        caller.behave(Puppet.Mode.Accept, Puppet.Mode.Accept, 0);
        Puppet.Call[] memory calls = new Puppet.Call[](2 * (1 + count % 3));
        uint256[] memory ids = new uint256[](calls.length);
        for (uint256 i; i < calls.length; i += 2) {
            uint256 id = ids[i] = store.pick(uint256(keccak256(abi.encode(seed, i))));
            calls[i] = Puppet.Call(
                address(registry),
                0,
                abi.encodeCall(IRegistry.executeHashedReq, (id, store.request(id), 10_000))
            );
            calls[i + 1] = Puppet.Call(
                address(registry),
                0,
                abi.encodeCall(IRegistry.newReq, (targets[0], payable(0), "row", 0, false, false, true))
            );
        }
        caller.script(calls);
        (bool success,) =
            _transactAs(users[0], address(caller), TX_GAS, abi.encodeCall(Puppet.run, ()), "in a row");
        // Where all gas was burnt there are only results of before.
        if (!success) return;
        (bool[] memory results, bytes[] memory returned) = caller.results();
        for (uint256 i; i < results.length; i += 2) {
            if (results[i]) _checkFee(ids[i], 10_000, abi.decode(returned[i], (uint256)));
            if (!results[i + 1]) store.fail("the guard is not idle after an execution");
        }
    }

    // --- everything around it ---

    /// One of many disturbances, in turn: each of them is rare beside what users and executors do, and what stops
    /// all executions lasts until the next.
    function disturb(uint256 seed, uint128 a, uint64 b, uint64 c, uint8 d, uint8 e) external {
        gate.answer(block.number, 1);
        gate.fail(TestGate.Fault.None, gate.onExecuted());
        oracle.fail(TestOracle.Fault.None);
        uint256 kind = _disturbances++ % 8;
        if (kind < 2) {
            _changeMood(seed, d, e, uint96(a));
            ++seen["mood"];
        } else if (kind == 2) {
            _changeGate(seed, uint8(b), d, e);
            ++seen["gate"];
        } else if (kind == 3) {
            _changePrices(a, d, b, c);
            ++seen["prices"];
        } else if (kind == 4) {
            _changeFees(uint16(a), uint16(b), uint16(c), uint48(a >> 64));
            ++seen["fees"];
        } else if (kind == 5) {
            _forceEth(uint96(a));
            ++seen["forced ETH"];
        } else if (kind == 6) {
            _passBlocks(d);
            ++seen["blocks"];
        } else {
            _fundAuto(
                users[seed % users.length], seed % 8 == 0 ? uint96(b) : type(uint96).max, uint96(a) | 1 << 90
            );
            ++seen["AUTO"];
        }
    }

    function _changeMood(uint256 seed, uint8 onEth, uint8 onCall, uint96 giveBack) private {
        // Half of all Requests should go well: the first two targets do.
        uint256 which = seed % 7;
        if (which < 3) {
            Puppet(payable(users[2 + which])).behave(Puppet.Mode(onEth % 6), Puppet.Mode.Accept, 0);
        } else if (which < 6) {
            Puppet.Mode mode = which == 3 ? Puppet.Mode.Accept : Puppet.Mode(onCall % 6);
            giveBack = uint96(_bound(giveBack, which == 4 ? 0 : 0.1 ether, 0.2 ether));
            Puppet(payable(targets[which - 3])).behave(Puppet.Mode.Accept, mode, giveBack);
        } else {
            Puppet.Mode mode = onEth % 2 == 0 ? Puppet.Mode.Accept : Puppet.Mode(onEth % 6);
            Puppet(payable(executors[1])).behave(mode, Puppet.Mode.Accept, 0);
        }
        vm.deal(targets[seed % 4], 1000 ether);
    }

    function _changeGate(uint256 seed, uint8 ahead, uint8 report, uint8 faults) private {
        uint256 until = seed % 4 == 0 ? 0 : block.number + ahead % 4;
        gate.answer(until, report % 8 == 0 ? 2 : report % 2);
        TestGate.Fault onAuthorize = faults % 4 == 0 ? TestGate.Fault(seed % 5) : TestGate.Fault.None;
        gate.fail(onAuthorize, TestGate.Fault(faults % 5));
        gate.waste(seed % 4 == 0 ? 100_000 : 0);
        vm.prank(owner);
        registry.setGate(gate);
    }

    function _changePrices(uint128 price, uint8 fault, uint64 baseFee, uint64 tip) private {
        oracle.set(_bound(price, 1, 1e24));
        oracle.fail(fault % 8 == 1 ? TestOracle.Fault(fault % 5) : TestOracle.Fault.None);
        baseFee = uint64(_bound(baseFee, 0, 100 gwei));
        relay.setPrices(baseFee, baseFee + _bound(tip, 0, 100 gwei));
    }

    function _changeFees(uint16 tail, uint16 refund, uint16 credit, uint48 tip) private {
        IRegistry.FeeSettings memory fees = registry.feeSettings();
        IRegistry.FeeSettings memory maxima = registry.maxFeeSettings();
        // What is taken off them is in them.
        fees.tailEth = uint16(_bound(tail, fees.clearing, maxima.tailEth));
        fees.tailAuto = uint16(_bound(tail, fees.clearing + 7600, maxima.tailAuto));
        fees.entryEth = uint16(_bound(tail, fees.clearing, maxima.entryEth));
        fees.entryAuto = uint16(_bound(tail, fees.clearing + 2800, maxima.entryAuto));
        fees.refund = uint16(_bound(refund, 0, maxima.refund));
        fees.credit = uint16(_bound(credit, 0, maxima.credit));
        fees.tipCapWei = uint48(_bound(tip, 0, maxima.tipCapWei));
        vm.prank(owner);
        registry.setFeeSettings(fees);
    }

    function _forceEth(uint96 amount) private {
        uint256 value = _bound(amount, 0, 1 ether);
        vm.deal(address(this), value);
        ForceFeeder.feed(address(registry), value);
        store.addForced(value);
    }

    function _passBlocks(uint8 blocks) private {
        vm.roll(block.number + blocks % 5);
        vm.warp(block.timestamp + 12 * (blocks % 5));
        gate.answer(block.number, gate.report());
    }

    // --- counting ---

    function creditsOfAll() public view returns (uint256 credits) {
        for (uint256 i; i < users.length; ++i) {
            credits += registry.creditOf(users[i]);
        }
        // It registers Requests, too.
        credits += registry.creditOf(executors[1]);
    }

    function _transact(uint256 seed, uint256 gas, bytes memory data, bytes32 action)
        private
        returns (bool success, bytes memory result)
    {
        address caller = executors[seed % executors.length];
        if (caller == executors[0]) return _transactAs(caller, address(registry), gas, data, action);
        data = abi.encodeCall(Puppet.act, (address(registry), 0, data));
        (success, result) = _transactAs(executors[0], caller, gas, data, action);
        if (success) result = abi.decode(result, (bytes));
    }

    /// Sends a transaction, tells the store what it did, and counts the money.
    function _transactAs(address from, address to, uint256 gas, bytes memory data, bytes32 action)
        private
        returns (bool success, bytes memory result)
    {
        _openMoney();
        vm.recordLogs();
        try relay.send(from, to, 0, gas, data) returns (bytes memory returned) {
            (success, result) = (true, returned);
        } catch {}
        uint256 executions;
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length && success; ++i) {
            if (logs[i].emitter != address(registry)) continue;
            uint256 id = logs[i].topics.length > 1 ? uint256(logs[i].topics[1]) : 0;
            if (logs[i].topics[0] == IRegistry.HashedReqExecuted.selector) {
                if (_isUndone(logs, i, id)) continue;
                store.executed(id);
                ++executions;
                (bool wasRemoved, uint256 fee, bool inAuto) = abi.decode(logs[i].data, (bool, uint256, bool));
                _expectExecution(id, address(uint160(uint256(logs[i].topics[2]))), fee, inAuto);
                ++seen[wasRemoved ? bytes32("one-shot") : bytes32("recurring")];
                ++seen[inAuto ? bytes32("paid in AUTO") : bytes32("paid in ETH")];
            } else if (logs[i].topics[0] == IRegistry.HashedReqAdded.selector) {
                IRegistry.Request memory added;
                (added.user, added.target, added.callData, added.isAlive) =
                (payable(to), targets[0], "row", true);
                store.add(id, added);
            } else if (logs[i].topics[0] == IRegistry.ReqFailed.selector) {
                ++seen["failed entry"];
            } else if (logs[i].topics[0] == IRegistry.Credited.selector) {
                ++seen["credited refund"];
            }
        }
        _closeMoney();
        store.count(action, executions != 0);
    }

    /// Whether an entry's frame ran out of gas after it logged its execution: forge records what a chain forgets.
    function _isUndone(Vm.Log[] memory logs, uint256 i, uint256 id) private view returns (bool) {
        if (i + 1 == logs.length) return false;
        Vm.Log memory next = logs[i + 1];
        if (next.emitter != address(registry) || next.topics[0] != IRegistry.ReqFailed.selector) {
            return false;
        }
        if (uint256(next.topics[1]) != id || abi.decode(next.data, (bytes)).length != 0) return false;
        return store.entryOf(id).isAlive || registry.getHashedReq(id) != 0;
    }
}
