// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Puppet} from "../actors/Puppet.sol";
import {TestGate} from "../actors/TestGate.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";

/// Cancelling, and withdrawing what could not be pushed.
/// forge-config: default.isolate = true
contract CancelTest is RegistryTest {
    address private target = address(new Puppet());
    IRegistry.Request private request;
    uint256 private id;

    function setUp() public override {
        super.setUp();
        IRegistry.Request memory r = _request(target, "abcd");
        (r.initEthSent, r.ethForCall) = (1 ether, 0.25 ether);
        request = r;
        id = _register(r);
    }

    function _expectMismatch(IRegistry.Request memory r) private {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RequestMismatch.selector, id));
        vm.prank(user);
        registry.cancelHashedReq(id, r);
    }

    function test_RevertWhen_StrangerCancels() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotUser.selector, executor, user));
        vm.prank(executor);
        registry.cancelHashedReq(id, request);
    }

    function test_RevertWhen_RequestIsAnother() public {
        IRegistry.Request memory r = request;
        ++r.initEthSent;
        _expectMismatch(r);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RequestMismatch.selector, id + 1));
        vm.prank(user);
        registry.cancelHashedReq(id + 1, request);
    }

    function test_RevertWhen_CancelledTwice() public {
        _cancel(id, request);
        _expectMismatch(request);
    }

    function test_RevertWhen_CancelledAfterExecution() public {
        _execute(id, request);
        _expectMismatch(request);
    }

    function test_WhenCancelled_DepositGoesBack() public {
        uint256 before = user.balance;
        vm.expectEmit(address(registry));
        emit IRegistry.HashedReqCancelled(id);
        _cancel(id, request);
        assertEq(user.balance, before + 1 ether);
        assertEq(address(registry).balance, 0);
        assertEq(registry.getHashedReq(id), 0);
    }

    /// Cancelling works whatever gate, prices or owner do.
    function test_WhenGateAndOracleAreBroken_CancellingWorks() public {
        _useTestGate();
        gate.fail(TestGate.Fault.Revert, TestGate.Fault.Revert);
        vm.mockCallRevert(address(oracle), bytes(""), bytes("broken"));
        vm.prank(owner);
        registry.renounceOwnership();
        _cancel(id, request);
        assertEq(address(registry).balance, 0);
    }

    function test_WhenCancelledWithoutDeposit_NothingIsSent() public {
        IRegistry.Request memory r = _request(target, "efgh");
        r.isAlive = true;
        uint256 alive = _register(r);
        uint256 before = user.balance;
        _cancel(alive, r);
        assertEq(user.balance, before);
        assertEq(registry.getHashedReq(alive), 0);
    }

    function test_WhenWalletRefusesEth_DepositIsCreditedAndWithdrawn() public {
        Puppet wallet = new Puppet{value: 1 ether}();
        IRegistry.Request memory r = request;
        r.user = payable(address(wallet));
        wallet.act(address(registry), 1 ether, _newReqCall(r));
        wallet.behave(Puppet.Mode.Reject, Puppet.Mode.Accept, 0);

        vm.expectEmit(address(registry));
        emit IRegistry.Credited(address(wallet), 1 ether);
        wallet.act(address(registry), 0, abi.encodeCall(IRegistry.cancelHashedReq, (id + 1, r)));
        assertEq(registry.creditOf(address(wallet)), 1 ether);

        vm.expectRevert(abi.encodeWithSelector(IRegistry.WithdrawalRefused.selector, address(wallet)));
        wallet.act(address(registry), 0, abi.encodeCall(IRegistry.withdraw, (payable(address(wallet)))));

        vm.expectEmit(address(registry));
        emit IRegistry.Withdrawn(address(wallet), referer, 1 ether);
        wallet.act(address(registry), 0, abi.encodeCall(IRegistry.withdraw, (payable(referer))));
        assertEq(referer.balance, 1 ether);
        assertEq(registry.creditOf(address(wallet)), 0);

        vm.expectRevert(abi.encodeWithSelector(IRegistry.NothingToWithdraw.selector, address(wallet)));
        wallet.act(address(registry), 0, abi.encodeCall(IRegistry.withdraw, (payable(referer))));
    }

    function test_RevertWhen_NothingToWithdraw() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NothingToWithdraw.selector, user));
        vm.prank(user);
        registry.withdraw(payable(user));
    }
}
