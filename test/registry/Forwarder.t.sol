// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Puppet} from "../actors/Puppet.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IAutoPayments} from "contracts/interfaces/IAutoPayments.sol";
import {IForwarder} from "contracts/interfaces/IForwarder.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";

/// The two kinds of contracts that obey the Registry only.
/// forge-config: default.isolate = true
contract ForwarderTest is RegistryTest {
    Puppet private target = new Puppet();

    function _forwarders() private view returns (address[4] memory) {
        return [
            registry.plainForwarder(),
            registry.userForwarder(),
            registry.feeForwarder(),
            registry.userFeeForwarder()
        ];
    }

    function test_WhenDeployed_TheyKnowTheirRegistry() public view {
        address[4] memory forwarders = _forwarders();
        for (uint256 i; i < 4; ++i) {
            assertEq(IForwarder(forwarders[i]).registry(), address(registry));
            for (uint256 j; j < i; ++j) {
                assertNotEq(forwarders[i], forwarders[j]);
            }
        }
        IAutoPayments payments = IAutoPayments(registry.autoPayments());
        assertEq(payments.registry(), address(registry));
        assertEq(payments.autoToken(), address(autoToken));
    }

    function test_RevertWhen_StrangerForwards() public {
        bytes memory input = abi.encodePacked(bytes32(uint256(uint160(address(target)))), "abcd");
        address[4] memory forwarders = _forwarders();
        for (uint256 i; i < 4; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IForwarder.NotRegistry.selector, user));
            _send(user, forwarders[i], input);
            // The first byte alone, so that it is not plain ETH.
            vm.expectRevert(abi.encodeWithSelector(IForwarder.NotRegistry.selector, user));
            _send(user, forwarders[i], hex"00");
        }
        assertEq(target.calls(), 0);
    }

    /// What a forwarder does with the Registry's calls, seen from outside by standing in the Registry's place.
    function test_WhenRegistryForwards_CallAndRevertPassThrough() public {
        address forwarder = registry.plainForwarder();
        bytes memory input = abi.encodePacked(bytes32(uint256(uint160(address(target)))), "abcd");
        vm.deal(address(registry), 5);
        vm.prank(address(registry));
        (bool success, bytes memory result) = forwarder.call{value: 5}(input);
        assertTrue(success);
        assertEq(result.length, 0);
        assertEq(target.lastCaller(), forwarder);
        assertEq(target.lastData(), "abcd");
        assertEq(target.lastValue(), 5);

        target.behave(Puppet.Mode.Accept, Puppet.Mode.Bomb, 0);
        vm.prank(address(registry));
        (success, result) = forwarder.call{gas: 5_000_000}(input);
        assertFalse(success);
        assertEq(result, new bytes(256));
    }

    function test_RevertWhen_TargetHasNoCode() public {
        address forwarder = registry.plainForwarder();
        vm.expectRevert(abi.encodeWithSelector(IForwarder.TargetWithoutCode.selector, user));
        vm.prank(address(registry));
        (bool success,) = forwarder.call(abi.encodePacked(bytes32(uint256(uint160(user)))));
        success;
    }

    /// An account that delegates has bytes of its own, and runs its delegate's: none, and nothing would happen.
    function test_RevertWhen_TargetDelegatesToAnAccountWithoutCode() public {
        address forwarder = registry.plainForwarder();
        address[4] memory delegates = [referer, address(1), address(0), user];
        for (uint256 i; i < 4; ++i) {
            vm.etch(user, abi.encodePacked(hex"ef0100", delegates[i]));
            vm.prank(address(registry));
            (bool success, bytes memory reason) =
                forwarder.call(abi.encodePacked(bytes32(uint256(uint160(user))), "abcd"));
            assertFalse(success, "executed");
            // One that delegates to itself has code, which does not run.
            if (i == 3) continue;
            assertEq(reason, abi.encodeWithSelector(IForwarder.TargetWithoutCode.selector, user));
        }
    }

    function test_WhenTargetDelegatesToAContract_ItRuns() public {
        address forwarder = registry.plainForwarder();
        vm.etch(user, abi.encodePacked(hex"ef0100", address(target)));
        vm.prank(address(registry));
        (bool success,) = forwarder.call(abi.encodePacked(bytes32(uint256(uint160(user))), "abcd"));
        assertTrue(success);
        assertEq(Puppet(payable(user)).calls(), 1);
    }

    /// Code of as many bytes as a delegation has is code like other.
    function test_WhenTargetHasTheSizeOfADelegation_ItRuns() public {
        address forwarder = registry.plainForwarder();
        bytes memory code = new bytes(23);
        vm.etch(user, code);
        vm.prank(address(registry));
        (bool success,) = forwarder.call(abi.encodePacked(bytes32(uint256(uint160(user))), "abcd"));
        assertTrue(success);
    }

    /// Dirty bits above the target are not looked at.
    function test_WhenTargetWordIsDirty_LowBitsCount() public {
        address forwarder = registry.plainForwarder();
        vm.prank(address(registry));
        (bool success,) =
            forwarder.call(abi.encodePacked(bytes32(uint256(uint160(address(target))) | 1 << 200), "abcd"));
        assertTrue(success);
        assertEq(target.calls(), 1);
    }

    function test_RevertWhen_EthComesOutsideACall() public {
        vm.deal(user, 1 ether);
        address[4] memory forwarders = _forwarders();
        for (uint256 i; i < 4; ++i) {
            vm.expectRevert(IForwarder.EthNotAccepted.selector);
            relay.send(user, forwarders[i], 1, TX_GAS, "");
        }
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnexpectedEth.selector, user));
        relay.send(user, address(registry), 1, TX_GAS, "");
    }

    /// Routers refund their caller, which is the forwarder.
    function test_WhenTargetRefundsItsCaller_TheUserGetsIt() public {
        IRegistry.Request memory r = _request(address(target), "abcd");
        (r.initEthSent, r.ethForCall) = (1 ether, 0.5 ether);
        target.behave(Puppet.Mode.Accept, Puppet.Mode.Accept, 0.5 ether);
        uint256 id = _register(r);
        Ledger memory before = _ledger(r);
        _execute(id, r);
        (uint256 refund, uint256 fee) = _assertConserved(before, r);
        assertEq(refund, 1 ether - fee);
        assertEq(registry.plainForwarder().balance, 0);
    }

    // --- AutoPayments ---

    function test_RevertWhen_StrangerPulls() public {
        _fundAuto(user);
        IAutoPayments payments = IAutoPayments(registry.autoPayments());
        address[3] memory strangers = [user, owner, registry.plainForwarder()];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IAutoPayments.NotRegistry.selector, strangers[i]));
            vm.prank(strangers[i]);
            payments.pull(user, executor, 1);
        }
    }

    function testFuzz_WhenAsked_AvailableIsTheLesser(uint256 balance, uint256 allowance) public {
        balance = bound(balance, 0, type(uint128).max);
        _fundAuto(user, balance, allowance);
        uint256 expected = balance < allowance ? balance : allowance;
        assertEq(IAutoPayments(registry.autoPayments()).available(user), expected);
    }
}
