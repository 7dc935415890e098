// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Box, ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {ChugSplashRegistry} from "contracts/chugsplash/ChugSplashRegistry.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {IChugSplashRegistry} from "contracts/interfaces/IChugSplashRegistry.sol";
import {IProjectActor} from "contracts/interfaces/IProjectActor.sol";

/// Gives 4 wei back, and leaves nothing of its gas.
contract Spender {
    fallback() external payable {
        (bool success,) = msg.sender.call{value: 4}("");
        require(success, "not taken");
        while (gasleft() > 1000) {}
    }
}

/**
 * The actor obeys its manager alone, says which action failed, and keeps no ETH.
 * forge-config: default.isolate = true
 */
contract ActorTest is ChugSplashTest {
    function test_RevertWhen_AnybodyButItsManagerCalls() public {
        _addBox(1);
        address box = address(new Box(1));
        address other = registry.register(stranger, "other");
        bytes[6] memory calls = [
            abi.encodeCall(IProjectActor.deploy, (bytes32(0), hex"00")),
            abi.encodeCall(IProjectActor.switchOver, (id, 0, 0, address(0), address(0), plan)),
            abi.encodeCall(IProjectActor.perform, (id, address(0), address(0), plan[0])),
            abi.encodeCall(IProjectActor.rollback, ()),
            abi.encodeCall(
                IProjectActor.adopt, (box, IChugSplashManager.ProxyKind.CHUGSPLASH, address(0), box)
            ),
            abi.encodeCall(IProjectActor.release, (box, owner))
        ];
        address[7] memory callers = [owner, bob, alice, stranger, address(registry), address(lock), other];
        for (uint256 c; c < callers.length; ++c) {
            for (uint256 i; i < calls.length; ++i) {
                vm.prank(callers[c]);
                (bool success, bytes memory result) = address(actor).call(calls[i]);
                assertFalse(success);
                bytes4 expected = i == 2 ? IProjectActor.NotSelf.selector : IProjectActor.NotManager.selector;
                assertEq(result, abi.encodeWithSelector(expected, callers[c]));
            }
        }
    }

    function test_RevertWhen_EthIsSentBetweenCalls() public {
        vm.deal(address(this), 1);
        (bool sent, bytes memory reason) = address(actor).call{value: 1}("");
        assertFalse(sent);
        assertEq(reason, abi.encodeWithSelector(IProjectActor.EthNotAccepted.selector));
    }

    /// It counts from the bundle's first action, and passes on what the target said.
    function test_RevertWhen_AnActionFails() public {
        Box box = new Box(1);
        _addCall(address(box), 0, abi.encodeCall(Box.set, (1)));
        _addCall(address(box), 0, abi.encodeCall(Box.refuse, ()));
        vm.prank(address(manager));
        vm.expectRevert(
            abi.encodeWithSelector(
                IProjectActor.ActionFailed.selector, 41, abi.encodeWithSelector(Box.Refused.selector)
            )
        );
        actor.switchOver("id", 40, 0, address(0), address(0), plan);
        assertEq(box.value(), 0);
    }

    /// With too little gas for what is left of the ETH to go back, nothing at all happens: no gas that an executor
    /// brings makes the bundle stall, and none keeps ETH with the actor.
    function test_RevertWhen_EthCannotBeGivenBack() public {
        Spender target = new Spender();
        _addCall(address(target), 10, hex"01020304", 200_000);
        header.callValue = 10;
        _start();
        _claim(alice);
        bytes memory data = _executeCall(0, 1);
        bytes memory refusal = abi.encodeWithSelector(IProjectActor.EthNotReturned.selector);
        uint256 refusals;
        bool done;
        // From where the action has its gas, to where all has.
        for (uint256 gas = 260_000; gas < 500_000 && !done; gas += 1000) {
            uint256 snapshot = vm.snapshotState();
            bytes memory result;
            (done, result) = _executeRaw(alice, gas, data);
            if (!done && keccak256(result) == keccak256(refusal)) ++refusals;
            _assertStatus(done ? IChugSplashManager.Status.COMPLETED : IChugSplashManager.Status.APPROVED);
            assertEq(address(target).balance, done ? 6 : 0);
            _assertSolvent();
            vm.revertToStateAndDelete(snapshot);
        }
        assertTrue(done);
        assertGt(refusals, 0, "it was short of that");
    }

    function test_RevertWhen_TheRegistryIsGivenForeignManagers() public {
        address shared = registry.managerImplementation();
        vm.expectRevert(
            abi.encodeWithSelector(IChugSplashRegistry.ForeignImplementation.selector, address(registry))
        );
        new ChugSplashRegistry(shared);
    }
}
