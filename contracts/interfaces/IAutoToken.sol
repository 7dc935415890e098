// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

/**
 * @title AUTO
 * @notice ERC-20 with permit, 18 decimals. The whole supply is minted once, on the home chain.
 */
interface IAutoToken is IERC20Metadata, IERC20Permit {}
