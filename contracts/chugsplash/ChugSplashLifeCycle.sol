// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IChugSplashManager} from "../interfaces/IChugSplashManager.sol";
import {IChugSplashRegistry} from "../interfaces/IChugSplashRegistry.sol";
import {StrategyRead} from "../libraries/StrategyRead.sol";
import {ChugSplashStrategies} from "./ChugSplashStrategies.sol";

/**
 * @title A bundle's life, as far as its owner decides
 */
abstract contract ChugSplashLifeCycle is ChugSplashStrategies {
    using SafeCast for uint256;

    /// @inheritdoc IChugSplashManager
    function setProposer(address account, bool allowed) external onlyOwner nonReentrant {
        isProposer[account] = allowed;
        emit ProposerSet(account, allowed);
    }

    /// @inheritdoc IChugSplashManager
    function propose(BundleHeader calldata header) external nonReentrant returns (bytes32 bundleId) {
        require(msg.sender == owner() || isProposer[msg.sender], NotProposer(msg.sender));
        _requireValid(header);

        uint256 nonce = nextNonce++;
        bundleId = bundleIdOf(nonce, header);
        Bundle storage b = _bundles[bundleId];
        b.status = Status.PROPOSED;
        b.nonce = nonce.toUint64();

        emit BundleProposed(bundleId, msg.sender, nonce);

        IChugSplashRegistry(registry).announceBundle(bundleId, Status.PROPOSED, header);
    }

    /// @inheritdoc IChugSplashManager
    function approve(bytes32 bundleId, BundleHeader calldata header) external onlyOwner nonReentrant {
        _requireNoneActive();
        Bundle storage b = _bundles[bundleId];
        require(b.status == Status.PROPOSED, WrongStatus(bundleId, b.status));
        bytes32 computed = bundleIdOf(b.nonce, header);
        require(bundleId == computed, HeaderMismatch(bundleId, computed));
        require(header.ess.code.length != 0, StrategyWithoutCode(header.ess));
        require(header.eps.code.length != 0, StrategyWithoutCode(header.eps));

        activeBundleId = bundleId;
        b.status = Status.APPROVED;
        b.approvedAt = block.timestamp.toUint40();
        b.actionRoot = header.actionRoot;
        (b.ess, b.eps) = (header.ess, header.eps);
        b.codeHashes = _codeHashes(header.ess, header.eps);
        b.maxBaseFee = Math.min(header.maxBaseFee, type(uint64).max).toUint64();
        b.maxTxs = header.maxTxs.toUint32();
        b.totalGas = header.totalGas.toUint48();
        b.deployCount = header.deployCount.toUint24();
        b.switchCount = header.switchCount.toUint24();
        _lock(header.budget, header.callValue);

        _requireAnswers(bundleId, b, header);

        emit BundleApproved(bundleId, userBond, header.budget, header.callValue);

        IChugSplashRegistry(registry).announceBundle(bundleId, Status.APPROVED, header);
    }

    /// @inheritdoc IChugSplashManager
    function requestPause() external onlyOwner nonReentrant returns (uint256 effectiveAt) {
        (bytes32 bundleId, Bundle storage b) = _requireActive();
        _requireApproved(bundleId, b);

        effectiveAt = block.timestamp;
        if (block.basefee <= b.maxBaseFee) {
            (, address holder,) = _holder(bundleId, b);
            if (holder != address(0)) effectiveAt += pauseDelay;
        }
        // Asking again never puts a pause off.
        if (b.pauseAt != 0) effectiveAt = Math.min(effectiveAt, b.pauseAt);
        b.pauseAt = effectiveAt.toUint40();
        emit PauseRequested(bundleId, effectiveAt);
        _settlePause();

        _announce(bundleId, Status.PAUSED, effectiveAt);
    }

    /// @inheritdoc IChugSplashManager
    function resume() external onlyOwner nonReentrant {
        (bytes32 bundleId, Bundle storage b) = _requireActive();
        _settlePause();
        Status status = b.status;
        if (status == Status.PAUSED) {
            b.status = Status.APPROVED;
            _relock();
        } else {
            require(status == Status.APPROVED, WrongStatus(bundleId, status));
            require(b.pauseAt != 0, NoPauseRequested(bundleId));
        }
        b.pauseAt = 0;

        emit BundleResumed(bundleId);

        _announce(bundleId, Status.APPROVED, block.timestamp);
    }

    /// @inheritdoc IChugSplashManager
    function retry() external onlyOwner nonReentrant {
        (bytes32 bundleId, Bundle storage b) = _requireStalled();
        b.status = Status.APPROVED;

        emit BundleRetried(bundleId);

        _announce(bundleId, Status.APPROVED, block.timestamp);
    }

    /// @inheritdoc IChugSplashManager
    function close() external onlyOwner nonReentrant {
        (bytes32 bundleId, Bundle storage b) = _requireStalled();
        _unlock();
        _releaseBond(address(this));

        emit BundleFailed(bundleId, b.stalledIndex);

        _closeBundle(bundleId, b, Status.FAILED);
    }

    /// @inheritdoc IChugSplashManager
    function cancel() external onlyOwner nonReentrant {
        (bytes32 bundleId, Bundle storage b) = _requireActive();
        _settlePause();
        address bondTo = _wronged(bundleId, b);
        _unlock();
        uint256 bond = _releaseBond(bondTo);

        emit BundleCancelled(bundleId, bondTo, bond);

        _closeBundle(bundleId, b, Status.CANCELLED);
        if (bondTo != address(this) && bond != 0) _push(bondTo, bond);
    }

    // --- internals ---

    function _requireValid(BundleHeader calldata h) private pure {
        require(h.deployCount <= MAX_ACTIONS && h.switchCount <= MAX_ACTIONS, InvalidHeader("count"));
        uint256 count = h.deployCount + h.switchCount;
        require(count != 0 && count <= MAX_ACTIONS, InvalidHeader("count"));
        require(h.actionRoot != 0, InvalidHeader("actionRoot"));
        require(h.totalGas <= type(uint48).max, InvalidHeader("totalGas"));
        require(h.maxTxs != 0 && h.maxTxs <= type(uint32).max, InvalidHeader("maxTxs"));
        require(h.callValue <= type(uint88).max, InvalidHeader("callValue"));
        require(h.budget <= type(uint88).max, InvalidHeader("budget"));
    }

    /// Sees that both strategies answer, and that the budget is enough where that can be told.
    function _requireAnswers(bytes32 bundleId, Bundle storage b, BundleHeader calldata h) private {
        (bool ok, address executor, uint256 selectedAt) =
            StrategyRead.selected(h.ess, address(this), bundleId);
        require(ok, StrategyFailed(h.ess));
        _record(bundleId, b, executor, selectedAt);
        (ok,) = _restPrice(bundleId, b);
        require(ok, StrategyFailed(h.eps));

        uint256 gas = h.totalGas + h.maxTxs * txOverhead;
        uint256 needed;
        (ok, needed) = StrategyRead.maxPayment(h.eps, gas, Math.min(h.maxBaseFee, 2 * block.basefee));
        require(!ok || h.budget >= needed, BudgetTooLow(h.budget, needed));
    }

    function _requireStalled() private view returns (bytes32 bundleId, Bundle storage b) {
        (bundleId, b) = _requireActive();
        Status status = statusOf(bundleId);
        require(status == Status.STALLED, WrongStatus(bundleId, status));
    }

    /// Whom a cancellation wrongs; the manager itself: nobody.
    function _wronged(bytes32 bundleId, Bundle storage b) private view returns (address) {
        address worker = _lastExecutor(b);
        if (b.status == Status.APPROVED) {
            (bool ok, address holder, uint256 selectedAt) = _holder(bundleId, b);
            (bool priced,) = _restPrice(bundleId, b);
            // With strategies that do not do their duty there is nothing to be executed.
            if (!ok || !priced) return address(this);
            if (holder != address(0) && holder != worker) {
                // Whoever was selected before the approval has waited for nothing.
                uint256 age = Math.saturatingSub(block.timestamp, Math.max(selectedAt, b.approvedAt));
                if (age >= cancelMinSeconds && age <= cancelMaxSeconds) return holder;
            }
        }
        return worker == address(0) ? address(this) : worker;
    }
}
