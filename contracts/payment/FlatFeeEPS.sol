// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IExecutorPaymentStrategy} from "../interfaces/IExecutorPaymentStrategy.sol";
import {IExecutorPaymentTerms} from "../interfaces/IExecutorPaymentTerms.sol";

/**
 * @title FlatFeeEPS
 * @notice Gas at the basefee, plus a fixed percentage. A percentage of a low basefee does not cover a tip, so a
 * fixed number of wei per gas may come on top. Rounded down.
 */
contract FlatFeeEPS is IExecutorPaymentTerms {
    uint256 private constant BPS = 10_000;

    /// @notice Percentage on top of the basefee, in basis points.
    uint256 public immutable flatFeeBps;
    /// @notice Wei per gas on top of that.
    uint256 public immutable tipAllowance;

    constructor(uint256 flatFeeBps_, uint256 tipAllowance_) {
        (flatFeeBps, tipAllowance) = (flatFeeBps_, tipAllowance_);
    }

    /// @inheritdoc IExecutorPaymentStrategy
    function computeExecutorPayment(address, bytes32, uint256 gasUsed, uint256)
        external
        view
        returns (uint256 payment)
    {
        return maxPayment(gasUsed, block.basefee);
    }

    /// @inheritdoc IExecutorPaymentTerms
    function maxPayment(uint256 totalGas, uint256 maxGasPrice) public view returns (uint256 payment) {
        return totalGas * (maxGasPrice * (BPS + flatFeeBps) + tipAllowance * BPS) / BPS;
    }

    /// @inheritdoc IExecutorPaymentTerms
    function coversDataFee() external pure returns (bool) {
        return false;
    }
}
