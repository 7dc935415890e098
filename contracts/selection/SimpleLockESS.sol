// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IChugSplashManager} from "../interfaces/IChugSplashManager.sol";
import {IExecutorSelectionStrategy} from "../interfaces/IExecutorSelectionStrategy.sol";
import {ISimpleLockESS} from "../interfaces/ISimpleLockESS.sol";

/**
 * @title SimpleLockESS
 * @notice See ISimpleLockESS.
 *
 * @dev MONEY. Each lock that is not settled holds one bond; the rest of what is held is owed. A bond leaves its
 * lock once: into the project, or to its executor. A project is believed about its own bundles only, so one that
 * lies can harm those alone who claimed one of them.
 *
 * LIVENESS. No owner. A project that does not take a forfeited bond is owed it, and holds nobody up. The views of
 * a project are called with all gas: one that fails them keeps bonds of its own bundles, which is why keepers
 * look at a manager's Registry before they claim.
 */
contract SimpleLockESS is ISimpleLockESS, ReentrancyGuardTransient {
    using SafeCast for uint256;

    uint256 private constant MAX_LOCK_SECONDS = 1 days;
    /// What a manager needs to take a bond, and to let a due pause come in force before.
    uint256 private constant FORFEIT_GAS = 150_000;

    /// The last lock on a bundle; a slot per paragraph. The second one stays zero in most.
    struct Record {
        address executor;
        uint40 lockedAt;
        uint40 selectedAt;
        bool settled;

        uint32 round;
        bool congested;
        bool released;
    }

    /// @inheritdoc ISimpleLockESS
    uint256 public immutable bondAmount;
    /// @inheritdoc ISimpleLockESS
    uint256 public immutable lockSeconds;

    /// @inheritdoc ISimpleLockESS
    mapping(address account => uint256) public owedTo;
    /// @inheritdoc ISimpleLockESS
    mapping(address project => uint256) public forfeitedTo;
    mapping(address project => mapping(bytes32 bundleId => Record)) private _records;
    mapping(address project => mapping(bytes32 bundleId => mapping(address executor => uint256))) private
        _cooling;

    constructor(uint256 bondAmount_, uint256 lockSeconds_) {
        require(lockSeconds_ != 0 && lockSeconds_ <= MAX_LOCK_SECONDS, LockTimeOutOfBounds(lockSeconds_));
        (bondAmount, lockSeconds) = (bondAmount_, lockSeconds_);
    }

    // --- executors ---

    /// @inheritdoc ISimpleLockESS
    function claim(address project, bytes32 bundleId) external payable nonReentrant {
        require(msg.value == bondAmount, WrongBond(msg.value, bondAmount));
        Record storage r = _records[project][bundleId];
        address before = r.executor;
        bool isUnsettled = before != address(0) && !r.settled;
        if (isUnsettled) {
            (bool over,) = _outcome(project, bundleId, r);
            require(over, LockLive(before, _until(r)));
        }
        IChugSplashManager.SelectionTerms memory terms = IChugSplashManager(project).selectionTerms(bundleId);
        require(terms.ess == address(this), NotSelectedBy(terms.ess));
        require(terms.readiness == IChugSplashManager.Readiness.READY, NotReady(terms.readiness));
        uint256 cooling = _cooling[project][bundleId][msg.sender];
        // forge-lint: disable-next-line(block-timestamp)
        require(block.timestamp > cooling, CoolingDown(msg.sender, cooling));

        // Before the record is overwritten. What it pays comes out of the old bond.
        if (isUnsettled) _settle(project, bundleId, r);
        uint40 now40 = block.timestamp.toUint40();
        if (before != msg.sender) (r.executor, r.selectedAt) = (msg.sender, now40);
        (r.lockedAt, r.settled) = (now40, false);
        (r.round, r.congested, r.released) = (terms.round.toUint32(), false, false);

        emit Claimed(project, bundleId, msg.sender, _until(r));
    }

    /// @inheritdoc ISimpleLockESS
    function release(address project, bytes32 bundleId) external nonReentrant {
        Record storage r = _requireCongested(project, bundleId);
        require(msg.sender == r.executor, NotHolder(msg.sender, r.executor));
        r.released = true;
        _cooling[project][bundleId][msg.sender] = block.timestamp + lockSeconds;

        emit CongestionNoted(project, bundleId, msg.sender, true);
    }

    /// @inheritdoc ISimpleLockESS
    function noteCongestion(address project, bytes32 bundleId) external nonReentrant {
        Record storage r = _requireCongested(project, bundleId);
        r.congested = true;
        _cooling[project][bundleId][r.executor] = _until(r) + lockSeconds;

        emit CongestionNoted(project, bundleId, r.executor, false);
    }

    /// @inheritdoc ISimpleLockESS
    function settle(address project, bytes32 bundleId) external nonReentrant {
        Record storage r = _requireUnsettled(project, bundleId);
        (bool over,) = _outcome(project, bundleId, r);
        require(over, LockLive(r.executor, _until(r)));
        _settle(project, bundleId, r);
        if (msg.sender == r.executor && owedTo[msg.sender] != 0) _withdraw(msg.sender);
    }

    /// @inheritdoc ISimpleLockESS
    function withdraw(address payable to) external nonReentrant returns (uint256 amount) {
        return _withdraw(to);
    }

    /// @inheritdoc ISimpleLockESS
    function pushTo(address project) external nonReentrant returns (uint256 amount) {
        require(project.code.length != 0, InvalidRecipient(project));
        amount = forfeitedTo[project];
        require(amount != 0, NothingOwed(project));
        forfeitedTo[project] = 0;
        emit Withdrawn(project, project, amount);
        // What is sent is what was forfeited to this project.
        // slither-disable-next-line arbitrary-send-eth
        IChugSplashManager(project).deposit{value: amount}();
    }

    // --- views ---

    /// @inheritdoc IExecutorSelectionStrategy
    function getSelectedExecutor(address project, bytes32 bundleId)
        external
        view
        returns (address executor, uint256 selectedAt)
    {
        Record storage r = _records[project][bundleId];
        if (_isLive(project, bundleId, r)) return (r.executor, r.selectedAt);
    }

    /// @inheritdoc ISimpleLockESS
    function lockOf(address project, bytes32 bundleId) external view returns (Lock memory lock) {
        Record storage r = _records[project][bundleId];
        if (r.executor == address(0) || r.settled) return lock;
        (lock.executor, lock.lockedAt, lock.until) = (r.executor, r.lockedAt, _until(r));
        (lock.round, lock.selectedAt) = (r.round, r.selectedAt);
        (lock.congested, lock.released) = (r.congested, r.released);
    }

    /// @inheritdoc ISimpleLockESS
    function outcomeOf(address project, bytes32 bundleId) external view returns (bool over, bool excused) {
        return _outcome(project, bundleId, _requireUnsettled(project, bundleId));
    }

    /// @inheritdoc ISimpleLockESS
    function coolingUntil(address project, bytes32 bundleId, address executor)
        external
        view
        returns (uint256)
    {
        return _cooling[project][bundleId][executor];
    }

    // --- internals ---

    function _until(Record storage r) private view returns (uint256) {
        return r.lockedAt + lockSeconds;
    }

    function _isLive(address project, bytes32 bundleId, Record storage r) private view returns (bool) {
        if (r.executor == address(0) || r.settled) return false;
        (bool over,) = _outcome(project, bundleId, r);
        return !over;
    }

    /// Whether a lock is over, and whether its bond is excused, as far as it stands now.
    function _outcome(address project, bytes32 bundleId, Record storage r)
        private
        view
        returns (bool over, bool excused)
    {
        uint256 until = _until(r);
        uint256 endedAt = IChugSplashManager(project).roundEndedAt(bundleId, r.round);
        // forge-lint: disable-next-line(block-timestamp)
        over = r.released || endedAt != 0 || block.timestamp > until;
        // A round that ended after the lock excuses nothing: the executor had its time.
        excused = r.released || r.congested || (endedAt != 0 && endedAt <= until);
    }

    function _requireUnsettled(address project, bytes32 bundleId) private view returns (Record storage r) {
        r = _records[project][bundleId];
        require(r.executor != address(0) && !r.settled, LockNotLive(project, bundleId));
    }

    function _requireCongested(address project, bytes32 bundleId) private view returns (Record storage r) {
        r = _records[project][bundleId];
        require(_isLive(project, bundleId, r), LockNotLive(project, bundleId));
        uint256 maxBaseFee = IChugSplashManager(project).selectionTerms(bundleId).maxBaseFee;
        require(block.basefee > maxBaseFee, NotCongested(block.basefee, maxBaseFee));
    }

    /// Moves the bond of a lock that is over.
    function _settle(address project, bytes32 bundleId, Record storage r) private {
        address executor = r.executor;
        (, bool excused) = _outcome(project, bundleId, r);
        r.settled = true;
        if (excused) {
            owedTo[executor] += bondAmount;
            emit BondExcused(project, bundleId, executor);
            return;
        }
        emit BondForfeited(project, bundleId, executor);
        // One part in 64 stays behind; with less, the project could be made to miss its bond here.
        uint256 forwardable = gasleft() - gasleft() / 64;
        require(
            forwardable >= FORFEIT_GAS + 10_000, IChugSplashManager.InsufficientGas(forwardable, FORFEIT_GAS)
        );
        bytes4 selector = IChugSplashManager.deposit.selector;
        uint256 bond = bondAmount;
        bool success;
        assembly ("memory-safe") {
            mstore(0, selector)
            success := call(FORFEIT_GAS, project, bond, 0, 4, 0, 0)
        }
        if (!success) forfeitedTo[project] += bond;
    }

    function _withdraw(address to) private returns (uint256 amount) {
        require(to != address(0) && to != address(this), InvalidRecipient(to));
        amount = owedTo[msg.sender];
        require(amount != 0, NothingOwed(msg.sender));
        owedTo[msg.sender] = 0;
        emit Withdrawn(msg.sender, to, amount);
        (bool success,) = to.call{value: amount}("");
        require(success, PaymentRefused(to));
    }
}
