// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {LegacyPriceFeed} from "./Legacy.sol";

/// @title The price of ETH, which grows old now. Behind a UUPS proxy that was there before
contract PriceFeed is LegacyPriceFeed {
    /// Raised when the price was set too long ago.
    error Stale(uint256 setAt, uint256 maxAge);

    /// Unix seconds
    uint64 public setAt;
    /// seconds
    uint64 public maxAge;

    function set(uint256 newPrice) public override {
        super.set(newPrice);
        setAt = uint64(block.timestamp);
    }

    /// US dollars per ETH.
    function price() external view returns (uint256) {
        require(maxAge == 0 || block.timestamp <= setAt + maxAge, Stale(setAt, maxAge));
        return latest;
    }
}
