// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IChugSplashManager} from "../interfaces/IChugSplashManager.sol";
import {ChugSplashState} from "./ChugSplashState.sol";

/**
 * @title A manager's money
 * @notice Every wei that came in by a call is in one account; only explicit entries move it from one to
 * another. ETH that was forced in is in none, and stays.
 */
abstract contract ChugSplashMoney is ChugSplashState {
    using SafeCast for uint256;

    /// Gas with which somebody who is not the caller is paid, the EVM's stipend included.
    uint256 private constant PUSH_GAS = 10_000;
    /// Gas that has to be left for it: 34,100 is what paying a new account costs, and one part in 64 stays.
    uint256 private constant PUSH_RESERVE = 43_000;

    /// All the ETH there is does not fill 88 bits, nor what is ever paid for one bundle 80.
    struct Ledger {
        uint88 free;
        uint88 budget;
        uint80 paid;

        uint88 callValue;
        uint88 owed;
        uint80 userBond;

        /// what a pause set free, and a resumption locks again
        uint88 pausedBudget;
        uint88 pausedCallValue;
    }

    /// @inheritdoc IChugSplashManager
    uint256 public immutable userBond;

    Ledger internal _ledger;
    /// @inheritdoc IChugSplashManager
    mapping(address account => uint256) public owedTo;

    constructor(uint256 userBond_) {
        userBond = userBond_;
    }

    /// @dev What the actor has left comes back while the guard is entered.
    receive() external payable {
        require(msg.sender == actor || !_reentrancyGuardEntered(), ReentrancyGuardReentrantCall());
        _deposit();
    }

    /// @inheritdoc IChugSplashManager
    function deposit() external payable nonReentrant {
        _deposit();
    }

    /// @inheritdoc IChugSplashManager
    function withdraw(address payable to, uint256 amount) external onlyOwner nonReentrant {
        require(amount != 0, ZeroAmount());
        _settlePause();
        bytes32 active = activeBundleId;
        if (active != 0) {
            Status status = _bundles[active].status;
            require(status == Status.PAUSED, FundsLocked(active, status));
        }
        uint256 free = _ledger.free;
        require(amount <= free, InsufficientFunds(free, amount));
        _ledger.free = (free - amount).toUint88();

        emit Withdrawn(to, amount);

        _send(to, amount);
    }

    /// @inheritdoc IChugSplashManager
    function withdrawOwed(address payable to) external nonReentrant returns (uint256 amount) {
        amount = owedTo[msg.sender];
        require(amount != 0, ZeroAmount());
        owedTo[msg.sender] = 0;
        _ledger.owed -= amount.toUint88();

        emit OwedWithdrawn(msg.sender, to, amount);

        _send(to, amount);
    }

    /// @inheritdoc IChugSplashManager
    function accounts() external view returns (Accounts memory a) {
        Ledger storage l = _ledger;
        (a.free, a.budget, a.callValue) = (l.free, l.budget, l.callValue);
        (a.userBond, a.owed, a.paid) = (l.userBond, l.owed, l.paid);
        bytes32 active = activeBundleId;
        if (active != 0 && _isPauseDue(_bundles[active])) {
            a.free += a.budget + a.callValue;
            (a.budget, a.callValue) = (0, 0);
        }
    }

    // --- internals ---

    /// Credits what came with the call.
    // Only payable functions reach it.
    // slither-disable-next-line msg-value-in-nonpayable
    function _deposit() internal {
        require(msg.value != 0, ZeroAmount());
        _settlePause();
        bytes32 active = activeBundleId;
        bool toBudget = active != 0 && _bundles[active].status != Status.PAUSED;
        if (toBudget) _ledger.budget += msg.value.toUint88();
        else _ledger.free += msg.value.toUint88();

        emit Deposited(msg.sender, msg.value, toBudget);
    }

    /// Locks an approved bundle's money.
    function _lock(uint256 budget, uint256 callValue) internal {
        Ledger storage l = _ledger;
        uint256 free = l.free;
        uint256 needed = userBond + budget + callValue;
        require(free >= needed, InsufficientFunds(free, needed));
        l.free = (free - needed).toUint88();
        l.budget = budget.toUint88();
        l.paid = 0;
        l.callValue = callValue.toUint88();
        l.userBond = userBond.toUint80();
    }

    /// Sets budget and call value free.
    function _unlock() internal returns (uint256 released) {
        Ledger storage l = _ledger;
        released = uint256(l.budget) + l.callValue;
        l.free += released.toUint88();
        (l.budget, l.callValue) = (0, 0);
    }

    /// Sets the user bond free, or credits it to `account` if that is another.
    function _releaseBond(address account) internal returns (uint256 bond) {
        Ledger storage l = _ledger;
        bond = l.userBond;
        l.userBond = 0;
        if (account == address(this)) l.free += bond.toUint88();
    }

    /**
     * Sets a due pause's money free, and says so in the status. Every step that depends on either begins with
     * it, so that a pause comes in force by itself.
     */
    function _settlePause() internal {
        bytes32 active = activeBundleId;
        if (active == 0) return;
        Bundle storage b = _bundles[active];
        if (!_isPauseDue(b)) return;

        b.status = Status.PAUSED;
        _endRound(active, b, b.pauseAt);
        Ledger storage l = _ledger;
        (l.pausedBudget, l.pausedCallValue) = (l.budget, l.callValue);

        emit BundlePaused(active, _unlock());
    }

    /// Locks again what a pause set free.
    function _relock() internal {
        Ledger storage l = _ledger;
        uint256 needed = uint256(l.pausedBudget) + l.pausedCallValue;
        uint256 free = l.free;
        require(free >= needed, InsufficientFunds(free, needed));
        l.free = (free - needed).toUint88();
        (l.budget, l.callValue) = (l.pausedBudget, l.pausedCallValue);
    }

    /// Pays somebody who is not the caller: with little gas, and if that fails, for it to take.
    function _push(address account, uint256 amount) internal {
        uint256 left = gasleft();
        require(left >= PUSH_RESERVE, InsufficientGas(left, PUSH_RESERVE));
        bool success;
        assembly ("memory-safe") {
            success := call(sub(PUSH_GAS, 2300), account, amount, 0, 0, 0, 0)
        }
        if (success) return;
        owedTo[account] += amount;
        _ledger.owed += amount.toUint88();
        emit Owed(account, amount);
    }

    /// Pays the caller, or whom it names.
    function _send(address to, uint256 amount) internal {
        require(to != address(0) && to != address(this) && to != actor, InvalidRecipient(to));
        bool success;
        assembly ("memory-safe") {
            success := call(gas(), to, amount, 0, 0, 0, 0)
        }
        require(success, PaymentRefused(to));
    }
}
