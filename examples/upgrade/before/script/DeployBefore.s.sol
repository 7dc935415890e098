// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {TransparentUpgradeableProxy} from
    "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";
import {Script} from "forge-std/Script.sol";
import {PriceFeed} from "../src/PriceFeed.sol";
import {Token} from "../src/Token.sol";

/// @title Deploys what the project had before: two proxies of OpenZeppelin's
contract DeployBefore is Script {
    function run() external {
        vm.startBroadcast();
        (, address owner,) = vm.readCallers();
        address token = address(
            new TransparentUpgradeableProxy(
                address(new Token()), owner, abi.encodeCall(Token.initialize, (owner))
            )
        );
        address feed = address(
            new ERC1967Proxy(
                address(new PriceFeed()), abi.encodeCall(PriceFeed.initialize, (owner, 3000))
            )
        );
        vm.stopBroadcast();
        string memory json = vm.serializeAddress("before", "Token", token);
        json = vm.serializeAddress("before", "PriceFeed", feed);
        vm.writeJson(json, "before.json");
    }
}
