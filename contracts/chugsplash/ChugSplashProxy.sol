// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ERC1967Utils} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Utils.sol";
import {Proxy} from "@openzeppelin/contracts/proxy/Proxy.sol";

import {IChugSplashProxy} from "../interfaces/IChugSplashProxy.sol";
import {StorageWrite} from "../libraries/StorageWrite.sol";

/**
 * @title ChugSplashProxy
 * @notice See IChugSplashProxy.
 *
 * @dev It has no functions of its own for anybody but the admin, so no selector of an implementation can clash
 * with one.
 */
contract ChugSplashProxy is Proxy {
    /// @param admin the actor of a ChugSplashManager.
    constructor(address admin) payable {
        ERC1967Utils.changeAdmin(admin);
    }

    receive() external payable {
        _fallback();
    }

    function _implementation() internal view override returns (address) {
        return ERC1967Utils.getImplementation();
    }

    function _fallback() internal override {
        // Answering the admin ends the call: that is the point.
        // slither-disable-next-line incorrect-return
        if (msg.sender == ERC1967Utils.getAdmin()) _administer();
        require(_implementation() != address(0), IChugSplashProxy.NoImplementation());
        super._fallback();
    }

    /// Does what the admin asks for and returns to it; comes back when it asks for something else.
    // slither-disable-start incorrect-return
    function _administer() private {
        bytes4 selector = msg.sig;
        if (selector == IChugSplashProxy.implementation.selector) _answer(_implementation());
        if (selector == IChugSplashProxy.admin.selector) _answer(msg.sender);

        bytes calldata input = msg.data.length < 4 ? msg.data : msg.data[4:];
        if (selector == IChugSplashProxy.upgradeTo.selector) {
            _refuseEth();
            ERC1967Utils.upgradeToAndCall(abi.decode(input, (address)), "");
        } else if (selector == IChugSplashProxy.setStorage.selector) {
            _refuseEth();
            (bytes32 slot, uint256 offset, bytes memory value) = abi.decode(input, (bytes32, uint256, bytes));
            StorageWrite.write(slot, offset, value);
        } else if (selector == IChugSplashProxy.changeAdmin.selector) {
            _refuseEth();
            ERC1967Utils.changeAdmin(abi.decode(input, (address)));
        } else {
            return;
        }
        assembly ("memory-safe") {
            return(0, 0)
        }
    }
    // slither-disable-end incorrect-return

    function _refuseEth() private view {
        require(msg.value == 0, IChugSplashProxy.EthRefused());
    }

    function _answer(address account) private pure {
        assembly ("memory-safe") {
            mstore(0, account)
            return(0, 32)
        }
    }
}
