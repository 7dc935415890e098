// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MeterTarget} from "../actors/MeterTarget.sol";
import {Puppet} from "../actors/Puppet.sol";
import {TestOracle} from "../actors/TestOracle.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IExecutorGate} from "contracts/interfaces/IExecutorGate.sol";
import {IPriceOracle} from "contracts/interfaces/IPriceOracle.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";
import {Registry} from "contracts/registry/Registry.sol";

/// What the owner may change, and how far. The gate has a file of its own.
/// forge-config: default.isolate = true
contract SettingsTest is RegistryTest {
    TestOracle private next = new TestOracle(1000 ether);

    function _set(IPriceOracle oracle_) private {
        vm.prank(owner);
        registry.setPriceOracle(oracle_);
    }

    // --- construction ---

    function test_RevertWhen_ConstructedWithAccountsWithoutCode() public {
        IRegistry.FeeSettings memory fees = registry.feeSettings();
        _useTestGate();
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotContract.selector, user));
        new Registry(owner, user, gate, next, fees);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotContract.selector, address(0)));
        new Registry(owner, address(autoToken), IExecutorGate(address(0)), next, fees);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.PriceUnknown.selector, user));
        new Registry(owner, address(autoToken), gate, IPriceOracle(user), fees);
        vm.expectRevert(abi.encodeWithSignature("OwnableInvalidOwner(address)", address(0)));
        new Registry(address(0), address(autoToken), gate, next, fees);
        fees.tipCapWei = 1000 gwei + 1;
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AboveMaximum.selector, 1000 gwei + 1, 1000 gwei));
        new Registry(owner, address(autoToken), gate, next, fees);
    }

    // --- fee settings ---

    function test_RevertWhen_StrangerSetsFees() public {
        IRegistry.FeeSettings memory fees = registry.feeSettings();
        vm.expectRevert(abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", user));
        vm.prank(user);
        registry.setFeeSettings(fees);
    }

    function test_RevertWhen_AFieldIsAboveItsMaximum() public {
        bytes memory maxima = abi.encode(registry.maxFeeSettings());
        for (uint256 i; i < maxima.length; i += 32) {
            bytes memory above = bytes.concat(maxima);
            uint256 maximum;
            assembly ("memory-safe") {
                maximum := mload(add(add(above, 32), i))
                mstore(add(add(above, 32), i), add(maximum, 1))
            }
            assertGt(maximum, 0);
            IRegistry.FeeSettings memory fees = abi.decode(above, (IRegistry.FeeSettings));
            vm.expectRevert(abi.encodeWithSelector(IRegistry.AboveMaximum.selector, maximum + 1, maximum));
            vm.prank(owner);
            registry.setFeeSettings(fees);
        }
    }

    function test_WhenFeesAreSetToTheirMaxima_TheyAreReadBack() public {
        IRegistry.FeeSettings memory fees = registry.maxFeeSettings();
        vm.prank(owner);
        registry.setFeeSettings(fees);
        assertEq(abi.encode(registry.feeSettings()), abi.encode(fees));
    }

    /// What is deployed has room, and what the owner may do is of the order of what it costs.
    function test_Maxima_AreAboutTwiceWhatIsDeployed() public view {
        bytes memory maxima = abi.encode(registry.maxFeeSettings());
        bytes memory deployed = abi.encode(registry.feeSettings());
        // The tip comes first and is another matter.
        for (uint256 i = 64; i <= maxima.length; i += 32) {
            (uint256 maximum, uint256 now_) = (0, 0);
            assembly ("memory-safe") {
                maximum := mload(add(maxima, i))
                now_ := mload(add(deployed, i))
            }
            assertGe(maximum * 2, now_ * 3);
            assertLe(maximum * 2, now_ * 5);
        }
    }

    function test_WhenFeesAreSet_TheyAreReadBack() public {
        IRegistry.FeeSettings memory fees =
            IRegistry.FeeSettings(1000 gwei, 1, 2, 3, 12, 7612, 12, 2812, 8, 2000, 10, 11, 12, 4913, 14);
        vm.expectEmit(address(registry));
        emit IRegistry.FeeSettingsSet(fees);
        vm.prank(owner);
        registry.setFeeSettings(fees);
        assertEq(abi.encode(registry.feeSettings()), abi.encode(fees));
    }

    /// Grant and changed fees share a word: neither loses the other.
    function test_WhenGateChangesAfterFees_FeesStayAndTheGrantIsForgotten() public {
        IRegistry.FeeSettings memory fees = registry.feeSettings();
        ++fees.tailEth;
        vm.startPrank(owner);
        registry.setFeeSettings(fees);
        vm.stopPrank();
        _useTestGate();
        gate.answer(type(uint48).max, 0);
        _warmGrant();
        (address grantee, uint256 untilBlock) = registry.grant();
        assertEq(grantee, executor);
        assertEq(untilBlock, type(uint48).max);
        assertEq(abi.encode(registry.feeSettings()), abi.encode(fees), "a grant was remembered");

        ++fees.tailEth;
        vm.prank(owner);
        registry.setFeeSettings(fees);
        (grantee,) = registry.grant();
        assertEq(grantee, executor, "fees were set");

        _useTestGate();
        (grantee, untilBlock) = registry.grant();
        assertEq(grantee, address(0));
        assertEq(untilBlock, 0);
        assertEq(abi.encode(registry.feeSettings()), abi.encode(fees), "the gate was set");
    }

    /// An owner at every bound: users lose no more than the stated fee, and can always cancel.
    function test_WhenOwnerGoesToEveryBound_FeeIsBoundedAndCancellingWorks() public {
        MeterTarget target = new MeterTarget();
        IRegistry.Request memory r = _request(address(target), "abcd");
        r.initEthSent = 1 ether;
        uint256 executed = _register(r);
        uint256 kept = _register(r);
        IRegistry.FeeSettings memory fees = registry.maxFeeSettings();
        fees.clearing = 0;
        vm.prank(owner);
        registry.setFeeSettings(fees);

        Ledger memory before = _ledger(r);
        uint256 gas = _execute(executed, r);
        (, uint256 fee) = _assertConserved(before, r);
        assertApproxEqAbs(fee, _ethFee(gas), 2);
        // About twice what it really used.
        assertLt(gas * 10, relay.receiptGas() * 22);
        _cancel(kept, r);
        assertEq(address(registry).balance, 0);
    }

    /// The same where a user pays in AUTO, and where Requests share a batch.
    function test_WhenOwnerGoesToEveryBound_EveryKindOfFeeIsBounded() public {
        deal(address(autoToken), executor, 1);
        _warmGrant();
        IRegistry.FeeSettings memory fees = registry.maxFeeSettings();
        fees.clearing = 0;
        vm.prank(owner);
        registry.setFeeSettings(fees);
        uint256 price = oracle.autoPerEth() * registry.MAX_PRICE_STEP();
        next.set(price);
        _set(next);
        oracle = next;

        IRegistry.Execution[] memory batch = new IRegistry.Execution[](10);
        for (uint256 i; i < 10; ++i) {
            IRegistry.Request memory r = _request(address(new MeterTarget()), "abcd");
            r.payWithAUTO = true;
            _fundAuto(user);
            batch[i] = _entry(_register(r), r);
        }
        uint256 before = autoToken.balanceOf(user);
        uint256 snapshot = vm.snapshotState();
        uint256 gas = _execute(batch[0].id, batch[0].request);
        assertEq(before - autoToken.balanceOf(user), _autoFee(gas));
        assertLt(gas * 10, relay.receiptGas() * 22, "single");
        vm.revertToState(snapshot);

        IRegistry.Outcome[] memory outcomes = _executeBatch(batch);
        uint256 fee;
        gas = 0;
        for (uint256 i; i < 10; ++i) {
            fee += outcomes[i].fee;
            gas += outcomes[i].gasCharged;
        }
        assertEq(before - autoToken.balanceOf(user), fee);
        assertApproxEqAbs(fee, _autoFee(gas), 10);
        assertLt(gas * 10, relay.receiptGas() * 22, "batch");
    }

    /// What is taken off a setting for what is refunded or warm must not exceed it: nothing could be executed.
    function test_RevertWhen_ASettingIsLessThanWhatIsTakenOffIt() public {
        // as in IRegistry.FeeSettings: tailEth, tailAuto, entryEth, entryAuto, shared, report
        uint256[6] memory fields = [uint256(4), 5, 6, 7, 9, 13];
        uint256[6] memory minima = [uint256(4800), 12_400, 4800, 7600, 2000, 4900];
        for (uint256 i; i < 6; ++i) {
            IRegistry.FeeSettings memory fees = registry.feeSettings();
            assertEq(fees.clearing, 4800);
            (uint256 field, uint256 minimum) = (fields[i], minima[i]);
            assembly ("memory-safe") {
                mstore(add(fees, shl(5, field)), sub(minimum, 1))
            }
            vm.expectRevert(abi.encodeWithSelector(IRegistry.BelowMinimum.selector, minimum - 1, minimum));
            vm.prank(owner);
            registry.setFeeSettings(fees);
            assembly ("memory-safe") {
                mstore(add(fees, shl(5, field)), minimum)
            }
            vm.prank(owner);
            registry.setFeeSettings(fees);
        }
    }

    /// At the least that settings can be, many calls in one transaction are still executed.
    function test_WhenSettingsAreAtTheirMinima_RepeatedCallsAreExecuted() public {
        IRegistry.FeeSettings memory fees;
        fees.clearing = registry.maxFeeSettings().clearing;
        (fees.tailEth, fees.entryEth, fees.shared) = (fees.clearing, fees.clearing, 2000);
        fees.report = 4900;
        (fees.tailAuto, fees.entryAuto) = (fees.clearing + 7600, fees.clearing + 2800);
        vm.prank(owner);
        registry.setFeeSettings(fees);
        _useTestGate();
        gate.answer(block.number, 1);
        Puppet caller = new Puppet();
        Puppet.Call[] memory calls = new Puppet.Call[](8);
        _fundAuto(user);
        for (uint256 i; i < 8; ++i) {
            IRegistry.Request memory r = _request(address(new MeterTarget()), "abcd");
            r.payWithAUTO = i & 1 != 0;
            if (!r.payWithAUTO) r.initEthSent = 0.1 ether;
            IRegistry.Execution[] memory batch = new IRegistry.Execution[](1);
            batch[0] = _entry(_register(r), r);
            calls[i].to = address(registry);
            calls[i].data = i & 2 == 0
                ? abi.encodeCall(IRegistry.executeHashedReq, (batch[0].id, r, 0))
                : abi.encodeCall(IRegistry.executeHashedReqs, (batch));
        }
        caller.script(calls);
        _send(executor, address(caller), abi.encodeCall(Puppet.run, ()));
        (bool[] memory results,) = caller.results();
        for (uint256 i; i < 8; ++i) {
            assertTrue(results[i], "executed");
        }
    }

    // --- price oracle ---

    function test_RevertWhen_StrangerSetsOracle() public {
        vm.expectRevert(abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", user));
        vm.prank(user);
        registry.setPriceOracle(next);
    }

    function test_WhenOracleIsSet_ItIsUsed() public {
        next.set(1234 ether);
        vm.expectEmit(address(registry));
        emit IRegistry.PriceOracleSet(address(next), 1234 ether);
        _set(next);
        assertEq(address(registry.priceOracle()), address(next));
    }

    function test_RevertWhen_PriceStepIsTooLarge() public {
        uint256 price = oracle.autoPerEth();
        uint256[2] memory wrong = [price * 2 + 1, price / 2 - 1];
        for (uint256 i; i < 2; ++i) {
            next.set(wrong[i]);
            vm.expectRevert(abi.encodeWithSelector(IRegistry.PriceStepTooLarge.selector, price, wrong[i]));
            _set(next);
        }
        uint256 snapshot = vm.snapshotState();
        next.set(price * 2);
        _set(next);
        vm.revertToState(snapshot);
        next.set(price / 2);
        _set(next);
    }

    /// A step is measured from what the old oracle says now.
    function test_WhenOldOracleMoved_StepIsMeasuredFromThere() public {
        uint256 price = oracle.autoPerEth();
        next.set(price * 2);
        _set(next);
        next.set(price * 10);
        TestOracle third = new TestOracle(price * 20);
        skip(1 days);
        _set(third);
        skip(1 days);
        third.set(price * 20 * 2 + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.PriceStepTooLarge.selector, price * 40 + 1, price * 10)
        );
        _set(next);
    }

    /// A step is measured from the last known price when the old oracle is silent.
    function test_WhenOldOracleIsSilent_StepIsMeasuredFromTheRecordedPrice() public {
        uint256 price = oracle.autoPerEth();
        _set(next);
        skip(1 days);
        next.set(price * 100);
        TestOracle.Fault[4] memory silent =
            [TestOracle.Fault.Revert, TestOracle.Fault.Short, TestOracle.Fault.Burn, TestOracle.Fault.Bomb];
        for (uint256 i; i < 4; ++i) {
            next.fail(silent[i]);
            TestOracle third = new TestOracle(price * 2 + 1);
            vm.expectRevert(
                abi.encodeWithSelector(IRegistry.PriceStepTooLarge.selector, price, price * 2 + 1)
            );
            _set(third);
            third.set(price * 2);
            uint256 snapshot = vm.snapshotState();
            _set(third);
            vm.revertToState(snapshot);
        }
    }

    /// Steps cannot be taken all at once: a day lies between two.
    function test_RevertWhen_OracleIsChangedTwiceInADay() public {
        uint256 changed = block.timestamp;
        _set(next);
        TestOracle third = new TestOracle(oracle.autoPerEth());
        vm.warp(changed + 1 days - 1);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.PriceStepTooEarly.selector, changed + 1 days));
        _set(third);
        vm.warp(changed + 1 days);
        _set(third);
        assertEq(address(registry.priceOracle()), address(third));
    }

    function test_RevertWhen_NewOracleDoesNotKnow() public {
        bytes memory unknown = abi.encodeWithSelector(IRegistry.PriceUnknown.selector, address(next));
        for (uint256 i = 1; i <= uint256(type(TestOracle.Fault).max); ++i) {
            next.fail(TestOracle.Fault(i));
            vm.expectRevert(unknown);
            _set(next);
        }
        next.fail(TestOracle.Fault.None);
        uint256[3] memory lies = [uint256(0), uint256(type(uint128).max) + 1, 1 << 255];
        for (uint256 i; i < 3; ++i) {
            next.set(lies[i]);
            vm.expectRevert(unknown);
            _set(next);
        }
        vm.expectRevert(abi.encodeWithSelector(IRegistry.PriceUnknown.selector, user));
        _set(IPriceOracle(user));
    }

    /// The price counts where a fee is in AUTO, and nowhere else.
    function test_WhenOracleFails_OnlyAutoPaidExecutionsStop() public {
        _set(next);
        MeterTarget target = new MeterTarget();
        IRegistry.Request memory inAuto = _request(address(target), "auto");
        inAuto.payWithAUTO = true;
        _fundAuto(user);
        uint256 id = _register(inAuto);
        IRegistry.Request memory inEth = _request(address(target), "eth");
        inEth.initEthSent = 1 ether;

        bytes memory unknown = abi.encodeWithSelector(IRegistry.PriceUnknown.selector, address(next));
        for (uint256 i = 1; i <= uint256(type(TestOracle.Fault).max); ++i) {
            next.fail(TestOracle.Fault(i));
            vm.expectRevert(unknown);
            _execute(id, inAuto);
            _execute(_register(inEth), inEth);
        }
        next.fail(TestOracle.Fault.None);
        uint256[2] memory lies = [uint256(0), 1 << 255];
        for (uint256 i; i < 2; ++i) {
            next.set(lies[i]);
            vm.expectRevert(unknown);
            _execute(id, inAuto);
        }
        next.set(1000 ether);
        _execute(id, inAuto);
    }

    /// A price that jumps is bounded by what the user owns and has approved.
    function test_WhenPriceJumps_AllowanceIsTheBound() public {
        _set(next);
        MeterTarget target = new MeterTarget();
        IRegistry.Request memory r = _request(address(target), "auto");
        r.payWithAUTO = true;
        uint256 id = _register(r);
        _fundAuto(user, 1_000_000 ether, 50 ether);
        next.set(type(uint128).max);
        vm.expectPartialRevert(IRegistry.InsufficientAuto.selector);
        _execute(id, r);
        next.set(1000 ether);
        _execute(id, r);
        assertLt(1_000_000 ether - autoToken.balanceOf(user), 50 ether);
    }
}
