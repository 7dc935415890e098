// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Box, ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";

/// Takes what it is given and does nothing with it.
contract Sink {
    fallback() external payable {}
}

/// Every slot of its storage can be cleared.
contract Clearing {
    mapping(uint256 => uint256) public slots;

    constructor(uint256 count) {
        for (uint256 i; i < count; ++i) {
            slots[i] = 1;
        }
    }

    function clear(uint256 count) external {
        for (uint256 i; i < count; ++i) {
            delete slots[i];
        }
    }
}

/**
 * Paid / cost of the receipt at a flat 20 % and no tip lies within 1.19 and 1.21 for every shape that clears no
 * storage. `make gas` writes the table into snapshots/ChugSplashMetering.json.
 * forge-config: default.isolate = true
 */
contract ChugSplashMeteringTest is ChugSplashTest {
    address private sink;

    function setUp() public override {
        super.setUp();
        sink = address(new Sink());
    }

    /// Approves the plan and claims it.
    function _ready() private {
        _start();
        _claim(alice);
    }

    function _measure(string memory name, uint256 first, uint256 count) private returns (uint256 ratio) {
        uint256 before = alice.balance;
        (uint256 executed, uint256 payment) = _execute(alice, first, count);
        assertEq(executed, count, "all of it");
        assertEq(alice.balance - before, payment, "what it says is what it pays");
        uint256 receipt = relay.receiptGas();
        ratio = payment * 10_000 / (receipt * BASE_FEE);
        _note(name, ratio, receipt);
    }

    function _note(string memory name, uint256 ratio, uint256 receipt) private {
        vm.snapshotValue("ChugSplashMetering", string.concat(name, ": receipt"), receipt);
        vm.snapshotValue("ChugSplashMetering", string.concat(name, ": paid / cost, 1/10,000"), ratio);
    }

    function _check(string memory name, uint256 first, uint256 count) private {
        uint256 ratio = _measure(name, first, count);
        assertGe(ratio, 11_900, name);
        assertLe(ratio, 12_100, name);
    }

    /// Deploys `count` proxies and a Box for them, in a bundle of their own.
    function _newProxies(uint256 count) private returns (address[] memory proxies, address box) {
        proxies = new address[](count);
        for (uint256 i; i < count; ++i) {
            proxies[i] = _addProxy(keccak256(abi.encode("proxy", i)));
        }
        box = _addBox(1000);
        _ready();
        for (uint256 i; i < plan.length; i += 7) {
            _execute(alice, i, plan.length - i < 7 ? plan.length - i : 7);
        }
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        delete plan;
        vm.warp(block.timestamp + 1 days);
    }

    function _bytes(uint256 length, bool zeros) private pure returns (bytes memory data) {
        data = new bytes(length);
        if (zeros) return data;
        for (uint256 i; i < length; ++i) {
            data[i] = bytes1(uint8(1 + i % 255));
        }
    }

    // --- deploys ---

    function test_OneDeploy() public {
        _addBox(1);
        _addBox(2);
        _ready();
        _check("1 deploy, first of 2", 0, 1);
        _check("1 deploy, last of 2", 1, 1);
    }

    function test_FiftyDeploys() public {
        for (uint256 i; i < 51; ++i) {
            _addBox(i);
        }
        _ready();
        _check("50 deploys", 0, 50);
        _check("the last of 51", 50, 1);
    }

    function test_OneDeploy_WhenAllAreDone() public {
        _addBox(1);
        _ready();
        _check("1 deploy, the only one", 0, 1);
    }

    function test_SkippedDeploy() public {
        _addBox(1);
        _addBox(1);
        _addBox(2);
        _ready();
        _execute(alice, 0, 1);
        _check("1 skipped deploy", 1, 1);
    }

    function test_BigDeploy() public {
        // 24,000 bytes of code, of which the constructor returns all
        bytes memory code = bytes.concat(hex"615dc0600d600039615dc06000f300", _bytes(24_000, false));
        _addDeploy("big", code, 7_000_000);
        _addDeploy("big 2", code, 7_000_000);
        _addBox(2);
        _ready();
        _check("1 deploy of 24,000 bytes", 0, 1);
        _check("1 deploy of 24,000 bytes, second", 1, 1);
    }

    // --- switch ---

    function test_OneStorageWrite() public {
        (address[] memory proxies,) = _newProxies(1);
        _addStore(proxies[0], bytes32(uint256(5)), 7);
        _ready();
        _check("1 storage write", 0, 1);
    }

    function test_ThirtyStorageWrites() public {
        (address[] memory proxies,) = _newProxies(1);
        for (uint256 i; i < 30; ++i) {
            _addStore(proxies[0], bytes32(i), 7 + i);
        }
        _ready();
        _check("30 storage writes", 0, 30);
    }

    function test_SwitchOfOneProxy() public {
        (address[] memory proxies, address box) = _newProxies(1);
        _addImplementation(proxies[0], box);
        _ready();
        _check("switch of 1 proxy", 0, 1);
    }

    function test_SwitchOfTwentyProxies() public {
        (address[] memory proxies, address box) = _newProxies(20);
        for (uint256 i; i < 20; ++i) {
            _addImplementation(proxies[i], box);
        }
        _ready();
        _check("first switch of 20 proxies", 0, 20);

        delete plan;
        vm.warp(block.timestamp + 1 days);
        address box2 = _addBox(1001);
        _ready();
        _execute(alice, 0, 1);
        delete plan;
        vm.warp(block.timestamp + 1 days);
        for (uint256 i; i < 20; ++i) {
            _addImplementation(proxies[i], box2);
        }
        _ready();
        _check("second switch of 20 proxies", 0, 20);
    }

    // --- call data ---

    function test_SmallCall() public {
        _addCall(sink, 0, hex"01");
        _ready();
        _check("call of 1 byte", 0, 1);
    }

    function test_CallWithValue() public {
        _addCall(sink, 3, hex"01");
        header.callValue = 3;
        _ready();
        _check("call with value", 0, 1);
        assertEq(sink.balance, 3);
    }

    /// The floor price of EIP-7623 applies.
    function test_BigCall() public {
        _addCall(sink, 0, _bytes(20_000, false), 3_000_000);
        _ready();
        _check("call of 20,000 bytes", 0, 1);
    }

    function test_BigCall_WhenItIsOfZeros() public {
        _addCall(sink, 0, _bytes(50_000, true), 3_000_000);
        _ready();
        _check("call of 50,000 zeros", 0, 1);
    }

    function test_MixedBatch() public {
        address proxy = _addProxy("p");
        address box = _addBox(1);
        _addStore(proxy, 0, 1);
        _addImplementation(proxy, box);
        _addCall(sink, 0, _bytes(300, false));
        _ready();
        _check("2 deploys and a switch of 3", 0, 5);
    }

    function test_Stall() public {
        address box = address(new Box(1));
        _addCall(box, 0, abi.encodeCall(Box.refuse, ()));
        _ready();
        (uint256 executed, uint256 payment) = _execute(alice, 0, 1);
        assertEq(executed, 0);
        _assertStatus(IChugSplashManager.Status.STALLED);
        uint256 ratio = payment * 10_000 / (relay.receiptGas() * BASE_FEE);
        _note("stall", ratio, relay.receiptGas());
        assertGe(ratio, 11_900);
        assertLe(ratio, 12_100);
    }

    /// What the EVM refunds cannot be seen by the contract: the deviation, as documented.
    function test_ClearedSlots() public {
        Clearing clearing = new Clearing(40);
        _addCall(address(clearing), 0, abi.encodeCall(Clearing.clear, (40)), 500_000);
        _ready();
        uint256 ratio = _measure("40 slots cleared", 0, 1);
        assertGe(ratio, 12_100, "there is a deviation");
        assertLe(ratio, 15_000, "the refund is a fifth at most");
    }
}
