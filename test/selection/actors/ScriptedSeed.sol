// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ISeedSource} from "../../../contracts/interfaces/ISeedSource.sol";

/// A seed source that behaves like one whose seeds have to be proven: the test says when that happens, and
/// what is lost.
contract ScriptedSeed is ISeedSource {
    uint256 public immutable freezeBlocks;

    mapping(uint256 key => Status) private _status;

    constructor(uint256 freezeBlocks_) {
        freezeBlocks = freezeBlocks_;
    }

    function setStatus(uint256 key, Status status) external {
        _status[key] = status;
    }

    function seedOf(uint256 key) external view returns (Status status, bytes32 seed) {
        status = key < block.number ? _status[key] : Status.Pending;
        if (status == Status.Known) seed = keccak256(abi.encode(key));
    }
}
