// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC1967Utils} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Utils.sol";
import {ProxyAdmin} from "@openzeppelin/contracts/proxy/transparent/ProxyAdmin.sol";
import {
    ITransparentUpgradeableProxy
} from "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {TransientSlot} from "@openzeppelin/contracts/utils/TransientSlot.sol";

import {IChugSplashManager} from "../interfaces/IChugSplashManager.sol";
import {IChugSplashProxy} from "../interfaces/IChugSplashProxy.sol";
import {IProjectActor} from "../interfaces/IProjectActor.sol";
import {BoundedCall} from "../libraries/BoundedCall.sol";
import {StorageSetter} from "./StorageSetter.sol";

/**
 * @title A project's proxies, of three kinds
 * @notice A ChugSplashProxy tells its implementation. The others tell it nobody on chain, so `adopt` sets it and
 * it is remembered.
 */
abstract contract ProjectProxies is IProjectActor {
    using TransientSlot for bytes32;
    using TransientSlot for TransientSlot.BooleanSlot;

    struct Record {
        address implementation;
        IChugSplashManager.ProxyKind kind;
        address admin;
    }

    /// What the EVM refunds for a slot, once written, that gets back what it had when the transaction began.
    uint256 private constant RESTORING_REFUND = 2800;

    /// What a proxy had before the last switch.
    struct Former {
        address proxy;
        address implementation;
    }

    /// @inheritdoc IProjectActor
    address public immutable storageSetter;

    mapping(address proxy => Record) private _records;

    /// How many proxies the last switch changed that had an implementation before; what is stored beyond them is of
    /// earlier switches, and overwritten by later ones.
    uint256 private _formerCount;
    mapping(uint256 index => Former) private _former;

    constructor() {
        storageSetter = address(new StorageSetter());
    }

    // --- views ---

    /// @inheritdoc IProjectActor
    function proxyOf(address proxy)
        external
        view
        returns (IChugSplashManager.ProxyKind kind, address admin, address implementation)
    {
        Record storage r = _records[proxy];
        return (r.kind, r.admin, r.implementation);
    }

    /// @inheritdoc IProjectActor
    function rollbackOf() external view returns (address[] memory proxies, address[] memory implementations) {
        uint256 count = _formerCount;
        (proxies, implementations) = (new address[](count), new address[](count));
        for (uint256 i; i < count; ++i) {
            (proxies[i], implementations[i]) = (_former[i].proxy, _former[i].implementation);
        }
    }

    // --- switching ---

    /// Sets a proxy's implementation; remembers the one that it had before the bundle.
    function _switch(bytes32 bundleId, address proxy, address implementation) internal {
        address previous = _setImplementation(proxy, implementation);
        if (_isFirst(bundleId.asBoolean())) _formerCount = 0;
        if (!_isFirst(_switched(bundleId, proxy))) return;
        if (previous != address(0)) _former[_formerCount++] = Former(proxy, previous);
    }

    /// Whether the proxy was switched in this transaction, which is as long as a switch lasts.
    function _switched(bytes32 bundleId, address proxy) private pure returns (TransientSlot.BooleanSlot) {
        return keccak256(abi.encode(bundleId, proxy)).asBoolean();
    }

    /// Whether it is asked for the first time in this transaction.
    function _isFirst(TransientSlot.BooleanSlot seen) private returns (bool) {
        if (seen.tload()) return false;
        seen.tstore(true);
        return true;
    }

    function _rollback() internal returns (uint256 proxies) {
        proxies = _formerCount;
        require(proxies != 0, NothingToRollBack());
        _formerCount = 0;
        for (uint256 i; i < proxies; ++i) {
            _setImplementation(_former[i].proxy, _former[i].implementation);
        }
    }

    // --- proxies ---

    function _adopt(address proxy, IChugSplashManager.ProxyKind kind, address admin, address implementation)
        internal
    {
        require(proxy.code.length != 0, NoCode(proxy));
        _records[proxy] = Record(implementation, kind, admin);
        _setImplementation(proxy, implementation);
        emit ProxyAdopted(proxy, kind, admin, implementation);
    }

    function _release(address proxy, address to) internal {
        require(to != address(0), ZeroAdmin());
        Record memory r = _records[proxy];
        delete _records[proxy];
        _forget(proxy);
        if (r.kind == IChugSplashManager.ProxyKind.CHUGSPLASH) IChugSplashProxy(proxy).changeAdmin(to);
        else if (r.kind == IChugSplashManager.ProxyKind.TRANSPARENT) Ownable(r.admin).transferOwnership(to);
        else Ownable(proxy).transferOwnership(to);
        emit ProxyReleased(proxy, to);
    }

    function _setImplementation(address proxy, address implementation) private returns (address previous) {
        require(implementation.code.length != 0, NoCode(implementation));
        // Through it anybody writes what he likes.
        require(implementation != storageSetter, TargetRefused(implementation));
        Record storage r = _records[proxy];
        if (r.kind == IChugSplashManager.ProxyKind.CHUGSPLASH) {
            previous = IChugSplashProxy(proxy).implementation();
            IChugSplashProxy(proxy).upgradeTo(implementation);
        } else {
            previous = r.implementation;
            r.implementation = implementation;
            _upgrade(proxy, r, implementation, "");
        }
        emit ImplementationSet(proxy, implementation, previous);
    }

    /// Writes into a proxy's storage. Returns the gas that the EVM will give back for the implementation, which
    /// gets back what it had unless the switch has set it already.
    function _setStorage(bytes32 bundleId, address proxy, bytes32 slot, uint256 offset, bytes memory value)
        internal
        returns (uint256 refund)
    {
        require(
            slot != ERC1967Utils.IMPLEMENTATION_SLOT && slot != ERC1967Utils.ADMIN_SLOT
                && slot != ERC1967Utils.BEACON_SLOT,
            SlotRefused(slot)
        );
        Record storage r = _records[proxy];
        if (r.kind == IChugSplashManager.ProxyKind.CHUGSPLASH) {
            IChugSplashProxy(proxy).setStorage(slot, offset, value);
        } else {
            bytes memory set =
                abi.encodeCall(StorageSetter.setStorage, (slot, offset, value, r.implementation));
            _upgrade(proxy, r, storageSetter, set);
            if (!_switched(bundleId, proxy).tload()) refund = RESTORING_REFUND;
        }
    }

    /// Upgrades a proxy of OpenZeppelin's.
    function _upgrade(address proxy, Record storage r, address implementation, bytes memory data) private {
        if (r.kind == IChugSplashManager.ProxyKind.TRANSPARENT) {
            ProxyAdmin(r.admin).upgradeAndCall(ITransparentUpgradeableProxy(proxy), implementation, data);
        } else {
            UUPSUpgradeable(proxy).upgradeToAndCall(implementation, data);
        }
    }

    /// A proxy that was handed over is not rolled back any more.
    function _forget(address proxy) private {
        uint256 count = _formerCount;
        for (uint256 i; i < count; ++i) {
            if (_former[i].proxy != proxy) continue;
            _former[i] = _former[count - 1];
            _formerCount = count - 1;
            return;
        }
    }

    /// Makes a call, and passes on how it fails.
    function _call(address target, uint256 value, bytes memory data) internal {
        bool success;
        assembly ("memory-safe") {
            success := call(gas(), target, value, add(data, 32), mload(data), 0, 0)
        }
        if (success) return;
        bytes memory reason = BoundedCall.returned(256);
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }
}
