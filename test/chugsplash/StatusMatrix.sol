// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Puppet} from "../actors/Puppet.sol";
import {Box, ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";

/**
 * A bundle in any status, and rows of a table: a call, and what comes of it there by that caller. What a row says
 * is exact: the error with its arguments, or the status that the step leads to.
 */
abstract contract StatusMatrix is ChugSplashTest {
    uint256 internal constant CAP = 15 gwei;

    struct Row {
        string name;
        address to;
        uint256 value;
        bytes data;
        /// what it is refused with, in full; empty: it succeeds
        bytes refusal;
        /// the bundle's status when it succeeded
        IChugSplashManager.Status leadsTo;
    }

    address internal heir = makeAddr("heir");
    /// Is owed ETH by the manager, from a bundle before.
    address internal creditor;
    address internal box;
    address internal proxy;
    /// last second of Alice's lock on the bundle
    uint256 internal lockUntil;
    /// Another proposal, which could be approved.
    IChugSplashManager.BundleHeader internal other;
    bytes32 internal otherId;
    Row[] private _rows;

    function setUp() public virtual override {
        super.setUp();
        vm.startPrank(owner);
        manager.setProposer(bob, true);
        manager.transferOwnership(heir);
        vm.stopPrank();

        // A completed bundle, so that there is something to roll back.
        proxy = _addProxy("proxy");
        box = _addBox(1);
        _addImplementation(proxy, box);
        _run();
        _addImplementation(proxy, address(new Box(2)));
        _run();
        _owe();

        _addCall(box, 0, abi.encodeCall(Box.set, (1)));
        _makeHeader();
        _propose();
        (other, otherId) = (header, id);

        // The bundle: one deploy, and a switch that reverts.
        delete plan;
        _addBox(3);
        _addCall(box, 0, abi.encodeCall(Box.refuse, ()));
        id = 0;
    }

    function _run() private {
        _start();
        _claim(alice);
        _executeAll(alice);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        vm.prank(alice);
        lock.settle(address(manager), id);
        delete plan;
        vm.warp(block.timestamp + 1 days);
    }

    /// A bundle that was cancelled while its executor took no ETH.
    function _owe() private {
        Puppet executor = new Puppet();
        creditor = address(executor);
        vm.deal(creditor, BOND);
        _addBox(9);
        _addBox(10);
        _start();
        executor.act(address(lock), BOND, abi.encodeCall(lock.claim, (address(manager), id)));
        executor.act(address(manager), 0, _executeCall(0, 1));
        executor.behave(Puppet.Mode.Reject, Puppet.Mode.Accept, 0);
        _send(owner, abi.encodeCall(manager.cancel, ()));
        executor.behave(Puppet.Mode.Accept, Puppet.Mode.Accept, 0);
        executor.act(address(lock), 0, abi.encodeCall(lock.settle, (address(manager), id)));
        assertEq(manager.owedTo(creditor), BOND);
        delete plan;
        vm.warp(block.timestamp + 1 days);
    }

    /// Brings the bundle into a status; where it is APPROVED, Alice's lock is live.
    function _reach(IChugSplashManager.Status status) internal {
        if (status == IChugSplashManager.Status.EMPTY) {
            id = keccak256("no bundle");
            return;
        }
        if (status == IChugSplashManager.Status.COMPLETED) {
            plan[1].data = abi.encode(0, abi.encodeCall(Box.set, (1)));
        }
        _makeHeader();
        header.maxBaseFee = CAP;
        _propose();
        if (status == IChugSplashManager.Status.PROPOSED) return;
        _approve();
        _claim(alice);
        lockUntil = block.timestamp + LOCK;
        if (status == IChugSplashManager.Status.APPROVED) return;
        if (status == IChugSplashManager.Status.PAUSED) {
            vm.warp(lockUntil + 1);
            _send(owner, abi.encodeCall(manager.requestPause, ()));
        } else if (status == IChugSplashManager.Status.CANCELLED) {
            _send(owner, abi.encodeCall(manager.cancel, ()));
        } else {
            _executeAll(alice);
            if (status == IChugSplashManager.Status.FAILED) {
                _send(owner, abi.encodeCall(manager.close, ()));
            }
        }
        _assertStatus(status);
    }

    // --- the table ---

    /// A row whose call is refused by the first of two reasons that there is.
    function _row(
        string memory name,
        address to,
        uint256 value,
        bytes memory data,
        bytes memory first,
        bytes memory second,
        IChugSplashManager.Status leadsTo
    ) internal {
        _rows.push(Row(name, to, value, data, first.length != 0 ? first : second, leadsTo));
    }

    function _check(address caller, string memory where) internal {
        for (uint256 i; i < _rows.length; ++i) {
            string memory name = string.concat(_rows[i].name, " ", where, " by ", vm.getLabel(caller));
            _check(_rows[i], caller, name);
        }
        delete _rows;
    }

    function _check(Row storage row, address caller, string memory name) private {
        uint256 snapshot = vm.snapshotState();
        vm.deal(caller, caller.balance + row.value);
        try relay.send(caller, row.to, row.value, TX_GAS, row.data) {
            assertEq(bytes(""), row.refusal, name);
            assertEq(uint256(_status()), uint256(row.leadsTo), name);
            _assertSolvent();
        } catch (bytes memory refusal) {
            assertNotEq(refusal.length, 0, name);
            assertEq(refusal, row.refusal, name);
        }
        vm.revertToStateAndDelete(snapshot);
    }

    /// No reason where a condition holds.
    function _unless(bool holds, bytes memory refusal) internal pure returns (bytes memory) {
        return holds ? bytes("") : refusal;
    }
}
