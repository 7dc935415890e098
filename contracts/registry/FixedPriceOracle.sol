// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IFixedPriceOracle} from "../interfaces/IFixedPriceOracle.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";

/**
 * @title FixedPriceOracle
 * @notice See IFixedPriceOracle.
 *
 * @dev The owner can set the price, within its bounds, and nothing else. An anchor that moved on by the
 * calendar would allow two full steps around midnight, and one that moved on a day after it was set would
 * allow them around that hour; it waits for a day without a change instead.
 */
contract FixedPriceOracle is IFixedPriceOracle, Ownable2Step {
    using SafeCast for uint256;

    uint256 private constant BPS = 10_000;

    /// @inheritdoc IFixedPriceOracle
    uint256 public immutable maxChangePerDayBps;

    uint128 private _price;
    uint128 private _anchor;
    /// @inheritdoc IFixedPriceOracle
    uint256 public changedAt;

    constructor(address owner_, uint256 autoPerEthWad, uint256 maxChangePerDayBps_) Ownable(owner_) {
        require(
            maxChangePerDayBps_ != 0 && maxChangePerDayBps_ <= BPS,
            MaxChangeOutOfBounds(maxChangePerDayBps_, 1, BPS)
        );
        require(
            autoPerEthWad != 0 && autoPerEthWad <= type(uint128).max,
            PriceOutOfBounds(autoPerEthWad, 1, type(uint128).max)
        );
        maxChangePerDayBps = maxChangePerDayBps_;
        _set(autoPerEthWad, autoPerEthWad);
    }

    /// @inheritdoc IFixedPriceOracle
    function setPrice(uint256 autoPerEthWad) external onlyOwner {
        (uint256 lowest, uint256 highest) = bounds();
        require(
            autoPerEthWad >= lowest && autoPerEthWad <= highest,
            PriceOutOfBounds(autoPerEthWad, lowest, highest)
        );
        _set(autoPerEthWad, _currentAnchor());
    }

    /// @inheritdoc IPriceOracle
    function autoPerEth() external view returns (uint256 wad) {
        return _price;
    }

    /// @inheritdoc IFixedPriceOracle
    function bounds() public view returns (uint256 lowest, uint256 highest) {
        uint256 anchor = _currentAnchor();
        uint256 factor = BPS + maxChangePerDayBps;
        lowest = Math.ceilDiv(anchor * BPS, factor);
        highest = Math.min(anchor * factor / BPS, type(uint128).max);
    }

    function _currentAnchor() private view returns (uint256) {
        // Seconds that a block's builder could shift do not matter in a day.
        // forge-lint: disable-next-line(block-timestamp)
        return block.timestamp >= changedAt + 1 days ? _price : _anchor;
    }

    function _set(uint256 price, uint256 anchor) private {
        _price = price.toUint128();
        _anchor = anchor.toUint128();
        changedAt = block.timestamp;

        emit PriceSet(price, anchor);
    }
}
