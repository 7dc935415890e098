// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {DemoToken} from "../contracts/examples/DemoToken.sol";
import {IUniswapV2Factory, IUniswapV2Router02} from "../contracts/examples/IUniswapV2.sol";
import {UniswapV2} from "../test/utils/UniswapV2.sol";
import {Deployments} from "./Deployments.sol";

/**
 * @title Deploys a market on a local chain: Uniswap v2, a token that anybody may mint, and liquidity
 * @notice For demos and tests; elsewhere there is a Uniswap already.
 *
 *   forge script script/DeployUniswapV2.s.sol --rpc-url $RPC_URL --broadcast --account $KEYSTORE
 *
 * The deployer provides 100 ETH and 300,000 tokens, so that one ETH costs 3,000. The result is recorded in
 * `deployments/<chainId>.json`.
 */
contract DeployUniswapV2 is Deployments {
    /// wei that the deployer puts into the pool
    uint256 public constant LIQUIDITY_ETH = 100 ether;
    /// base units of the token that are minted for the pool
    uint256 public constant LIQUIDITY_TOKENS = 300_000 ether;

    /// The contracts of a market.
    struct Market {
        address weth;
        IUniswapV2Factory factory;
        IUniswapV2Router02 router;
        DemoToken token;
        address pair;
    }

    function run() external {
        vm.startBroadcast();
        (, address deployer,) = vm.readCallers();
        deploy(deployer);
        vm.stopBroadcast();

        write();
    }

    /// Deploys a market from `deployer`, who pays for the liquidity and gets it, and records it.
    function deploy(address deployer) public returns (Market memory m) {
        m.weth = UniswapV2.deployWeth();
        record("WETH9", m.weth, "");
        m.factory = UniswapV2.deployFactory(deployer);
        record("UniswapV2Factory", address(m.factory), abi.encode(deployer));
        m.router = UniswapV2.deployRouter(m.factory, m.weth);
        record("UniswapV2Router02", address(m.router), abi.encode(m.factory, m.weth));
        m.token = new DemoToken("Demo Dollar", "DEMO");
        record("DemoToken", address(m.token), abi.encode("Demo Dollar", "DEMO"));

        m.token.mint(deployer, LIQUIDITY_TOKENS);
        m.token.approve(address(m.router), LIQUIDITY_TOKENS);
        m.router.addLiquidityETH{value: LIQUIDITY_ETH}(
            address(m.token), LIQUIDITY_TOKENS, LIQUIDITY_TOKENS, LIQUIDITY_ETH, deployer, type(uint256).max
        );
        m.pair = m.factory.getPair(address(m.token), m.weth);
        record("DemoPair", m.pair, "");
    }
}
