// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Script} from "forge-std/Script.sol";
import {VmSafe} from "forge-std/Vm.sol";

/**
 * @title Deployments: the record of what was deployed on a chain, in `deployments/<chainId>.json`
 * @notice A deploying script calls `record` for each contract and `write` once at the end of `run()`. The
 * file maps a name to `{address, block, arguments, codeHash, commit}`; names that the script does not record
 * stay as they are. The environment variable ERRAND_DEPLOYMENTS names another folder, one that
 * foundry.toml lets scripts write to.
 *
 * `write` does so only while forge broadcasts: a dry run and a test deploy nothing, and so leave no trace.
 * Forge writes during its simulation, before it sends: should the sending fail, resume it or run it again.
 * For the same reason `block` may lie before the block of inclusion, which is safe: it is where reading logs
 * begins.
 */
abstract contract Deployments is Script {
    /// Raised when the chain's file has no contract of that name.
    error NotDeployed(string name, uint256 chainId);
    /// Raised when a contract that is to be recorded has no code.
    error NothingDeployedAt(string name, address where);

    struct Deployment {
        string name;
        address where;
        uint256 blockNumber;
        bytes arguments;
    }

    Deployment[] private _recorded;

    /// Records that the contract `name` was deployed at `where` with the ABI-encoded `arguments`.
    function record(string memory name, address where, bytes memory arguments) internal {
        require(where.code.length != 0, NothingDeployedAt(name, where));
        _recorded.push(Deployment(name, where, block.number, arguments));
    }

    /// Writes what was recorded into the chain's file, if forge broadcasts.
    function write() internal {
        if (
            !vm.isContext(VmSafe.ForgeContext.ScriptBroadcast)
                && !vm.isContext(VmSafe.ForgeContext.ScriptResume)
        ) {
            return;
        }
        vm.createDir(_folder(), true);
        vm.writeJson(merged(_existing()), _path());
    }

    /// Returns the address of the contract `name`: recorded just now, or else in the chain's file.
    function deployed(string memory name) internal view returns (address) {
        for (uint256 i = _recorded.length; i != 0; i--) {
            if (keccak256(bytes(_recorded[i - 1].name)) == keccak256(bytes(name))) {
                return _recorded[i - 1].where;
            }
        }
        string memory key = string.concat(".", name, ".address");
        string memory existing = _existing();
        require(vm.keyExistsJson(existing, key), NotDeployed(name, block.chainid));
        return vm.parseJsonAddress(existing, key);
    }

    /// Returns `existing` with what was recorded added or put in its place.
    function merged(string memory existing) internal returns (string memory json) {
        string memory commit = vm.envOr("ERRAND_COMMIT", string("unknown"));
        json = vm.serializeJson("deployments", existing);
        for (uint256 i = 0; i < _recorded.length; i++) {
            Deployment memory deployment = _recorded[i];
            string memory key = string.concat("deployments.", deployment.name);
            vm.serializeAddress(key, "address", deployment.where);
            vm.serializeUint(key, "block", deployment.blockNumber);
            vm.serializeBytes(key, "arguments", deployment.arguments);
            vm.serializeBytes32(key, "codeHash", deployment.where.codehash);
            json =
                vm.serializeString("deployments", deployment.name, vm.serializeString(key, "commit", commit));
        }
    }

    function _existing() private view returns (string memory) {
        string memory path = _path();
        // forge-lint: disable-next-line(unsafe-cheatcode)
        return vm.isFile(path) ? vm.readFile(path) : "{}";
    }

    function _path() private view returns (string memory) {
        return string.concat(_folder(), "/", vm.toString(block.chainid), ".json");
    }

    function _folder() private view returns (string memory) {
        return vm.envOr("ERRAND_DEPLOYMENTS", string("deployments"));
    }
}
