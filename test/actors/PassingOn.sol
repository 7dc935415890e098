// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

/// A wallet that passes calls on: an executor with code.
contract PassingOn {
    receive() external payable {}

    function pass(address to, bytes calldata data) external returns (bytes memory) {
        (bool success, bytes memory result) = to.call(data);
        require(success, "not passed on");
        return result;
    }
}
