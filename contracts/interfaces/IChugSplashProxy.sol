// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

/**
 * @title ChugSplashProxy: an ERC-1967 proxy whose admin also writes storage
 * @notice These functions exist for the admin alone. Whoever else calls, and whatever else the admin calls, is
 * passed on to the implementation; an implementation's functions of the same selectors are out of the
 * admin's reach.
 */
interface IChugSplashProxy {
    /// @notice Raised when the proxy has no implementation yet.
    error NoImplementation();
    /// @notice Raised when ETH is sent along with a function of the admin.
    error EthRefused();

    /// @notice Sets the implementation. It must have code, which ERC1967Utils checks, as it checks the admin.
    function upgradeTo(address implementation) external;

    /**
     * @notice Writes `value` into `slot`, `offset` bytes from its lowest byte on; the other bytes stay.
     * @dev The admin knows what it does: slots are not refused here.
     */
    function setStorage(bytes32 slot, uint256 offset, bytes calldata value) external;

    /// @notice Makes `admin` the admin.
    function changeAdmin(address admin) external;

    /// @notice Returns the implementation; zero: none yet.
    function implementation() external view returns (address);

    /// @notice Returns the admin.
    function admin() external view returns (address);
}
