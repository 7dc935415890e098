// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {MerkleActions} from "contracts/libraries/MerkleActions.sol";
import {Test} from "forge-std/Test.sol";

/**
 * The tree, and the vectors that other implementations of it are held to: `WRITE_VECTORS=true forge test
 * --match-contract MerkleActionsTest` writes `test/vectors/merkle-actions.json`.
 */
contract MerkleActionsTest is Test {
    string private constant PATH = "test/vectors/merkle-actions.json";

    function verify(bytes32 root, bytes32 leaf, bytes32[] calldata proof) external pure returns (bool) {
        return MerkleActions.verify(root, leaf, proof);
    }

    function leafOf(uint256 index, IChugSplashManager.Action calldata action)
        external
        pure
        returns (bytes32 leaf)
    {
        (leaf,) = MerkleActions.leafOf(index, action);
    }

    function rootOf(bytes32[] calldata leaves) external pure returns (bytes32) {
        return MerkleActions.rootOf(leaves);
    }

    function proofOf(bytes32[] calldata leaves, uint256 index) external pure returns (bytes32[] memory) {
        return MerkleActions.proofOf(leaves, index);
    }

    // --- actions to hash ---

    /// The action at `index`: every kind, and data of 0 to 96 bytes that need not fill a word.
    function _action(uint256 index) private pure returns (IChugSplashManager.Action memory a) {
        a.kind = IChugSplashManager.ActionKind(index % 4);
        a.target = address(uint160(uint256(keccak256(abi.encode("target", index)))));
        a.gas = uint64(30_000 + 1237 * index);
        bytes memory data = abi.encode(keccak256(abi.encode("data", index)), index, ~index);
        uint256 length = (index * 13) % 97;
        assembly ("memory-safe") {
            mstore(data, length)
        }
        a.data = data;
    }

    function _leaves(uint256 count) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            IChugSplashManager.Action memory a = _action(i);
            leaves[i] = MerkleActions.leafOf(i, a.kind, a.target, a.gas, a.data);
        }
    }

    // --- refusals ---

    function test_RevertWhen_ThereAreNoLeaves() public {
        vm.expectRevert(MerkleActions.NoLeaves.selector);
        this.rootOf(new bytes32[](0));
    }

    function test_RevertWhen_ProvingALeafThatIsNotThere() public {
        vm.expectRevert(abi.encodeWithSelector(MerkleActions.NoSuchLeaf.selector, 3, 3));
        this.proofOf(_leaves(3), 3);
    }

    function testFuzz_RefusesWhatIsNotAtTheIndex(uint256 count, uint256 index, uint256 claimed) public view {
        count = bound(count, 1, 70);
        index = bound(index, 0, count - 1);
        claimed = bound(claimed, 0, 80);
        bytes32[] memory leaves = _leaves(count);
        bytes32[] memory proof = MerkleActions.proofOf(leaves, index);
        bytes32 root = MerkleActions.rootOf(leaves);
        IChugSplashManager.Action memory a = _action(index);
        assertEq(this.verify(root, this.leafOf(claimed, a), proof), claimed == index);
    }

    function test_RefusesANodeAsALeaf() public view {
        bytes32[] memory leaves = _leaves(4);
        bytes32 root = MerkleActions.rootOf(leaves);
        (bytes32 a, bytes32 b) = (leaves[0], leaves[1]);
        bytes32 node = a < b ? keccak256(bytes.concat(a, b)) : keccak256(bytes.concat(b, a));
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = MerkleActions.proofOf(leaves, 0)[1];
        // The node is in the tree, but nothing hashes to it as an action does: that takes a hash of a hash.
        assertTrue(this.verify(root, node, proof));
        for (uint256 i; i < 4; ++i) {
            assertNotEq(this.leafOf(i, _action(i)), node);
        }
    }

    function testFuzz_BindsEveryField(
        uint256 index,
        uint8 kind,
        address target,
        uint64 gas,
        bytes memory data
    ) public view {
        IChugSplashManager.Action memory a = IChugSplashManager.Action(
            IChugSplashManager.ActionKind(kind % 4), target, gas, data
        );
        index = bound(index, 0, type(uint64).max);
        bytes32 leaf = this.leafOf(index, a);
        assertNotEq(this.leafOf(index + 1, a), leaf, "index");
        a.kind = IChugSplashManager.ActionKind((kind % 4 + 1) % 4);
        assertNotEq(this.leafOf(index, a), leaf, "kind");
        a.kind = IChugSplashManager.ActionKind(kind % 4);
        a.target = address(uint160(target) ^ 1);
        assertNotEq(this.leafOf(index, a), leaf, "target");
        a.target = target;
        a.gas = gas ^ 1;
        assertNotEq(this.leafOf(index, a), leaf, "gas");
        a.gas = gas;
        a.data = bytes.concat(data, hex"00");
        assertNotEq(this.leafOf(index, a), leaf, "data");
        a.data = data;
        assertEq(this.leafOf(index, a), leaf);
    }

    // --- proofs ---

    function test_ProvesEveryLeafOfEverySize() public view {
        for (uint256 count = 1; count <= 40; ++count) {
            bytes32[] memory leaves = _leaves(count);
            bytes32 root = MerkleActions.rootOf(leaves);
            for (uint256 i; i < count; ++i) {
                assertTrue(this.verify(root, leaves[i], MerkleActions.proofOf(leaves, i)));
            }
        }
    }

    function test_OneLeafIsItsRoot() public pure {
        bytes32[] memory leaves = _leaves(1);
        assertEq(MerkleActions.rootOf(leaves), leaves[0]);
        assertEq(MerkleActions.proofOf(leaves, 0).length, 0);
    }

    // --- vectors ---

    function test_VectorsAreWhatTheLibraryGives() public {
        string memory text = _vectors();
        if (vm.envOr("WRITE_VECTORS", false)) vm.writeFile(PATH, text);
        assertEq(keccak256(bytes(vm.readFile(PATH))), keccak256(bytes(text)));
    }

    function _vectors() private pure returns (string memory) {
        uint256[7] memory counts = [uint256(1), 2, 3, 5, 7, 256, 257];
        string memory trees;
        for (uint256 i; i < counts.length; ++i) {
            trees = string.concat(trees, i == 0 ? "" : ",", "\n    ", _tree(counts[i]));
        }
        return string.concat(
            "{\n  \"trees\": [", trees, "\n  ],\n  \"bundleIds\": [\n    ", _bundleId(), "\n  ]\n}\n"
        );
    }

    function _tree(uint256 count) private pure returns (string memory) {
        bytes32[] memory leaves = _leaves(count);
        string memory actions;
        string memory hashes;
        string memory proofs;
        for (uint256 i; i < count; ++i) {
            string memory comma = i == 0 ? "" : ",";
            actions = string.concat(actions, comma, "\n        ", _json(_action(i)));
            hashes = string.concat(hashes, comma, "\n        ", _quoted(leaves[i]));
            if (count <= 7 || i % 50 == 0 || i + 2 > count) {
                proofs =
                    string.concat(proofs, comma, "\n        ", _json(i, MerkleActions.proofOf(leaves, i)));
            }
        }
        return string.concat(
            string.concat("{\n      \"root\": ", _quoted(MerkleActions.rootOf(leaves)), ",\n"),
            string.concat("      \"actions\": [", actions, "\n      ],\n"),
            string.concat("      \"leaves\": [", hashes, "\n      ],\n"),
            string.concat("      \"proofs\": [", proofs, "\n      ]\n    }")
        );
    }

    function _bundleId() private pure returns (string memory) {
        IChugSplashManager.BundleHeader memory h = IChugSplashManager.BundleHeader({
            actionRoot: keccak256("root"),
            deployCount: 3,
            switchCount: 4,
            totalGas: 5_000_000,
            maxTxs: 6,
            maxBaseFee: type(uint256).max,
            callValue: 7,
            budget: 1 ether,
            ess: address(uint160(uint256(keccak256("ess")))),
            eps: address(uint160(uint256(keccak256("eps")))),
            uri: "https://example.org/bundle.json"
        });
        address manager = address(uint160(uint256(keccak256("manager"))));
        string memory head = string.concat(
            "{\"chainId\": 31337, \"manager\": \"",
            vm.toString(manager),
            "\", \"nonce\": 8,\n     \"header\": "
        );
        string memory header = string.concat(
            string.concat(
                "{\"actionRoot\": ", _quoted(h.actionRoot), ", \"deployCount\": 3, \"switchCount\": 4, "
            ),
            string.concat(
                "\"totalGas\": 5000000, \"maxTxs\": 6, \"maxBaseFee\": \"", vm.toString(h.maxBaseFee)
            ),
            string.concat("\", \"callValue\": \"7\", \"budget\": \"1000000000000000000\", \"ess\": \""),
            string.concat(
                vm.toString(h.ess), "\", \"eps\": \"", vm.toString(h.eps), "\", \"uri\": \"", h.uri, "\"}"
            )
        );
        bytes32 id = keccak256(abi.encode(uint256(31_337), manager, uint256(8), h));
        return string.concat(head, header, ",\n     \"bundleId\": ", _quoted(id), "}");
    }

    function _json(IChugSplashManager.Action memory a) private pure returns (string memory) {
        return string.concat(
            string.concat(
                "{\"kind\": ", vm.toString(uint256(a.kind)), ", \"target\": \"", vm.toString(a.target)
            ),
            string.concat(
                "\", \"gas\": ", vm.toString(uint256(a.gas)), ", \"data\": \"", vm.toString(a.data), "\"}"
            )
        );
    }

    function _json(uint256 index, bytes32[] memory proof) private pure returns (string memory) {
        string memory list;
        for (uint256 i; i < proof.length; ++i) {
            list = string.concat(list, i == 0 ? "" : ", ", _quoted(proof[i]));
        }
        return string.concat("{\"index\": ", vm.toString(index), ", \"proof\": [", list, "]}");
    }

    function _quoted(bytes32 hash) private pure returns (string memory) {
        return string.concat("\"", vm.toString(hash), "\"");
    }
}
