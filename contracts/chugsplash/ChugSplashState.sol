// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IChugSplashManager} from "../interfaces/IChugSplashManager.sol";
import {IChugSplashRegistry} from "../interfaces/IChugSplashRegistry.sol";

/**
 * @title What a manager remembers
 * @notice Bundles, rounds and roles; the money is in `ChugSplashMoney`.
 */
abstract contract ChugSplashState is IChugSplashManager, Ownable2Step, ReentrancyGuardTransient {
    using SafeCast for uint256;

    /// @inheritdoc IChugSplashManager
    uint256 public constant pauseDelay = 15 minutes;
    /// @inheritdoc IChugSplashManager
    /// @dev Three blocks of 12 seconds: a strategy tells the time of a selection, and not its block.
    uint256 public constant cancelMinSeconds = 36;
    /// @inheritdoc IChugSplashManager
    uint256 public constant cancelMaxSeconds = 5 minutes;

    /// A leaf's index has to be found by whoever looks through them all.
    uint256 internal constant MAX_ACTIONS = 65_536;

    /// What an execution reads lies together; a slot per paragraph.
    struct Bundle {
        bytes32 actionRoot;

        address ess;
        /// cut to its type: no basefee comes near
        uint64 maxBaseFee;
        uint32 maxTxs;

        address eps;
        uint48 totalGas;
        uint24 deployCount;
        uint24 switchCount;

        /// over the code hashes of both strategies
        bytes32 codeHashes;

        Status status;
        uint24 round;
        uint24 nextIndex;
        uint24 stalledIndex;
        uint32 txCount;
        uint40 approvedAt;
        /// a pause requested while APPROVED is in force from then on, whether or not the status says so yet
        uint40 pauseAt;
        uint48 gasDone;

        /// whose selection was recorded last, and since when it has been unbroken
        address recorded;
        uint40 recordedSince;
        /// whether it executed an action of this bundle
        bool worked;
        /// when the bundle was completed, given up or cancelled, which ends the last round
        uint40 closedAt;

        /// the last that did before it
        address formerWorker;
        uint64 nonce;
    }

    /// @inheritdoc IChugSplashManager
    address public immutable registry;

    /// @inheritdoc IChugSplashManager
    address public actor;
    /// @inheritdoc IChugSplashManager
    uint256 public nextNonce;
    /// @inheritdoc IChugSplashManager
    bytes32 public activeBundleId;
    /// @inheritdoc IChugSplashManager
    mapping(address account => bool) public isProposer;

    mapping(bytes32 bundleId => Bundle) internal _bundles;
    mapping(bytes32 bundleId => mapping(uint256 round => uint256 endedAt)) private _roundEnds;

    /// @dev The code that managers share belongs to the Registry, which never uses it.
    constructor(address registry_) Ownable(registry_) {
        registry = registry_;
    }

    // --- ownership ---

    /// @inheritdoc IChugSplashManager
    function owner() public view override(Ownable, IChugSplashManager) returns (address) {
        return super.owner();
    }

    /// @inheritdoc IChugSplashManager
    function pendingOwner() public view override(Ownable2Step, IChugSplashManager) returns (address) {
        return super.pendingOwner();
    }

    /// @inheritdoc IChugSplashManager
    function transferOwnership(address newOwner)
        public
        override(Ownable2Step, IChugSplashManager)
        nonReentrant
    {
        super.transferOwnership(newOwner);
    }

    /// @inheritdoc IChugSplashManager
    function acceptOwnership() public override(Ownable2Step, IChugSplashManager) nonReentrant {
        super.acceptOwnership();
    }

    /// @notice Always reverts: without an owner the money here could never leave.
    function renounceOwnership() public view override onlyOwner {
        revert RenounceRefused();
    }

    // --- views ---

    /// @inheritdoc IChugSplashManager
    function bundleIdOf(uint256 nonce, BundleHeader calldata header) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), nonce, header));
    }

    /// @inheritdoc IChugSplashManager
    function statusOf(bytes32 bundleId) public view returns (Status) {
        Bundle storage b = _bundles[bundleId];
        return _isPauseDue(b) ? Status.PAUSED : b.status;
    }

    /// @inheritdoc IChugSplashManager
    function roundEndedAt(bytes32 bundleId, uint256 round) external view returns (uint256) {
        Bundle storage b = _bundles[bundleId];
        if (round != b.round) return _roundEnds[bundleId][round];
        return _isPauseDue(b) ? b.pauseAt : b.closedAt;
    }

    /// @inheritdoc IChugSplashManager
    function bundle(bytes32 bundleId) external view returns (BundleInfo memory info) {
        Bundle storage b = _bundles[bundleId];
        bool isPauseDue = _isPauseDue(b);
        info.status = isPauseDue ? Status.PAUSED : b.status;
        info.gasDone = b.gasDone;
        (info.nextIndex, info.stalledIndex) = (b.nextIndex, b.stalledIndex);
        (info.txCount, info.approvedAt, info.pauseAt) = (b.txCount, b.approvedAt, b.pauseAt);
        info.selectionRound = isPauseDue ? b.round + 1 : b.round;
        (info.recordedExecutor, info.selectedSince) = (b.recorded, b.recordedSince);
        info.lastExecutor = _lastExecutor(b);
    }

    // --- internals ---

    /// The active bundle; reverts when there is none.
    function _requireActive() internal view returns (bytes32 bundleId, Bundle storage b) {
        bundleId = activeBundleId;
        b = _bundles[bundleId];
        require(bundleId != 0, WrongStatus(bundleId, Status.EMPTY));
    }

    function _requireNoneActive() internal view {
        bytes32 active = activeBundleId;
        require(active == 0, BundleActive(active));
    }

    function _isPauseDue(Bundle storage b) internal view returns (bool) {
        uint256 pauseAt = b.pauseAt;
        // forge-lint: disable-next-line(block-timestamp)
        return pauseAt != 0 && pauseAt <= block.timestamp && b.status == Status.APPROVED;
    }

    function _lastExecutor(Bundle storage b) internal view returns (address) {
        return b.worked ? b.recorded : b.formerWorker;
    }

    /// What was cut when it was stored is no cap.
    function _maxBaseFee(Bundle storage b) internal view returns (uint256) {
        uint64 stored = b.maxBaseFee;
        return stored == type(uint64).max ? type(uint256).max : stored;
    }

    /// Ends the round: locks that are live at `endedAt` are excused.
    function _endRound(bytes32 bundleId, Bundle storage b, uint256 endedAt) internal {
        uint24 round = b.round;
        b.round = round + 1;
        _roundEnds[bundleId][round] = endedAt;
        emit RoundEnded(bundleId, round, endedAt);
    }

    /// Ends the last round, and with it the bundle.
    function _closeBundle(bytes32 bundleId, Bundle storage b, Status status) internal {
        b.status = status;
        b.closedAt = block.timestamp.toUint40();
        activeBundleId = 0;
        emit RoundEnded(bundleId, b.round, block.timestamp);
        _announce(bundleId, status, block.timestamp);
    }

    function _announce(bytes32 bundleId, Status status, uint256 effectiveAt) internal {
        IChugSplashRegistry(registry).announceStatus(bundleId, status, effectiveAt);
    }
}
