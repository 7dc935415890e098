// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

/**
 * @title Fees
 * @notice Gas times price plus the premium of the currency. Rounded down: an executor is never paid more than
 * the formula says. Nothing overflows, so nothing is checked: `gas` has to be below 2^48 and a price of AUTO
 * below 2^128, and no chain's gas price comes near 2^64 wei.
 */
library FeeMath {
    /// Premium on fees in ETH: 13,000 / 10,000.
    uint256 internal constant PAY_ETH_BPS = 13_000;
    /// Premium on fees in AUTO: 11,000 / 10,000.
    uint256 internal constant PAY_AUTO_BPS = 11_000;
    uint256 private constant BPS = 10_000;
    uint256 private constant WAD = 1e18;

    /// @notice Returns the fee in wei for `gas` units at `gasPrice` wei.
    function ethFee(uint256 gas, uint256 gasPrice) internal pure returns (uint256 feeWei) {
        unchecked {
            return gas * gasPrice * PAY_ETH_BPS / BPS;
        }
    }

    /// @notice Returns the fee in AUTO base units; `autoPerEth` is scaled by 1e18.
    function autoFee(uint256 gas, uint256 gasPrice, uint256 autoPerEth) internal pure returns (uint256 fee) {
        unchecked {
            return gas * gasPrice * autoPerEth * PAY_AUTO_BPS / (BPS * WAD);
        }
    }

    /// @notice Returns the price per gas that is paid: a tip counts up to `tipCap`.
    function currentGasPrice(uint256 tipCap) internal view returns (uint256 priceWei) {
        uint256 highest = block.basefee + tipCap;
        return tx.gasprice < highest ? tx.gasprice : highest;
    }
}
