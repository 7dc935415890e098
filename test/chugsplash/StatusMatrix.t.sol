// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Box, ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {IProjectActor} from "contracts/interfaces/IProjectActor.sol";

/**
 * Every function of a manager, from every status, by every caller: it succeeds exactly where the table says, and
 * refuses with the error that the table says.
 * forge-config: default.isolate = true
 */
contract StatusMatrixTest is ChugSplashTest {
    using {_in} for uint256;

    uint256 private constant STATUSES = 8;
    /// Sets of statuses, a bit each.
    uint256 private constant ALWAYS = 0xff;
    uint256 private constant NONE_ACTIVE = (1 << 0) | (1 << 1) | (1 << 5) | (1 << 6) | (1 << 7);
    uint256 private constant PROPOSED = 1 << 1;
    uint256 private constant APPROVED = 1 << 2;
    uint256 private constant PAUSED = 1 << 3;
    uint256 private constant STALLED = 1 << 4;

    /// Sets of callers, a bit each.
    uint256 private constant OWNER = 1;
    uint256 private constant PROPOSER = 2;
    uint256 private constant SELECTED = 4;
    uint256 private constant EVERYBODY = 0xff;

    struct Row {
        string name;
        bytes data;
        uint256 value;
        /// where and by whom it succeeds
        uint256 statuses;
        uint256 callers;
        /// the error by another caller, and from another status
        bytes4 wrongCaller;
        bytes4 wrongStatus;
    }

    address[] private callers;
    address private box;
    address private proxy;
    IChugSplashManager.BundleHeader private other;
    bytes32 private otherId;
    Row[] private rows;

    function setUp() public override {
        super.setUp();
        vm.prank(owner);
        manager.setProposer(bob, true);
        callers = [owner, bob, alice, stranger, address(actor), address(registry), address(lock)];

        // A completed bundle, so that there is something to roll back.
        proxy = _addProxy("proxy");
        box = _addBox(1);
        _addImplementation(proxy, box);
        _run();
        delete plan;
        _addImplementation(proxy, address(new Box(2)));
        _run();
        delete plan;
        vm.warp(block.timestamp + 1 days);

        // Another proposal, which could be approved.
        _addCall(box, 0, abi.encodeCall(Box.set, (1)));
        _makeHeader();
        _propose();
        (other, otherId) = (header, id);

        // The bundle: one deploy, and a switch that reverts.
        delete plan;
        _addBox(3);
        _addCall(box, 0, abi.encodeCall(Box.refuse, ()));
        _makeHeader();
        id = 0;
    }

    function _run() private {
        _start();
        _claim(alice);
        _executeAll(alice);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
    }

    /// Brings the bundle into a status, with Alice's lock live where it is APPROVED.
    function _reach(uint256 status) private {
        if (status == 0) {
            id = keccak256("no bundle");
            return;
        }
        if (status == 5) plan[1].data = abi.encode(0, abi.encodeCall(Box.set, (1)));
        _makeHeader();
        _propose();
        if (status == 1) return;
        _approve();
        _claim(alice);
        if (status == 2) return;
        if (status == 3) {
            vm.warp(block.timestamp + LOCK + 1);
            vm.prank(owner);
            manager.requestPause();
            return;
        }
        if (status == 7) {
            vm.prank(owner);
            manager.cancel();
            return;
        }
        _executeAll(alice);
        if (status != 6) return;
        vm.prank(owner);
        manager.close();
    }

    /// The table; it depends on the id, which is the bundle's in that status.
    function _table() private {
        delete rows;
        bytes4 notOwner = Ownable.OwnableUnauthorizedAccount.selector;
        bytes4 status = IChugSplashManager.WrongStatus.selector;
        bytes4 active = IChugSplashManager.BundleActive.selector;

        _row("propose", abi.encodeCall(manager.propose, (other)), ALWAYS, OWNER | PROPOSER);
        _errors(IChugSplashManager.NotProposer.selector, 0);
        _row("approve", abi.encodeCall(manager.approve, (id, header)), PROPOSED, OWNER);
        // What refuses while a bundle is active is not its status.
        _errors(notOwner, 0);
        _row("approve another", abi.encodeCall(manager.approve, (otherId, other)), NONE_ACTIVE, OWNER);
        _errors(notOwner, active);
        _row("requestPause", abi.encodeCall(manager.requestPause, ()), APPROVED, OWNER);
        _errors(notOwner, status);
        _row("resume", abi.encodeCall(manager.resume, ()), PAUSED, OWNER);
        _errors(notOwner, 0);
        _row("retry", abi.encodeCall(manager.retry, ()), STALLED, OWNER);
        _errors(notOwner, status);
        _row("close", abi.encodeCall(manager.close, ()), STALLED, OWNER);
        _errors(notOwner, status);
        _row("cancel", abi.encodeCall(manager.cancel, ()), APPROVED | PAUSED | STALLED, OWNER);
        _errors(notOwner, status);
        _row(
            "withdraw",
            abi.encodeCall(manager.withdraw, (payable(owner), 1)),
            ALWAYS ^ APPROVED ^ STALLED,
            OWNER
        );
        _errors(notOwner, IChugSplashManager.FundsLocked.selector);
        _row("rollback", abi.encodeCall(manager.rollback, ()), NONE_ACTIVE, OWNER);
        _errors(notOwner, active);
        _row(
            "adopt",
            abi.encodeCall(manager.adopt, (proxy, IChugSplashManager.ProxyKind.CHUGSPLASH, address(0), box)),
            NONE_ACTIVE,
            OWNER
        );
        _errors(notOwner, active);
        _row("release", abi.encodeCall(manager.release, (proxy, owner)), NONE_ACTIVE, OWNER);
        _errors(notOwner, active);
        _row("setProposer", abi.encodeCall(manager.setProposer, (alice, true)), ALWAYS, OWNER);
        _errors(notOwner, 0);
        _row("transferOwnership", abi.encodeCall(manager.transferOwnership, (alice)), ALWAYS, OWNER);
        _errors(notOwner, 0);
        _row("renounceOwnership", abi.encodeWithSignature("renounceOwnership()"), 0, OWNER);
        _errors(notOwner, IChugSplashManager.RenounceRefused.selector);
        _row("acceptOwnership", abi.encodeCall(manager.acceptOwnership, ()), ALWAYS, 0);
        _errors(notOwner, 0);
        _row("deposit", abi.encodeCall(manager.deposit, ()), ALWAYS, EVERYBODY);
        rows[rows.length - 1].value = 1;
        _row("plain ETH", "", ALWAYS, EVERYBODY);
        rows[rows.length - 1].value = 1;
        _row("recordSelection", abi.encodeCall(manager.recordSelection, ()), APPROVED, EVERYBODY);
        _errors(0, status);
        _row("noteUnsound", abi.encodeCall(manager.noteUnsound, ()), 0, EVERYBODY);
        _errors(0, 0);
        _row("withdrawOwed", abi.encodeCall(manager.withdrawOwed, (payable(alice))), ALWAYS, 0);
        _errors(IChugSplashManager.ZeroAmount.selector, 0);
        _row("initialize", abi.encodeCall(manager.initialize, (alice)), ALWAYS, 0);
        _errors(IChugSplashManager.NotInitializable.selector, 0);
        _row("execute", _executeCall(0, 2), APPROVED, SELECTED);
        _errors(IChugSplashManager.NotSelected.selector, status);
    }

    function _row(string memory name, bytes memory data, uint256 statuses, uint256 who) private {
        rows.push(Row(name, data, 0, statuses, who, 0, 0));
    }

    function _errors(bytes4 wrongCaller, bytes4 wrongStatus) private {
        Row storage row = rows[rows.length - 1];
        (row.wrongCaller, row.wrongStatus) = (wrongCaller, wrongStatus);
    }

    function _checkAll(uint256 status) private {
        _reach(status);
        _table();
        assertEq(uint256(_status()), status, "reached");
        for (uint256 i; i < rows.length; ++i) {
            for (uint256 c; c < callers.length; ++c) {
                _check(rows[i], status, c);
            }
        }
    }

    function _check(Row storage row, uint256 status, uint256 c) private {
        address caller = callers[c];
        bool rightCaller = row.callers == EVERYBODY || (row.callers >> c) & 1 != 0;
        bool rightStatus = row.statuses._in(status);
        string memory name =
            string.concat(row.name, " in status ", vm.toString(status), " by ", vm.toString(c));

        uint256 snapshot = vm.snapshotState();
        vm.deal(caller, row.value);
        vm.prank(caller);
        (bool success, bytes memory result) = address(manager).call{value: row.value}(row.data);
        assertEq(success, rightCaller && rightStatus, name);
        if (!success) {
            bytes4 given = bytes4(result);
            // Who asks is looked at first by owners' functions, what it is about first by `execute`.
            if (!rightCaller && rightStatus && row.wrongCaller != 0) {
                assertEq(given, row.wrongCaller, name);
            } else if (rightCaller && !rightStatus && row.wrongStatus != 0) {
                assertEq(given, row.wrongStatus, name);
            } else {
                assertTrue(given != 0, "every refusal has a name");
            }
        } else {
            _assertSolvent();
        }
        vm.revertToStateAndDelete(snapshot);
    }

    function test_InEmpty() public {
        _checkAll(0);
    }

    function test_InProposed() public {
        _checkAll(1);
    }

    function test_InApproved() public {
        _checkAll(2);
    }

    function test_InPaused() public {
        _checkAll(3);
    }

    function test_InStalled() public {
        _checkAll(4);
    }

    function test_InCompleted() public {
        _checkAll(5);
    }

    function test_InFailed() public {
        _checkAll(6);
    }

    function test_InCancelled() public {
        _checkAll(7);
    }

    /// The edges themselves: where each step leads.
    function test_EveryEdge() public {
        _reach(1);
        _step(abi.encodeCall(manager.approve, (id, header)), IChugSplashManager.Status.APPROVED);
        _step(abi.encodeCall(manager.requestPause, ()), IChugSplashManager.Status.PAUSED);
        _step(abi.encodeCall(manager.resume, ()), IChugSplashManager.Status.APPROVED);
        _claim(alice);
        _executeAll(alice);
        _assertStatus(IChugSplashManager.Status.STALLED);
        _step(abi.encodeCall(manager.retry, ()), IChugSplashManager.Status.APPROVED);
        _claim(bob);
        _executeRest(bob, 1);
        _assertStatus(IChugSplashManager.Status.STALLED);
        _step(abi.encodeCall(manager.close, ()), IChugSplashManager.Status.FAILED);
    }

    function _step(bytes memory data, IChugSplashManager.Status expected) private {
        vm.prank(owner);
        (bool success,) = address(manager).call(data);
        assertTrue(success);
        _assertStatus(expected);
        _assertSolvent();
    }

    // --- the actor and the Registry believe managers only ---

    function test_RevertWhen_StrangersUseTheActor() public {
        _reach(2);
        bytes[6] memory calls = [
            abi.encodeCall(IProjectActor.deploy, (bytes32(0), hex"00")),
            abi.encodeCall(IProjectActor.switchOver, (id, 0, 0, address(0), address(0), plan)),
            abi.encodeCall(IProjectActor.perform, (id, address(0), address(0), plan[1])),
            abi.encodeCall(IProjectActor.rollback, ()),
            abi.encodeCall(
                IProjectActor.adopt, (proxy, IChugSplashManager.ProxyKind.CHUGSPLASH, address(0), box)
            ),
            abi.encodeCall(IProjectActor.release, (proxy, owner))
        ];
        for (uint256 c; c < callers.length; ++c) {
            if (callers[c] == address(actor)) continue;
            for (uint256 i; i < calls.length; ++i) {
                vm.prank(callers[c]);
                (bool success, bytes memory result) = address(actor).call(calls[i]);
                assertFalse(success);
                bytes4 expected = i == 2 ? IProjectActor.NotSelf.selector : IProjectActor.NotManager.selector;
                assertEq(bytes4(result), expected);
            }
            (bool sent,) = address(actor).call{value: 1}("");
            assertFalse(sent, "no ETH between calls");
        }
    }

    function test_RevertWhen_StrangersAnnounce() public {
        for (uint256 c; c < callers.length; ++c) {
            vm.startPrank(callers[c]);
            vm.expectRevert();
            registry.announceStatus(id, IChugSplashManager.Status.PAUSED, 0);
            vm.expectRevert();
            registry.announceBundle(id, IChugSplashManager.Status.APPROVED, header);
            vm.stopPrank();
        }
    }
}

function _in(uint256 set, uint256 status) pure returns (bool) {
    return (set >> status) & 1 != 0;
}
