// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title DemoToken: a token for local chains that anybody may mint; worth nothing by design
contract DemoToken is ERC20 {
    constructor(string memory name, string memory symbol) ERC20(name, symbol) {}

    /// Creates `amount` for `to`.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
