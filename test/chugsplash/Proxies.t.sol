// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {AdoptedProxiesTest, UupsBox} from "../utils/AdoptedProxiesTest.sol";
import {Box} from "../utils/ChugSplashTest.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {ERC1967Utils} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Utils.sol";
import {ProxyAdmin} from "@openzeppelin/contracts/proxy/transparent/ProxyAdmin.sol";
import {
    TransparentUpgradeableProxy
} from "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";
import {ChugSplashProxy} from "contracts/chugsplash/ChugSplashProxy.sol";
import {StorageSetter} from "contracts/chugsplash/StorageSetter.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {IChugSplashProxy} from "contracts/interfaces/IChugSplashProxy.sol";
import {IProjectActor} from "contracts/interfaces/IProjectActor.sol";
import {StorageWrite} from "contracts/libraries/StorageWrite.sol";

/**
 * Proxies of the three kinds: adoption, storage, switching, rollback, release, and what is refused.
 * forge-config: default.isolate = true
 */
contract ProxiesTest is AdoptedProxiesTest {
    function _run() private {
        vm.warp(block.timestamp + 1 days);
        _start();
        _claim(alice);
        _executeAll(alice);
    }

    /// Runs one action that has to fail, and expects its reason.
    function _stallsWith(bytes memory reason) private {
        vm.warp(block.timestamp + 1 days);
        _start();
        _claim(alice);
        vm.expectEmit(address(manager));
        emit IChugSplashManager.BundleStalled(id, alice, 0, reason);
        _executeAll(alice);
        vm.prank(owner);
        manager.close();
        delete plan;
    }

    function _implementationOf(address proxy) private view returns (address) {
        return address(uint160(uint256(vm.load(proxy, ERC1967Utils.IMPLEMENTATION_SLOT))));
    }

    // --- ChugSplashProxy ---

    function test_Proxy_ServesItsAdminAndEverybodyElse() public {
        address proxy = address(new ChugSplashProxy(owner));
        vm.prank(stranger);
        vm.expectRevert(IChugSplashProxy.NoImplementation.selector);
        Box(proxy).value();
        vm.startPrank(owner);
        IChugSplashProxy(proxy).upgradeTo(one);
        assertEq(IChugSplashProxy(proxy).implementation(), one);
        assertEq(IChugSplashProxy(proxy).admin(), owner);
        IChugSplashProxy(proxy).setStorage(0, 0, abi.encode(77));
        // What is none of the admin's functions is the implementation's, for the admin too.
        assertEq(Box(proxy).value(), 77);
        Box(proxy).set{value: 1}(78);
        vm.expectRevert(IChugSplashProxy.EthRefused.selector);
        (bool success,) = proxy.call{value: 1}(abi.encodeCall(IChugSplashProxy.upgradeTo, (two)));
        success;
        vm.expectRevert(abi.encodeWithSelector(ERC1967Utils.ERC1967InvalidImplementation.selector, stranger));
        IChugSplashProxy(proxy).upgradeTo(stranger);
        vm.stopPrank();
        // Strangers reach the implementation, which has none of these.
        bytes[5] memory calls = [
            abi.encodeCall(IChugSplashProxy.upgradeTo, (two)),
            abi.encodeCall(IChugSplashProxy.setStorage, (0, 0, hex"01")),
            abi.encodeCall(IChugSplashProxy.changeAdmin, (stranger)),
            abi.encodeCall(IChugSplashProxy.implementation, ()),
            abi.encodeCall(IChugSplashProxy.admin, ())
        ];
        for (uint256 i; i < calls.length; ++i) {
            vm.prank(stranger);
            bytes memory reason;
            (success, reason) = proxy.call(calls[i]);
            assertFalse(success);
            assertEq(reason, "");
        }
        vm.prank(owner);
        IChugSplashProxy(proxy).changeAdmin(bob);
        vm.prank(bob);
        IChugSplashProxy(proxy).upgradeTo(two);
        assertEq(Box(proxy).version(), 2);
        assertEq(Box(proxy).value(), 78);
    }

    function testFuzz_Proxy_WritesTheBytesItIsToldTo(
        uint256 before,
        uint256 value,
        uint256 offset,
        uint256 length
    ) public {
        length = bound(length, 1, 32);
        offset = bound(offset, 0, 32 - length);
        address proxy = address(new ChugSplashProxy(owner));
        vm.store(proxy, "slot", bytes32(before));
        bytes memory data = new bytes(length);
        for (uint256 i; i < length; ++i) {
            data[i] = bytes32(value)[32 - length + i];
        }
        vm.prank(owner);
        IChugSplashProxy(proxy).setStorage("slot", offset, data);
        uint256 mask = length == 32 ? type(uint256).max : (1 << (8 * length)) - 1;
        uint256 expected = (before & ~(mask << (8 * offset))) | ((value & mask) << (8 * offset));
        assertEq(uint256(vm.load(proxy, "slot")), expected);
    }

    function test_RevertWhen_AValueDoesNotFitItsSlot() public {
        address proxy = address(new ChugSplashProxy(owner));
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(StorageWrite.InvalidValue.selector, 0, 0));
        IChugSplashProxy(proxy).setStorage(0, 0, "");
        vm.expectRevert(abi.encodeWithSelector(StorageWrite.InvalidValue.selector, 0, 33));
        IChugSplashProxy(proxy).setStorage(0, 0, new bytes(33));
        vm.expectRevert(abi.encodeWithSelector(StorageWrite.InvalidValue.selector, 31, 2));
        IChugSplashProxy(proxy).setStorage(0, 31, new bytes(2));
        vm.expectRevert(abi.encodeWithSelector(StorageWrite.InvalidValue.selector, type(uint256).max, 1));
        IChugSplashProxy(proxy).setStorage(0, type(uint256).max, new bytes(1));
    }

    // --- all kinds ---

    function test_EveryKindIsSwitchedRolledBackAndReleased() public {
        (address transparent, address admin) = _transparent();
        address uups = _uups();
        address own = address(new ChugSplashProxy(address(actor)));
        _adopt(own, CHUGSPLASH, address(0), one);

        _addStore(transparent, 0, 5);
        _addStore(uups, bytes32(uint256(1)), 6);
        _addStore(own, 0, 7);
        _addImplementation(transparent, two);
        _addImplementation(uups, uupsTwo);
        _addImplementation(own, two);
        // Written after the switch, too.
        _addStore(transparent, 0, 0, hex"ff");
        _addStore(uups, bytes32(uint256(1)), 0, hex"fe");
        _run();
        _assertStatus(IChugSplashManager.Status.COMPLETED);

        assertEq(Box(transparent).value(), 255);
        assertEq(UupsBox(uups).value(), 254);
        assertEq(Box(own).value(), 7);
        assertEq(_implementationOf(transparent), two);
        assertEq(_implementationOf(uups), uupsTwo);
        assertEq(_implementationOf(own), two);
        assertEq(UupsBox(uups).version(), 2);

        vm.prank(owner);
        manager.rollback();
        assertEq(_implementationOf(transparent), one);
        assertEq(_implementationOf(uups), uupsOne);
        assertEq(_implementationOf(own), one);

        vm.startPrank(owner);
        manager.release(transparent, bob);
        manager.release(uups, bob);
        manager.release(own, bob);
        vm.stopPrank();
        assertEq(ProxyAdmin(admin).owner(), bob);
        assertEq(UupsBox(uups).owner(), bob);
        assertEq(address(uint160(uint256(vm.load(own, ERC1967Utils.ADMIN_SLOT)))), bob);
        (IChugSplashManager.ProxyKind kind,, address implementation) = actor.proxyOf(uups);
        assertEq(uint256(kind), 0);
        assertEq(implementation, address(0));
    }

    function test_WhatWasReleasedIsNotRolledBack() public {
        address uups = _uups();
        address own = address(new ChugSplashProxy(address(actor)));
        _adopt(own, CHUGSPLASH, address(0), one);
        _addImplementation(uups, uupsTwo);
        _addImplementation(own, two);
        _run();
        vm.startPrank(owner);
        manager.release(uups, bob);
        manager.rollback();
        assertEq(_implementationOf(uups), uupsTwo);
        assertEq(_implementationOf(own), one);
    }

    function test_RevertWhen_AdoptingWithoutTheRight() public {
        address transparent =
            address(new TransparentUpgradeableProxy(one, owner, abi.encodeCall(Box.set, (0))));
        address admin = address(uint160(uint256(vm.load(transparent, ERC1967Utils.ADMIN_SLOT))));
        address uups = address(new ERC1967Proxy(uupsOne, abi.encodeCall(UupsBox.initialize, (owner))));
        address own = address(new ChugSplashProxy(owner));
        bytes memory notOwner =
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(actor));
        vm.startPrank(owner);
        vm.expectRevert(notOwner);
        manager.adopt(transparent, TRANSPARENT, admin, one);
        vm.expectRevert(notOwner);
        manager.adopt(uups, UUPS, address(0), uupsOne);
        // The actor is a stranger to it, and there is nothing behind it yet.
        vm.expectRevert(IChugSplashProxy.NoImplementation.selector);
        manager.adopt(own, CHUGSPLASH, address(0), one);
        vm.expectRevert(abi.encodeWithSelector(IProjectActor.NoCode.selector, stranger));
        manager.adopt(stranger, UUPS, address(0), uupsOne);
        address[3] memory refused = [address(manager), address(actor), address(registry)];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IProjectActor.TargetRefused.selector, refused[i]));
            manager.adopt(refused[i], CHUGSPLASH, address(0), one);
        }
        vm.expectRevert(IProjectActor.ZeroAdmin.selector);
        manager.release(own, address(0));
    }

    // --- refusals in a switch ---

    function test_TheSlotsOfErc1967AreRefused() public {
        address own = address(new ChugSplashProxy(address(actor)));
        _adopt(own, CHUGSPLASH, address(0), one);
        address uups = _uups();
        bytes32[3] memory slots =
            [ERC1967Utils.IMPLEMENTATION_SLOT, ERC1967Utils.ADMIN_SLOT, ERC1967Utils.BEACON_SLOT];
        for (uint256 i; i < 3; ++i) {
            for (uint256 p; p < 2; ++p) {
                _addStore(p == 0 ? own : uups, slots[i], 1);
                _stallsWith(abi.encodeWithSelector(IProjectActor.SlotRefused.selector, slots[i]));
            }
        }
    }

    function test_TargetsThatAreBelievedAreRefused() public {
        address[5] memory refused =
            [address(manager), address(actor), address(registry), address(lock), address(flatFee)];
        for (uint256 i; i < 5; ++i) {
            bytes memory reason = abi.encodeWithSelector(IProjectActor.TargetRefused.selector, refused[i]);
            _addCall(refused[i], 0, hex"01020304");
            _stallsWith(reason);
            _addImplementation(refused[i], one);
            _stallsWith(reason);
            _addStore(refused[i], 0, 1);
            _stallsWith(reason);
        }
    }

    function test_WhatHasNoCodeIsRefused() public {
        _addCall(stranger, 0, hex"01");
        _stallsWith(abi.encodeWithSelector(IProjectActor.NoCode.selector, stranger));
        address own = address(new ChugSplashProxy(address(actor)));
        _addImplementation(own, stranger);
        _stallsWith(abi.encodeWithSelector(IProjectActor.NoCode.selector, stranger));
    }

    // --- the temporary setter ---

    function test_TheSetterIsRefusedAsAnImplementation() public {
        address setter = actor.storageSetter();
        address uups = _uups();
        bytes memory reason = abi.encodeWithSelector(IProjectActor.TargetRefused.selector, setter);
        _addImplementation(uups, setter);
        _stallsWith(reason);
        address own = address(new ChugSplashProxy(address(actor)));
        vm.prank(owner);
        vm.expectRevert(reason);
        manager.adopt(own, CHUGSPLASH, address(0), setter);
    }

    function test_RevertWhen_TheSetterIsUsedByStrangers() public {
        StorageSetter setter = StorageSetter(actor.storageSetter());
        vm.expectRevert(StorageSetter.NotDelegated.selector);
        setter.setStorage(0, 0, hex"01", one);
        // An adopted proxy has it at no time that anybody else could use.
        (address transparent,) = _transparent();
        vm.prank(stranger);
        vm.expectRevert(bytes("")); // the implementation has no such function
        StorageSetter(transparent).setStorage(0, 0, hex"01", one);
    }

    // --- versions ---

    function test_VersionTwoDeploysOnlyWhatChanged() public {
        address unchanged = _addBox(1);
        address before = _addBox(2);
        address proxy = _addProxy("proxy");
        _addImplementation(proxy, before);
        _run();
        delete plan;
        _addBox(1);
        address next = _addBox(3);
        _addImplementation(proxy, next);
        vm.warp(block.timestamp + 1 days);
        _start();
        _claim(alice);
        vm.expectEmit(address(manager));
        emit IChugSplashManager.DeploySkipped(id, 0, unchanged);
        _executeAll(alice);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertEq(Box(proxy).version(), 3);
    }
}
