// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IPriceOracle} from "contracts/interfaces/IPriceOracle.sol";

/// A price oracle that says what it is told to, and misbehaves on demand.
contract TestOracle is IPriceOracle {
    enum Fault {
        None,
        Revert,
        Short,
        Burn,
        Bomb
    }

    uint256 private _price;
    Fault private _fault;

    constructor(uint256 price) {
        _price = price;
    }

    function set(uint256 price) external {
        _price = price;
    }

    function fail(Fault fault) external {
        _fault = fault;
    }

    function autoPerEth() external view returns (uint256) {
        if (_fault == Fault.Revert) revert("oracle");
        if (_fault == Fault.Burn) while (true) {}
        if (_fault == Fault.Short) {
            assembly ("memory-safe") {
                mstore(0, shl(240, 1))
                return(0, 0x1f)
            }
        }
        if (_fault == Fault.Bomb) {
            assembly ("memory-safe") {
                revert(0, 150000)
            }
        }
        return _price;
    }
}
