// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

import {IChugSplashManager} from "./IChugSplashManager.sol";
import {IExecutorSelectionStrategy} from "./IExecutorSelectionStrategy.sol";

/**
 * @title SimpleLockESS: the first bond wins a bundle for a while
 * @notice Who posts the bond first has the sole right to execute until `lockSeconds` later, inclusively. Then
 * anybody may post a new bond; the old one is forfeited into the project, unless it is excused: because its
 * round of the bundle ended while the lock was live (completed, cancelled, stalled, paused, budget exhausted), or
 * because of congestion while it was live. An excused bond can be taken at any time.
 *
 * `getSelectedExecutor` answers (0, 0) where nobody is selected. `selectedAt` is when the executor was selected
 * first without another one in between, so a second claim of the same executor does not renew it.
 */
interface ISimpleLockESS is IExecutorSelectionStrategy {
    /// The last lock on a bundle.
    struct Lock {
        /// zero: there is none, or it was settled
        address executor;
        /// Unix seconds of the claim
        uint256 lockedAt;
        /// last second of the lock
        uint256 until;
        /// the bundle's round that it was claimed in
        uint256 round;
        /// the executor's first claim without another one's in between
        uint256 selectedAt;
        /// whether the basefee was seen above the cap while it was live
        bool congested;
        /// whether the executor gave it up because of that
        bool released;
    }

    /// @notice Emitted when `executor` won the lock.
    event Claimed(address indexed project, bytes32 indexed bundleId, address indexed executor, uint256 until);
    /// @notice Emitted when congestion was recorded of a live lock; `released`: which ended by it.
    event CongestionNoted(
        address indexed project, bytes32 indexed bundleId, address indexed executor, bool released
    );
    /// @notice Emitted when a bond was excused: its executor can take it.
    event BondExcused(address indexed project, bytes32 indexed bundleId, address indexed executor);
    /// @notice Emitted when a bond was forfeited into the project.
    event BondForfeited(address indexed project, bytes32 indexed bundleId, address indexed executor);
    /// @notice Emitted when `account` was paid what it was owed.
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice Raised by the constructor for a lock of no time, or of more than a day.
    error LockTimeOutOfBounds(uint256 lockSeconds);
    /// @notice Raised when another value is sent than the bond.
    error WrongBond(uint256 sent, uint256 bond);
    /// @notice Raised when the bundle is executed by another strategy's choice.
    error NotSelectedBy(address ess);
    /// @notice Raised when the bundle cannot be claimed now.
    error NotReady(IChugSplashManager.Readiness readiness);
    /// @notice Raised while the lock is live; `until` is its last second.
    error LockLive(address executor, uint256 until);
    /// @notice Raised when the lock is not live, or there is none.
    error LockNotLive(address project, bytes32 bundleId);
    /// @notice Raised when the executor was excused by congestion and has not waited one lock time since.
    error CoolingDown(address executor, uint256 until);
    /// @notice Raised when somebody else gives the lock up than who holds it.
    error NotHolder(address caller, address executor);
    /// @notice Raised when the basefee is not above the bundle's cap.
    error NotCongested(uint256 baseFee, uint256 maxBaseFee);
    /// @notice Raised when there is nothing to pay.
    error NothingOwed(address account);
    /// @notice Raised when a payment fails.
    error PaymentRefused(address to);
    /// @notice Raised when ETH would go to the zero address or stay here.
    error InvalidRecipient(address to);

    /// @notice Claims a bundle with the bond as value. Settles the lock before it.
    function claim(address project, bytes32 bundleId) external payable;

    /// @notice Gives a live lock up while the basefee is above the cap: the bond is excused, and the caller
    /// cannot claim this bundle again for one lock time.
    function release(address project, bytes32 bundleId) external;

    /// @notice Records that the basefee is above the cap while the lock is live: the bond is excused, and its
    /// executor cannot claim this bundle again until one lock time after the lock. Anybody may.
    function noteCongestion(address project, bytes32 bundleId) external;

    /// @notice Settles a lock that is over: the bond is excused or forfeited. Anybody may; the executor itself is
    /// paid at once all it is owed.
    function settle(address project, bytes32 bundleId) external;

    /// @notice Pays the caller what it is owed.
    function withdraw(address payable to) external returns (uint256 amount);

    /// @notice Pushes forfeited bonds that `project` did not take before.
    function pushTo(address project) external returns (uint256 amount);

    /// @notice Returns the bond in wei.
    function bondAmount() external view returns (uint256);

    /// @notice Returns the seconds of a lock.
    function lockSeconds() external view returns (uint256);

    /// @notice Returns the last lock on a bundle.
    function lockOf(address project, bytes32 bundleId) external view returns (Lock memory);

    /// @notice Returns whether the lock on a bundle is over, and whether its bond is excused.
    function outcomeOf(address project, bytes32 bundleId) external view returns (bool over, bool excused);

    /// @notice Returns the second up to which `executor` must not claim this bundle again; 0: none.
    function coolingUntil(address project, bytes32 bundleId, address executor) external view returns (uint256);

    /// @notice Returns what `account` can withdraw.
    function owedTo(address account) external view returns (uint256);

    /// @notice Returns what was forfeited to `project` and not taken by it: for `pushTo`, and nobody to withdraw.
    function forfeitedTo(address project) external view returns (uint256);
}
