// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ChugSplashHandler} from "./ChugSplashHandler.sol";
import {ERC1967Utils} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Utils.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {ISimpleLockESS} from "contracts/interfaces/ISimpleLockESS.sol";
import {Test} from "forge-std/Test.sol";

/// The invariants C-1 to C-10 of `test/invariant/README.md`.
contract ChugSplashInvariantTest is Test {
    ChugSplashHandler private handler;
    IChugSplashManager private manager;
    ISimpleLockESS private lock;
    address private actor;

    function setUp() public {
        handler = new ChugSplashHandler();
        handler.setUp();
        (manager, lock, actor) = handler.contracts();
        targetContract(address(handler));
        // Else a step may come from one of the contracts themselves, with ETH that forge gives it.
        targetSender(address(0x5E4DE4));
        targetSelector(FuzzSelector(address(handler), _steps()));
    }

    /// What is done, the more often the oftener it is named.
    function _steps() private view returns (bytes4[] memory selectors) {
        selectors = new bytes4[](26);
        selectors[0] = handler.begin.selector;
        selectors[1] = handler.begin.selector;
        selectors[2] = handler.claim.selector;
        selectors[3] = handler.claim.selector;
        selectors[4] = handler.execute.selector;
        selectors[5] = handler.execute.selector;
        selectors[6] = handler.execute.selector;
        selectors[7] = handler.passTime.selector;
        selectors[8] = handler.settle.selector;
        selectors[9] = handler.requestPause.selector;
        selectors[10] = handler.resume.selector;
        selectors[11] = handler.retry.selector;
        selectors[12] = handler.close.selector;
        selectors[13] = handler.cancel.selector;
        selectors[14] = handler.rollback.selector;
        selectors[15] = handler.withdraw.selector;
        selectors[16] = handler.deposit.selector;
        selectors[17] = handler.force.selector;
        selectors[18] = handler.note.selector;
        selectors[19] = handler.setBaseFee.selector;
        selectors[20] = handler.withdrawBond.selector;
        selectors[21] = handler.withdrawOwed.selector;
        selectors[22] = handler.misbehave.selector;
        selectors[23] = handler.changeTarget.selector;
        selectors[24] = handler.changeExecutor.selector;
        selectors[25] = handler.deposit.selector;
    }

    /// One campaign for all: each of them would run the same steps again.
    function invariant_MoneyBondsAndProxiesAreInOrder() public {
        vm.warp(handler.clock());
        assertEq(handler.fault(), "", "C-4, C-5, C-6");
        _accounts();
        _conservation();
        _bonds();
        _proxies();
        _lockedMoney();
        _progress();
        // 40 %, and two because an execution right after a claim finds warm what is charged as cold; targets clear
        // storage, of which the EVM refunds a fifth of the gas at most.
        assertLe(handler.highestRatio(), 14_200 * 5 / 4, "C-9: paid / cost");
    }

    function _accounts() private view {
        IChugSplashManager.Accounts memory a = manager.accounts();
        uint256 accounted = a.free + a.budget + a.callValue + a.userBond + a.owed;
        assertEq(address(manager).balance, accounted + handler.forced(), "C-1: accounts");
        uint256 owed;
        for (uint256 i; i < 4; ++i) {
            owed += manager.owedTo(handler.executors(i));
        }
        assertEq(a.owed, owed, "C-1: owed");
        assertEq(actor.balance, 0, "C-1: the actor holds nothing");
    }

    function _conservation() private view {
        uint256 inside = address(manager).balance - handler.forced();
        assertEq(inside + handler.takenOut(), handler.sentIn(), "C-2: in = inside + out");
    }

    function _bonds() private view {
        uint256 held = handler.bondsIn() - handler.bondsOut() - handler.bondsForfeited();
        assertEq(address(lock).balance, held, "C-3: bonds are conserved");
    }

    function _proxies() private view {
        bytes32 first = vm.load(handler.proxies(0), ERC1967Utils.IMPLEMENTATION_SLOT);
        bytes32 second = vm.load(handler.proxies(1), ERC1967Utils.IMPLEMENTATION_SLOT);
        assertEq(first, second, "C-7: never half switched");
    }

    function _lockedMoney() private view {
        IChugSplashManager.Accounts memory a = manager.accounts();
        bytes32 active = manager.activeBundleId();
        assertEq(a.userBond, active == 0 ? 0 : 0.1 ether, "C-8: user bond");
        IChugSplashManager.Status status = manager.statusOf(active);
        bool locked =
            status == IChugSplashManager.Status.APPROVED || status == IChugSplashManager.Status.STALLED;
        if (!locked) assertEq(a.budget + a.callValue, 0, "C-8: budget and call value");
    }

    function _progress() private view {
        (bytes32 id, IChugSplashManager.BundleHeader memory header) = handler.bundleView();
        if (id == 0) return;
        IChugSplashManager.BundleInfo memory info = manager.bundle(id);
        uint256 all = header.deployCount + header.switchCount;
        bool isComplete = info.status == IChugSplashManager.Status.COMPLETED;
        assertEq(info.nextIndex == all, isComplete, "C-6: complete with the last action");
        assertTrue(isComplete || info.nextIndex <= header.deployCount, "C-7: no part of a switch");
        for (uint256 i; i < info.nextIndex && i < header.deployCount; ++i) {
            assertGt(handler.actionTarget(i).code.length, 0, "C-6: deployed");
        }
    }

    function afterInvariant() public {
        vm.warp(handler.clock());
        // Whatever happened: the owner can stop what is active, and take what is free.
        address owner = handler.ownerOfIt();
        if (manager.activeBundleId() != 0) {
            vm.prank(owner);
            manager.cancel();
        }
        uint256 free = manager.accounts().free;
        if (free != 0) {
            vm.prank(owner);
            manager.withdraw(payable(owner), free);
        }
        IChugSplashManager.Accounts memory a = manager.accounts();
        assertEq(address(manager).balance, a.owed + handler.forced(), "nothing is stuck");
    }

    /**
     * A campaign whose calls are all refused would say nothing: on a long walk of the same steps each of them
     * achieves something.
     * forge-config: default.isolate = true
     */
    function test_EveryStepAchievesSomething() public {
        bytes4[] memory steps = _steps();
        for (uint256 i; i < 3000; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            bytes memory data = abi.encodeWithSelector(steps[seed % steps.length], seed >> 8);
            (bool success,) = address(handler).call(data);
            assertTrue(success, "a step of the handler failed");
            if (i % 100 == 99) invariant_MoneyBondsAndProxiesAreInOrder();
        }
        bytes4[16] memory calls = _calls();
        for (uint256 i; i < calls.length; ++i) {
            assertGe(handler.achievedBy(calls[i]), 1, vm.toString(calls[i]));
        }
        assertGe(handler.completed(), 10, "completed");
        assertGe(handler.stalled(), 10, "stalled");
    }

    function _calls() private view returns (bytes4[16] memory calls) {
        calls[0] = manager.approve.selector;
        calls[1] = manager.execute.selector;
        calls[2] = lock.claim.selector;
        calls[3] = lock.settle.selector;
        calls[4] = manager.requestPause.selector;
        calls[5] = manager.resume.selector;
        calls[6] = manager.retry.selector;
        calls[7] = manager.close.selector;
        calls[8] = manager.cancel.selector;
        calls[9] = manager.rollback.selector;
        calls[10] = manager.withdraw.selector;
        calls[11] = manager.deposit.selector;
        calls[12] = lock.noteCongestion.selector;
        calls[13] = lock.release.selector;
        calls[14] = lock.withdraw.selector;
        calls[15] = manager.withdrawOwed.selector;
    }
}
