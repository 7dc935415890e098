// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {PriceFeed} from "./PriceFeed.sol";
import {Vault} from "./Vault.sol";

/// @title Says how much may be deposited at once. Vault and controller know each other. Behind a proxy
contract Controller {
    Vault public immutable VAULT;
    PriceFeed public immutable FEED;

    /// US dollars that a deposit may be worth
    uint256 public limitUsd;

    constructor(Vault vault, PriceFeed feed) {
        VAULT = vault;
        FEED = feed;
    }

    /// Wei that may be deposited at once.
    function limit() external view returns (uint256) {
        uint256 allowed = limitUsd * 1 ether / FEED.price();
        uint256 room = VAULT.cap() - VAULT.total();
        return allowed < room ? allowed : room;
    }
}
