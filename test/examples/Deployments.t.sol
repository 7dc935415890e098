// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Test} from "forge-std/Test.sol";
import {Deployments} from "script/Deployments.sol";

contract Recorder is Deployments {
    function doRecord(string memory name, address where, bytes memory arguments) external {
        record(name, where, arguments);
    }

    function doMerge(string memory existing) external returns (string memory) {
        return merged(existing);
    }

    function doWrite() external {
        write();
    }

    function find(string memory name) external view returns (address) {
        return deployed(name);
    }
}

contract DeploymentsTest is Test {
    Recorder private recorder;

    function setUp() public {
        vm.chainId(424_242);
        recorder = new Recorder();
    }

    function test_RevertWhen_NothingIsDeployed() public {
        vm.expectRevert(
            abi.encodeWithSelector(Deployments.NothingDeployedAt.selector, "Ghost", address(1234))
        );
        recorder.doRecord("Ghost", address(1234), "");
    }

    function test_RevertWhen_NameIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(Deployments.NotDeployed.selector, "Registry", 424_242));
        recorder.find("Registry");
    }

    function test_WhenRecordedTwice_TheLastCounts() public {
        recorder.doRecord("Registry", address(recorder), "");
        recorder.doRecord("Registry", address(this), "");
        assertEq(recorder.find("Registry"), address(this));
    }

    function test_WhenMerged_OtherNamesStay() public {
        vm.roll(77);
        recorder.doRecord("Registry", address(this), abi.encode(uint256(5)));
        recorder.doRecord("Second", address(recorder), "");
        string memory json = recorder.doMerge(
            "{\"Other\":{\"address\":\"0x0000000000000000000000000000000000000007\",\"block\":3},"
            "\"Registry\":{\"address\":\"0x0000000000000000000000000000000000000009\",\"extra\":1}}"
        );
        assertEq(vm.parseJsonKeys(json, "$").length, 3);
        assertEq(vm.parseJsonAddress(json, ".Other.address"), address(7));
        assertEq(vm.parseJsonUint(json, ".Other.block"), 3);
        assertEq(vm.parseJsonAddress(json, ".Registry.address"), address(this));
        assertEq(vm.parseJsonUint(json, ".Registry.block"), 77);
        assertEq(vm.parseJsonBytes(json, ".Registry.arguments"), abi.encode(uint256(5)));
        assertEq(vm.parseJsonBytes32(json, ".Registry.codeHash"), address(this).codehash);
        assertEq(vm.parseJsonString(json, ".Registry.commit"), vm.envOr("ERRAND_COMMIT", string("unknown")));
        assertFalse(vm.keyExistsJson(json, ".Registry.extra"));
        assertEq(vm.parseJsonBytes(json, ".Second.arguments"), "");
    }

    function test_WhenNotBroadcasting_NothingIsWritten() public {
        recorder.doRecord("Registry", address(this), "");
        recorder.doWrite();
        assertFalse(vm.isFile("deployments/424242.json"));
    }
}
