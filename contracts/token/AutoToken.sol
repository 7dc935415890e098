// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit, IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

import {IAutoToken} from "../interfaces/IAutoToken.sol";

/**
 * @title AutoToken
 * @notice See IAutoToken. No owner, no minting after the constructor, no hooks.
 */
contract AutoToken is ERC20Permit, IAutoToken {
    /// @param recipient gets the supply; may be zero where there is none.
    /// @param supply base units; 0 on every chain but the home chain.
    constructor(address recipient, uint256 supply) ERC20("AUTO", "AUTO") ERC20Permit("AUTO") {
        if (supply != 0) _mint(recipient, supply);
    }

    /// @inheritdoc IERC20Permit
    function nonces(address owner) public view override(ERC20Permit, IERC20Permit) returns (uint256) {
        return super.nonces(owner);
    }
}
