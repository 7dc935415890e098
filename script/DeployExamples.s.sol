// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {EthTank} from "../contracts/examples/EthTank.sol";
import {GuardedCall} from "../contracts/examples/GuardedCall.sol";
import {IUniswapV2Router02} from "../contracts/examples/IUniswapV2.sol";
import {PeriodicPayments} from "../contracts/examples/PeriodicPayments.sol";
import {UniswapV2Orders} from "../contracts/examples/UniswapV2Orders.sol";
import {IRegistry} from "../contracts/interfaces/IRegistry.sol";
import {Deployments} from "./Deployments.sol";

/**
 * @title Deploys the example targets for a Registry
 * @notice Run it after `Deploy.s.sol`:
 *
 *   forge script script/DeployExamples.s.sol --rpc-url $RPC_URL --broadcast --account $KEYSTORE
 *
 * Registry and router are those in `deployments/<chainId>.json`, where the result is recorded too; the
 * environment variables REGISTRY and UNISWAP_V2_ROUTER name others.
 */
contract DeployExamples is Deployments {
    /// The example targets.
    struct Examples {
        UniswapV2Orders orders;
        PeriodicPayments payments;
        EthTank tank;
        GuardedCall guarded;
    }

    function run() external {
        address registry = vm.envOr("REGISTRY", address(0));
        address router = vm.envOr("UNISWAP_V2_ROUTER", address(0));
        if (registry == address(0)) registry = deployed("Registry");
        if (router == address(0)) router = deployed("UniswapV2Router02");

        vm.startBroadcast();
        deploy(IRegistry(registry), IUniswapV2Router02(router));
        vm.stopBroadcast();

        write();
    }

    /// Deploys the examples and records them.
    function deploy(IRegistry registry, IUniswapV2Router02 router) public returns (Examples memory e) {
        e.orders = new UniswapV2Orders(registry, router);
        record("UniswapV2Orders", address(e.orders), abi.encode(registry, router));
        e.payments = new PeriodicPayments();
        record("PeriodicPayments", address(e.payments), "");
        e.tank = new EthTank(registry);
        record("EthTank", address(e.tank), abi.encode(registry));
        record("TankCaller", address(e.tank.CALLER()), "");
        e.guarded = new GuardedCall();
        record("GuardedCall", address(e.guarded), "");
    }
}
