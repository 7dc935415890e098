// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {StatusMatrix} from "./StatusMatrix.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";

/**
 * Every function of a manager, in every status, by every caller: it leads where the table says, or refuses with
 * the error that the table says. A pause that is requested and not in force yet has a column of its own.
 * forge-config: default.isolate = true
 */
contract StatusMatrixTest is StatusMatrix {
    using {_in} for uint256;

    /// Sets of statuses, a bit each.
    uint256 private constant NONE_ACTIVE = (1 << 0) | (1 << 1) | (1 << 5) | (1 << 6) | (1 << 7);
    uint256 private constant PROPOSED = 1 << 1;
    uint256 private constant APPROVED = 1 << 2;
    uint256 private constant PAUSED = 1 << 3;
    uint256 private constant STALLED = 1 << 4;

    /// What the table is made for: a status, who is selected and whether a pause is requested in it, and a caller.
    IChugSplashManager.Status private status;
    bool private pauseRequested;
    address private selected = alice;
    address private caller;

    function _checkAll(IChugSplashManager.Status status_, bool pauseRequested_) private {
        (status, pauseRequested) = (status_, pauseRequested_);
        address[9] memory callers =
            [owner, bob, alice, stranger, heir, creditor, address(actor), address(registry), address(lock)];
        string[9] memory names =
            ["owner", "proposer", "selected", "stranger", "heir", "creditor", "actor", "registry", "lock"];
        string memory where = string.concat("in ", vm.toString(uint256(status)));
        if (pauseRequested) where = string.concat(where, ", pause requested,");
        if (selected == address(0)) where = string.concat(where, ", nobody selected,");
        for (uint256 c; c < callers.length; ++c) {
            caller = callers[c];
            vm.label(caller, names[c]);
            _ownersTable();
            _everybodysTable();
            _check(caller, where);
        }
    }

    // --- the table ---

    function _ownersTable() private {
        bytes memory notOwner = _unless(
            caller == owner, abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, caller)
        );
        bytes memory active = _unlessIn(NONE_ACTIVE, _error(IChugSplashManager.BundleActive.selector));

        _line("approve", abi.encodeCall(manager.approve, (id, header)), notOwner, _whyNotApproved(), 2);
        _stay("approve another", abi.encodeCall(manager.approve, (otherId, other)), notOwner, active);
        _line(
            "requestPause",
            abi.encodeCall(manager.requestPause, ()),
            notOwner,
            _unlessIn(APPROVED, _wrongActive()),
            selected == address(0) ? 3 : 2
        );
        _line("resume", abi.encodeCall(manager.resume, ()), notOwner, _whyNotResumed(), 2);
        bytes memory notStalled = _unlessIn(STALLED, _wrongActive());
        _line("retry", abi.encodeCall(manager.retry, ()), notOwner, notStalled, 2);
        _line("close", abi.encodeCall(manager.close, ()), notOwner, notStalled, 6);
        bytes memory none = _unlessIn(APPROVED | PAUSED | STALLED, _wrongActive());
        _line("cancel", abi.encodeCall(manager.cancel, ()), notOwner, none, 7);
        _stay(
            "withdraw",
            abi.encodeCall(manager.withdraw, (payable(owner), 1)),
            notOwner,
            _unlessIn(
                NONE_ACTIVE | PAUSED,
                abi.encodeWithSelector(IChugSplashManager.FundsLocked.selector, id, status)
            )
        );
        _stay("rollback", abi.encodeCall(manager.rollback, ()), notOwner, active);
        bytes memory adopt =
            abi.encodeCall(manager.adopt, (proxy, IChugSplashManager.ProxyKind.CHUGSPLASH, address(0), box));
        _stay("adopt", adopt, notOwner, active);
        _stay("release", abi.encodeCall(manager.release, (proxy, owner)), notOwner, active);
        _stay("setProposer", abi.encodeCall(manager.setProposer, (alice, true)), notOwner, "");
        _stay("transferOwnership", abi.encodeCall(manager.transferOwnership, (alice)), notOwner, "");
        _stay(
            "renounceOwnership",
            abi.encodeWithSignature("renounceOwnership()"),
            notOwner,
            abi.encodeWithSelector(IChugSplashManager.RenounceRefused.selector)
        );
    }

    function _everybodysTable() private {
        bytes memory refusal = _callersError(IChugSplashManager.NotProposer.selector);
        _stay(
            "propose",
            abi.encodeCall(manager.propose, (other)),
            _unless(caller == owner || caller == bob, refusal),
            ""
        );
        refusal = _unless(caller == heir, _callersError(Ownable.OwnableUnauthorizedAccount.selector));
        _stay("acceptOwnership", abi.encodeCall(manager.acceptOwnership, ()), refusal, "");
        refusal = _callersError(IChugSplashManager.NotInitializable.selector);
        _stay("initialize", abi.encodeCall(manager.initialize, (alice)), refusal, "");
        refusal = abi.encodeWithSelector(IChugSplashManager.ZeroAmount.selector);
        bytes memory withdrawal = abi.encodeCall(manager.withdrawOwed, (payable(alice)));
        _stay("withdrawOwed", withdrawal, _unless(caller == creditor, refusal), "");
        _stay("deposit of nothing", abi.encodeCall(manager.deposit, ()), refusal, "");
        _row("deposit", address(manager), 1, abi.encodeCall(manager.deposit, ()), "", "", status);
        _row("plain ETH", address(manager), 1, "", "", "", status);
        refusal = _unlessIn(APPROVED, _wrongActive());
        _stay("recordSelection", abi.encodeCall(manager.recordSelection, ()), refusal, "");
        bytes memory sound = _error(IChugSplashManager.StrategiesSound.selector);
        _stay("noteUnsound", abi.encodeCall(manager.noteUnsound, ()), refusal, sound);
        // What it is about is looked at first, who asks second. Its last action reverts.
        refusal =
            _unlessIn(APPROVED, abi.encodeWithSelector(IChugSplashManager.WrongStatus.selector, id, status));
        bytes memory notSelected =
            abi.encodeWithSelector(IChugSplashManager.NotSelected.selector, caller, selected);
        _line("execute", _executeCall(0, 2), refusal, _unless(caller == selected, notSelected), 4);
    }

    function _whyNotApproved() private view returns (bytes memory) {
        if (!NONE_ACTIVE._in(status)) return _error(IChugSplashManager.BundleActive.selector);
        return
            _unlessIn(PROPOSED, abi.encodeWithSelector(IChugSplashManager.WrongStatus.selector, id, status));
    }

    function _whyNotResumed() private view returns (bytes memory) {
        if (!APPROVED._in(status)) return _unlessIn(PAUSED, _wrongActive());
        return _unless(pauseRequested, _error(IChugSplashManager.NoPauseRequested.selector));
    }

    /// What names the active bundle says when there is none, or it is in this status.
    function _wrongActive() private view returns (bytes memory) {
        bytes4 wrong = IChugSplashManager.WrongStatus.selector;
        if (NONE_ACTIVE._in(status)) {
            return abi.encodeWithSelector(wrong, 0, IChugSplashManager.Status.EMPTY);
        }
        return abi.encodeWithSelector(wrong, id, status);
    }

    function _error(bytes4 selector) private view returns (bytes memory) {
        return abi.encodeWithSelector(selector, id);
    }

    function _callersError(bytes4 selector) private view returns (bytes memory) {
        return abi.encodeWithSelector(selector, caller);
    }

    function _unlessIn(uint256 statuses, bytes memory refusal) private view returns (bytes memory) {
        return _unless(statuses._in(status), refusal);
    }

    /// A row whose call leads to another status.
    function _line(
        string memory name,
        bytes memory data,
        bytes memory first,
        bytes memory second,
        uint256 leadsTo
    ) private {
        _row(name, address(manager), 0, data, first, second, IChugSplashManager.Status(leadsTo));
    }

    /// A row whose call changes no status.
    function _stay(string memory name, bytes memory data, bytes memory first, bytes memory second) private {
        _line(name, data, first, second, uint256(status));
    }

    // --- its columns ---

    function _checkIn(IChugSplashManager.Status status_) private {
        _reach(status_);
        _assertStatus(status_);
        _checkAll(status_, false);
    }

    function test_InEmpty() public {
        _checkIn(IChugSplashManager.Status.EMPTY);
    }

    function test_InProposed() public {
        _checkIn(IChugSplashManager.Status.PROPOSED);
    }

    function test_InApproved() public {
        _checkIn(IChugSplashManager.Status.APPROVED);
    }

    function test_InApproved_WhenAPauseIsRequested() public {
        _reach(IChugSplashManager.Status.APPROVED);
        _send(owner, abi.encodeCall(manager.requestPause, ()));
        vm.warp(block.timestamp + manager.pauseDelay() - 1);
        _assertStatus(IChugSplashManager.Status.APPROVED);
        _checkAll(IChugSplashManager.Status.APPROVED, true);
    }

    function test_InApproved_WhenNobodyIsSelected() public {
        _reach(IChugSplashManager.Status.APPROVED);
        vm.warp(lockUntil + 1);
        selected = address(0);
        _checkAll(IChugSplashManager.Status.APPROVED, false);
    }

    function test_InPaused() public {
        _checkIn(IChugSplashManager.Status.PAUSED);
    }

    /// In force by the clock alone: nobody's transaction has written it down.
    function test_InPaused_WhenNobodyWroteItDown() public {
        _reach(IChugSplashManager.Status.APPROVED);
        _send(owner, abi.encodeCall(manager.requestPause, ()));
        vm.warp(block.timestamp + manager.pauseDelay());
        _checkAll(IChugSplashManager.Status.PAUSED, true);
    }

    function test_InStalled() public {
        _checkIn(IChugSplashManager.Status.STALLED);
    }

    function test_InCompleted() public {
        _checkIn(IChugSplashManager.Status.COMPLETED);
    }

    function test_InFailed() public {
        _checkIn(IChugSplashManager.Status.FAILED);
    }

    function test_InCancelled() public {
        _checkIn(IChugSplashManager.Status.CANCELLED);
    }

    /// The edges in a row, with executions between.
    function test_EveryEdge() public {
        _reach(IChugSplashManager.Status.PROPOSED);
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
        _send(owner, data);
        _assertStatus(expected);
        _assertSolvent();
    }
}

function _in(uint256 set, IChugSplashManager.Status status) pure returns (bool) {
    return (set >> uint256(status)) & 1 != 0;
}
