// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IChugSplashManager} from "../interfaces/IChugSplashManager.sol";
import {ANYONE} from "../interfaces/IExecutorSelectionStrategy.sol";
import {StrategyRead} from "../libraries/StrategyRead.sol";
import {ChugSplashMoney} from "./ChugSplashMoney.sol";

/**
 * @title What a manager asks of its strategies, and tells them
 * @notice Strategies are the project's choice and nobody's friend: each is read within bounds, and one that
 * misbehaves stops its own project only.
 */
abstract contract ChugSplashStrategies is ChugSplashMoney {
    using SafeCast for uint256;

    /// @inheritdoc IChugSplashManager
    uint256 public constant txOverhead = 160_000;

    /// @inheritdoc IChugSplashManager
    function recordSelection() external nonReentrant {
        (bytes32 bundleId, Bundle storage b) = _requireActive();
        _requireApproved(bundleId, b);
        (bool ok, address executor, uint256 selectedAt) =
            StrategyRead.selected(b.ess, address(this), bundleId);
        require(ok, StrategyFailed(b.ess));
        _record(bundleId, b, executor, selectedAt);
    }

    /// @inheritdoc IChugSplashManager
    function noteUnsound() external nonReentrant {
        (bytes32 bundleId, Bundle storage b) = _requireActive();
        _requireApproved(bundleId, b);
        (bool priced,) = _restPrice(bundleId, b);
        require(!priced || !_isCodeUnchanged(b), StrategiesSound(bundleId));
        _endRound(bundleId, b, block.timestamp);
    }

    /// @inheritdoc IChugSplashManager
    function selected() external view returns (address executor, uint256 elapsedSeconds) {
        bytes32 bundleId = activeBundleId;
        Bundle storage b = _bundles[bundleId];
        if (statusOf(bundleId) != Status.APPROVED) return (address(0), 0);
        (bool ok, address answer, uint256 selectedAt) = StrategyRead.selected(b.ess, address(this), bundleId);
        if (!ok || answer == address(0)) return (address(0), 0);
        return (answer, block.timestamp - _since(b, answer, selectedAt));
    }

    /// @inheritdoc IChugSplashManager
    function priceOfRest() external view returns (uint256 payment) {
        (bytes32 bundleId, Bundle storage b) = _requireActive();
        bool ok;
        (ok, payment) = _restPrice(bundleId, b);
        require(ok, StrategyFailed(b.eps));
    }

    /// @inheritdoc IChugSplashManager
    function selectionTerms(bytes32 bundleId) external view returns (SelectionTerms memory terms) {
        Bundle storage b = _bundles[bundleId];
        (terms.ess, terms.maxBaseFee) = (b.ess, _maxBaseFee(b));
        terms.round = _isPauseDue(b) ? b.round + 1 : b.round;
        terms.readiness = _readiness(bundleId, b);
    }

    // --- internals ---

    function _requireApproved(bytes32 bundleId, Bundle storage b) internal view {
        Status status = _isPauseDue(b) ? Status.PAUSED : b.status;
        require(status == Status.APPROVED, WrongStatus(bundleId, status));
    }

    function _readiness(bytes32 bundleId, Bundle storage b) private view returns (Readiness) {
        if (b.status != Status.APPROVED || _isPauseDue(b)) return Readiness.NOT_APPROVED;
        if (b.pauseAt != 0) return Readiness.PAUSE_REQUESTED;
        if (block.basefee > b.maxBaseFee) return Readiness.CONGESTED;
        if (!_isCodeUnchanged(b)) return Readiness.UNSOUND;
        (bool ok, uint256 rest) = _restPrice(bundleId, b);
        if (!ok) return Readiness.UNSOUND;
        return rest > _ledger.budget ? Readiness.UNDERFUNDED : Readiness.READY;
    }

    /// What all that is left costs now, at the price of an executor that was selected this second.
    function _restPrice(bytes32 bundleId, Bundle storage b) internal view returns (bool ok, uint256 payment) {
        uint256 gas =
            Math.saturatingSub(b.totalGas, b.gasDone) + Math.saturatingSub(b.maxTxs, b.txCount) * txOverhead;
        return StrategyRead.price(b.eps, address(this), bundleId, gas, 0);
    }

    function _codeHashes(address ess, address eps) internal view returns (bytes32) {
        return keccak256(abi.encode(ess.codehash, eps.codehash));
    }

    function _isCodeUnchanged(Bundle storage b) internal view returns (bool) {
        return _codeHashes(b.ess, b.eps) == b.codeHashes;
    }

    /// Who has to be waited for or paid when the owner stops an APPROVED bundle; zero: nobody.
    function _holder(bytes32 bundleId, Bundle storage b)
        internal
        view
        returns (bool ok, address executor, uint256 selectedAt)
    {
        if (!_isCodeUnchanged(b)) return (false, address(0), 0);
        (ok, executor, selectedAt) = StrategyRead.selected(b.ess, address(this), bundleId);
        if (executor == ANYONE) executor = address(0);
    }

    /// Since when the payment strategy's clock runs for `executor`.
    function _since(Bundle storage b, address executor, uint256 selectedAt) internal view returns (uint256) {
        if (executor == ANYONE) return b.approvedAt;
        if (executor == b.recorded) return b.recordedSince;
        return Math.max(Math.min(selectedAt, block.timestamp), b.approvedAt);
    }

    /// Records a selection, if it is another one's than the last.
    function _record(bytes32 bundleId, Bundle storage b, address executor, uint256 selectedAt)
        internal
        returns (uint256 since)
    {
        since = _since(b, executor, selectedAt);
        if (executor == address(0) || executor == ANYONE || executor == b.recorded) return since;
        if (b.worked) b.formerWorker = b.recorded;
        (b.recorded, b.recordedSince, b.worked) = (executor, since.toUint40(), false);
        emit SelectionRecorded(bundleId, executor, since);
    }
}
