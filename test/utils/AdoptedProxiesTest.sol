// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Box, ChugSplashTest} from "./ChugSplashTest.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {ERC1967Utils} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Utils.sol";
import {ProxyAdmin} from "@openzeppelin/contracts/proxy/transparent/ProxyAdmin.sol";
import {
    TransparentUpgradeableProxy
} from "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";

/// A contract behind a UUPS proxy. Slot 0 is the owner's, slot 1 the value.
contract UupsBox is UUPSUpgradeable, Ownable {
    uint256 public value;
    uint256 public immutable version;

    constructor(uint256 version_) Ownable(msg.sender) {
        version = version_;
    }

    function initialize(address owner_) external {
        require(owner() == address(0), "once");
        _transferOwnership(owner_);
    }

    function _authorizeUpgrade(address) internal override onlyOwner {}
}

/// A project with proxies of OpenZeppelin's that its manager has adopted.
abstract contract AdoptedProxiesTest is ChugSplashTest {
    IChugSplashManager.ProxyKind internal constant CHUGSPLASH = IChugSplashManager.ProxyKind.CHUGSPLASH;
    IChugSplashManager.ProxyKind internal constant TRANSPARENT = IChugSplashManager.ProxyKind.TRANSPARENT;
    IChugSplashManager.ProxyKind internal constant UUPS = IChugSplashManager.ProxyKind.UUPS;

    address internal one;
    address internal two;
    address internal uupsOne;
    address internal uupsTwo;

    function setUp() public virtual override {
        super.setUp();
        one = address(new Box(1));
        two = address(new Box(2));
        uupsOne = address(new UupsBox(1));
        uupsTwo = address(new UupsBox(2));
    }

    function _adopt(address proxy, IChugSplashManager.ProxyKind kind, address admin, address implementation)
        internal
    {
        vm.prank(owner);
        manager.adopt(proxy, kind, admin, implementation);
    }

    function _transparent() internal returns (address proxy, address admin) {
        proxy = address(new TransparentUpgradeableProxy(one, owner, abi.encodeCall(Box.set, (0))));
        admin = address(uint160(uint256(vm.load(proxy, ERC1967Utils.ADMIN_SLOT))));
        vm.prank(owner);
        ProxyAdmin(admin).transferOwnership(address(actor));
        _adopt(proxy, TRANSPARENT, admin, one);
    }

    function _uups() internal returns (address proxy) {
        proxy = address(new ERC1967Proxy(uupsOne, abi.encodeCall(UupsBox.initialize, (owner))));
        vm.prank(owner);
        UupsBox(proxy).transferOwnership(address(actor));
        _adopt(proxy, UUPS, address(0), uupsOne);
    }
}
