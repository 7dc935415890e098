// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ChugSplashTest, ContractExecutor} from "../utils/ChugSplashTest.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {MerkleActions} from "contracts/libraries/MerkleActions.sol";

/// An executor that makes up all its calls in memory, proofs included: none of them was ever paid as call data.
contract Stepper is ContractExecutor {
    /// A full tree: `total` is a power of two.
    function _levels(IChugSplashManager.Action calldata a, uint256 total)
        private
        pure
        returns (bytes32[] memory nodes)
    {
        nodes = new bytes32[](2 * total);
        for (uint256 i; i < total; ++i) {
            (nodes[total + i],) = MerkleActions.leafOf(i, a);
        }
        for (uint256 i = total - 1; i != 0; --i) {
            (bytes32 l, bytes32 r) = (nodes[2 * i], nodes[2 * i + 1]);
            nodes[i] = l < r ? keccak256(abi.encodePacked(l, r)) : keccak256(abi.encodePacked(r, l));
        }
    }

    function go(
        IChugSplashManager m,
        bytes32 id,
        IChugSplashManager.Action calldata a,
        uint256 total,
        uint256 n,
        uint256 perCall
    ) external {
        bytes32[] memory nodes = _levels(a, total);
        if (perCall == 1) return _steps(m, id, a, nodes, total, n);
        IChugSplashManager.Action[] memory actions = new IChugSplashManager.Action[](perCall);
        bytes32[][] memory proofs = new bytes32[][](perCall);
        for (uint256 j; j < perCall; ++j) {
            actions[j] = a;
            proofs[j] = _proof(nodes, total + j);
        }
        m.execute(id, 0, actions, proofs);
    }

    /// One call in memory, of which only index and proof change.
    function _steps(
        IChugSplashManager m,
        bytes32 id,
        IChugSplashManager.Action calldata a,
        bytes32[] memory nodes,
        uint256 total,
        uint256 n
    ) private {
        IChugSplashManager.Action[] memory actions = new IChugSplashManager.Action[](1);
        bytes32[][] memory proofs = new bytes32[][](1);
        (actions[0], proofs[0]) = (a, _proof(nodes, total));
        bytes memory input = abi.encodeCall(m.execute, (id, 0, actions, proofs));
        _send(address(m), input, nodes, total, n, proofs[0].length);
    }

    function _send(
        address m,
        bytes memory input,
        bytes32[] memory nodes,
        uint256 total,
        uint256 n,
        uint256 depth
    ) private {
        for (uint256 i; i < n; ++i) {
            assembly ("memory-safe") {
                mstore(add(input, 68), i)
                let p := sub(add(add(input, 32), mload(input)), shl(5, depth))
                let place := add(total, i)
                for { let k := 0 } lt(k, depth) { k := add(k, 1) } {
                    mstore(add(p, shl(5, k)), mload(add(add(nodes, 32), shl(5, xor(place, 1)))))
                    place := shr(1, place)
                }
                if iszero(call(gas(), m, 0, add(input, 32), mload(input), 0, 0)) {
                    returndatacopy(0, 0, returndatasize())
                    revert(0, returndatasize())
                }
            }
        }
    }

    function _proof(bytes32[] memory nodes, uint256 place) private pure returns (bytes32[] memory proof) {
        uint256 depth;
        for (uint256 k = place; k > 1; k /= 2) {
            ++depth;
        }
        proof = new bytes32[](depth);
        for (uint256 k; k < depth; ++k) {
            proof[k] = nodes[place ^ 1];
            place /= 2;
        }
    }
}

/// forge-config: default.isolate = true
contract StepsTest is ChugSplashTest {
    Stepper private evil;

    function setUp() public override {
        super.setUp();
        evil = new Stepper();
    }

    /// Sixty of the bundle's deploys, which are skipped, `perCall` in a call. Per mille of what they cost is paid.
    function _ratioOf(uint256 perCall) private returns (uint256) {
        for (uint256 i; i < 64; ++i) {
            _addDeploy(bytes32(uint256(7)), hex"600160005360016000f3", 150_000);
        }
        _start();
        _claim(evil);
        uint256 before = address(evil).balance;
        bytes memory call = abi.encodeCall(evil.go, (manager, id, plan[0], plan.length, 60, perCall));
        relay.send(bob, address(evil), 0, TX_GAS, call);
        assertEq(manager.bundle(id).nextIndex, 60);
        return (address(evil).balance - before) * 1000 / (relay.receiptGas() * BASE_FEE);
    }

    function test_StepsMadeUpInMemoryArePaidLikeAllElse() public {
        uint256 ratio = _ratioOf(1);
        assertGe(ratio, 1190);
        assertLe(ratio, 1210);
    }

    function test_ABatchMadeUpInMemoryIsPaidNoCallData() public {
        assertLt(_ratioOf(60), 1000);
    }
}
