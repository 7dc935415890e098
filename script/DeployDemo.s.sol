// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {HostileTarget} from "../contracts/examples/HostileTarget.sol";
import {Deployments} from "./Deployments.sol";

/// @title Deploys what only the demo needs: a target that means no good
contract DeployDemo is Deployments {
    function run() external {
        vm.startBroadcast();
        record("HostileTarget", address(new HostileTarget()), "");
        vm.stopBroadcast();

        write();
    }
}
