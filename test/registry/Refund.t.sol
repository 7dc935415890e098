// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MeterTarget} from "../actors/MeterTarget.sol";
import {Puppet} from "../actors/Puppet.sol";
import {RefundReentrant} from "../actors/RefundReentrant.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";
import {console} from "forge-std/console.sol";

/// Users who make it hard to pay them back.
/// forge-config: default.isolate = true
contract RefundTest is RegistryTest {
    MeterTarget private target = new MeterTarget{value: 10 ether}();

    function setUp() public override {
        super.setUp();
        _warmGrant();
    }

    /// Registers a Request of `wallet` with 1 ETH.
    function _registerFor(Puppet wallet, bool inAuto)
        private
        returns (uint256 id, IRegistry.Request memory r)
    {
        r = _request(address(target), "abcd");
        r.user = payable(address(wallet));
        if (inAuto) {
            r.payWithAUTO = true;
            _fundAuto(address(wallet));
        } else {
            r.initEthSent = 1 ether;
        }
        id = registry.getHashedReqsLen();
        vm.deal(address(wallet), address(wallet).balance + r.initEthSent);
        wallet.act(address(registry), r.initEthSent, _newReqCall(r));
    }

    function _refusedBy(Puppet.Mode mode) private returns (uint256 gas, uint256 refund, uint256 receipt) {
        Puppet wallet = new Puppet();
        (uint256 id, IRegistry.Request memory r) = _registerFor(wallet, false);
        wallet.behave(mode, Puppet.Mode.Accept, 0);
        Ledger memory before = _ledger(r);
        gas = _execute(id, r);
        receipt = relay.receiptGas();
        uint256 fee;
        (refund, fee) = _assertConserved(before, r);
        assertEq(registry.creditOf(address(wallet)), refund, "credited");
        assertApproxEqAbs(fee, _ethFee(gas), 2, "charged for all of it");
        assertApproxEqRel(gas, receipt, 0.02e18, "at cost");

        // The credit is there for whoever the wallet names.
        uint256 had = referer.balance;
        wallet.act(address(registry), 0, abi.encodeCall(IRegistry.withdraw, (payable(referer))));
        assertEq(referer.balance - had, refund);
    }

    function test_WhenRefundIsRefused_ItIsCreditedLessItsCost() public {
        _refusedBy(Puppet.Mode.Reject);
    }

    function test_WhenRefundBurnsGas_TheUserPaysForWhatItBurned() public {
        (uint256 rejecting,,) = _refusedBy(Puppet.Mode.Reject);
        (uint256 burning,,) = _refusedBy(Puppet.Mode.Burn);
        assertGt(burning, rejecting + 4000);
        assertLt(burning, rejecting + 10_000, "no more than it is given");
    }

    function test_WhenRefundReturnsABomb_NothingIsCopied() public {
        (uint256 burning,,) = _refusedBy(Puppet.Mode.Burn);
        (uint256 bombing,,) = _refusedBy(Puppet.Mode.Bomb);
        assertLe(bombing, burning + 100);
    }

    function test_WhenRefundIsRefused_EventSaysSo() public {
        Puppet wallet = new Puppet();
        (uint256 id, IRegistry.Request memory r) = _registerFor(wallet, false);
        wallet.behave(Puppet.Mode.Reject, Puppet.Mode.Accept, 0);
        vm.expectEmit(true, false, false, false, address(registry));
        emit IRegistry.Credited(address(wallet), 0);
        _execute(id, r);
    }

    /// What is left does not even cover the attempt: all of it is withheld, and no credit is written.
    function test_WhenRefusedRefundIsSmall_ItIsWithheld() public {
        Puppet wallet = new Puppet();
        IRegistry.Request memory r = _request(address(target), "abcd");
        r.user = payable(address(wallet));
        r.initEthSent = 1 ether;
        uint256 gas;
        {
            uint256 snapshot = vm.snapshotState();
            (uint256 id,) = _registerFor(wallet, false);
            gas = _execute(id, r);
            vm.revertToState(snapshot);
        }
        r.initEthSent = uint112(_ethFee(gas + 5000));
        vm.deal(address(wallet), r.initEthSent);
        wallet.act(address(registry), r.initEthSent, _newReqCall(r));
        wallet.behave(Puppet.Mode.Reject, Puppet.Mode.Accept, 0);
        Ledger memory before = _ledger(r);
        _execute(1, r);
        (uint256 refund, uint256 fee) = _assertConserved(before, r);
        assertEq(refund, 0);
        assertEq(fee, r.initEthSent);
        assertEq(registry.creditOf(address(wallet)), 0);
    }

    /// Where the fee is in AUTO, what a refused refund costs is measured like the rest, and not withheld too.
    function test_WhenPaidInAutoAndRefundIsRefused_ItsCostIsChargedInAuto() public {
        deal(address(autoToken), executor, 1);
        uint256[2] memory gas;
        uint256[2] memory paid;
        for (uint256 i; i < 2; ++i) {
            Puppet wallet = new Puppet();
            (uint256 id, IRegistry.Request memory r) = _registerFor(wallet, true);
            target.set(0.1 ether, 0);
            if (i == 1) wallet.behave(Puppet.Mode.Reject, Puppet.Mode.Accept, 0);
            Ledger memory before = _ledger(r);
            gas[i] = _execute(id, r);
            (uint256 refund, uint256 fee) = _assertConserved(before, r);
            paid[i] = autoToken.balanceOf(executor) - before.executorAuto;
            assertEq(refund + fee, 0.1 ether);
            assertEq(fee, 0, "withheld");
            assertEq(paid[i], _autoFee(gas[i]));
            assertApproxEqRel(gas[i], relay.receiptGas(), 0.02e18, "at cost");
        }
        assertGt(gas[1], gas[0] + 15_000);
    }

    function test_WhenRefundIsCreditedTwice_CreditsAddUp() public {
        Puppet wallet = new Puppet();
        (uint256 first, IRegistry.Request memory r) = _registerFor(wallet, false);
        (uint256 second,) = _registerFor(wallet, false);
        wallet.behave(Puppet.Mode.Reject, Puppet.Mode.Accept, 0);
        _execute(first, r);
        uint256 credit = registry.creditOf(address(wallet));
        Ledger memory before = _ledger(r);
        _execute(second, r);
        (uint256 refund,) = _assertConserved(before, r);
        assertEq(registry.creditOf(address(wallet)), credit + refund);
        assertEq(address(registry).balance, credit + refund);
    }

    function test_RevertWhen_TooLittleGasIsLeftForARefund() public {
        Puppet wallet = new Puppet();
        (uint256 id, IRegistry.Request memory r) = _registerFor(wallet, false);
        bytes memory data = abi.encodeCall(IRegistry.executeHashedReq, (id, r, 0));
        bool starved;
        // From too little for the call up to enough: at no point may the refund be credited for want of gas.
        for (uint256 gas = 30_000; gas < 120_000; gas += 500) {
            uint256 snapshot = vm.snapshotState();
            try relay.send(executor, address(registry), 0, gas, data) {
                assertEq(registry.creditOf(address(wallet)), 0, "starved");
                assertGt(address(wallet).balance, 0.9 ether);
            } catch (bytes memory reason) {
                if (bytes4(reason) == IRegistry.InsufficientGas.selector) starved = true;
            }
            vm.revertToState(snapshot);
        }
        assertTrue(starved, "the check was met");
    }

    /// Executes one Request of a wallet that plays `trick`, singly or in a batch.
    function _trickedBy(RefundReentrant.Trick trick, bool inAuto, bool inBatch)
        private
        returns (uint256 refund, uint256 credit)
    {
        RefundReentrant wallet = new RefundReentrant{value: 2 ether}(registry, trick);
        IRegistry.Request memory r = _request(address(target), "abcd");
        (r.user, r.payWithAUTO) = (payable(address(wallet)), inAuto);
        if (inAuto) {
            _fundAuto(address(wallet));
            target.set(1 ether, 0);
        } else {
            r.initEthSent = 1 ether;
        }
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](1);
        batch[0] = _entry(registry.getHashedReqsLen(), r);
        wallet.register(_newReqCall(r), r.initEthSent);
        Ledger memory before = _ledger(r);
        if (inBatch) assertTrue(_executeBatch(batch)[0].success);
        else _execute(batch[0].id, r);
        (refund,) = _assertConserved(before, r);
        credit = registry.creditOf(address(wallet));
        target.set(0, 0);
    }

    function test_WhenUserReentersOnRefund_NothingIsGained() public {
        for (uint256 i; i < 10; ++i) {
            for (uint256 k; k < 2; ++k) {
                RefundReentrant.Trick trick = RefundReentrant.Trick(i % 5);
                bool inAuto = i >= 5;
                (uint256 refund, uint256 credit) = _trickedBy(trick, inAuto, k == 1);
                // One that insists has refused its refund. So has one that cannot afford to send any back, with
                // what is left of the gas for a refund in ETH. The others have got theirs.
                bool refused = trick == RefundReentrant.Trick.WithdrawOrRevert
                    || (trick == RefundReentrant.Trick.SendBack && !inAuto);
                assertEq(credit, refused ? refund : 0);
                assertGt(refund, 0.9 ether);
            }
        }
    }

    // --- what costs more than usual ---

    /// Executes Requests of `users`, one or a batch; returns charged / receipt in parts of 10,000.
    function _ratioOf(address[] memory users, bool inAuto) private returns (uint256 ratio) {
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](users.length);
        for (uint256 i; i < users.length; ++i) {
            IRegistry.Request memory r = _request(address(new MeterTarget{value: 1 ether}()), "abcd");
            r.user = payable(users[i]);
            if (inAuto) {
                r.payWithAUTO = true;
                _fundAuto(users[i]);
                MeterTarget(payable(r.target)).set(0.1 ether, 0);
            } else {
                r.initEthSent = 1 ether;
            }
            batch[i] = _entry(_register(r), r);
            if (users[i].code.length == 0) {
                vm.deal(users[i], 0);
                vm.resetNonce(users[i]);
            }
        }
        uint256 charged;
        if (users.length == 1) {
            charged = _execute(batch[0].id, batch[0].request);
        } else {
            IRegistry.Outcome[] memory outcomes = _executeBatch(batch);
            for (uint256 i; i < users.length; ++i) {
                assertTrue(outcomes[i].success);
                charged += outcomes[i].gasCharged;
            }
        }
        ratio = charged * 10_000 / relay.receiptGas();
    }

    function _users(uint256 n, address like) private returns (address[] memory users) {
        users = new address[](n);
        for (uint256 i; i < n; ++i) {
            users[i] = address(uint160(0xdead000 + i));
            if (like != address(0)) vm.etch(users[i], like.code);
        }
    }

    function _assertBand(address like, uint256 lowest) private {
        deal(address(autoToken), executor, 1);
        for (uint256 i; i < 4; ++i) {
            uint256 snapshot = vm.snapshotState();
            uint256 ratio = _ratioOf(_users(i & 1 == 0 ? 1 : 10, like), i & 2 != 0);
            console.log(i & 2 == 0 ? "ETH" : "AUTO", i & 1 == 0 ? "single" : "batch of 10", ratio);
            assertGe(ratio, i & 2 == 0 ? lowest : 9800);
            assertLe(ratio, 10_200);
            vm.revertToStateAndDelete(snapshot);
        }
    }

    /// Bringing an account into being costs 25,000 gas more than a refund is charged.
    function test_WhenUserDoesNotExist_WhatItCostsIsCharged() public {
        _assertBand(address(0), 9800);
    }

    function test_WhenUserDoesNotExist_ItIsCredited() public {
        IRegistry.Request memory r = _request(address(target), "abcd");
        r.initEthSent = 1 ether;
        uint256 id = _register(r);
        vm.deal(user, 0);
        vm.resetNonce(user);
        Ledger memory before = _ledger(r);
        _execute(id, r);
        (uint256 refund,) = _assertConserved(before, r);
        assertEq(registry.creditOf(user), refund);
        assertGt(refund, 0.9 ether);
    }

    /// What a wallet uses when it is paid is charged, whether it does much of it or little.
    function test_WhenAWalletIsPaid_WhatItCostsIsCharged() public {
        address[3] memory wallets = [
            address(new Plain()), address(new Burning(false)), address(new Delegating(address(new Plain())))
        ];
        for (uint256 i; i < 3; ++i) {
            _assertBand(wallets[i], 9500);
        }
    }

    /// One that burns only what comes with ETH, where it cannot be measured ahead.
    function test_WhenAWalletBurnsOnlyWithEth_LittleOfItIsNotCharged() public {
        _assertBand(address(new Burning(true)), 9400);
    }

    /// A proxy finds its implementation cold, which is measured; what is left is enough for its log.
    function test_WhenAProxyIsPaid_ItGetsItsRefund() public {
        address[] memory users = _users(1, address(new Delegating(address(new Logging()))));
        _ratioOf(users, false);
        assertEq(registry.creditOf(users[0]), 0);
        assertGt(users[0].balance, 0.9 ether);
    }
}

contract Plain {
    receive() external payable {}
}

contract Logging {
    event Received(address indexed from, uint256 amount);

    receive() external payable {
        emit Received(msg.sender, msg.value);
    }
}

/// A proxy as wallets are: a slot tells where the code is.
contract Delegating {
    address private immutable CODE;
    address private _code;

    constructor(address code) {
        CODE = code;
    }

    fallback() external payable {
        // read, so that it costs what it costs a wallet
        address code = _code;
        if (code == address(0)) code = CODE;
        (bool success,) = code.delegatecall(msg.data);
        require(success, "not delegated");
    }
}

/// A wallet that burns all but a little of the gas that it is given, and takes the ETH.
contract Burning {
    bool private immutable ONLY_WITH_ETH;

    constructor(bool onlyWithEth) {
        ONLY_WITH_ETH = onlyWithEth;
    }

    receive() external payable {
        if (ONLY_WITH_ETH && msg.value == 0) return;
        while (gasleft() > 200) {}
    }
}
