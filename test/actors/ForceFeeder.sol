// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

/// Forces its ETH on an account that does not take it.
contract ForceFeeder {
    constructor(address payable to) payable {
        selfdestruct(to);
    }
}
