// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IAutoPayments} from "contracts/interfaces/IAutoPayments.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";
import {AutoToken} from "contracts/token/AutoToken.sol";
import {Test} from "forge-std/Test.sol";
import {Deploy} from "script/Deploy.s.sol";
import {Deployments} from "script/Deployments.sol";

/// The script, and what it records.
contract DeployScript is Deploy {
    function allRecorded() external returns (string memory json) {
        return merged("{}");
    }
}

/// What the script refuses, and what it does where the usual deployment of the other tests does something else.
contract DeployTest is Test {
    DeployScript private script;
    address private stranger = makeAddr("stranger");

    function setUp() public {
        script = new DeployScript();
    }

    /// The parameters of a chain that names its epochs and `more`.
    function _parse(string memory more) private view returns (Deploy.Config memory) {
        return script.parse(string.concat("{\"epochBlocks\":100,\"blockSeconds\":12", more, "}"));
    }

    // --- refusals ---

    function test_RevertWhen_ChainHasNoConfig() public {
        vm.chainId(424_242);
        vm.expectRevert(
            abi.encodeWithSelector(Deploy.NoConfig.selector, 424_242, "script/config/424242.json")
        );
        script.run();
    }

    /// Where somebody else deploys than was said, the StakeManager would obey an address without a Registry.
    function test_RevertWhen_RegistryIsElsewhere() public {
        Deploy.Config memory config = _parse("");
        vm.setNonce(stranger, 7);
        // A contract's nonce begins at 1; token, oracle, seed and StakeManager come first.
        address actual = vm.computeCreateAddress(address(script), 5);
        vm.expectRevert(
            abi.encodeWithSelector(
                Deploy.RegistryElsewhere.selector, vm.computeCreateAddress(stranger, 8), actual
            )
        );
        script.deploy(config, stranger);
        assertEq(actual.code.length, 0);
        // The same with who does.
        assertEq(address(script.deploy(config, address(script)).registry), actual);
    }

    function test_RevertWhen_ExistingAutoIsNone() public {
        Deploy.Config memory config = _parse("");
        config.autoToken = stranger;
        vm.expectRevert(abi.encodeWithSelector(Deployments.NothingDeployedAt.selector, "AutoToken", stranger));
        script.deploy(config, address(script));
    }

    /// Each fee has the width that it is kept in: one more is refused, and not cut.
    function test_RevertWhen_FeeIsWiderThanItsWord() public {
        _refusesAbove("tipCapWei", type(uint48).max);
        _refusesAbove("tokenGas", type(uint8).max);
        _refusesAbove("floorTokenGas", type(uint8).max);
        string[12] memory names = [
            "txBase",
            "tailEth",
            "tailAuto",
            "entryEth",
            "entryAuto",
            "entryWord",
            "shared",
            "refund",
            "credit",
            "clearing",
            "report",
            "reportPerId"
        ];
        for (uint256 i; i < names.length; ++i) {
            _refusesAbove(names[i], type(uint16).max);
        }
    }

    function _refusesAbove(string memory name, uint256 highest) private {
        _parse(_feeOf(name, highest));
        string memory json = _feeOf(name, highest + 1);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AboveMaximum.selector, highest + 1, highest));
        _parse(json);
    }

    function _feeOf(string memory name, uint256 value) private pure returns (string memory) {
        return string.concat(",\"fees\":{\"", name, "\":", vm.toString(value), "}");
    }

    // --- parameters ---

    /// It is used as it is: no token is deployed, nothing is minted, and it is recorded without arguments.
    function test_WhenAutoExists() public {
        AutoToken existing = new AutoToken(stranger, 5 ether);
        Deploy.Config memory config =
            _parse(string.concat(",\"autoToken\":\"", vm.toString(address(existing)), "\""));
        assertEq(config.autoToken, address(existing));
        Deploy.Deployed memory d = script.deploy(config, address(script));
        assertEq(address(d.autoToken), address(existing));
        assertEq(address(d.stakeManager.autoToken()), address(existing));
        assertEq(IAutoPayments(d.registry.autoPayments()).autoToken(), address(existing));
        assertEq(existing.totalSupply(), 5 ether);
        assertEq(existing.balanceOf(stranger), 5 ether);
        assertEq(vm.getNonce(address(script)), 5, "oracle, seed, StakeManager and Registry");
        string memory json = script.allRecorded();
        assertEq(vm.parseJsonAddress(json, ".AutoToken.address"), address(existing));
        assertEq(vm.parseJsonBytes(json, ".AutoToken.arguments"), "");
    }

    /// Token, oracle and Registry are the owner's that is named, or the deployer's.
    function test_WhenNoOwnerIsNamed_ItIsTheDeployer() public {
        _assertOwner("", address(script));
    }

    function test_WhenAnOwnerIsNamed() public {
        _assertOwner(string.concat(",\"owner\":\"", vm.toString(stranger), "\""), stranger);
    }

    function _assertOwner(string memory more, address expected) private {
        Deploy.Config memory config = _parse(more);
        Deploy.Deployed memory d = script.deploy(config, address(script));
        assertEq(d.registry.owner(), expected);
        assertEq(d.priceOracle.owner(), expected);
        assertEq(d.autoToken.balanceOf(expected), config.autoSupply);
        assertEq(d.autoToken.totalSupply(), config.autoSupply);
        assertEq(
            vm.parseJsonBytes(script.allRecorded(), ".AutoToken.arguments"),
            abi.encode(expected, config.autoSupply)
        );
    }
}
