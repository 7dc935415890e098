// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

/// @title The price of ETH, which grows old now. Behind a UUPS proxy that was there before
contract PriceFeed is UUPSUpgradeable {
    /// Raised when somebody else sets, upgrades, or begins anew.
    error NotOwner(address caller);
    /// Raised when the price was set too long ago.
    error Stale(uint256 setAt, uint256 maxAge);

    /// who may upgrade
    address public owner;
    /// who may set the price
    address public setter;
    /// US dollars per ETH
    uint256 public latest;
    /// Unix seconds
    uint64 public setAt;
    /// seconds
    uint64 public maxAge;

    modifier onlyOwner() {
        require(msg.sender == owner, NotOwner(msg.sender));
        _;
    }

    function initialize(address owner_, uint256 price_) external {
        require(owner == address(0), NotOwner(msg.sender));
        owner = owner_;
        setter = owner_;
        latest = price_;
    }

    function transferOwnership(address to) external onlyOwner {
        owner = to;
    }

    function set(uint256 newPrice) external {
        require(msg.sender == setter, NotOwner(msg.sender));
        latest = newPrice;
        setAt = uint64(block.timestamp);
    }

    /// US dollars per ETH.
    function price() external view returns (uint256) {
        require(maxAge == 0 || block.timestamp <= setAt + maxAge, Stale(setAt, maxAge));
        return latest;
    }

    function _authorizeUpgrade(address) internal view override onlyOwner {}
}
