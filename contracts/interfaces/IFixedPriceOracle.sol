// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

import {IPriceOracle} from "./IPriceOracle.sol";

/**
 * @title Price of AUTO that an owner sets
 * @notice A price may differ from the anchor by a factor of at most 1 + `maxChangePerDayBps` / 10,000, up or
 * down. The anchor is the price of the last day without a change: it moves on only when a price is set a day
 * or longer after the one before. So within any 24 hours all prices lie within that factor of one anchor,
 * in however many steps they are set.
 */
interface IFixedPriceOracle is IPriceOracle {
    /// @notice Emitted when the price was set, in the constructor too.
    event PriceSet(uint256 autoPerEth, uint256 anchor);

    /// @notice Raised when a price lies outside what may be set now.
    error PriceOutOfBounds(uint256 price, uint256 lowest, uint256 highest);
    /// @notice Raised by the constructor for a bound that allows no change, or more than a factor of 2.
    error MaxChangeOutOfBounds(uint256 maxChangePerDayBps, uint256 lowest, uint256 highest);

    /// @notice Sets the price: AUTO base units per ETH, scaled by 1e18. Only the owner.
    function setPrice(uint256 autoPerEthWad) external;

    /// @notice Returns the lowest and the highest price that may be set now; the lowest is never 0.
    function bounds() external view returns (uint256 lowest, uint256 highest);

    /// @notice Returns by how many basis points a price may differ from the anchor.
    function maxChangePerDayBps() external view returns (uint256);

    /// @notice Returns the Unix time in seconds at which the price was set.
    function changedAt() external view returns (uint256);
}
