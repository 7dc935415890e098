// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {IExecutorPaymentStrategy} from "../interfaces/IExecutorPaymentStrategy.sol";
import {IExecutorPaymentTerms} from "../interfaces/IExecutorPaymentTerms.sol";

/**
 * @title DiminishingBonusEPS
 * @notice Gas at the basefee, plus a percentage that falls in a line from `maxFeeBps`, when the executor was
 * selected, to `flatFeeBps`, `bonusSeconds` later: fast executors earn more. Wei per gas for a tip may come on
 * top. Rounded down.
 */
contract DiminishingBonusEPS is IExecutorPaymentTerms {
    uint256 private constant BPS = 10_000;

    /// @notice Raised by the constructor when the fee would grow, or fall in no time.
    error InvalidLine(uint256 maxFeeBps, uint256 flatFeeBps, uint256 bonusSeconds);

    /// @notice Percentage in the first second, in basis points.
    uint256 public immutable maxFeeBps;
    /// @notice Percentage from `bonusSeconds` on.
    uint256 public immutable flatFeeBps;
    /// @notice Seconds in which it falls: the lock time.
    uint256 public immutable bonusSeconds;
    /// @notice Wei per gas on top of that.
    uint256 public immutable tipAllowance;

    constructor(uint256 maxFeeBps_, uint256 flatFeeBps_, uint256 bonusSeconds_, uint256 tipAllowance_) {
        require(
            maxFeeBps_ >= flatFeeBps_ && bonusSeconds_ != 0,
            InvalidLine(maxFeeBps_, flatFeeBps_, bonusSeconds_)
        );
        (maxFeeBps, flatFeeBps, bonusSeconds) = (maxFeeBps_, flatFeeBps_, bonusSeconds_);
        tipAllowance = tipAllowance_;
    }

    /// @inheritdoc IExecutorPaymentStrategy
    function computeExecutorPayment(address, bytes32, uint256 gasUsed, uint256 timeElapsedSeconds)
        external
        view
        returns (uint256 payment)
    {
        return _payment(gasUsed, block.basefee, timeElapsedSeconds);
    }

    /// @inheritdoc IExecutorPaymentTerms
    function maxPayment(uint256 totalGas, uint256 maxGasPrice) external view returns (uint256 payment) {
        return _payment(totalGas, maxGasPrice, 0);
    }

    /// @inheritdoc IExecutorPaymentTerms
    function coversDataFee() external pure returns (bool) {
        return false;
    }

    /// One division, at the end: the line is exact to the wei.
    function _payment(uint256 gas, uint256 gasPrice, uint256 elapsed) private view returns (uint256) {
        uint256 scale = BPS * bonusSeconds;
        uint256 fee = maxFeeBps * bonusSeconds - (maxFeeBps - flatFeeBps) * Math.min(elapsed, bonusSeconds);
        return gas * (gasPrice * (scale + fee) + tipAllowance * scale) / scale;
    }
}
