// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/**
 * @title Wallet: takes tokens from the wallet of a user who approved the calling contract
 * @notice Users keep their tokens until the moment they are needed, so balance or allowance may well be gone
 * by then. Tokens say so in many ways, or not at all; this says it in one.
 */
library Wallet {
    using SafeERC20 for IERC20;

    /// Raised when `owner`'s balance or allowance, `available` being the smaller, is less than `needed`.
    error WalletShort(IERC20 token, address owner, uint256 needed, uint256 available);

    /// Sends `amount` of `owner`'s tokens to `to`.
    function pull(IERC20 token, address owner, address to, uint256 amount) internal {
        uint256 available = Math.min(token.balanceOf(owner), token.allowance(owner, address(this)));
        require(available >= amount, WalletShort(token, owner, amount, available));
        // slither-disable-next-line arbitrary-send-erc20
        token.safeTransferFrom(owner, to, amount);
    }
}
