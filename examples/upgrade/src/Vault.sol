// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Controller} from "./Controller.sol";
import {Token} from "./Token.sol";

/// @title Keeps ETH. Behind a proxy
contract Vault {
    /// Raised when a deposit would go beyond the cap, or beyond what the controller allows.
    error TooMuch(uint256 asked, uint256 allowed);
    /// Raised when somebody takes more than is his.
    error TooLittle(uint256 held, uint256 asked);

    Controller public immutable CONTROLLER;
    Token public immutable TOKEN;

    address public owner;
    /// wei that are kept at most
    uint256 public cap;
    /// wei that are kept
    uint256 public total;
    mapping(address account => uint256 amount) public balanceOf;

    constructor(Controller controller, Token token) {
        CONTROLLER = controller;
        TOKEN = token;
    }

    /// Takes the ETH that comes along.
    function deposit() external payable {
        require(total + msg.value <= cap, TooMuch(total + msg.value, cap));
        uint256 allowed = CONTROLLER.limit();
        require(msg.value <= allowed, TooMuch(msg.value, allowed));
        balanceOf[msg.sender] += msg.value;
        total += msg.value;
    }

    /// Gives ETH back.
    function withdraw(uint256 amount) external {
        uint256 held = balanceOf[msg.sender];
        require(amount <= held, TooLittle(held, amount));
        balanceOf[msg.sender] = held - amount;
        total -= amount;
        payable(msg.sender).transfer(amount);
    }
}
