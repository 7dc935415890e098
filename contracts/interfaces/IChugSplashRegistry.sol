// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

import {IChugSplashManager} from "./IChugSplashManager.sol";

/**
 * @title ChugSplashRegistry: creates managers, and announces what happens in them
 * @notice The one address that a keeper watches. It has no owner and holds nothing.
 */
interface IChugSplashRegistry {
    /// @notice Emitted when a project got its manager; `actor` is what deploys and owns proxies.
    event ManagerRegistered(address indexed manager, address indexed owner, address actor, bytes32 salt);
    /// @notice Emitted when a bundle became PROPOSED or APPROVED.
    event BundleAnnounced(
        address indexed manager,
        bytes32 indexed bundleId,
        IChugSplashManager.Status indexed status,
        IChugSplashManager.BundleHeader header
    );
    /// @notice Emitted when a bundle came, or comes at `effectiveAt`, into another status.
    event StatusAnnounced(
        address indexed manager,
        bytes32 indexed bundleId,
        IChugSplashManager.Status indexed status,
        uint256 effectiveAt
    );

    /// @notice Raised when the caller is no manager of this Registry.
    error NotManager(address caller);
    /// @notice Raised when the owner is the zero address.
    error ZeroOwner();
    /// @notice Raised by the constructor when the managers' code announces at `registry`.
    error ForeignImplementation(address registry);

    /**
     * @notice Creates the manager of `owner` and `salt`, at an address known before. Anybody may, once; the
     * owner has all rights whoever calls.
     */
    function register(address owner, bytes32 salt) external returns (address manager);

    /// @notice Emits `BundleAnnounced`. Only managers.
    function announceBundle(
        bytes32 bundleId,
        IChugSplashManager.Status status,
        IChugSplashManager.BundleHeader calldata header
    ) external;

    /// @notice Emits `StatusAnnounced`. Only managers.
    function announceStatus(bytes32 bundleId, IChugSplashManager.Status status, uint256 effectiveAt) external;

    /// @notice Returns where manager and actor of `owner` and `salt` are, or are going to be.
    function addressesOf(address owner, bytes32 salt) external view returns (address manager, address actor);

    /// @notice Returns whether `account` is a manager of this Registry.
    function isManager(address account) external view returns (bool);

    /// @notice Returns the code that all managers share.
    function managerImplementation() external view returns (address);

    /// @notice Returns the code that all actors share.
    function actorImplementation() external view returns (address);
}
