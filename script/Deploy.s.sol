// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IExecutorGate} from "../contracts/interfaces/IExecutorGate.sol";
import {IPriceOracle} from "../contracts/interfaces/IPriceOracle.sol";
import {IRegistry} from "../contracts/interfaces/IRegistry.sol";
import {ISeedSource} from "../contracts/interfaces/ISeedSource.sol";
import {FixedPriceOracle} from "../contracts/registry/FixedPriceOracle.sol";
import {Registry} from "../contracts/registry/Registry.sol";
import {BlockhashSeed} from "../contracts/selection/BlockhashSeed.sol";
import {StakeManager} from "../contracts/selection/StakeManager.sol";
import {AutoToken} from "../contracts/token/AutoToken.sol";
import {Deployments} from "./Deployments.sol";

/**
 * @title Deploys Errand on a chain
 * @notice The only way its contracts are deployed: by users, by the demo and by the tests.
 *
 *   forge script script/Deploy.s.sol --rpc-url $RPC_URL --broadcast --account $KEYSTORE
 *
 * Parameters are read from `script/config/<chainId>.json`, and from `script/config/default.json` what that
 * leaves out; the result is recorded in `deployments/<chainId>.json`.
 */
contract Deploy is Deployments {
    /// Raised when the chain has no parameters: write those that differ from `script/config/default.json`, and
    /// the epochs, into `path`, after the example of `script/config/31337.json`.
    error NoConfig(uint256 chainId, string path);
    /// Raised when the Registry came to lie elsewhere than the StakeManager was told.
    error RegistryElsewhere(address expected, address actual);

    /// Parameters of a deployment.
    struct Config {
        /// may change what a Registry's owner may; a TimelockController in production. Default: the deployer
        address owner;
        /// existing AUTO; zero: a new token is deployed
        address autoToken;
        /// base units of a new AUTO token, minted to the owner
        uint256 autoSupply;
        /// AUTO base units per ETH, times 1e18
        uint256 autoPerEth;
        /// how far the fixed price may move in a day
        uint256 maxPriceChangePerDayBps;
        uint256 epochBlocks;
        /// seconds between blocks, for the time at which an epoch's executor was selected
        uint256 blockSeconds;
        IRegistry.FeeSettings fees;
    }

    /// The contracts of a deployment.
    struct Deployed {
        AutoToken autoToken;
        FixedPriceOracle priceOracle;
        BlockhashSeed seedSource;
        StakeManager stakeManager;
        Registry registry;
    }

    function run() external {
        string memory path = string.concat("script/config/", vm.toString(block.chainid), ".json");
        require(vm.isFile(path), NoConfig(block.chainid, path));
        Config memory config = parse(vm.readFile(path));

        vm.startBroadcast();
        (, address deployer,) = vm.readCallers();
        deploy(config, deployer);
        vm.stopBroadcast();

        write();
    }

    /// Deploys everything from `deployer`, and records it.
    function deploy(Config memory config, address deployer) public returns (Deployed memory d) {
        address owner = config.owner == address(0) ? deployer : config.owner;

        if (config.autoToken == address(0)) {
            d.autoToken = new AutoToken(owner, config.autoSupply);
            record("AutoToken", address(d.autoToken), abi.encode(owner, config.autoSupply));
        } else {
            d.autoToken = AutoToken(config.autoToken);
            record("AutoToken", config.autoToken, "");
        }
        d.priceOracle = new FixedPriceOracle(owner, config.autoPerEth, config.maxPriceChangePerDayBps);
        record(
            "FixedPriceOracle",
            address(d.priceOracle),
            abi.encode(owner, config.autoPerEth, config.maxPriceChangePerDayBps)
        );
        d.seedSource = new BlockhashSeed();
        record("BlockhashSeed", address(d.seedSource), "");

        // Gate and Registry know each other: the gate is told where the Registry is going to be.
        address registry = vm.computeCreateAddress(deployer, vm.getNonce(deployer) + 1);
        d.stakeManager = new StakeManager(
            registry,
            address(d.autoToken),
            ISeedSource(address(d.seedSource)),
            config.epochBlocks,
            config.blockSeconds
        );
        record(
            "StakeManager",
            address(d.stakeManager),
            abi.encode(registry, d.autoToken, d.seedSource, config.epochBlocks, config.blockSeconds)
        );
        d.registry = new Registry(
            owner,
            address(d.autoToken),
            IExecutorGate(address(d.stakeManager)),
            IPriceOracle(address(d.priceOracle)),
            config.fees
        );
        require(address(d.registry) == registry, RegistryElsewhere(registry, address(d.registry)));
        record(
            "Registry", registry, abi.encode(owner, d.autoToken, d.stakeManager, d.priceOracle, config.fees)
        );
        record("AutoPayments", d.registry.autoPayments(), abi.encode(d.autoToken));
        record("PlainForwarder", d.registry.plainForwarder(), "");
        record("UserForwarder", d.registry.userForwarder(), "");
        record("FeeForwarder", d.registry.feeForwarder(), "");
        record("UserFeeForwarder", d.registry.userFeeForwarder(), "");
    }

    /// Reads parameters: those of the chain, and for what they leave out the default ones.
    function parse(string memory json) public view returns (Config memory config) {
        if (vm.keyExistsJson(json, ".owner")) config.owner = vm.parseJsonAddress(json, ".owner");
        if (vm.keyExistsJson(json, ".autoToken")) config.autoToken = vm.parseJsonAddress(json, ".autoToken");
        config.autoSupply = _uint(json, ".autoSupply");
        config.autoPerEth = _uint(json, ".autoPerEth");
        config.maxPriceChangePerDayBps = _uint(json, ".maxPriceChangePerDayBps");
        config.epochBlocks = _uint(json, ".epochBlocks");
        config.blockSeconds = _uint(json, ".blockSeconds");
        config.fees = IRegistry.FeeSettings({
            tipCapWei: uint48(_fee(json, "tipCapWei", type(uint48).max)),
            txBase: uint16(_fee(json, "txBase", type(uint16).max)),
            tokenGas: uint8(_fee(json, "tokenGas", type(uint8).max)),
            floorTokenGas: uint8(_fee(json, "floorTokenGas", type(uint8).max)),
            tailEth: uint16(_fee(json, "tailEth", type(uint16).max)),
            tailAuto: uint16(_fee(json, "tailAuto", type(uint16).max)),
            entryEth: uint16(_fee(json, "entryEth", type(uint16).max)),
            entryAuto: uint16(_fee(json, "entryAuto", type(uint16).max)),
            entryWord: uint16(_fee(json, "entryWord", type(uint16).max)),
            shared: uint16(_fee(json, "shared", type(uint16).max)),
            refund: uint16(_fee(json, "refund", type(uint16).max)),
            credit: uint16(_fee(json, "credit", type(uint16).max)),
            clearing: uint16(_fee(json, "clearing", type(uint16).max)),
            report: uint16(_fee(json, "report", type(uint16).max)),
            reportPerId: uint16(_fee(json, "reportPerId", type(uint16).max))
        });
    }

    /// Reads one of the fee settings; checked here, so that the casts above lose nothing.
    function _fee(string memory json, string memory name, uint256 highest)
        private
        view
        returns (uint256 value)
    {
        value = _uint(json, string.concat(".fees.", name));
        require(value <= highest, IRegistry.AboveMaximum(value, highest));
    }

    function _uint(string memory json, string memory key) private view returns (uint256) {
        // forge-lint: disable-next-line(unsafe-cheatcode)
        if (!vm.keyExistsJson(json, key)) json = vm.readFile("script/config/default.json");
        return vm.parseJsonUint(json, key);
    }
}
