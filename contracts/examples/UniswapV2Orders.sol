// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IRegistry} from "../interfaces/IRegistry.sol";
import {IUniswapV2Router02} from "./IUniswapV2.sol";
import {MaxBaseFee} from "./MaxBaseFee.sol";
import {RegistryTarget} from "./RegistryTarget.sol";
import {Wallet} from "./Wallet.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/**
 * @title UniswapV2Orders: limit orders and stop losses over a Uniswap v2 router
 * @notice An order is a Request that calls one of this contract's functions. It waits, as a call that
 * reverts,
 * until the router gives what the order asks for; then any executor can execute it. Tokens stay in the user's
 * wallet until then: the user approves this contract for what is to be sold. What is bought goes to the user,
 * always.
 *
 * Which function, and how its Request is registered (all with `verifyUser`):
 * | sells → buys | function | pays its executor | Request |
 * |---|---|---|---|
 * | token → token | `swapTokens` | deposit in ETH, or AUTO | |
 * | token → ETH | `swapTokensForEth` | deposit in ETH, or AUTO | |
 * | token → ETH | `swapTokensForEthPayingFee` | the ETH it bought | `insertFeeAmount`, no deposit, not AUTO
 * |
 * | ETH → token | `swapEthForTokens` | the rest of the deposit, or AUTO | `ethForCall` = ETH to sell |
 *
 * Prices are outputs: what the whole order gives, after Uniswap's 0.3 % and the order's own effect on the
 * price.
 * - Limit order: `stopOut = type(uint256).max`; executes once the output is at least `minOut`.
 * - Stop loss: executes once the output has fallen to `stopOut` and while it is still at least `minOut`.
 *
 * What an order can cost. `minOut` is the guarantee, after the fee where the output pays it. The executor
 * chooses the moment and anybody can trade around it, so expect `minOut` and not more. A stop looks at the
 * pool's present price, which a trade in the same block can push down: whoever profits from it can trigger
 * the
 * stop and leave the user `minOut`. Set the floor as close to the stop as the pool's liquidity allows.
 *
 * Tokens that take a fee on transfer, or whose balances change by themselves, are not supported: a sale
 * reverts, and so does a purchase of which less than `minOut` arrives. The route is the user's choice; a
 * hostile token on it can harm those who trade it, never another user.
 *
 * Holds nothing between calls, has no owner. Register orders as one-shot: a recurring one repeats as long as
 * price, balance and allowance permit.
 */
contract UniswapV2Orders is RegistryTarget, MaxBaseFee, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    struct Order {
        /// the route: first the token sold, last the one bought; WETH where that is ETH
        address[] path;
        /// base units to sell; in `swapEthForTokens`, the value of the call
        uint256 amountIn;
        /// base units that the user gets at least
        uint256 minOut;
        /// the order waits until the output, before the fee, has fallen to this; `type(uint256).max` = limit
        /// order
        uint256 stopOut;
        /// the order waits while the base fee, in wei per gas, is higher; `type(uint256).max` = does not
        /// matter
        uint256 maxBaseFee;
        /// last Unix time in seconds at which the order may be executed
        uint256 deadline;
    }

    /// Emitted when an order was executed; WETH stands for ETH. `amountOut` went to the user, `feeWei` to the
    /// Registry.
    event Filled(
        address indexed user,
        address indexed sold,
        address indexed bought,
        uint256 amountIn,
        uint256 amountOut,
        uint256 feeWei
    );

    /// Raised once the order's deadline has passed.
    error Expired(uint256 deadline);
    /// Raised when the route has no two ends, or no WETH at the end where the function needs it.
    error InvalidPath();
    /// Raised when the value of the call is not what the order sells.
    error ValueNotAmountIn(uint256 value, uint256 amountIn);
    /// Raised while the output has not fallen to the stop.
    error StopNotReached(uint256 output, uint256 stopOut);
    /// Raised while the user would get less than asked for; `output` is after the fee.
    error OutputTooLow(uint256 output, uint256 minOut);
    /// Raised when the output does not even pay the fee.
    error FeeExceedsOutput(uint256 feeWei, uint256 output);
    /// Raised when less of the sold token arrived than was sent: it takes a fee.
    error InputTooLow(uint256 arrived, uint256 amountIn);
    /// Raised when ETH comes from somebody else than the router.
    error NotRouter(address caller);

    IUniswapV2Router02 public immutable ROUTER;
    address public immutable WETH;

    constructor(IRegistry registry, IUniswapV2Router02 router) RegistryTarget(registry) {
        ROUTER = router;
        WETH = router.WETH();
    }

    /// Takes what a sale for ETH gave.
    receive() external payable {
        require(msg.sender == address(ROUTER), NotRouter(msg.sender));
    }

    /// @notice Sells `user`'s tokens for another token. Request: `verifyUser`.
    function swapTokens(address user, Order calldata order) external onlyUserForwarder nonReentrant {
        _requireExecutable(order, 0);
        IERC20 bought = IERC20(order.path[order.path.length - 1]);
        _takeInput(user, order);

        uint256 before = bought.balanceOf(user);
        uint256[] memory amounts =
            ROUTER.swapExactTokensForTokens(order.amountIn, order.minOut, order.path, user, block.timestamp);
        _requireArrived(bought, user, before, order.minOut);

        _emitFilled(user, order, amounts[amounts.length - 1], 0);
    }

    /// @notice Sells the ETH that comes with the call for tokens. Request: `verifyUser`, `ethForCall`.
    function swapEthForTokens(address user, Order calldata order)
        external
        payable
        onlyUserForwarder
        nonReentrant
    {
        require(msg.value == order.amountIn, ValueNotAmountIn(msg.value, order.amountIn));
        _requireExecutable(order, 0);
        require(order.path[0] == WETH, InvalidPath());
        IERC20 bought = IERC20(order.path[order.path.length - 1]);

        uint256 before = bought.balanceOf(user);
        uint256[] memory amounts =
            ROUTER.swapExactETHForTokens{value: msg.value}(order.minOut, order.path, user, block.timestamp);
        _requireArrived(bought, user, before, order.minOut);

        _emitFilled(user, order, amounts[amounts.length - 1], 0);
    }

    /// @notice Sells `user`'s tokens for ETH. Request: `verifyUser`.
    function swapTokensForEth(address user, Order calldata order) external onlyUserForwarder nonReentrant {
        _swapForEth(user, 0, order);
    }

    /**
     * @notice Sells `user`'s tokens for ETH, of which the Registry gets its fee and the user the rest, at
     * least
     * `minOut`. Request: `verifyUser`, `insertFeeAmount`, not `payWithAUTO` (the fee would be counted in
     * AUTO).
     * @param feeWei put here by the Registry; register any value.
     */
    function swapTokensForEthPayingFee(address user, uint256 feeWei, Order calldata order)
        external
        onlyUserFeeForwarder
        nonReentrant
    {
        _swapForEth(user, feeWei, order);
    }

    function _swapForEth(address user, uint256 feeWei, Order calldata order) private {
        uint256 gross = _requireExecutable(order, feeWei);
        require(order.path[order.path.length - 1] == WETH, InvalidPath());
        _takeInput(user, order);

        // What the router says is what it sent, because WETH is honest: no balance needs to be measured.
        uint256[] memory amounts =
            ROUTER.swapExactTokensForETH(order.amountIn, gross, order.path, address(this), block.timestamp);
        gross = amounts[amounts.length - 1];
        if (feeWei != 0) _payFee(feeWei);
        _sendEth(user, gross - feeWei);

        _emitFilled(user, order, gross - feeWei, feeWei);
    }

    /// Returns the output that the order would have now, if that is what it asks for.
    function _requireExecutable(Order calldata order, uint256 feeWei) private view returns (uint256 gross) {
        // A proposer can shift time by seconds; a deadline that close to the trade is the user's risk.
        // forge-lint: disable-next-line(block-timestamp)
        require(block.timestamp <= order.deadline, Expired(order.deadline));
        require(order.path.length >= 2, InvalidPath());
        _requireBaseFee(order.maxBaseFee);

        uint256[] memory amounts = ROUTER.getAmountsOut(order.amountIn, order.path);
        gross = amounts[amounts.length - 1];
        require(gross <= order.stopOut, StopNotReached(gross, order.stopOut));
        require(gross >= feeWei, FeeExceedsOutput(feeWei, gross));
        require(gross - feeWei >= order.minOut, OutputTooLow(gross - feeWei, order.minOut));
    }

    /// Takes what is sold from the user's wallet and approves the router for it, and for nothing more.
    function _takeInput(address user, Order calldata order) private {
        IERC20 sold = IERC20(order.path[0]);
        Wallet.pull(sold, user, address(this), order.amountIn);
        uint256 arrived = sold.balanceOf(address(this));
        require(arrived >= order.amountIn, InputTooLow(arrived, order.amountIn));
        sold.forceApprove(address(ROUTER), order.amountIn);
    }

    /// The router has checked what the pair sent, which bounds the order even where a token on the route
    /// could make other payments to the user happen meanwhile. This checks that the bought token took nothing
    /// of it.
    function _requireArrived(IERC20 bought, address user, uint256 before, uint256 minOut) private view {
        (, uint256 arrived) = Math.trySub(bought.balanceOf(user), before);
        require(arrived >= minOut, OutputTooLow(arrived, minOut));
    }

    function _emitFilled(address user, Order calldata order, uint256 amountOut, uint256 feeWei) private {
        emit Filled(user, order.path[0], order.path[order.path.length - 1], order.amountIn, amountOut, feeWei);
    }
}
