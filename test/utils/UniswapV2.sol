// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IUniswapV2Factory, IUniswapV2Router02} from "contracts/examples/IUniswapV2.sol";
import {Vm} from "forge-std/Vm.sol";

/**
 * @title UniswapV2: deploys Uniswap v2 as its authors compiled it, for tests and local chains
 * @dev `vm.deployCode` refuses the published artifacts, which have the key `bytecode` twice.
 */
library UniswapV2 {
    /// Raised when a constructor reverts.
    error DeploymentFailed(string artifact);

    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function deployWeth() internal returns (address) {
        return deployArtifact("v2-periphery/build/WETH9.json", "");
    }

    function deployFactory(address feeToSetter) internal returns (IUniswapV2Factory) {
        return
            IUniswapV2Factory(deployArtifact("v2-core/build/UniswapV2Factory.json", abi.encode(feeToSetter)));
    }

    function deployRouter(IUniswapV2Factory factory, address weth) internal returns (IUniswapV2Router02) {
        return IUniswapV2Router02(
            deployArtifact("v2-periphery/build/UniswapV2Router02.json", abi.encode(factory, weth))
        );
    }

    /// Deploys `artifact`, a path within the packages of Uniswap, with the ABI-encoded `arguments`.
    function deployArtifact(string memory artifact, bytes memory arguments)
        internal
        returns (address deployed)
    {
        string memory json = VM.readFile(string.concat("node_modules/@uniswap/", artifact));
        bytes memory code = abi.encodePacked(VM.parseBytes(VM.parseJsonString(json, ".bytecode")), arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 32), mload(code))
        }
        require(deployed != address(0), DeploymentFailed(artifact));
    }
}
