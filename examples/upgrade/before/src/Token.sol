// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title The token as it was before bundles: one that cannot be sent
contract Token {
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
