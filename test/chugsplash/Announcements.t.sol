// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {OwnerTest} from "./OwnerTest.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {IChugSplashRegistry} from "contracts/interfaces/IChugSplashRegistry.sol";
import {Vm} from "forge-std/Vm.sol";

/**
 * What a keeper hears that watches nothing but the Registry: each step once, and from managers alone.
 * forge-config: default.isolate = true
 */
contract AnnouncementsTest is OwnerTest {
    /// The Registry's only log since the last look.
    function _announcement() private returns (Vm.Log memory log) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 count;
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].emitter != address(registry)) continue;
            ++count;
            log = logs[i];
        }
        assertEq(count, 1, "announcements");
        assertEq(log.topics.length, 4);
        assertEq(log.topics[1], bytes32(uint256(uint160(address(manager)))), "manager");
        assertEq(log.topics[2], id, "bundle");
    }

    function _assertBundle(IChugSplashManager.Status status) private {
        Vm.Log memory log = _announcement();
        assertEq(log.topics[0], IChugSplashRegistry.BundleAnnounced.selector);
        assertEq(uint256(log.topics[3]), uint256(status), "status");
        assertEq(log.data, abi.encode(header));
    }

    function _assertStep(IChugSplashManager.Status status, uint256 effectiveAt) private {
        Vm.Log memory log = _announcement();
        assertEq(log.topics[0], IChugSplashRegistry.StatusAnnounced.selector);
        assertEq(uint256(log.topics[3]), uint256(status), "status");
        assertEq(log.data, abi.encode(effectiveAt));
    }

    function _assertSilent() private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            assertNotEq(logs[i].emitter, address(registry), "nothing to be heard");
        }
    }

    /// Approved and claimed, with everything before it heard.
    function _beginAndClaim() private {
        _begin();
        _claim(alice);
        vm.recordLogs();
    }

    function _letTheFirstFail() private {
        plan[0].data = abi.encode(bytes32(uint256(1)), hex"5f5ffd");
        _makeHeader();
        header.callValue = 7;
    }

    // --- refusals ---

    function test_RevertWhen_AnybodyButAManagerAnnounces() public {
        // The code that managers share, and a clone of it that the Registry did not make, are none.
        address shared = registry.managerImplementation();
        address[8] memory callers = [
            owner,
            alice,
            stranger,
            address(actor),
            address(registry),
            address(lock),
            shared,
            Clones.clone(shared)
        ];
        for (uint256 c; c < callers.length; ++c) {
            bytes memory refusal = abi.encodeWithSelector(IChugSplashRegistry.NotManager.selector, callers[c]);
            for (uint256 s; s <= uint256(type(IChugSplashManager.Status).max); ++s) {
                vm.startPrank(callers[c]);
                vm.expectRevert(refusal);
                registry.announceStatus(id, IChugSplashManager.Status(s), 0);
                vm.expectRevert(refusal);
                registry.announceBundle(id, IChugSplashManager.Status(s), header);
                vm.stopPrank();
            }
        }
    }

    /// A manager speaks for itself alone: whatever it says, its own address is in it.
    function test_AManagerIsNamedByItsOwnAddress() public {
        address other = registry.register(stranger, "other");
        vm.expectEmit(address(registry));
        emit IChugSplashRegistry.StatusAnnounced(other, "x", IChugSplashManager.Status.COMPLETED, 5);
        vm.prank(other);
        registry.announceStatus("x", IChugSplashManager.Status.COMPLETED, 5);
    }

    // --- steps ---

    function test_Proposed() public {
        vm.recordLogs();
        _propose();
        _assertBundle(IChugSplashManager.Status.PROPOSED);
    }

    function test_Approved() public {
        _propose();
        vm.recordLogs();
        _approve();
        _assertBundle(IChugSplashManager.Status.APPROVED);
    }

    function test_Paused_AtOnceAndResumed() public {
        _begin();
        vm.recordLogs();
        _pause();
        _assertStep(IChugSplashManager.Status.PAUSED, START);
        vm.warp(START + 5);
        _resume();
        _assertStep(IChugSplashManager.Status.APPROVED, START + 5);
    }

    /// Said when it is asked for, with the time from which on it holds, and not again when that has come.
    function test_Paused_Later() public {
        _beginAndClaim();
        vm.warp(START + 5);
        _pause();
        _assertStep(IChugSplashManager.Status.PAUSED, START + 5 + 15 minutes);
        vm.warp(START + 5 + 15 minutes);
        vm.prank(stranger);
        manager.deposit{value: 1}();
        _assertStatus(IChugSplashManager.Status.PAUSED);
        _assertSilent();
    }

    function test_Paused_BroughtForward() public {
        header.maxBaseFee = 12 gwei;
        _beginAndClaim();
        _pause();
        _assertStep(IChugSplashManager.Status.PAUSED, START + 15 minutes);
        vm.warp(START + 5);
        relay.setPrices(12 gwei + 1, 12 gwei + 1);
        _pause();
        _assertStep(IChugSplashManager.Status.PAUSED, START + 5);
    }

    function test_StalledAndRetried() public {
        _letTheFirstFail();
        _beginAndClaim();
        vm.warp(START + 7);
        _execute(alice, 0, 1);
        _assertStep(IChugSplashManager.Status.STALLED, START + 7);
        vm.warp(START + 8);
        _asOwner(abi.encodeCall(manager.retry, ()));
        _assertStep(IChugSplashManager.Status.APPROVED, START + 8);
    }

    function test_Completed() public {
        _beginAndClaim();
        // What is between is nobody's news.
        _execute(alice, 0, 1);
        _assertSilent();
        vm.warp(START + 9);
        _executeRest(alice, 1);
        _assertStep(IChugSplashManager.Status.COMPLETED, START + 9);
    }

    function test_Cancelled() public {
        _beginAndClaim();
        vm.warp(START + 10);
        _cancel();
        _assertStep(IChugSplashManager.Status.CANCELLED, START + 10);
    }

    function test_Failed() public {
        _letTheFirstFail();
        _beginAndClaim();
        _execute(alice, 0, 1);
        vm.getRecordedLogs();
        vm.warp(START + 11);
        _asOwner(abi.encodeCall(manager.close, ()));
        _assertStep(IChugSplashManager.Status.FAILED, START + 11);
    }
}
