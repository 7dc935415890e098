// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Wallet} from "./Wallet.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/**
 * @title PeriodicPayments: tokens paid from the payer's wallet once, or every period
 * @notice The payer creates a schedule here and approves this contract for the token; a recurring Request
 * (`isAlive`) then calls `pay(id)`. The schedule is all the authority there is, so anybody may call `pay`,
 * through the Registry or not: it pays what is due to whom it is due, once, and before that it reverts with
 * `NotDue`. The executor is paid in AUTO, or from an `EthTank`; a schedule with one payment may as well be a
 * one-shot Request with a deposit.
 *
 * Due times lie on a grid: `firstDue`, `firstDue + period`, and so on. A late payment moves none of them, so
 * there is no drift. Each due time is paid at most once, and each call makes at most one payment.
 * Due times that nobody served in time are the payer's choice:
 * - `catchUp`: each is paid, one per call; after an outage several calls can follow one another at once.
 * - otherwise: the latest is paid, the earlier ones are dropped; they do not count as payments.
 *
 * The payer is charged exactly `amount`; what a token that takes a fee lets arrive is between it and the
 * payee.
 * Holds nothing, has no owner. A payment that fails (wallet short, token paused) stays due.
 */
contract PeriodicPayments is ReentrancyGuardTransient {
    struct Schedule {
        /// who pays, and alone may cancel
        address payer;
        /// Unix time in seconds from which the next payment can be made
        uint40 nextDue;
        /// payments still to be made
        uint32 remaining;
        /// whether missed payments are made up for
        bool catchUp;
        IERC20 token;
        /// seconds from one due time to the next
        uint40 period;
        /// last Unix time in seconds at which a payment can be made
        uint40 expiry;
        address payee;
        /// base units per payment
        uint256 amount;
    }

    /// Emitted when a payer created a schedule.
    event ScheduleCreated(
        uint256 indexed id, address indexed payer, address indexed payee, Schedule schedule
    );
    /// Emitted when the payment that was due at `dueAt` was made.
    event Paid(
        uint256 indexed id, address indexed payer, address indexed payee, uint256 amount, uint256 dueAt
    );
    /// Emitted when a schedule has no further payment.
    event ScheduleEnded(uint256 indexed id);

    /// Raised when a schedule would have no payments.
    error NoPayments();
    /// Raised when a schedule of several payments has no period.
    error NoPeriod();
    /// Raised when a schedule would expire before its first payment.
    error ExpiryBeforeFirstDue(uint256 expiry, uint256 firstDue);
    /// Raised when a schedule was never created, or has ended.
    error NoSchedule(uint256 id);
    /// Raised when somebody cancels another's schedule.
    error NotPayer(address caller, address payer);
    /// Raised before a payment is due.
    error NotDue(uint256 dueAt);
    /// Raised after the last time at which a payment can be made.
    error Expired(uint256 expiry);

    /// the id that the next schedule gets
    uint256 public nextId;
    mapping(uint256 id => Schedule) private _schedules;

    /**
     * @notice Creates a schedule that pays from the caller's wallet.
     * @param token what is paid; approve this contract for it.
     * @param payee who receives it.
     * @param amount base units per payment.
     * @param firstDue Unix time in seconds of the first payment; in the past means now, and that earlier due
     * times were missed.
     * @param period seconds between due times; may be 0 when there is one payment.
     * @param count payments to be made; `type(uint32).max` is as good as without end.
     * @param expiry last Unix time in seconds at which a payment can be made; `type(uint40).max` for none.
     * @param catchUp whether missed payments are made up for.
     * @return id of the schedule, for `pay`.
     */
    function create(
        IERC20 token,
        address payee,
        uint256 amount,
        uint40 firstDue,
        uint40 period,
        uint32 count,
        uint40 expiry,
        bool catchUp
    ) external nonReentrant returns (uint256 id) {
        require(count != 0, NoPayments());
        require(count == 1 || period != 0, NoPeriod());
        require(expiry >= firstDue, ExpiryBeforeFirstDue(expiry, firstDue));

        Schedule memory schedule = Schedule({
            payer: msg.sender,
            nextDue: firstDue,
            remaining: count,
            catchUp: catchUp,
            token: token,
            period: period,
            expiry: expiry,
            payee: payee,
            amount: amount
        });
        id = nextId++;
        _schedules[id] = schedule;
        emit ScheduleCreated(id, msg.sender, payee, schedule);
    }

    /// @notice Ends the caller's own schedule.
    function cancel(uint256 id) external nonReentrant {
        Schedule storage schedule = _live(id);
        require(msg.sender == schedule.payer, NotPayer(msg.sender, schedule.payer));
        _end(id);
    }

    /// @notice Makes the payment that is due. Anybody may call it.
    function pay(uint256 id) external nonReentrant {
        Schedule storage stored = _live(id);
        Schedule memory schedule = stored;
        // A proposer can shift time by seconds, and gains nothing by it here.
        // forge-lint: disable-next-line(block-timestamp)
        require(block.timestamp <= schedule.expiry, Expired(schedule.expiry));
        // forge-lint: disable-next-line(block-timestamp)
        require(block.timestamp >= schedule.nextDue, NotDue(schedule.nextDue));

        uint256 dueAt = schedule.nextDue;
        if (!schedule.catchUp && schedule.period != 0) {
            // slither-disable-next-line weak-prng
            dueAt = block.timestamp - (block.timestamp - dueAt) % schedule.period;
        }
        uint256 next = dueAt + schedule.period;
        if (schedule.remaining == 1 || next > schedule.expiry) {
            _end(id);
        } else {
            // casting to `uint40` is safe because `next` is at most `expiry`, which is one
            // forge-lint: disable-next-line(unsafe-typecast)
            stored.nextDue = uint40(next);
            stored.remaining = schedule.remaining - 1;
        }

        emit Paid(id, schedule.payer, schedule.payee, schedule.amount, dueAt);
        Wallet.pull(schedule.token, schedule.payer, schedule.payee, schedule.amount);
    }

    /// @notice Returns a schedule that has not ended.
    function scheduleOf(uint256 id) external view returns (Schedule memory) {
        return _live(id);
    }

    function _end(uint256 id) private {
        delete _schedules[id];
        emit ScheduleEnded(id);
    }

    function _live(uint256 id) private view returns (Schedule storage schedule) {
        schedule = _schedules[id];
        require(schedule.payer != address(0), NoSchedule(id));
    }
}
