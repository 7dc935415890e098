// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MeterTarget} from "../actors/MeterTarget.sol";
import {TestOracle} from "../actors/TestOracle.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";

/// What a change of the price oracle makes of a charge in AUTO: the step, to the base unit, and no more of it
/// than a factor of 2 in a day.
/// forge-config: default.isolate = true
contract PriceStepsTest is RegistryTest {
    /// One that 1.5, 2 and 1 / 2 of it leave without remainder.
    uint256 private constant PRICE = 1000 ether;
    uint256 private constant EXPECTED_GAS = 60_000;

    TestOracle private current = new TestOracle(PRICE);

    function setUp() public override {
        super.setUp();
        _set(current);
        oracle = current;
        skip(1 days);
        deal(address(autoToken), executor, 1);
        _fundAuto(user);
        _warmGrant();
    }

    function _set(TestOracle next) private {
        vm.prank(owner);
        registry.setPriceOracle(next);
    }

    /// In a state that is thrown away: what the user pays and the executor gets for each kind of execution.
    function _fees() private returns (uint256[3] memory fees) {
        for (uint256 i; i < 3; ++i) {
            uint256 snapshot = vm.snapshotState();
            IRegistry.Request memory r =
                _request(address(new MeterTarget()), abi.encodePacked("abcd", uint256(0)));
            (r.payWithAUTO, r.insertFeeAmount) = (true, i == 2);
            IRegistry.Execution[] memory batch = new IRegistry.Execution[](1);
            batch[0] = _entry(_register(r), r);
            (uint256 usersBefore, uint256 before) = (autoToken.balanceOf(user), autoToken.balanceOf(executor));
            uint256 gas;
            if (i == 1) gas = _executeBatch(batch)[0].gasCharged;
            else gas = _execute(batch[0].id, r, EXPECTED_GAS);
            fees[i] = usersBefore - autoToken.balanceOf(user);
            assertEq(autoToken.balanceOf(executor) - before, fees[i], "the executor's");
            assertEq(fees[i], _autoFee(i == 2 ? EXPECTED_GAS : gas), "the formula");
            vm.revertToStateAndDelete(snapshot);
        }
    }

    /// Asserts that all charges are `numerator` / `denominator` of what they were.
    function _assertStep(uint256[3] memory before, uint256 numerator, uint256 denominator) private {
        uint256[3] memory fees = _fees();
        for (uint256 i; i < 3; ++i) {
            assertEq(fees[i] * denominator, before[i] * numerator, "the step");
        }
    }

    function test_WhenOracleChanges_TheChargeChangesByTheStep() public {
        uint256[3] memory before = _fees();
        uint256[2][4] memory steps = [[uint256(2), 1], [uint256(1), 2], [uint256(3), 2], [uint256(1), 1]];
        for (uint256 i; i < 4; ++i) {
            uint256 snapshot = vm.snapshotState();
            TestOracle next = new TestOracle(PRICE * steps[i][0] / steps[i][1]);
            _set(next);
            oracle = next;
            _assertStep(before, steps[i][0], steps[i][1]);
            vm.revertToStateAndDelete(snapshot);
        }
    }

    /// The second step of a day is refused and charges nobody anything: on the next it counts from the first.
    function test_RevertWhen_ASecondStepIsTakenWithinADay() public {
        uint256[3] memory before = _fees();
        TestOracle first = new TestOracle(PRICE * 2);
        TestOracle second = new TestOracle(PRICE * 4);
        uint256 since = block.timestamp;
        _set(first);
        oracle = first;
        uint256[3] memory times = [since, since + 1, since + 1 days - 1];
        for (uint256 i; i < 3; ++i) {
            vm.warp(times[i]);
            vm.expectRevert(abi.encodeWithSelector(IRegistry.PriceStepTooEarly.selector, since + 1 days));
            _set(second);
            _assertStep(before, 2, 1);
        }
        vm.warp(since + 1 days);
        _set(second);
        oracle = second;
        _assertStep(before, 4, 1);
    }

    /// However long the old oracle is silent: a step is one from the last price that was recorded, up or down,
    /// and the next one is measured from where that led.
    function test_WhenOldOracleIsSilent_EachStepIsBounded() public {
        uint256[3] memory before = _fees();
        // What it said since does not count: it cannot be asked.
        current.set(PRICE * 50);
        current.fail(TestOracle.Fault.Revert);
        skip(30 days);
        _assertNotPriced(current);
        _assertBounds(PRICE);
        TestOracle next = new TestOracle(PRICE * 2);
        _set(next);
        oracle = next;
        _assertStep(before, 2, 1);

        skip(1 days);
        next.fail(TestOracle.Fault.Burn);
        _assertNotPriced(next);
        _assertBounds(PRICE * 2);
        next = new TestOracle(PRICE * 4);
        _set(next);
        oracle = next;
        _assertStep(before, 4, 1);
    }

    /// Without a price nothing is charged in AUTO, and nothing happens.
    function _assertNotPriced(TestOracle silent) private {
        IRegistry.Request memory r = _request(address(new MeterTarget()), "abcd");
        r.payWithAUTO = true;
        uint256 id = _register(r);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.PriceUnknown.selector, address(silent)));
        _execute(id, r);
        assertEq(MeterTarget(payable(r.target)).count(), 1);
    }

    /// Asserts that the owner can go from `last` by a factor of 2 and not by a base unit more, up and down.
    function _assertBounds(uint256 last) private {
        uint256[2] memory beyond = [last * 2 + 1, last / 2 - 1];
        uint256[2] memory within = [last * 2, last / 2];
        for (uint256 i; i < 2; ++i) {
            TestOracle next = new TestOracle(beyond[i]);
            vm.expectRevert(abi.encodeWithSelector(IRegistry.PriceStepTooLarge.selector, last, beyond[i]));
            _set(next);
            uint256 snapshot = vm.snapshotState();
            next.set(within[i]);
            _set(next);
            vm.revertToStateAndDelete(snapshot);
        }
    }
}
