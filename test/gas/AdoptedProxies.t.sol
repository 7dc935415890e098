// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {AdoptedProxiesTest} from "../utils/AdoptedProxiesTest.sol";

/**
 * Paid / cost of what is done to proxies of OpenZeppelin's. Each write puts a temporary implementation in and out,
 * of which the EVM refunds a part. `make gas` writes the table into
 * snapshots/AdoptedProxiesMetering.json.
 * forge-config: default.isolate = true
 */
contract AdoptedProxiesMeteringTest is AdoptedProxiesTest {
    /// Executes the plan and compares what was paid with the receipt.
    function _check(string memory name) private {
        _start();
        _claim(alice);
        (uint256 executed, uint256 payment) = _execute(alice, 0, plan.length);
        assertEq(executed, plan.length, "all of it");
        uint256 ratio = payment * 10_000 / (relay.receiptGas() * BASE_FEE);
        _note(name, ratio, relay.receiptGas());
        assertGe(ratio, 11_900, name);
        assertLe(ratio, 12_100, name);
    }

    function _note(string memory name, uint256 ratio, uint256 receipt) private {
        vm.snapshotValue("AdoptedProxiesMetering", string.concat(name, ": receipt"), receipt);
        vm.snapshotValue("AdoptedProxiesMetering", string.concat(name, ": paid / cost, 1/10,000"), ratio);
    }

    function _addStores(address proxy, uint256 count) private {
        for (uint256 i; i < count; ++i) {
            _addStore(proxy, bytes32(100 + i), 7 + i);
        }
    }

    function test_OneStorageWrite_WhenTransparent() public {
        (address proxy,) = _transparent();
        _addStores(proxy, 1);
        _check("1 write, transparent");
    }

    function test_ThirtyStorageWrites_WhenTransparent() public {
        (address proxy,) = _transparent();
        _addStores(proxy, 30);
        _check("30 writes, transparent");
    }

    function test_OneStorageWrite_WhenUups() public {
        _addStores(_uups(), 1);
        _check("1 write, UUPS");
    }

    function test_ThirtyStorageWrites_WhenUups() public {
        _addStores(_uups(), 30);
        _check("30 writes, UUPS");
    }

    function test_StorageWrites_WhenTheImplementationIsSetBefore() public {
        (address proxy,) = _transparent();
        _addImplementation(proxy, two);
        _addStores(proxy, 10);
        _check("implementation, then 10 writes");
    }

    function test_StorageWrites_WhenTheImplementationIsSetAfter() public {
        (address proxy,) = _transparent();
        _addStores(proxy, 10);
        _addImplementation(proxy, two);
        _check("10 writes, then implementation");
    }

    function test_SwitchOfBoth() public {
        (address proxy,) = _transparent();
        address uups = _uups();
        _addImplementation(proxy, two);
        _addImplementation(uups, uupsTwo);
        _check("switch of one of each");
    }
}
