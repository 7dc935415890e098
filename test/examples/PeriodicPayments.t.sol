// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {HookedToken} from "./Actors.sol";
import {ExamplesFixture} from "./ExamplesFixture.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {PeriodicPayments} from "contracts/examples/PeriodicPayments.sol";
import {Wallet} from "contracts/examples/Wallet.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";

contract PeriodicPaymentsTest is ExamplesFixture {
    uint40 private constant NEVER = type(uint40).max;
    uint32 private constant ENDLESS = type(uint32).max;
    uint256 private constant RENT = 100 ether;
    uint40 private constant MONTH = 30 days;

    address private landlord = makeAddr("landlord");
    uint40 private start;

    function setUp() public override {
        super.setUp();
        start = uint40(block.timestamp + 1 days);
        token.mint(user, 1000 * RENT);
        vm.prank(user);
        token.approve(address(payments), type(uint256).max);
    }

    function _create(uint40 firstDue, uint40 period, uint32 count, uint40 expiry, bool catchUp)
        private
        returns (uint256 id)
    {
        vm.prank(user);
        return payments.create(token, landlord, RENT, firstDue, period, count, expiry, catchUp);
    }

    function _paid() private view returns (uint256) {
        return token.balanceOf(landlord) / RENT;
    }

    function _assertNotDue(uint256 id, uint256 dueAt) private {
        vm.expectRevert(abi.encodeWithSelector(PeriodicPayments.NotDue.selector, dueAt));
        payments.pay(id);
    }

    function _assertOver(uint256 id) private {
        vm.expectRevert(abi.encodeWithSelector(PeriodicPayments.NoSchedule.selector, id));
        payments.pay(id);
    }

    // --- refusals ---

    function test_RevertWhen_ScheduleHasNoPayments() public {
        vm.expectRevert(PeriodicPayments.NoPayments.selector);
        payments.create(token, landlord, RENT, start, MONTH, 0, NEVER, true);
    }

    function test_RevertWhen_SeveralPaymentsHaveNoPeriod() public {
        vm.expectRevert(PeriodicPayments.NoPeriod.selector);
        payments.create(token, landlord, RENT, start, 0, 2, NEVER, true);
    }

    function test_RevertWhen_ExpiryIsBeforeFirstDue() public {
        vm.expectRevert(
            abi.encodeWithSelector(PeriodicPayments.ExpiryBeforeFirstDue.selector, start - 1, start)
        );
        payments.create(token, landlord, RENT, start, MONTH, 2, start - 1, true);
    }

    function test_RevertWhen_ScheduleDoesNotExist() public {
        _assertOver(0);
        vm.expectRevert(abi.encodeWithSelector(PeriodicPayments.NoSchedule.selector, 7));
        payments.cancel(7);
        vm.expectRevert(abi.encodeWithSelector(PeriodicPayments.NoSchedule.selector, 7));
        payments.scheduleOf(7);
    }

    function test_RevertWhen_NotDue() public {
        uint256 id = _create(start, MONTH, 2, NEVER, true);
        _assertNotDue(id, start);
        vm.warp(start - 1);
        vm.prank(landlord);
        vm.expectRevert(abi.encodeWithSelector(PeriodicPayments.NotDue.selector, start));
        payments.pay(id);
        assertEq(_paid(), 0);
    }

    function test_RevertWhen_Expired() public {
        uint256 id = _create(start, MONTH, 3, start + 5, true);
        vm.warp(start + 6);
        vm.expectRevert(abi.encodeWithSelector(PeriodicPayments.Expired.selector, start + 5));
        payments.pay(id);

        vm.warp(start + 5);
        payments.pay(id);
        assertEq(_paid(), 1);
    }

    function test_RevertWhen_AStrangerCancels() public {
        uint256 id = _create(start, MONTH, 3, NEVER, true);
        vm.expectRevert(abi.encodeWithSelector(PeriodicPayments.NotPayer.selector, landlord, user));
        vm.prank(landlord);
        payments.cancel(id);
    }

    function test_RevertWhen_WalletIsShort_AndThePaymentStaysDue() public {
        uint256 id = _create(start, MONTH, 2, NEVER, true);
        vm.prank(user);
        token.approve(address(payments), RENT - 1);
        vm.warp(start);
        vm.expectRevert(abi.encodeWithSelector(Wallet.WalletShort.selector, token, user, RENT, RENT - 1));
        payments.pay(id);
        assertEq(payments.scheduleOf(id).nextDue, start);

        vm.prank(user);
        token.approve(address(payments), RENT);
        payments.pay(id);
        assertEq(_paid(), 1);
    }

    // --- paying ---

    function test_WhenCreated_ScheduleIsAnnounced() public {
        PeriodicPayments.Schedule memory expected = PeriodicPayments.Schedule({
            payer: user,
            nextDue: start,
            remaining: 3,
            catchUp: true,
            token: IERC20(address(token)),
            period: MONTH,
            expiry: NEVER,
            payee: landlord,
            amount: RENT
        });
        vm.expectEmit(address(payments));
        emit PeriodicPayments.ScheduleCreated(0, user, landlord, expected);
        uint256 id = _create(start, MONTH, 3, NEVER, true);
        assertEq(abi.encode(payments.scheduleOf(id)), abi.encode(expected));
        assertEq(payments.nextId(), 1);
    }

    function test_WhenOnce_ItIsPaidOnceFromItsTimeOn() public {
        uint256 id = _create(start, 0, 1, NEVER, false);
        vm.warp(start + 1000 days);
        vm.expectEmit(address(payments));
        emit PeriodicPayments.ScheduleEnded(id);
        vm.expectEmit(address(payments));
        emit PeriodicPayments.Paid(id, user, landlord, RENT, start);
        payments.pay(id);
        _assertOver(id);
        assertEq(_paid(), 1);
    }

    function test_WhenPaidLate_NextDueDoesNotDrift() public {
        for (uint256 i = 0; i < 2; i++) {
            uint256 id = _create(start, MONTH, ENDLESS, NEVER, i == 0);
            vm.warp(start + 3 days);
            payments.pay(id);
            _assertNotDue(id, start + MONTH);
            vm.warp(start + MONTH - 1);
            _assertNotDue(id, start + MONTH);
            vm.warp(start + MONTH + 17 hours);
            payments.pay(id);
            _assertNotDue(id, start + 2 * MONTH);
            start += 100 * MONTH;
        }
        assertEq(_paid(), 4);
    }

    function test_WhenMissedAndCatchingUp_EachIsPaidOneByOne() public {
        uint256 id = _create(start, MONTH, ENDLESS, NEVER, true);
        vm.warp(start + 3 * MONTH + 1);
        for (uint256 i = 0; i < 4; i++) {
            vm.expectEmit(address(payments));
            emit PeriodicPayments.Paid(id, user, landlord, RENT, start + i * MONTH);
            payments.pay(id);
            assertEq(_paid(), i + 1);
        }
        _assertNotDue(id, start + 4 * MONTH);
    }

    function test_WhenMissedAndNotCatchingUp_TheLatestIsPaid() public {
        uint256 id = _create(start, MONTH, 2, NEVER, false);
        vm.warp(start + 4 * MONTH - 1);
        vm.expectEmit(address(payments));
        emit PeriodicPayments.Paid(id, user, landlord, RENT, start + 3 * MONTH);
        payments.pay(id);
        _assertNotDue(id, start + 4 * MONTH);

        // Those dropped do not count: the second is still to come.
        vm.warp(start + 4 * MONTH);
        payments.pay(id);
        _assertOver(id);
        assertEq(_paid(), 2);
    }

    function test_WhenCountIsReached_ScheduleEnds() public {
        uint256 id = _create(start, MONTH, 3, NEVER, true);
        vm.warp(start + 10 * MONTH);
        payments.pay(id);
        payments.pay(id);
        payments.pay(id);
        _assertOver(id);
        assertEq(_paid(), 3);
    }

    function test_WhenNextWouldBeAfterExpiry_ScheduleEnds() public {
        uint256 id = _create(start, MONTH, ENDLESS, start + 2 * MONTH - 1, true);
        vm.warp(start);
        payments.pay(id);
        vm.warp(start + MONTH);
        payments.pay(id);
        _assertOver(id);
        assertEq(_paid(), 2);
    }

    function test_WhenNextIsAtExpiry_ItCanStillBePaid() public {
        uint256 id = _create(start, MONTH, ENDLESS, start + MONTH, true);
        vm.warp(start);
        payments.pay(id);
        vm.warp(start + MONTH);
        payments.pay(id);
        _assertOver(id);
        assertEq(_paid(), 2);
    }

    function test_WhenPeriodIsTheLongest_NothingOverflows() public {
        uint256 id = _create(start, NEVER, 2, NEVER, false);
        vm.warp(start);
        payments.pay(id);
        _assertOver(id);
        assertEq(_paid(), 1);
    }

    function test_WhenCancelled_NothingIsPaidAnyMore() public {
        uint256 id = _create(start, MONTH, 3, NEVER, true);
        vm.expectEmit(address(payments));
        emit PeriodicPayments.ScheduleEnded(id);
        vm.prank(user);
        payments.cancel(id);
        vm.warp(start);
        _assertOver(id);
        assertEq(_paid(), 0);
    }

    function test_WhenTokenReenters_NothingIsPaidTwice() public {
        HookedToken hooked = new HookedToken();
        hooked.mint(user, 10 * RENT);
        vm.startPrank(user);
        hooked.approve(address(payments), type(uint256).max);
        uint256 id = payments.create(hooked, landlord, RENT, start, MONTH, 5, NEVER, true);
        vm.stopPrank();

        vm.warp(start + 3 * MONTH);
        bytes memory reason =
            abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        hooked.arm(address(payments), abi.encodeCall(payments.pay, (id)), address(0));
        payments.pay(id);
        assertEq(hooked.result(), reason);
        hooked.arm(address(payments), abi.encodeCall(payments.cancel, (id)), user);
        payments.pay(id);
        assertEq(hooked.result(), reason);
        assertEq(hooked.balanceOf(landlord), 2 * RENT);
        assertEq(hooked.balanceOf(address(payments)), 0);
    }

    /// Whenever it is called, a schedule pays each due time at most once, and all payments it made agree with
    /// the times on its grid.
    function testFuzz_PaymentsMatchTheGrid(
        uint40 period,
        uint32 count,
        uint40 lifetime,
        bool catchUp,
        uint32[12] memory steps
    ) public {
        period = uint40(bound(period, 1, 365 days));
        count = uint32(bound(count, 1, 12));
        lifetime = uint40(bound(lifetime, 0, uint256(period) * 10));
        uint256 id = _create(start, period, count, start + lifetime, catchUp);

        uint256 made;
        uint256 nextDue = start;
        for (uint256 i = 0; i < steps.length; i++) {
            uint256 time = vm.getBlockTimestamp() + bound(steps[i], 0, uint256(period) * 3);
            vm.warp(time);
            bool live = made < count && nextDue <= start + lifetime;
            bool due = live && time >= nextDue && time <= start + lifetime;
            (bool success,) = address(payments).call(abi.encodeCall(payments.pay, (id)));
            assertEq(success, due);
            if (success) {
                made++;
                if (!catchUp) while (nextDue + period <= time) nextDue += period;
                nextDue += period;
            }
            assertEq(_paid(), made);
            assertLe(made, time < start ? 0 : (time - start) / period + 1);
        }
        assertEq(token.balanceOf(address(payments)), 0);
    }

    // --- through the Registry ---

    /// Isolated, since the Registry executes a Request only once in a transaction; gas has no price then.
    /// forge-config: default.isolate = true
    function test_WhenRecurringAndPaidInAuto_OnePaymentPerPeriod() public {
        uint256 schedule = _create(start, MONTH, 2, NEVER, true);
        fundAuto();

        IRegistry.Request memory r =
            request(address(payments), abi.encodeCall(payments.pay, (schedule)), false, true);
        (r.verifyUser, r.payWithAUTO) = (false, true);
        uint256 id = register(r);
        assertNotExecutable(id, r, abi.encodeWithSelector(PeriodicPayments.NotDue.selector, start));

        vm.warp(start);
        execute(id, r);
        assertNotExecutable(id, r, abi.encodeWithSelector(PeriodicPayments.NotDue.selector, start + MONTH));

        vm.warp(start + MONTH);
        execute(id, r);
        assertNotExecutable(id, r, abi.encodeWithSelector(PeriodicPayments.NoSchedule.selector, schedule));
        assertEq(_paid(), 2);
    }

    function test_WhenOneShotWithDeposit_TheRestComesBack() public {
        uint256 schedule = _create(start, 0, 1, NEVER, true);
        IRegistry.Request memory r =
            request(address(payments), abi.encodeCall(payments.pay, (schedule)), false, false);
        (r.verifyUser, r.initEthSent) = (false, 0.1 ether);
        uint256 id = register(r);
        vm.warp(start);
        // An account that holds nothing and did nothing does not exist, and would be credited.
        vm.deal(user, 1);
        uint256 fee = execute(id, r);
        assertGt(fee, 0);
        assertEq(user.balance, 1 + 0.1 ether - fee);
        assertEq(_paid(), 1);
    }
}
