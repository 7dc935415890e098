// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

/// Forces ETH on an account that does not take it: a contract that destroys itself while it is created.
library ForceFeeder {
    function feed(address to, uint256 amount) internal {
        bytes memory code = abi.encodePacked(hex"73", to, hex"ff"); // PUSH20 to, SELFDESTRUCT
        address created;
        assembly ("memory-safe") {
            created := create(amount, add(code, 32), mload(code))
        }
        require(created != address(0), "not fed");
    }
}
