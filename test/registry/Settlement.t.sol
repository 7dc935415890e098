// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MeterTarget} from "../actors/MeterTarget.sol";
import {Puppet} from "../actors/Puppet.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";

/// Who pays what, to the wei: refund + fee + ETH for the call = deposit + ETH received.
/// forge-config: default.isolate = true
contract SettlementTest is RegistryTest {
    MeterTarget private target = new MeterTarget{value: 10 ether}();

    function setUp() public override {
        super.setUp();
        _warmGrant();
    }

    function _run(IRegistry.Request memory r, uint256 expectedGas)
        private
        returns (uint256 gas, uint256 refund, uint256 fee)
    {
        uint256 id = _register(r);
        Ledger memory before = _ledger(r);
        gas = _execute(id, r, expectedGas);
        (refund, fee) = _assertConserved(before, r);
        assertEq(registry.creditOf(r.user), 0);
    }

    function _deposit(uint256 amount) private view returns (IRegistry.Request memory r) {
        r = _request(address(target), "abcd");
        r.initEthSent = uint112(amount);
    }

    // --- ETH ---

    function test_WhenMuchIsLeft_ItIsRefunded() public {
        IRegistry.Request memory r = _deposit(1 ether);
        r.ethForCall = 0.3 ether;
        (uint256 gas, uint256 refund, uint256 fee) = _run(r, 0);
        // Two parts of the fee are rounded down on their own.
        assertApproxEqAbs(fee, _ethFee(gas), 1);
        assertEq(refund, 0.7 ether - fee);
    }

    function test_WhenLittleIsLeft_ItIsPartOfTheFee() public {
        (uint256 gas,, uint256 full) = _run(_deposit(0.012_345_678_9 ether), 0);
        uint256 refundGas = registry.feeSettings().refund;
        uint256 least = _ethFee(gas - refundGas);
        assertLe(least + _ethFee(refundGas), full + 1);

        // As much over the fee as pushing it costs at most; the call data's price may differ by some bytes.
        (uint256 gasWithout, uint256 refund, uint256 fee) = _run(_deposit(least + _ethFee(refundGas) / 2), 0);
        assertEq(refund, 0);
        assertEq(fee, least + _ethFee(refundGas) / 2, "all of it");
        assertApproxEqAbs(gasWithout, gas - refundGas, 100);

        (uint256 gasWith,, uint256 rest) = _run(_deposit(least + _ethFee(refundGas) * 2), 0);
        assertApproxEqAbs(gasWith, gas, 100);
        assertApproxEqAbs(rest, _ethFee(gasWith), 1);
    }

    function test_WhenTargetPays_ThatIsThePayment() public {
        target.set(0.02 ether, 0);
        (uint256 gas, uint256 refund, uint256 fee) = _run(_deposit(0), 0);
        assertEq(refund + fee, 0.02 ether);
        assertApproxEqAbs(fee, _ethFee(gas), 1);
    }

    function test_WhenTargetGivesTheCallsEthBack_ItIsRefunded() public {
        IRegistry.Request memory r = _deposit(1 ether);
        r.ethForCall = 0.9 ether;
        target.set(0.9 ether, 0);
        (uint256 gas, uint256 refund, uint256 fee) = _run(r, 0);
        assertApproxEqAbs(fee, _ethFee(gas), 1);
        assertEq(refund, 1 ether - fee);
    }

    function test_RevertWhen_TargetPaysTooLittle() public {
        target.set(1000, 0);
        IRegistry.Request memory r = _deposit(0);
        r.isAlive = true;
        uint256 id = _register(r);
        vm.expectPartialRevert(IRegistry.InsufficientPayment.selector);
        _execute(id, r);
    }

    /// Where the call data's floor price is what is charged, pushing a refund costs the user nothing more.
    function test_WhenFloorPriceApplies_RefundIsFree() public {
        IRegistry.Request memory r = _deposit(1 ether);
        r.callData = new bytes(32 * 200);
        for (uint256 i; i < r.callData.length; ++i) {
            r.callData[i] = 0xff;
        }
        (uint256 gas, uint256 refund, uint256 fee) = _run(r, 0);
        assertEq(fee, _ethFee(gas));
        assertEq(refund, 1 ether - fee);
        assertApproxEqRel(gas, relay.receiptGas(), 0.02e18);
        assertGt(gas, 21_000 + 10 * 4 * r.callData.length);
    }

    function testFuzz_WhenPaidInEth_NoWeiIsLost(uint112 deposit, uint112 forCall, uint96 back, uint16 size)
        public
    {
        IRegistry.Request memory r = _deposit(bound(deposit, 0.01 ether, 1e30));
        r.ethForCall = uint112(bound(forCall, 0, r.initEthSent - 0.01 ether));
        r.callData = new bytes(bound(size, 0, 5000));
        vm.deal(address(target), type(uint96).max);
        target.set(uint128(back), 0);
        (uint256 gas,, uint256 fee) = _run(r, 0);
        assertApproxEqAbs(fee, _ethFee(gas), _ethFee(registry.feeSettings().refund));
        assertGe(fee + 1, _ethFee(gas));
    }

    // --- AUTO ---

    function _inAuto() private returns (IRegistry.Request memory r) {
        r = _deposit(0);
        r.payWithAUTO = true;
        _fundAuto(user);
        deal(address(autoToken), executor, 1);
    }

    function test_WhenPaidInAuto_FeeIsPulledFromTheUser() public {
        IRegistry.Request memory r = _inAuto();
        (r.initEthSent, r.ethForCall) = (0.5 ether, 0.5 ether);
        uint256 before = autoToken.balanceOf(user);
        (uint256 gas, uint256 refund, uint256 fee) = _run(r, 0);
        assertEq(refund + fee, 0);
        assertEq(before - autoToken.balanceOf(user), _autoFee(gas));
        assertEq(autoToken.balanceOf(executor), 1 + _autoFee(gas));
    }

    function test_WhenPaidInAuto_EthThatComesBackIsTheUsers() public {
        target.set(0.1 ether, 0);
        (uint256 gas, uint256 refund, uint256 fee) = _run(_inAuto(), 0);
        assertEq(refund, 0.1 ether);
        assertEq(fee, 0);
        // Pushing it is part of the fee in AUTO.
        assertEq(autoToken.balanceOf(executor), 1 + _autoFee(gas));
    }

    function test_WhenPaidInAuto_DustIsTheExecutors() public {
        target.set(1000, 0);
        (, uint256 refund, uint256 fee) = _run(_inAuto(), 0);
        assertEq(refund, 0);
        assertEq(fee, 1000);
    }

    function test_RevertWhen_AutoIsMissing() public {
        IRegistry.Request memory r = _inAuto();
        uint256 id = _register(r);
        _fundAuto(user, 1, type(uint256).max);
        vm.expectPartialRevert(IRegistry.InsufficientAuto.selector);
        _execute(id, r);
        _fundAuto(user, 1_000_000 ether, 1);
        vm.expectPartialRevert(IRegistry.InsufficientAuto.selector);
        _execute(id, r);
        assertEq(target.count(), 1, "never called");
        _fundAuto(user, 1_000_000 ether, 1_000_000 ether);
        _execute(id, r);
        assertEq(target.count(), 2);
    }

    // --- fee inserted into the call ---

    function _inserted(bool verifyUser, bool inAuto, bool isAlive)
        private
        returns (IRegistry.Request memory r)
    {
        r = inAuto ? _inAuto() : _deposit(isAlive ? 0 : 1 ether);
        r.callData = verifyUser
            ? abi.encodeWithSelector(0x11223344, user, 0, 0)
            : abi.encodeWithSelector(0x11223344, 0, 0);
        (r.verifyUser, r.insertFeeAmount, r.isAlive) = (verifyUser, true, isAlive);
    }

    function test_WhenFeeIsInserted_ExactlyItIsPaid() public {
        for (uint256 i; i < 8; ++i) {
            (bool verifyUser, bool inAuto, bool isAlive) = (i & 1 != 0, i & 2 != 0, i & 4 != 0);
            IRegistry.Request memory r = _inserted(verifyUser, inAuto, isAlive);
            // A recurring Request's target pays what it finds in the call.
            target.set(0, isAlive && !inAuto ? (verifyUser ? 36 : 4) : 0);
            uint256 expectedGas = _gasOf(_register(r), r);
            uint256 autoBefore = autoToken.balanceOf(executor);
            (uint256 gas, uint256 refund, uint256 fee) = _run(r, expectedGas);
            assertEq(gas, expectedGas, "what is charged is what was expected");
            if (inAuto) {
                assertEq(autoToken.balanceOf(executor) - autoBefore, _autoFee(expectedGas));
                assertEq(fee + refund, 0);
            } else {
                assertEq(fee, _ethFee(expectedGas));
                assertEq(refund, isAlive ? 0 : 1 ether - fee);
            }
        }
    }

    function test_WhenFeeIsInserted_TargetReadsIt() public {
        Puppet reader = new Puppet();
        for (uint256 i; i < 4; ++i) {
            IRegistry.Request memory r = _inserted(i & 1 != 0, i & 2 != 0, false);
            r.target = address(reader);
            _run(r, 40_000);
            uint256 index = r.verifyUser ? 36 : 4;
            bytes memory data = reader.lastData();
            uint256 word;
            assembly ("memory-safe") {
                word := mload(add(add(data, 32), index))
            }
            assertEq(word, r.payWithAUTO ? _autoFee(40_000) : _ethFee(40_000));
        }
    }

    function test_RevertWhen_ExpectedGasIsAbove102Percent() public {
        for (uint256 i; i < 4; ++i) {
            IRegistry.Request memory r = _inserted(i & 1 != 0, i & 2 != 0, false);
            uint256 id = _register(r);
            uint256 gas = _gasOf(id, r);
            uint256 highest = gas * 102 / 100;
            vm.expectRevert(abi.encodeWithSelector(IRegistry.ExpectedGasTooHigh.selector, highest + 1, gas));
            _execute(id, r, highest + 1);
            assertEq(_execute(id, r, highest), gas);
        }
    }

    function test_RevertWhen_ExpectedGasIsBeyondAnyCharge() public {
        IRegistry.Request memory r = _inserted(false, false, false);
        uint256 id = _register(r);
        uint256 maximum = type(uint48).max;
        uint256[3] memory wrong = [type(uint256).max, maximum + 1, 1 << 192];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRegistry.ExpectedGasTooHigh.selector, wrong[i], maximum));
            _execute(id, r, wrong[i]);
        }
        vm.expectPartialRevert(IRegistry.InsufficientPayment.selector);
        _execute(id, r, maximum);
    }

    function test_WhenExpectedGasIsLow_ExecutorEarnsLess() public {
        (, uint256 refund, uint256 fee) = _run(_inserted(false, false, false), 10_000);
        assertEq(fee, _ethFee(10_000));
        assertEq(refund, 1 ether - fee);
    }

    function test_WhenFeeIsNotInserted_ExpectedGasIsIgnored() public {
        IRegistry.Request memory r = _deposit(1 ether);
        uint256 snapshot = vm.snapshotState();
        (uint256 gas,, uint256 fee) = _run(r, 0);
        vm.revertToState(snapshot);
        (uint256 gasAgain,, uint256 feeAgain) = _run(r, type(uint256).max);
        assertEq(gasAgain, gas);
        assertEq(feeAgain, fee);
    }
}
