// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

/**
 * @title Forwarder: the address from which a Registry's calls reach their targets
 * @notice Holds no money and no allowances between calls: tokens or approvals left on one are anybody's.
 *
 * A forwarder has no named function for forwarding. Its immutable Registry calls it with
 * `abi.encodePacked(bytes32(target), callData)` and the value to send along; a revert of the target comes
 * back cut to 256 bytes, what the target returns is dropped. Plain ETH from anybody is passed on to the
 * Registry, which takes it only while a target runs: routers refund their caller.
 */
interface IForwarder {
    /// @notice Raised when anybody but the Registry asks for a call.
    error NotRegistry(address caller);
    /// @notice Raised when the target has no code: a call to it would count as success.
    error TargetWithoutCode(address target);
    /// @notice Raised when the Registry does not accept the ETH that is passed on.
    error EthNotAccepted();

    /// @notice Returns the only address that may have calls forwarded.
    function registry() external view returns (address);
}
