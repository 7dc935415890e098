// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IExecutorPaymentStrategy} from "../interfaces/IExecutorPaymentStrategy.sol";
import {IExecutorPaymentTerms} from "../interfaces/IExecutorPaymentTerms.sol";
import {IExecutorSelectionStrategy} from "../interfaces/IExecutorSelectionStrategy.sol";

/**
 * @title Reading strategies of strangers
 * @notice Each gets a fixed allowance of gas, and no more than two words of what it answers are copied. The
 * allowance must be there: whoever sends the transaction could else make a strategy fail by bringing little gas.
 */
library StrategyRead {
    /// Gas for a selection strategy.
    uint256 internal constant ESS_GAS = 200_000;
    /// Gas for a payment strategy.
    uint256 internal constant EPS_GAS = 100_000;
    /// What a call costs before its callee gets gas.
    uint256 private constant CALL_COST = 2700;

    /// Raised when the allowance is not there.
    error InsufficientGas(uint256 forwardable, uint256 needed);

    /// @notice Asks who is selected; `ok` is false when the strategy fails or answers nonsense.
    function selected(address ess, address project, bytes32 bundleId)
        internal
        view
        returns (bool ok, address executor, uint256 selectedAt)
    {
        uint256 first;
        (ok, first, selectedAt) = _read(
            ess,
            ESS_GAS,
            2,
            abi.encodeCall(IExecutorSelectionStrategy.getSelectedExecutor, (project, bundleId))
        );
        if (!ok || first > type(uint160).max) return (false, address(0), 0);
        // forge-lint: disable-next-line(unsafe-typecast)
        executor = address(uint160(first)); // checked above
    }

    /// @notice Asks what a transaction is paid.
    function price(
        address eps,
        address project,
        bytes32 bundleId,
        uint256 gasUsed,
        uint256 timeElapsedSeconds
    ) internal view returns (bool ok, uint256 payment) {
        (ok, payment,) = _read(
            eps,
            EPS_GAS,
            1,
            abi.encodeCall(
                IExecutorPaymentStrategy.computeExecutorPayment,
                (project, bundleId, gasUsed, timeElapsedSeconds)
            )
        );
    }

    /// @notice Asks what gas may cost at most; `ok` is false when the strategy does not say.
    function maxPayment(address eps, uint256 totalGas, uint256 maxGasPrice)
        internal
        view
        returns (bool ok, uint256 payment)
    {
        (ok, payment,) = _read(
            eps, EPS_GAS, 1, abi.encodeCall(IExecutorPaymentTerms.maxPayment, (totalGas, maxGasPrice))
        );
    }

    function _read(address target, uint256 allowance, uint256 words, bytes memory data)
        private
        view
        returns (bool ok, uint256 first, uint256 second)
    {
        uint256 forwardable = gasleft() - gasleft() / 64;
        require(forwardable >= allowance + CALL_COST, InsufficientGas(forwardable, allowance + CALL_COST));
        assembly ("memory-safe") {
            mstore(0, 0)
            mstore(0x20, 0)
            ok := staticcall(allowance, target, add(data, 32), mload(data), 0, 0x40)
            ok := and(ok, iszero(lt(returndatasize(), shl(5, words))))
            if ok {
                first := mload(0)
                second := mload(0x20)
            }
        }
    }
}
