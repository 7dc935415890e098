// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// A wallet that is user and target in one, and makes its AUTO unavailable while its Request runs: after the
/// check, before the fee is pulled.
contract AllowancePuller {
    enum Trick {
        None,
        RevokeAllowance,
        EmptyBalance
    }

    IERC20 private immutable TOKEN;
    address private immutable SPENDER;
    Trick private trick;

    constructor(IERC20 token, address spender) {
        (TOKEN, SPENDER) = (token, spender);
        token.approve(spender, type(uint256).max);
    }

    function choose(Trick trick_) external {
        trick = trick_;
    }

    function register(address registry, bytes calldata call_) external {
        (bool success,) = registry.call(call_);
        require(success, "not registered");
    }

    fallback() external {
        if (trick == Trick.RevokeAllowance) TOKEN.approve(SPENDER, 0);
        if (trick == Trick.EmptyBalance) TOKEN.transfer(address(1), TOKEN.balanceOf(address(this)));
    }
}
