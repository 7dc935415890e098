// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IERC1822Proxiable} from "@openzeppelin/contracts/interfaces/draft-IERC1822.sol";
import {ERC1967Utils} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Utils.sol";

import {StorageWrite} from "../libraries/StorageWrite.sol";

/**
 * @title StorageSetter: the temporary implementation through which adopted proxies' storage is written
 * @notice A proxy is upgraded to it with a call of `setStorage`, which puts the implementation back: the proxy has
 * this one during that call alone, in which no other code runs. So it needs no access control, and keeps
 * nothing.
 */
contract StorageSetter is IERC1822Proxiable {
    address private immutable _self = address(this);

    /// Raised when it is not called by a proxy that delegates to it.
    error NotDelegated();

    /// @notice Writes into the proxy's storage and makes `implementation` its implementation again.
    function setStorage(bytes32 slot, uint256 offset, bytes calldata value, address implementation) external {
        require(address(this) != _self && ERC1967Utils.getImplementation() == _self, NotDelegated());
        StorageWrite.write(slot, offset, value);
        ERC1967Utils.upgradeToAndCall(implementation, "");
    }

    /// @notice Says to UUPS proxies that they can be upgraded to this.
    function proxiableUUID() external pure returns (bytes32) {
        return ERC1967Utils.IMPLEMENTATION_SLOT;
    }
}
