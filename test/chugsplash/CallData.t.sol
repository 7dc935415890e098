// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ChugSplashTest, ContractExecutor} from "../utils/ChugSplashTest.sol";
import {ChugSplashProxy} from "contracts/chugsplash/ChugSplashProxy.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";

/// Takes every call.
contract Sink {
    fallback() external payable {}
}

/// An executor that makes call data up in memory.
contract Compressor is ContractExecutor {
    function zeros(
        IChugSplashManager m,
        bytes32 id,
        uint256 first,
        IChugSplashManager.Action calldata a,
        uint256 n,
        bytes32[][] calldata proofs
    ) external {
        IChugSplashManager.Action[] memory actions = new IChugSplashManager.Action[](1);
        actions[0] = IChugSplashManager.Action(a.kind, a.target, a.gas, abi.encode(uint256(0), new bytes(n)));
        m.execute(id, first, actions, proofs);
    }

    /// The same creation code under many names.
    function clones(
        IChugSplashManager m,
        bytes32 id,
        bytes calldata initCode,
        bytes32[] calldata salts,
        address[] calldata targets,
        bytes32[][] calldata proofs
    ) external {
        IChugSplashManager.Action[] memory actions = new IChugSplashManager.Action[](salts.length);
        for (uint256 i; i < salts.length; ++i) {
            actions[i] = IChugSplashManager.Action(
                IChugSplashManager.ActionKind.DEPLOY, targets[i], 900_000, abi.encode(salts[i], initCode)
            );
        }
        m.execute(id, 0, actions, proofs);
    }

    /// Executes in several steps in one transaction.
    function many(address m, bytes[] calldata data) external {
        for (uint256 i; i < data.length; ++i) {
            (bool s, bytes memory r) = m.call(data[i]);
            if (!s) assembly { revert(add(r, 32), mload(r)) }
        }
    }
}

/// Call data are paid where they were sent, and once.
/// forge-config: default.isolate = true
contract ChugSplashCallDataTest is ChugSplashTest {
    Compressor internal evil;

    function setUp() public override {
        super.setUp();
        evil = new Compressor();
    }

    /// Payment over cost, in thousandths.
    function _ratio(uint256 payment) internal view returns (uint256) {
        return payment * 1000 / (relay.receiptGas() * BASE_FEE);
    }

    function test_ZerosMadeUpInMemory() public {
        address sink = address(new Sink());
        _addCall(sink, 0, new bytes(50_000), 800_000);
        _start();
        _claim(evil);
        uint256 before = address(evil).balance;
        (IChugSplashManager.Action[] memory a, bytes32[][] memory p) = _slice(0, 1);
        a[0].data = "";
        relay.send(
            bob, address(evil), 0, TX_GAS, abi.encodeCall(evil.zeros, (manager, id, 0, a[0], 50_000, p))
        );
        assertLt(_ratio(address(evil).balance - before), 1200);
        assertGt(address(evil).balance, before);
    }

    function test_FourteenProxiesFromOneCreationCode() public {
        bytes memory initCode = abi.encodePacked(type(ChugSplashProxy).creationCode, abi.encode(actor));
        uint256 n = 14;
        bytes32[] memory salts = new bytes32[](n);
        address[] memory targets = new address[](n);
        for (uint256 i; i < n; ++i) {
            salts[i] = keccak256(abi.encode(i));
            targets[i] = _addProxy(salts[i]);
        }
        _addBox(1);
        _start();
        _claim(evil);
        uint256 before = address(evil).balance;
        (, bytes32[][] memory p) = _slice(0, n);
        relay.send(
            bob,
            address(evil),
            0,
            TX_GAS,
            abi.encodeCall(evil.clones, (manager, id, initCode, salts, targets, p))
        );
        assertLt(_ratio(address(evil).balance - before), 1200);
        assertGt(address(evil).balance, before);
    }

    /// A plain account: twenty calls that share one copy of their data in the transaction.
    function test_RevertWhen_ActionsShareTheirData() public {
        address sink = address(new Sink());
        bytes memory payload = new bytes(2000);
        for (uint256 i; i < 2000; ++i) {
            payload[i] = 0x11;
        }
        for (uint256 i; i < 20; ++i) {
            _addCall(sink, 0, payload, 60_000);
        }
        _start();
        _claim(alice);
        bytes memory shared = _shared(20);
        // the first action's data, behind all heads: 20 offsets, a head of 4 words and a length come before it
        uint256 first = 4 + 5 * 32 + 20 * 32 + 5 * 32;
        uint256 found = 4 + 5 * 32 + 20 * 32 + 20 * 128 + 32;
        vm.expectRevert(
            abi.encodeWithSelector(IChugSplashManager.NotCanonicallyEncoded.selector, found, first)
        );
        relay.send(alice, address(manager), 0, TX_GAS, shared);
    }

    /// Whatever part is moved, by a word that is put before it.
    function test_RevertWhen_AnyPartIsElsewhere() public {
        _addBox(1);
        _addBox(2);
        _start();
        _claim(alice);
        bytes memory data = _executeCall(0, 2);
        // of the actions' list, of both actions, of both data, of the proofs' list and of both proofs
        uint256[8] memory places;
        uint256 list = 4 + 5 * 32;
        places[0] = 4 + 2 * 32;
        (places[1], places[2]) = (list, list + 32);
        (places[3], places[4]) = (list + _word(data, places[1]) + 96, list + _word(data, places[2]) + 96);
        places[5] = 4 + 3 * 32;
        uint256 proofs = 4 + _word(data, places[5]) + 32;
        (places[6], places[7]) = (proofs, proofs + 32);
        for (uint256 i; i < places.length; ++i) {
            bytes memory moved = _moved(data, places[i]);
            vm.expectPartialRevert(IChugSplashManager.NotCanonicallyEncoded.selector);
            relay.send(alice, address(manager), 0, TX_GAS, moved);
        }
        relay.send(alice, address(manager), 0, TX_GAS, data);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
    }

    function _word(bytes memory data, uint256 place) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 32), place))
        }
    }

    /// With the part that this offset leads to copied to the end.
    function _moved(bytes memory data, uint256 place) private pure returns (bytes memory moved) {
        uint256 base = place < 4 + 4 * 32 ? 4 : _baseOf(data, place);
        uint256 part = base + _word(data, place);
        bytes memory tail = new bytes(data.length - part);
        for (uint256 i; i < tail.length; ++i) {
            tail[i] = data[part + i];
        }
        moved = bytes.concat(data, tail);
        uint256 offset = data.length - base;
        assembly ("memory-safe") {
            mstore(add(add(moved, 32), place), offset)
        }
    }

    /// What an offset counts from: its list's beginning, or its action's.
    function _baseOf(bytes memory data, uint256 place) private pure returns (uint256) {
        uint256 list = 4 + 5 * 32;
        uint256 proofs = 4 + _word(data, 4 + 3 * 32) + 32;
        if (place >= proofs) return proofs;
        return place < list + 64 ? list : place - 96;
    }

    function _shared(uint256 n) private view returns (bytes memory) {
        (IChugSplashManager.Action[] memory a, bytes32[][] memory p) = _slice(0, n);
        // actions: length, offsets, then heads; all point to the data behind the heads
        bytes memory offsets;
        bytes memory heads;
        for (uint256 i; i < n; ++i) {
            offsets = abi.encodePacked(offsets, uint256(32 * n + 128 * i));
            heads = abi.encodePacked(
                heads, abi.encode(uint8(a[i].kind), a[i].target, a[i].gas, uint256(128 * (n - i)))
            );
        }
        bytes memory padded = a[0].data; // a multiple of 32
        assertEq(padded.length % 32, 0);
        bytes memory actions = abi.encodePacked(uint256(n), offsets, heads, padded.length, padded);
        bytes memory encodedProofs = abi.encode(p);
        bytes memory tail = new bytes(encodedProofs.length - 32);
        for (uint256 i; i < tail.length; ++i) {
            tail[i] = encodedProofs[i + 32];
        }
        return abi.encodePacked(
            IChugSplashManager.execute.selector,
            id,
            uint256(0),
            uint256(0x80),
            0x80 + actions.length,
            actions,
            tail
        );
    }

    /// Steps of one transaction are paid its base once, and no call data; they use up one transaction of the bundle.
    function _assertManyEarnNothing(uint256 n) private {
        _makeHeader();
        header.maxTxs = 2;
        _propose();
        _approve();
        _claim(evil);
        bytes[] memory calls = new bytes[](n);
        for (uint256 i; i < n; ++i) {
            calls[i] = _executeCall(i, 1);
        }
        uint256 before = address(evil).balance;
        relay.send(bob, address(evil), 0, TX_GAS, abi.encodeCall(evil.many, (address(manager), calls)));
        assertLt(_ratio(address(evil).balance - before), 1200);
        assertEq(manager.bundle(id).nextIndex, n);
        assertEq(manager.bundle(id).txCount, 1);
    }

    function test_ManyInOneTransaction_Tiny() public {
        for (uint256 i; i < 41; ++i) {
            _addDeploy(bytes32(i), hex"600160005360016000f3", 150_000);
        }
        _assertManyEarnNothing(40);
    }

    function test_ManyInOneTransaction_Boxes() public {
        for (uint256 i; i < 21; ++i) {
            _addBox(i);
        }
        _assertManyEarnNothing(20);
    }

    function test_ManyInOneTransaction_SkippedDeploys() public {
        for (uint256 i; i < 41; ++i) {
            _addDeploy(bytes32(uint256(7)), hex"600160005360016000f3", 150_000);
        }
        _assertManyEarnNothing(40);
    }
}
