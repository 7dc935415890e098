// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {IChugSplashManager} from "../interfaces/IChugSplashManager.sol";
import {IChugSplashRegistry} from "../interfaces/IChugSplashRegistry.sol";

/**
 * @title ChugSplashRegistry
 * @notice See IChugSplashRegistry.
 */
contract ChugSplashRegistry is IChugSplashRegistry {
    /// @inheritdoc IChugSplashRegistry
    address public immutable managerImplementation;
    /// @inheritdoc IChugSplashRegistry
    address public immutable actorImplementation;

    /// @inheritdoc IChugSplashRegistry
    mapping(address account => bool) public isManager;

    modifier onlyManager() {
        require(isManager[msg.sender], NotManager(msg.sender));
        _;
    }

    /// @param managerImplementation_ must have been told this address.
    constructor(address managerImplementation_) {
        IChugSplashManager implementation = IChugSplashManager(managerImplementation_);
        require(implementation.registry() == address(this), ForeignImplementation(implementation.registry()));
        managerImplementation = managerImplementation_;
        actorImplementation = implementation.actorImplementation();
    }

    /// @inheritdoc IChugSplashRegistry
    function register(address owner, bytes32 salt) external returns (address manager) {
        require(owner != address(0), ZeroOwner());
        manager = Clones.cloneDeterministic(managerImplementation, _salt(owner, salt));
        isManager[manager] = true;
        IChugSplashManager(manager).initialize(owner);

        emit ManagerRegistered(manager, owner, IChugSplashManager(manager).actor(), salt);
    }

    /// @inheritdoc IChugSplashRegistry
    function announceBundle(
        bytes32 bundleId,
        IChugSplashManager.Status status,
        IChugSplashManager.BundleHeader calldata header
    ) external onlyManager {
        emit BundleAnnounced(msg.sender, bundleId, status, header);
    }

    /// @inheritdoc IChugSplashRegistry
    function announceStatus(bytes32 bundleId, IChugSplashManager.Status status, uint256 effectiveAt)
        external
        onlyManager
    {
        emit StatusAnnounced(msg.sender, bundleId, status, effectiveAt);
    }

    /// @inheritdoc IChugSplashRegistry
    function addressesOf(address owner, bytes32 salt) external view returns (address manager, address actor) {
        manager = Clones.predictDeterministicAddress(managerImplementation, _salt(owner, salt));
        actor = Clones.predictDeterministicAddressWithImmutableArgs(
            actorImplementation, abi.encodePacked(manager), 0, manager
        );
    }

    /// The owner is part of it: nobody takes an address that another project counts on.
    function _salt(address owner, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encode(owner, salt));
    }
}
