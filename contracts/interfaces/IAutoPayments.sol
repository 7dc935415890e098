// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

/**
 * @title AutoPayments: holds the users' AUTO allowances
 * @notice Users approve this contract and keep their AUTO in their wallets until an execution is paid. Only
 * the Registry can have a payment pulled, and only to the executor of that user's own Request.
 */
interface IAutoPayments {
    /// @notice Raised when anybody but the Registry asks for a payment.
    error NotRegistry(address caller);

    /// @notice Returns the only address that may pull payments.
    function registry() external view returns (address);

    /// @notice Returns the token that is paid.
    function autoToken() external view returns (address);

    /// @notice Returns what could be pulled from `user` now: the lesser of balance and allowance.
    function available(address user) external view returns (uint256 amount);

    /// @notice Moves `amount` AUTO base units from `from` to `to`; reverts when the token does.
    function pull(address from, address to, uint256 amount) external;
}
