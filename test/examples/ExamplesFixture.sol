// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {DemoToken} from "contracts/examples/DemoToken.sol";
import {EthTank} from "contracts/examples/EthTank.sol";
import {GuardedCall} from "contracts/examples/GuardedCall.sol";
import {IUniswapV2Factory, IUniswapV2Router02} from "contracts/examples/IUniswapV2.sol";
import {PeriodicPayments} from "contracts/examples/PeriodicPayments.sol";
import {UniswapV2Orders} from "contracts/examples/UniswapV2Orders.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";
import {AutoToken} from "contracts/token/AutoToken.sol";
import {Test} from "forge-std/Test.sol";
import {Deploy} from "script/Deploy.s.sol";
import {DeployExamples} from "script/DeployExamples.s.sol";
import {DeployUniswapV2} from "script/DeployUniswapV2.s.sol";

/// The examples on a real Registry and a real Uniswap v2, deployed by the scripts that users run.
abstract contract ExamplesFixture is Test {
    uint256 internal constant NO_STOP = type(uint256).max;
    uint256 internal constant ANY_BASE_FEE = type(uint256).max;

    IRegistry internal registry;
    AutoToken internal autoToken;
    address private autoOwner;
    address internal weth;
    IUniswapV2Factory internal factory;
    IUniswapV2Router02 internal router;
    /// one ETH costs 3,000 of it
    DemoToken internal token;
    /// 1 `token` costs 2 of it
    DemoToken internal other;
    UniswapV2Orders internal orders;
    PeriodicPayments internal payments;
    EthTank internal tank;
    GuardedCall internal guarded;

    address internal user = makeAddr("user");
    address internal executor = makeAddr("executor");
    address internal stranger = makeAddr("stranger");

    function setUp() public virtual {
        vm.fee(10 gwei);
        vm.txGasPrice(11 gwei);
        vm.warp(1_800_000_000);

        // Nobody has staked, so anybody may execute.
        Deploy errand = new Deploy();
        Deploy.Deployed memory d =
            errand.deploy(errand.parse(vm.readFile("script/config/31337.json")), address(errand));
        (registry, autoToken, autoOwner) = (d.registry, d.autoToken, address(errand));

        DeployUniswapV2 market = new DeployUniswapV2();
        vm.deal(address(market), market.LIQUIDITY_ETH());
        DeployUniswapV2.Market memory m = market.deploy(address(market));
        (weth, factory, router, token) = (m.weth, m.factory, m.router, m.token);

        DeployExamples.Examples memory e = new DeployExamples().deploy(registry, router);
        (orders, payments, tank, guarded) = (e.orders, e.payments, e.tank, e.guarded);

        other = new DemoToken("Other", "OTH");
        addLiquidity(address(token), address(other), 100_000 ether, 200_000 ether);
        vm.label(address(orders), "orders");
        vm.label(address(tank), "tank");
    }

    function addLiquidity(address a, address b, uint256 amountA, uint256 amountB) internal {
        DemoToken(a).mint(address(this), amountA);
        DemoToken(b).mint(address(this), amountB);
        DemoToken(a).approve(address(router), amountA);
        DemoToken(b).approve(address(router), amountB);
        router.addLiquidity(a, b, amountA, amountB, 0, 0, address(this), block.timestamp);
    }

    /// Moves the price of `token` in ETH down by selling some.
    function dump(uint256 amount) internal {
        token.mint(address(this), amount);
        token.approve(address(router), amount);
        router.swapExactTokensForTokens(amount, 0, path(address(token), weth), address(this), block.timestamp);
    }

    function path(address a, address b) internal pure returns (address[] memory p) {
        p = new address[](2);
        (p[0], p[1]) = (a, b);
    }

    function path(address a, address b, address c) internal pure returns (address[] memory p) {
        p = new address[](3);
        (p[0], p[1], p[2]) = (a, b, c);
    }

    function quote(uint256 amountIn, address[] memory p) internal view returns (uint256) {
        return router.getAmountsOut(amountIn, p)[p.length - 1];
    }

    /// Makes the call as the Registry's forwarder would: with the user at the end.
    function callFrom(address forwarder, address who, address target, uint256 value, bytes memory data)
        internal
        returns (bool success, bytes memory result)
    {
        vm.deal(forwarder, forwarder.balance + value);
        vm.prank(forwarder);
        (success, result) = target.call{value: value}(abi.encodePacked(data, who));
    }

    function assertFails(address forwarder, address target, bytes memory data, bytes memory reason) internal {
        (bool success, bytes memory result) = callFrom(forwarder, user, target, 0, data);
        assertFalse(success, "succeeded");
        assertEq(result, reason, "for another reason");
    }

    function assertSucceeds(address forwarder, address target, uint256 value, bytes memory data) internal {
        (bool success, bytes memory result) = callFrom(forwarder, user, target, value, data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
    }

    /// Gives the user 1,000 AUTO, and the Registry leave to take them.
    function fundAuto() internal {
        address spender = registry.autoPayments();
        vm.prank(autoOwner);
        assertTrue(autoToken.transfer(user, 1000 ether));
        vm.prank(user);
        autoToken.approve(spender, type(uint256).max);
    }

    /// A Request without ETH, not registered yet.
    function request(address target, bytes memory data, bool insertFee, bool alive)
        internal
        view
        returns (IRegistry.Request memory r)
    {
        r.user = payable(user);
        r.target = target;
        r.callData = data;
        r.verifyUser = true;
        r.insertFeeAmount = insertFee;
        r.isAlive = alive;
    }

    function register(IRegistry.Request memory r) internal returns (uint256) {
        vm.deal(r.user, r.user.balance + r.initEthSent);
        vm.prank(r.user);
        return registry.newReqPaySpecific{value: r.initEthSent}(
            r.target,
            r.referer,
            r.callData,
            r.ethForCall,
            r.verifyUser,
            r.insertFeeAmount,
            r.payWithAUTO,
            r.isAlive
        );
    }

    /// Executes a Request and returns its fee, in wei or AUTO, as the executor received it.
    function execute(uint256 id, IRegistry.Request memory r) internal returns (uint256 fee) {
        uint256 expectedGas;
        if (r.insertFeeAmount) {
            // What a keeper does: run it once, see what is charged, and ask for a little less.
            uint256 snapshot = vm.snapshotState();
            vm.prank(executor);
            expectedGas = registry.executeHashedReq(id, r, 21_000) * 95 / 100;
            vm.revertToStateAndDelete(snapshot);
        }
        uint256 before = r.payWithAUTO ? autoToken.balanceOf(executor) : executor.balance;
        vm.prank(executor);
        registry.executeHashedReq(id, r, expectedGas);
        fee = (r.payWithAUTO ? autoToken.balanceOf(executor) : executor.balance) - before;
    }

    /// Asserts that a Request fails, and why.
    function assertNotExecutable(uint256 id, IRegistry.Request memory r, bytes memory reason) internal {
        assertNotExecutable(id, r, 21_000, reason);
    }

    function assertNotExecutable(
        uint256 id,
        IRegistry.Request memory r,
        uint256 expectedGas,
        bytes memory reason
    ) internal {
        vm.prank(executor);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.CallFailed.selector, id, reason));
        registry.executeHashedReq(id, r, expectedGas);
    }

    /// Returns which error it is.
    function selectorOf(bytes memory reason) internal pure returns (bytes4) {
        // forge-lint: disable-next-line(unsafe-typecast)
        return bytes4(reason);
    }

    /// What example contracts hold of the tokens traded, and of ETH that is nobody's.
    function assertNothingLeft(address where) internal view {
        assertEq(where.balance, 0, "ETH left behind");
        assertEq(token.balanceOf(where), 0, "token left behind");
        assertEq(other.balanceOf(where), 0, "other token left behind");
        assertEq(DemoToken(weth).balanceOf(where), 0, "WETH left behind");
        assertEq(token.allowance(where, address(router)), 0, "allowance left behind");
        assertEq(other.allowance(where, address(router)), 0, "allowance left behind");
    }
}
