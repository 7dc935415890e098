// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {CREATE3} from "solady/utils/CREATE3.sol";

/// Deploys as a bundle does, and does nothing else.
contract PlainCreate3 {
    function deployAll(bytes32[] calldata salts, bytes[] calldata initCodes) external {
        for (uint256 i; i < salts.length; ++i) {
            CREATE3.deployDeterministic(initCodes[i], salts[i]);
        }
    }
}

/// What a bundle costs beyond doing the same by hand. The bounds are what is reached, rounded up; the targets stand
/// beside them. `make gas` writes the figures into snapshots/ChugSplashTargets.json.
/// forge-config: default.isolate = true
contract ChugSplashTargetsTest is ChugSplashTest {
    function _note(string memory name, uint256 gas) private {
        vm.snapshotValue("ChugSplashTargets", name, gas);
    }

    /// Receipt of deploying the Boxes `from` to `from + count` by hand, in one transaction.
    function _plain(uint256 from, uint256 count) private returns (uint256) {
        PlainCreate3 plain = new PlainCreate3();
        bytes32[] memory salts = new bytes32[](count);
        bytes[] memory codes = new bytes[](count);
        for (uint256 i; i < count; ++i) {
            (salts[i], codes[i]) = (bytes32(from + i), _boxCode(from + i));
        }
        relay.send(alice, address(plain), 0, TX_GAS, abi.encodeCall(PlainCreate3.deployAll, (salts, codes)));
        return relay.receiptGas();
    }

    function _batchOf10(uint256 actions) private returns (uint256 each) {
        for (uint256 i; i < actions; ++i) {
            _addBox(i);
        }
        _start();
        _claim(alice);
        // The executor's and the bundle's first writes are the first transaction's.
        _execute(alice, 0, 1);
        _execute(alice, 1, 10);
        uint256 receipt = relay.receiptGas();
        return (receipt - _plain(1, 10)) / 10;
    }

    function test_BatchOf10Deploys() public {
        uint256 each = _batchOf10(12);
        _note("each of 10 deploys, over a plain CREATE3", each);
        assertLe(each, 23_600); // target 25,000
    }

    /// What a proof costs: a hash of call data per level, and hashing it. Each level costs the same, so that the eight
    /// of 256 actions cost twice what they have more than the four of 16.
    function test_ProofOf256Actions() public {
        uint256 snapshot = vm.snapshotState();
        uint256 few = _batchOf10(16);
        vm.revertToStateAndDelete(snapshot);
        uint256 many = _batchOf10(256);
        uint256 proof = 2 * (many - few);
        _note("each of 10 deploys of 256 actions, over a plain CREATE3", many);
        _note("of it the proof of 256 actions", proof);
        assertLe(many, 27_000);
        assertLe(proof, 7000);
    }
}
