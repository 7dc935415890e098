// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ChugSplashManager} from "../contracts/chugsplash/ChugSplashManager.sol";
import {ChugSplashRegistry} from "../contracts/chugsplash/ChugSplashRegistry.sol";
import {ProjectActor} from "../contracts/chugsplash/ProjectActor.sol";
import {DiminishingBonusEPS} from "../contracts/payment/DiminishingBonusEPS.sol";
import {FlatFeeEPS} from "../contracts/payment/FlatFeeEPS.sol";
import {SimpleLockESS} from "../contracts/selection/SimpleLockESS.sol";
import {Deployments} from "./Deployments.sol";

/**
 * @title Deploys what bundles need: the Registry of managers, and the strategies that a project can choose
 * @notice None of it has an owner.
 *
 *   forge script script/DeployChugSplash.s.sol --rpc-url $RPC_URL --broadcast --account $KEYSTORE
 *
 * Parameters are under `chugSplash` in `script/config/<chainId>.json`, and in `script/config/default.json` what
 * that leaves out.
 */
contract DeployChugSplash is Deployments {
    /// Raised when the Registry came to lie elsewhere than the managers' code was told.
    error RegistryElsewhere(address expected, address actual);

    /// Parameters of a deployment.
    struct Config {
        /// wei that an approval locks against cancellation
        uint256 userBond;
        /// wei that a claim posts
        uint256 executorBond;
        /// seconds of a lock, and of the diminishing bonus
        uint256 lockSeconds;
        uint256 flatFeeBps;
        uint256 maxFeeBps;
        /// wei per gas for a tip
        uint256 tipAllowance;
    }

    /// The contracts of a deployment.
    struct Deployed {
        ChugSplashRegistry registry;
        SimpleLockESS lock;
        FlatFeeEPS flatFee;
        DiminishingBonusEPS diminishingBonus;
    }

    function run() external {
        string memory path = string.concat("script/config/", vm.toString(block.chainid), ".json");
        // forge-lint: disable-next-line(unsafe-cheatcode)
        Config memory config = parse(vm.isFile(path) ? vm.readFile(path) : "{}");

        vm.startBroadcast();
        (, address deployer,) = vm.readCallers();
        deploy(config, deployer);
        vm.stopBroadcast();

        write();
    }

    /// Deploys everything from `deployer`, and records it.
    function deploy(Config memory config, address deployer) public returns (Deployed memory d) {
        address actor = address(new ProjectActor());
        record("ProjectActor", actor, "");

        // Registry and managers know each other: their code is told where the Registry is going to be.
        address registry = vm.computeCreateAddress(deployer, vm.getNonce(deployer) + 1);
        address manager = address(new ChugSplashManager(registry, actor, config.userBond));
        record("ChugSplashManager", manager, abi.encode(registry, actor, config.userBond));
        d.registry = new ChugSplashRegistry(manager);
        require(address(d.registry) == registry, RegistryElsewhere(registry, address(d.registry)));
        record("ChugSplashRegistry", registry, abi.encode(manager));

        d.lock = new SimpleLockESS(config.executorBond, config.lockSeconds);
        record("SimpleLockESS", address(d.lock), abi.encode(config.executorBond, config.lockSeconds));
        d.flatFee = new FlatFeeEPS(config.flatFeeBps, config.tipAllowance);
        record("FlatFeeEPS", address(d.flatFee), abi.encode(config.flatFeeBps, config.tipAllowance));
        d.diminishingBonus = new DiminishingBonusEPS(
            config.maxFeeBps, config.flatFeeBps, config.lockSeconds, config.tipAllowance
        );
        record(
            "DiminishingBonusEPS",
            address(d.diminishingBonus),
            abi.encode(config.maxFeeBps, config.flatFeeBps, config.lockSeconds, config.tipAllowance)
        );
    }

    /// Reads parameters: those of the chain, and for what they leave out the default ones.
    function parse(string memory json) public view returns (Config memory config) {
        config.userBond = _uint(json, ".chugSplash.userBond");
        config.executorBond = _uint(json, ".chugSplash.executorBond");
        config.lockSeconds = _uint(json, ".chugSplash.lockSeconds");
        config.flatFeeBps = _uint(json, ".chugSplash.flatFeeBps");
        config.maxFeeBps = _uint(json, ".chugSplash.maxFeeBps");
        config.tipAllowance = _uint(json, ".chugSplash.tipAllowance");
    }

    function _uint(string memory json, string memory key) private view returns (uint256) {
        // forge-lint: disable-next-line(unsafe-cheatcode)
        if (!vm.keyExistsJson(json, key)) json = vm.readFile("script/config/default.json");
        return vm.parseJsonUint(json, key);
    }
}
