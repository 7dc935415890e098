// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Box, ChugSplashTest} from "../utils/ChugSplashTest.sol";

/// A bundle of two deploys and a call that sends ETH, and what its owner may do.
abstract contract OwnerTest is ChugSplashTest {
    Box internal box;

    function setUp() public virtual override {
        super.setUp();
        box = new Box(1);
        _addBox(1);
        _addBox(2);
        _addCall(address(box), 7, abi.encodeCall(Box.set, (5)));
        _makeHeader();
        (header.callValue, header.budget) = (7, 2 ether);
    }

    function _begin() internal {
        _propose();
        _approve();
    }

    function _asOwner(bytes memory data) internal {
        _send(owner, data);
    }

    function _pause() internal returns (uint256 effectiveAt) {
        return abi.decode(_send(owner, abi.encodeCall(manager.requestPause, ())), (uint256));
    }

    function _resume() internal {
        vm.prank(owner);
        manager.resume();
    }

    function _cancel() internal {
        _send(owner, abi.encodeCall(manager.cancel, ()));
    }

    function _free() internal view returns (uint256) {
        return manager.accounts().free;
    }
}
