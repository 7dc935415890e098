// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

/**
 * @title Price of AUTO
 * @notice Reverts when it does not know the price.
 */
interface IPriceOracle {
    /// @notice Returns AUTO base units per ETH, scaled by 1e18: how many wei of AUTO one ETH is worth.
    function autoPerEth() external view returns (uint256 wad);
}
