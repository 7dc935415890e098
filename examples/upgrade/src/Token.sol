// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title The project's token, which can be sent now. Behind a transparent proxy that was there before
contract Token {
    /// Raised when somebody else mints, or begins anew.
    error NotMinter(address caller);
    /// Raised when somebody sends more than is his.
    error TooLittle(uint256 held, uint256 asked);

    event Transfer(address indexed from, address indexed to, uint256 amount);

    string public constant symbol = "DEMO";

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

    function transfer(address to, uint256 amount) external returns (bool) {
        uint256 held = balanceOf[msg.sender];
        require(amount <= held, TooLittle(held, amount));
        balanceOf[msg.sender] = held - amount;
        balanceOf[to] += amount;
        emit Transfer(msg.sender, to, amount);
        return true;
    }
}
