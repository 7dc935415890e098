// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";

/// @title What the project had before it used bundles: a token that cannot be sent
contract LegacyToken {
    /// Raised when somebody else mints, or begins anew.
    error NotMinter(address caller);

    mapping(address account => uint256 amount) public balanceOf;
    uint256 public totalSupply;
    address public minter;

    function initialize(address minter_) external {
        require(minter == address(0), NotMinter(msg.sender));
        minter = minter_;
    }

    function mint(address to, uint256 amount) external {
        require(msg.sender == minter, NotMinter(msg.sender));
        balanceOf[to] += amount;
        totalSupply += amount;
    }
}

/// @title What the project had before: a price that never grows old
contract LegacyPriceFeed is UUPSUpgradeable {
    /// Raised when somebody else sets, upgrades, or begins anew.
    error NotOwner(address caller);

    /// who may upgrade
    address public owner;
    /// who may set the price
    address public setter;
    /// US dollars per ETH
    uint256 public latest;

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

    function set(uint256 newPrice) public virtual {
        require(msg.sender == setter, NotOwner(msg.sender));
        latest = newPrice;
    }

    function _authorizeUpgrade(address) internal view override onlyOwner {}
}
