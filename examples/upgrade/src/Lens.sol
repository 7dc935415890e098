// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {PriceFeed} from "./PriceFeed.sol";
import {Token} from "./Token.sol";
import {Vault} from "./Vault.sol";

/// @title Reads several contracts at once. Plain: each version has its own address
contract Lens {
    Vault public immutable VAULT;
    Token public immutable TOKEN;
    PriceFeed public immutable FEED;

    constructor(Vault vault, Token token, PriceFeed feed) {
        VAULT = vault;
        TOKEN = token;
        FEED = feed;
    }

    function overview(address account) external view returns (uint256 held, uint256 worthUsd, uint256 tokens) {
        held = VAULT.balanceOf(account);
        worthUsd = held * FEED.price() / 1 ether;
        tokens = TOKEN.balanceOf(account);
    }
}
