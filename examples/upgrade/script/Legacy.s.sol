// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {TransparentUpgradeableProxy} from
    "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";
import {Script} from "forge-std/Script.sol";
import {LegacyPriceFeed, LegacyToken} from "../src/Legacy.sol";

/// @title Deploys what the project had before: two proxies of OpenZeppelin's
contract Legacy is Script {
    function run() external {
        vm.startBroadcast();
        (, address owner,) = vm.readCallers();
        address token = address(
            new TransparentUpgradeableProxy(
                address(new LegacyToken()), owner, abi.encodeCall(LegacyToken.initialize, (owner))
            )
        );
        address feed = address(
            new ERC1967Proxy(
                address(new LegacyPriceFeed()), abi.encodeCall(LegacyPriceFeed.initialize, (owner, 3000))
            )
        );
        vm.stopBroadcast();
        string memory json = vm.serializeAddress("legacy", "Token", token);
        json = vm.serializeAddress("legacy", "PriceFeed", feed);
        vm.writeJson(json, "legacy.json");
    }
}
