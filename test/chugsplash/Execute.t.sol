// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Box, ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {console} from "forge-std/console.sol";

/// forge-config: default.isolate = true
contract ExecuteTest is ChugSplashTest {
    function test_WhenBundleIsExecutedInOne() public {
        address proxy = _addProxy("proxy");
        address box = _addBox(1);
        _addStore(proxy, 0, 7);
        _addImplementation(proxy, box);
        _start();
        _claim(alice);
        (uint256 executed, uint256 payment) = _execute(alice, 0, 4);
        assertEq(executed, 4);
        console.log("receipt", relay.receiptGas(), payment * 10_000 / (relay.receiptGas() * BASE_FEE));
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertEq(Box(proxy).value(), 7);
        assertEq(Box(proxy).version(), 1);
        _assertSolvent();
    }
}
