// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {TestGate} from "../actors/TestGate.sol";
import {TestOracle} from "../actors/TestOracle.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {RegistryHandler} from "./RegistryHandler.sol";
import {RegistryStore} from "./RegistryStore.sol";
import {console} from "forge-std/console.sol";

/// The numbers are those of README.md beside this file.
/// Each step is a transaction of its own, because the Registry's guard word lives that long. That is slow, 2 to 4
/// seconds for a run of 500 steps: fewer runs than the 256 elsewhere, each as long, as many as end within three
/// minutes.
/// forge-config: default.isolate = true
/// forge-config: default.invariant.runs = 8
/// forge-config: ci.invariant.runs = 48
contract RegistryInvariant is RegistryTest {
    RegistryHandler private handler;
    RegistryStore private store;
    /// Calls of users and executors from which on a run is long.
    uint256 private constant LONG = 300;

    function setUp() public override {
        super.setUp();
        _useTestGate();
        gate.answer(block.number, 1);
        TestOracle scripted = new TestOracle(oracle.autoPerEth());
        vm.prank(owner);
        registry.setPriceOracle(scripted);
        handler = new RegistryHandler(registry, autoToken, gate, scripted, relay);
        store = handler.store();
        targetContract(address(handler));
        // Forge gives its senders ETH, and would choose a forwarder now and then.
        targetSender(makeAddr("sender"));
    }

    /// All of them in one campaign: what takes long is to get there.
    function invariant_MoneyAndBookAreInOrder() public view {
        // R-3, R-5, R-6, R-7 are observed while they happen: they say more than a sum that is wrong.
        assertEq(store.wrong(), "");
        // R-1
        assertEq(address(registry).balance, store.deposits() + handler.creditsOfAll() + store.forced());
        // R-4
        address[5] memory helpers = [
            registry.plainForwarder(),
            registry.userForwarder(),
            registry.feeForwarder(),
            registry.userFeeForwarder(),
            registry.autoPayments()
        ];
        for (uint256 i; i < 5; ++i) {
            assertEq(helpers[i].balance, 0);
            assertEq(autoToken.balanceOf(helpers[i]), 0);
        }
        assertEq(autoToken.balanceOf(address(registry)), 0);
    }

    function afterInvariant() public view {
        // R-2; at the end, because what is gone never comes back
        assertEq(registry.getHashedReqsLen(), store.length());
        for (uint256 id; id < store.length(); ++id) {
            RegistryStore.Entry memory entry = store.entryOf(id);
            bytes32 expected = entry.state == RegistryStore.State.Live ? keccak256(entry.encoded) : bytes32(0);
            assertEq(registry.getHashedReq(id), expected);
            if (!entry.isAlive) assertLe(entry.executions, 1);
        }
        // A handler that mostly fails explores nothing. Hostile actors make more than a third of the steps fail.
        assertLe(store.failures() * 100, store.calls() * 65 + 1000, "most steps fail");
        if (store.calls() >= LONG) _assertNothingIsVacuous();
        console.log("%s steps, %s failed, %s Requests", store.calls(), store.failures(), store.length());
        console.log(
            "registered %s, cancelled %s, withdrew %s",
            store.done("register"),
            store.done("cancel"),
            store.done("withdraw")
        );
        console.log(
            "executed %s, batches %s, in a row %s",
            store.done("execute"),
            store.done("batch"),
            store.done("in a row")
        );
    }

    /// In a long run each kind of step achieved something, and executions were of every kind.
    function _assertNothingIsVacuous() private view {
        bytes32[6] memory actions =
            [bytes32("register"), "cancel", "withdraw", "execute", "batch", "in a row"];
        for (uint256 i; i < actions.length; ++i) {
            assertGt(store.done(actions[i]), 0, string.concat(_text(actions[i]), ": never done"));
        }
        bytes32[15] memory things = [
            bytes32("mood"),
            "gate",
            "prices",
            "fees",
            "forced ETH",
            "blocks",
            "AUTO",
            "one-shot",
            "recurring",
            "paid in AUTO",
            "paid in ETH",
            "fixed fee",
            "kept remainder",
            "failed entry",
            "credited refund"
        ];
        for (uint256 i; i < things.length; ++i) {
            assertGt(handler.seen(things[i]), 0, string.concat(_text(things[i]), ": never seen"));
        }
    }

    function _text(bytes32 name) private pure returns (string memory) {
        return string(abi.encodePacked(name));
    }
}
