// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {HookedToken, HookedWallet, RefusingWallet} from "./Actors.sol";
import {ExamplesFixture} from "./ExamplesFixture.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {DemoToken} from "contracts/examples/DemoToken.sol";
import {IUniswapV2Pair, IUniswapV2Router02} from "contracts/examples/IUniswapV2.sol";
import {MaxBaseFee} from "contracts/examples/MaxBaseFee.sol";
import {PeriodicPayments} from "contracts/examples/PeriodicPayments.sol";
import {RegistryTarget} from "contracts/examples/RegistryTarget.sol";
import {UniswapV2Orders} from "contracts/examples/UniswapV2Orders.sol";
import {Wallet} from "contracts/examples/Wallet.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";
import {UniswapV2} from "test/utils/UniswapV2.sol";

abstract contract OrdersFixture is ExamplesFixture {
    uint256 internal constant AMOUNT = 3000 ether;

    address internal byUser;
    address internal byUserFee;

    function setUp() public virtual override {
        super.setUp();
        byUser = registry.userForwarder();
        byUserFee = registry.userFeeForwarder();
        _fund(token, user, AMOUNT);
    }

    function _fund(DemoToken t, address who, uint256 amount) internal {
        t.mint(who, amount);
        vm.prank(who);
        t.approve(address(orders), amount);
    }

    function _limit(address[] memory p, uint256 amountIn, uint256 minOut)
        internal
        view
        returns (UniswapV2Orders.Order memory)
    {
        return UniswapV2Orders.Order(p, amountIn, minOut, NO_STOP, ANY_BASE_FEE, block.timestamp + 1 days);
    }

    function _forOther() internal view returns (UniswapV2Orders.Order memory) {
        return _limit(path(address(token), address(other)), AMOUNT, 0);
    }

    function _forEth() internal view returns (UniswapV2Orders.Order memory) {
        return _limit(path(address(token), weth), AMOUNT, 0);
    }

    function _quote(UniswapV2Orders.Order memory o) internal view returns (uint256) {
        return quote(o.amountIn, o.path);
    }

    function _tokens(address who, UniswapV2Orders.Order memory o) internal view returns (bytes memory) {
        return abi.encodeCall(orders.swapTokens, (who, o));
    }

    function _eth(address who, UniswapV2Orders.Order memory o) internal view returns (bytes memory) {
        return abi.encodeCall(orders.swapTokensForEth, (who, o));
    }

    function _ethFee(address who, uint256 fee, UniswapV2Orders.Order memory o)
        internal
        view
        returns (bytes memory)
    {
        return abi.encodeCall(orders.swapTokensForEthPayingFee, (who, fee, o));
    }

    function _buy(address who, UniswapV2Orders.Order memory o) internal view returns (bytes memory) {
        return abi.encodeCall(orders.swapEthForTokens, (who, o));
    }
}

contract UniswapV2OrdersRefusalsTest is OrdersFixture {
    function test_RevertWhen_CallerIsNotTheRightForwarder() public {
        bytes[4] memory calls = [
            _tokens(user, _forOther()),
            _eth(user, _forEth()),
            _buy(user, _forEth()),
            _ethFee(user, 0, _forEth())
        ];
        address[6] memory callers =
            [stranger, user, registry.plainForwarder(), registry.feeForwarder(), byUser, byUserFee];
        for (uint256 i = 0; i < calls.length; i++) {
            address right = i == 3 ? byUserFee : byUser;
            for (uint256 j = 0; j < callers.length; j++) {
                if (callers[j] == right) continue;
                assertFails(
                    callers[j],
                    address(orders),
                    calls[i],
                    abi.encodeWithSelector(RegistryTarget.NotForwarder.selector, callers[j], right)
                );
            }
        }
        assertEq(token.balanceOf(user), AMOUNT);
    }

    function test_RevertWhen_EthComesFromAnybodyButTheRouter() public {
        vm.deal(stranger, 1 ether);
        vm.prank(stranger);
        (bool success, bytes memory result) = address(orders).call{value: 1 ether}("");
        assertFalse(success);
        assertEq(result, abi.encodeWithSelector(UniswapV2Orders.NotRouter.selector, stranger));
    }

    function test_RevertWhen_Expired() public {
        UniswapV2Orders.Order memory o = _forOther();
        vm.warp(o.deadline + 1);
        bytes memory reason = abi.encodeWithSelector(UniswapV2Orders.Expired.selector, o.deadline);
        assertFails(byUser, address(orders), _tokens(user, o), reason);

        vm.warp(o.deadline);
        assertSucceeds(byUser, address(orders), 0, _tokens(user, o));
    }

    function test_RevertWhen_RouteHasNoTwoEnds() public {
        bytes memory reason = abi.encodeWithSelector(UniswapV2Orders.InvalidPath.selector);
        for (uint256 length = 0; length < 2; length++) {
            UniswapV2Orders.Order memory o = _limit(new address[](length), 0, 0);
            assertFails(byUser, address(orders), _tokens(user, o), reason);
            assertFails(byUser, address(orders), _eth(user, o), reason);
            assertFails(byUser, address(orders), _buy(user, o), reason);
            assertFails(byUserFee, address(orders), _ethFee(user, 0, o), reason);
        }
    }

    function test_RevertWhen_EthIsNotAtTheRightEnd() public {
        bytes memory reason = abi.encodeWithSelector(UniswapV2Orders.InvalidPath.selector);
        assertFails(byUser, address(orders), _eth(user, _forOther()), reason);
        assertFails(byUserFee, address(orders), _ethFee(user, 0, _forOther()), reason);

        (bool success, bytes memory result) =
            callFrom(byUser, user, address(orders), AMOUNT, _buy(user, _forEth()));
        assertFalse(success);
        assertEq(result, reason);
    }

    function test_RevertWhen_BaseFeeIsTooHigh() public {
        UniswapV2Orders.Order memory o = _forOther();
        o.maxBaseFee = 10 gwei - 1;
        bytes memory reason = abi.encodeWithSelector(MaxBaseFee.BaseFeeTooHigh.selector, 10 gwei, 10 gwei - 1);
        assertFails(byUser, address(orders), _tokens(user, o), reason);

        o.maxBaseFee = 10 gwei;
        assertSucceeds(byUser, address(orders), 0, _tokens(user, o));
    }

    function test_RevertWhen_OutputIsTooLow() public {
        UniswapV2Orders.Order memory o = _forOther();
        uint256 output = _quote(o);
        o.minOut = output + 1;
        bytes memory reason =
            abi.encodeWithSelector(UniswapV2Orders.OutputTooLow.selector, output, output + 1);
        assertFails(byUser, address(orders), _tokens(user, o), reason);

        o.minOut = output;
        assertSucceeds(byUser, address(orders), 0, _tokens(user, o));
    }

    function test_RevertWhen_StopIsNotReached() public {
        UniswapV2Orders.Order memory o = _forEth();
        uint256 output = _quote(o);
        o.stopOut = output - 1;
        bytes memory reason =
            abi.encodeWithSelector(UniswapV2Orders.StopNotReached.selector, output, output - 1);
        assertFails(byUser, address(orders), _eth(user, o), reason);

        o.stopOut = output;
        assertSucceeds(byUser, address(orders), 0, _eth(user, o));
    }

    function test_RevertWhen_PriceFellThroughTheFloor() public {
        UniswapV2Orders.Order memory o = _forEth();
        o.stopOut = _quote(o) * 95 / 100;
        o.minOut = _quote(o) * 90 / 100;
        dump(60_000 ether);
        bytes memory reason =
            abi.encodeWithSelector(UniswapV2Orders.OutputTooLow.selector, _quote(o), o.minOut);
        assertFails(byUser, address(orders), _eth(user, o), reason);
    }

    function test_RevertWhen_FeeExceedsOutput() public {
        UniswapV2Orders.Order memory o = _forEth();
        uint256 output = _quote(o);
        bytes memory reason =
            abi.encodeWithSelector(UniswapV2Orders.FeeExceedsOutput.selector, output + 1, output);
        assertFails(byUserFee, address(orders), _ethFee(user, output + 1, o), reason);
    }

    function test_RevertWhen_RestAfterFeeIsTooLow() public {
        UniswapV2Orders.Order memory o = _forEth();
        uint256 output = _quote(o);
        o.minOut = output - 0.01 ether + 1;
        bytes memory reason =
            abi.encodeWithSelector(UniswapV2Orders.OutputTooLow.selector, output - 0.01 ether, o.minOut);
        assertFails(byUserFee, address(orders), _ethFee(user, 0.01 ether, o), reason);
    }

    function test_RevertWhen_FeeIsPaidOutsideAnExecution() public {
        bytes memory reason = abi.encodeWithSelector(RegistryTarget.FeeRefused.selector, 0.01 ether);
        assertFails(byUserFee, address(orders), _ethFee(user, 0.01 ether, _forEth()), reason);
    }

    function test_RevertWhen_ValueIsNotWhatIsSold() public {
        UniswapV2Orders.Order memory o = _limit(path(weth, address(token)), 1 ether, 0);
        (bool success, bytes memory result) =
            callFrom(byUser, user, address(orders), 1 ether - 1, _buy(user, o));
        assertFalse(success);
        assertEq(
            result, abi.encodeWithSelector(UniswapV2Orders.ValueNotAmountIn.selector, 1 ether - 1, 1 ether)
        );
    }

    function test_RevertWhen_WalletIsShort() public {
        bytes4 selector = Wallet.WalletShort.selector;
        vm.prank(user);
        token.approve(address(orders), AMOUNT - 1);
        bytes memory reason = abi.encodeWithSelector(selector, token, user, AMOUNT, AMOUNT - 1);
        assertFails(byUser, address(orders), _tokens(user, _forOther()), reason);

        vm.startPrank(user);
        token.approve(address(orders), type(uint256).max);
        assertTrue(token.transfer(stranger, 2));
        vm.stopPrank();
        reason = abi.encodeWithSelector(selector, token, user, AMOUNT, AMOUNT - 2);
        assertFails(byUser, address(orders), _eth(user, _forEth()), reason);
    }

    function test_RevertWhen_SoldTokenTakesAFee() public {
        IERC20 deflating = _deflatingMarket();
        assertTrue(deflating.transfer(user, AMOUNT));
        uint256 balance = deflating.balanceOf(user);
        vm.prank(user);
        deflating.approve(address(orders), balance);

        UniswapV2Orders.Order memory o = _limit(path(address(deflating), address(token)), balance, 0);
        bytes memory reason =
            abi.encodeWithSelector(UniswapV2Orders.InputTooLow.selector, balance - balance / 100, balance);
        assertFails(byUser, address(orders), _tokens(user, o), reason);
        assertEq(deflating.balanceOf(user), balance);
    }

    function test_RevertWhen_BoughtTokenTakesAFee() public {
        IERC20 deflating = _deflatingMarket();
        UniswapV2Orders.Order memory o = _limit(path(address(token), address(deflating)), AMOUNT, 0);
        uint256 output = _quote(o);
        o.minOut = output;
        bytes memory reason =
            abi.encodeWithSelector(UniswapV2Orders.OutputTooLow.selector, output - output / 100, output);
        assertFails(byUser, address(orders), _tokens(user, o), reason);

        o = _limit(path(weth, address(token), address(deflating)), 1 ether, 0);
        output = _quote(o);
        o.minOut = output;
        (bool success, bytes memory result) = callFrom(byUser, user, address(orders), 1 ether, _buy(user, o));
        assertFalse(success);
        assertEq(
            result,
            abi.encodeWithSelector(UniswapV2Orders.OutputTooLow.selector, output - output / 100, output)
        );
    }

    function test_RevertWhen_UserTakesNoEth() public {
        address wallet = address(new RefusingWallet());
        _fund(token, wallet, AMOUNT);
        (bool success, bytes memory result) =
            callFrom(byUser, wallet, address(orders), 0, _eth(wallet, _forEth()));
        assertFalse(success);
        assertEq(result, abi.encodeWithSelector(RegistryTarget.EthRefused.selector, wallet));
    }

    /// A token that burns 1 % of every transfer, as Uniswap's own tests use it.
    function _deflatingMarket() private returns (IERC20 deflating) {
        deflating = IERC20(
            UniswapV2.deployArtifact("v2-periphery/build/DeflatingERC20.json", abi.encode(1_000_000 ether))
        );
        token.mint(address(this), 100_000 ether);
        token.approve(address(router), 100_000 ether);
        deflating.approve(address(router), 100_000 ether);
        router.addLiquidity(
            address(token),
            address(deflating),
            100_000 ether,
            100_000 ether,
            0,
            0,
            address(this),
            block.timestamp
        );
    }
}

contract UniswapV2OrdersTest is OrdersFixture {
    function test_WhenTokenIsSoldForToken() public {
        UniswapV2Orders.Order memory o = _forOther();
        o.minOut = _quote(o);
        vm.expectEmit(address(orders));
        emit UniswapV2Orders.Filled(user, address(token), address(other), AMOUNT, o.minOut, 0);
        assertSucceeds(byUser, address(orders), 0, _tokens(user, o));

        assertEq(token.balanceOf(user), 0);
        assertEq(other.balanceOf(user), o.minOut);
        assertNothingLeft(address(orders));
    }

    function test_WhenTokenIsSoldForEth() public {
        UniswapV2Orders.Order memory o = _forEth();
        o.minOut = _quote(o);
        vm.expectEmit(address(orders));
        emit UniswapV2Orders.Filled(user, address(token), weth, AMOUNT, o.minOut, 0);
        assertSucceeds(byUser, address(orders), 0, _eth(user, o));

        assertEq(token.balanceOf(user), 0);
        assertEq(user.balance, o.minOut);
        assertNothingLeft(address(orders));
    }

    function test_WhenEthIsSoldForTokenOverTwoPools() public {
        UniswapV2Orders.Order memory o = _limit(path(weth, address(token), address(other)), 2 ether, 0);
        o.minOut = _quote(o);
        vm.expectEmit(address(orders));
        emit UniswapV2Orders.Filled(user, weth, address(other), 2 ether, o.minOut, 0);
        assertSucceeds(byUser, address(orders), 2 ether, _buy(user, o));

        assertEq(other.balanceOf(user), o.minOut);
        assertNothingLeft(address(orders));
    }

    function test_WhenStopIsReached() public {
        UniswapV2Orders.Order memory o = _forEth();
        o.stopOut = _quote(o) * 95 / 100;
        o.minOut = _quote(o) * 80 / 100;
        dump(15_000 ether);
        uint256 output = _quote(o);
        assertSucceeds(byUser, address(orders), 0, _eth(user, o));
        assertEq(user.balance, output);
    }

    function test_WhenSandwiched_UserStillGetsTheMinimum() public {
        UniswapV2Orders.Order memory o = _forEth();
        uint256 fair = _quote(o);
        o.minOut = fair * 99 / 100;

        // The most that an attacker can push without making the order impossible.
        uint256 low = 0;
        uint256 high = 10_000 ether;
        while (high - low > 1 ether) {
            uint256 middle = (low + high) / 2;
            uint256 snapshot = vm.snapshotState();
            dump(middle);
            (bool possible,) = callFrom(byUser, user, address(orders), 0, _eth(user, o));
            vm.revertToState(snapshot);
            if (possible) low = middle;
            else high = middle;
        }
        assertGt(low, 0);
        dump(low);
        assertSucceeds(byUser, address(orders), 0, _eth(user, o));
        assertGe(user.balance, o.minOut);
        assertLt(user.balance, fair);
    }

    function test_WhenEthIsForcedIn_ItIsNobodysOrder() public {
        vm.deal(address(orders), 5 ether);
        other.mint(address(orders), 7 ether);
        UniswapV2Orders.Order memory o = _forEth();
        uint256 output = _quote(o);
        assertSucceeds(byUser, address(orders), 0, _eth(user, o));
        assertEq(user.balance, output);
        assertEq(address(orders).balance, 5 ether);
        assertEq(other.balanceOf(address(orders)), 7 ether);
    }

    /// An order is executed when, and only when, its output lies between `minOut` and `stopOut`; the output is
    /// the constant product's, after 0.3 %.
    function testFuzz_OutputAndBounds(uint256 amountIn, uint256 minOut, uint256 stopOut, uint256 moved)
        public
    {
        amountIn = bound(amountIn, 1e6, 1e26);
        moved = bound(moved, 0, 1e24);
        if (moved > 1e6) dump(moved);

        (uint256 reserveIn, uint256 reserveOut) = _reserves(address(token), weth);
        uint256 expected = amountIn * 997 * reserveOut / (reserveIn * 1000 + amountIn * 997);
        minOut = bound(minOut, expected - expected / 50, expected + expected / 50);
        stopOut = bound(stopOut, expected - expected / 50, expected + expected / 50);

        _fund(token, user, amountIn);
        UniswapV2Orders.Order memory o = _limit(path(address(token), weth), amountIn, minOut);
        o.stopOut = stopOut;
        uint256 tokensBefore = token.balanceOf(user);
        (bool success, bytes memory result) = callFrom(byUser, user, address(orders), 0, _eth(user, o));

        if (expected > stopOut) {
            assertEq(
                result, abi.encodeWithSelector(UniswapV2Orders.StopNotReached.selector, expected, stopOut)
            );
        } else if (expected < minOut) {
            assertEq(result, abi.encodeWithSelector(UniswapV2Orders.OutputTooLow.selector, expected, minOut));
        }
        assertEq(success, minOut <= expected && expected <= stopOut);
        assertEq(user.balance, success ? expected : 0);
        assertEq(tokensBefore - token.balanceOf(user), success ? amountIn : 0);
        assertNothingLeft(address(orders));
    }

    function _reserves(address a, address b) private view returns (uint256 reserveA, uint256 reserveB) {
        IUniswapV2Pair pair = IUniswapV2Pair(factory.getPair(a, b));
        (reserveA, reserveB,) = pair.getReserves();
        if (pair.token0() != a) (reserveA, reserveB) = (reserveB, reserveA);
    }
}

contract UniswapV2OrdersRegistryTest is OrdersFixture {
    function test_WhenFeeComesFromOutput_StopLossNeedsNoDeposit() public {
        UniswapV2Orders.Order memory o = _forEth();
        o.stopOut = _quote(o) * 95 / 100;
        o.minOut = _quote(o) * 80 / 100;
        IRegistry.Request memory r = request(address(orders), _ethFee(user, 0, o), true, false);
        uint256 id = register(r);
        assertNotExecutable(
            id, r, abi.encodeWithSelector(UniswapV2Orders.StopNotReached.selector, _quote(o), o.stopOut)
        );

        dump(15_000 ether);
        uint256 output = _quote(o);
        uint256 fee = execute(id, r);
        assertGt(fee, 100_000 * 10 gwei);
        assertEq(user.balance, output - fee);
        assertEq(token.balanceOf(user), 0);
        assertEq(address(registry).balance, 0);
        assertNothingLeft(address(orders));
    }

    function test_WhenPaidByDeposit_TheRestComesBack() public {
        UniswapV2Orders.Order memory o = _limit(path(weth, address(token)), 2 ether, 0);
        o.minOut = _quote(o);
        IRegistry.Request memory r = request(address(orders), _buy(user, o), false, false);
        (r.initEthSent, r.ethForCall) = (2.1 ether, 2 ether);
        uint256 id = register(r);
        // An account that holds nothing and did nothing does not exist, and would be credited.
        vm.deal(user, 1);
        uint256 fee = execute(id, r);
        assertGt(fee, 0);
        assertEq(user.balance, 1 + 0.1 ether - fee);
        assertEq(token.balanceOf(user), AMOUNT + o.minOut);
        assertNothingLeft(address(orders));
    }

    function test_WhenPaidInAuto() public {
        fundAuto();
        UniswapV2Orders.Order memory o = _forOther();
        o.minOut = _quote(o);
        IRegistry.Request memory r = request(address(orders), _tokens(user, o), false, false);
        r.payWithAUTO = true;
        uint256 fee = execute(register(r), r);
        assertGt(fee, 0);
        assertEq(autoToken.balanceOf(user), 1000 ether - fee);
        assertEq(other.balanceOf(user), o.minOut);
    }

    /// A fee counted in AUTO is sent as if it were wei: the Registry gives it back, and the user loses nothing
    /// but the detour.
    function test_WhenFeeInAutoIsTakenFromOutput_ItComesBack() public {
        fundAuto();
        vm.fee(1e6);
        vm.txGasPrice(1e6);
        UniswapV2Orders.Order memory o = _forEth();
        uint256 output = _quote(o);
        IRegistry.Request memory r = request(address(orders), _ethFee(user, 0, o), true, false);
        r.payWithAUTO = true;
        uint256 fee = execute(register(r), r);
        assertGt(fee, 0);
        assertEq(autoToken.balanceOf(user), 1000 ether - fee);
        assertEq(user.balance, output);
        assertNothingLeft(address(orders));
    }

    /// Whatever gas costs: executor and user share the output to the wei, or nothing happens.
    function testFuzz_FeeAndRestAreTheOutput(uint256 baseFee, uint256 amountIn, uint256 keep) public {
        baseFee = bound(baseFee, 1, 2000 gwei);
        amountIn = bound(amountIn, 1 ether, 100_000 ether);
        keep = bound(keep, 0, 100);
        vm.fee(baseFee);
        vm.txGasPrice(baseFee);
        _fund(token, user, amountIn);
        UniswapV2Orders.Order memory o = _limit(path(address(token), weth), amountIn, 0);
        uint256 output = _quote(o);
        o.minOut = output * keep / 100;
        IRegistry.Request memory r = request(address(orders), _ethFee(user, 0, o), true, false);
        uint256 id = register(r);

        uint256 expectedGas = 200_000;
        uint256 fee = expectedGas * baseFee * 13 / 10;
        vm.prank(executor);
        (bool success, bytes memory result) =
            address(registry).call(abi.encodeCall(registry.executeHashedReq, (id, r, expectedGas)));
        if (success) {
            assertGe(user.balance, o.minOut);
            assertEq(user.balance + executor.balance, output);
            assertEq(executor.balance, fee);
        } else {
            assertGt(fee + o.minOut, output);
            bytes memory reason = fee > output
                ? abi.encodeWithSelector(UniswapV2Orders.FeeExceedsOutput.selector, fee, output)
                : abi.encodeWithSelector(UniswapV2Orders.OutputTooLow.selector, output - fee, o.minOut);
            assertEq(result, abi.encodeWithSelector(IRegistry.CallFailed.selector, id, reason));
            assertEq(user.balance + executor.balance, 0);
        }
        assertEq(address(registry).balance, 0);
        assertNothingLeft(address(orders));
    }
}

contract UniswapV2OrdersAttackTest is OrdersFixture {
    HookedToken private hooked;

    function setUp() public override {
        super.setUp();
        hooked = new HookedToken();
        addLiquidity(address(hooked), address(other), 100_000 ether, 100_000 ether);
        _fund(hooked, user, AMOUNT);
    }

    function test_WhenTokenReenters_OrdersRefuse() public {
        UniswapV2Orders.Order memory o = _limit(path(address(hooked), address(other)), AMOUNT, 0);
        // The victim's order, executable at this very moment.
        address victim = makeAddr("victim");
        _fund(token, victim, AMOUNT);

        hooked.arm(address(orders), _tokens(victim, _forOther()), address(0));
        assertSucceeds(byUser, address(orders), 0, _tokens(user, o));
        assertTrue(hooked.fired());
        assertFalse(hooked.succeeded());
        assertEq(
            hooked.result(),
            abi.encodeWithSelector(RegistryTarget.NotForwarder.selector, address(hooked), byUser)
        );
        assertEq(token.balanceOf(victim), AMOUNT);
    }

    function test_WhenForwarderItselfReenters_OrdersRefuse() public {
        bytes memory reason =
            abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        UniswapV2Orders.Order memory o = _limit(path(address(hooked), address(other)), AMOUNT / 10, 0);
        bytes[4] memory calls =
            [_tokens(user, o), _eth(user, _forEth()), _buy(user, _forEth()), _ethFee(user, 0, _forEth())];
        for (uint256 i = 0; i < calls.length; i++) {
            hooked.arm(address(orders), calls[i], i == 3 ? byUserFee : byUser);
            assertSucceeds(byUser, address(orders), 0, _tokens(user, o));
            assertTrue(hooked.fired());
            assertEq(hooked.result(), reason);
        }
        assertEq(token.balanceOf(user), AMOUNT);
        assertNothingLeft(address(orders));
    }

    function test_WhenWalletReenters_OrdersRefuse() public {
        HookedWallet wallet = new HookedWallet();
        _fund(token, address(wallet), 2 * AMOUNT);
        wallet.arm(address(orders), _eth(address(wallet), _forEth()), byUser);
        (bool success,) =
            callFrom(byUser, address(wallet), address(orders), 0, _eth(address(wallet), _forEth()));
        assertTrue(success);
        assertEq(
            wallet.result(),
            abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
        assertEq(token.balanceOf(address(wallet)), AMOUNT);
    }

    function test_WhenTokenExecutesAnotherOrder_RegistryRefuses() public {
        IRegistry.Request memory own = request(
            address(orders),
            _tokens(user, _limit(path(address(hooked), address(other)), AMOUNT, 0)),
            false,
            false
        );
        own.initEthSent = 1 ether;
        uint256 ownId = register(own);

        address victim = makeAddr("victim");
        _fund(token, victim, AMOUNT);
        IRegistry.Request memory r = request(address(orders), _tokens(victim, _forOther()), false, false);
        (r.user, r.initEthSent) = (payable(victim), 1 ether);
        uint256 id = register(r);

        hooked.arm(address(registry), abi.encodeCall(registry.executeHashedReq, (id, r, 0)), address(0));
        execute(ownId, own);
        assertTrue(hooked.fired());
        assertEq(hooked.result(), abi.encodeWithSelector(IRegistry.Reentered.selector));
        assertEq(token.balanceOf(victim), AMOUNT);
    }

    /// What the user is owed anyway must not pass for the output of an order.
    function test_RevertWhen_TokenReplacesOutputByAnotherPayment() public {
        UniswapV2Orders.Order memory o = _limit(path(address(hooked), address(other)), AMOUNT, 0);
        o.minOut = _quote(o);

        // While it is pulled, the token moves the pool against the user and has the user's salary paid.
        address employer = makeAddr("employer");
        other.mint(employer, AMOUNT);
        vm.startPrank(employer);
        other.approve(address(payments), AMOUNT);
        uint256 salary = payments.create(other, user, AMOUNT, 0, 0, 1, type(uint40).max, false);
        vm.stopPrank();
        PoolMover mover = new PoolMover(hooked, router, payments, salary);
        hooked.mint(address(mover), 50_000 ether);
        hooked.arm(address(mover), abi.encodeCall(mover.strike, (o.path)), address(0));

        (bool success, bytes memory result) = callFrom(byUser, user, address(orders), 0, _tokens(user, o));
        assertFalse(success);
        assertEq(
            result, abi.encodeWithSignature("Error(string)", "UniswapV2Router: INSUFFICIENT_OUTPUT_AMOUNT")
        );

        // Without a minimum it goes through: the attack itself works, it is the minimum that stops it.
        o.minOut = 0;
        assertSucceeds(byUser, address(orders), 0, _tokens(user, o));
        assertTrue(hooked.succeeded());
    }
}

/// Sells into a pool, and triggers a payment that is due.
contract PoolMover {
    HookedToken private immutable TOKEN;
    IUniswapV2Router02 private immutable ROUTER;
    PeriodicPayments private immutable PAYMENTS;
    uint256 private immutable ID;

    constructor(HookedToken token, IUniswapV2Router02 router, PeriodicPayments payments, uint256 id) {
        (TOKEN, ROUTER, PAYMENTS, ID) = (token, router, payments, id);
    }

    function strike(address[] calldata route) external {
        PAYMENTS.pay(ID);
        uint256 amount = TOKEN.balanceOf(address(this));
        TOKEN.approve(address(ROUTER), amount);
        ROUTER.swapExactTokensForTokens(amount, 0, route, address(this), block.timestamp);
    }
}
