// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IAutoPayments} from "../interfaces/IAutoPayments.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice See IAutoPayments.
contract AutoPayments is IAutoPayments {
    using SafeERC20 for IERC20;

    /// @inheritdoc IAutoPayments
    address public immutable registry = msg.sender;
    /// @inheritdoc IAutoPayments
    address public immutable autoToken;

    constructor(address autoToken_) {
        autoToken = autoToken_;
    }

    /// @inheritdoc IAutoPayments
    function pull(address from, address to, uint256 amount) external {
        require(msg.sender == registry, NotRegistry(msg.sender));
        // Pulling from others is what this contract is for, and only the Registry can have it done.
        // slither-disable-next-line arbitrary-send-erc20
        IERC20(autoToken).safeTransferFrom(from, to, amount);
    }

    /// @inheritdoc IAutoPayments
    function available(address user) external view returns (uint256 amount) {
        IERC20 token = IERC20(autoToken);
        return Math.min(token.balanceOf(user), token.allowance(user, address(this)));
    }
}
