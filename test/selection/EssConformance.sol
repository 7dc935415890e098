// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {ANYONE, IExecutorSelectionStrategy} from "contracts/interfaces/IExecutorSelectionStrategy.sol";
import {StrategyRead} from "contracts/libraries/StrategyRead.sol";

/**
 * What every selection strategy has to do to serve bundles. A strategy's test says how it is set up, and how it
 * comes to select somebody; the rest is here. Run isolated.
 */
abstract contract EssConformance is ChugSplashTest {
    /// The strategy under test.
    function _ess() internal view virtual returns (IExecutorSelectionStrategy);

    /// Has `executor` selected for the active bundle, as far as the strategy lets it; returns who is.
    function _select(address executor) internal virtual returns (address selected);

    /// Ends the present selection: its lock, epoch or slot.
    function _endTurn() internal virtual;

    function _begin() private {
        _addBox(1);
        _addBox(2);
        _addBox(3);
        _makeHeader();
        header.ess = address(_ess());
        _propose();
        _approve();
    }

    function _selected() private view returns (address executor, uint256 selectedAt) {
        return _ess().getSelectedExecutor(address(manager), id);
    }

    function test_Conforms_AnUnknownBundleHasAnAnswer() public view {
        (address executor, uint256 selectedAt) = _ess().getSelectedExecutor(address(0xdead), "unknown");
        if (executor == address(0)) assertEq(selectedAt, 0, "nobody is not selected since any time");
        else assertGt(selectedAt, 0);
    }

    function test_Conforms_TheAnswerIsConsistent() public {
        _begin();
        address chosen = _select(alice);
        (address executor, uint256 selectedAt) = _selected();
        assertEq(executor, chosen);
        assertGt(selectedAt, 0);
        assertLe(selectedAt, block.timestamp, "not in the future");
        (address again, uint256 againAt) = _selected();
        assertEq(again, executor);
        assertEq(againAt, selectedAt);
        (address byManager, uint256 elapsed) = manager.selected();
        assertEq(byManager, chosen);
        assertLe(elapsed, block.timestamp - selectedAt);
    }

    function test_Conforms_TheAnswerFitsItsGas() public {
        _begin();
        _select(alice);
        bytes memory data =
            abi.encodeCall(IExecutorSelectionStrategy.getSelectedExecutor, (address(manager), id));
        (bool success, bytes memory answer) = address(_ess()).staticcall{gas: StrategyRead.ESS_GAS}(data);
        assertTrue(success);
        assertEq(answer.length, 64);
    }

    function test_Conforms_TheSelectedExecutesAndNobodyElse() public {
        _begin();
        address chosen = _select(alice);
        address other = chosen == alice ? bob : alice;
        if (chosen != ANYONE) {
            bytes memory data = _executeCall(0, 1);
            vm.expectRevert(abi.encodeWithSelector(IChugSplashManager.NotSelected.selector, other, chosen));
            relay.send(other, address(manager), 0, TX_GAS, data);
        }
        address executor = chosen == ANYONE ? alice : chosen;
        (uint256 executed, uint256 payment) = _execute(executor, 0, 1);
        assertEq(executed, 1);
        assertGt(payment, 0);
        assertGe(payment, relay.receiptGas() * BASE_FEE, "it costs nobody money");
    }

    function test_Conforms_WorkGoesOnInAnotherTurn() public {
        _begin();
        address first = _select(alice);
        _execute(first == ANYONE ? alice : first, 0, 1);
        _endTurn();
        address second = _select(bob);
        _execute(second == ANYONE ? bob : second, 1, 2);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        _assertSolvent();
    }

    function test_Conforms_TheOwnerCanAlwaysStop() public {
        _begin();
        _select(alice);
        uint256 snapshot = vm.snapshotState();
        _send(owner, abi.encodeCall(manager.cancel, ()));
        _assertStatus(IChugSplashManager.Status.CANCELLED);
        vm.revertToStateAndDelete(snapshot);
        uint256 effectiveAt = abi.decode(_send(owner, abi.encodeCall(manager.requestPause, ())), (uint256));
        vm.warp(effectiveAt);
        _assertStatus(IChugSplashManager.Status.PAUSED);
        vm.prank(owner);
        manager.withdraw(payable(owner), 1);
    }

    function test_Conforms_AClosedBundleIsOver() public {
        _begin();
        _select(alice);
        _send(owner, abi.encodeCall(manager.cancel, ()));
        (address executor,) = manager.selected();
        assertEq(executor, address(0));
        bytes memory data = _executeCall(0, 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IChugSplashManager.WrongStatus.selector, id, IChugSplashManager.Status.CANCELLED
            )
        );
        relay.send(alice, address(manager), 0, TX_GAS, data);
    }
}
