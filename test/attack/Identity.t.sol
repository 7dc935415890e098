// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MeterTarget} from "../actors/MeterTarget.sol";
import {Puppet} from "../actors/Puppet.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";

/// Attempts to have one Request taken for another, or run more often than it may.
/// forge-config: default.isolate = true
contract IdentityAttackTest is RegistryTest {
    MeterTarget private target = new MeterTarget{value: 1 ether}();

    /// Fields that are moved into each other give another hash, whatever they hold.
    function testFuzz_RevertWhen_FieldsAreShuffled(uint160 a, uint160 b, uint112 x, uint112 y, uint8 flags)
        public
    {
        vm.assume(a != b && x != y);
        IRegistry.Request memory r = _request(address(target), abi.encode(a, b));
        (r.initEthSent, r.ethForCall) = (x > y ? x : y, x > y ? y : x);
        r.referer = payable(address(a));
        uint256 id = _register(r);

        IRegistry.Request[6] memory forged;
        for (uint256 i; i < 6; ++i) {
            forged[i] = abi.decode(abi.encode(r), (IRegistry.Request));
        }
        (forged[0].user, forged[0].referer) = (r.referer, r.user);
        (forged[1].initEthSent, forged[1].ethForCall) = (r.ethForCall, r.initEthSent);
        forged[2].callData = abi.encode(b, a);
        forged[3].callData = bytes.concat(r.callData, hex"00");
        forged[4].referer = payable(address(b));
        forged[5].verifyUser = flags & 1 != 0;
        forged[5].insertFeeAmount = flags & 2 != 0;
        forged[5].payWithAUTO = flags & 4 != 0;
        forged[5].isAlive = true;
        for (uint256 i; i < 6; ++i) {
            if (keccak256(abi.encode(forged[i])) == keccak256(abi.encode(r))) continue;
            vm.expectRevert(abi.encodeWithSelector(IRegistry.RequestMismatch.selector, id));
            _execute(id, forged[i]);
        }
    }

    /// Two ids can carry the same hash; each deposit still is spent once.
    function test_WhenTwoRequestsAreEqual_EachIsExecutedOnce() public {
        IRegistry.Request memory r = _request(address(target), "same");
        r.initEthSent = 1 ether;
        uint256 first = _register(r);
        uint256 second = _register(r);
        _execute(first, r);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RequestMismatch.selector, first));
        _execute(first, r);
        _execute(second, r);
        assertEq(address(registry).balance, 0);
        assertEq(target.count(), 3);
    }

    /// A hash of nothing: ids that were executed, cancelled or never registered hold no hash to be met.
    function test_RevertWhen_IdHoldsNoHash() public {
        IRegistry.Request memory nothing;
        uint256[3] memory ids = [uint256(0), 1, type(uint256).max];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRegistry.RequestMismatch.selector, ids[i]));
            _execute(ids[i], nothing);
            vm.expectRevert(abi.encodeWithSelector(IRegistry.RequestMismatch.selector, ids[i]));
            vm.prank(address(0));
            registry.cancelHashedReq(ids[i], nothing);
        }
    }

    /// A contract that executes the same recurring Request ten times in one transaction.
    function test_WhenAliveIsRepeatedInATransaction_ItRunsOnce() public {
        target.set(0.01 ether, 0);
        IRegistry.Request memory r = _request(address(target), "alive");
        r.isAlive = true;
        uint256 id = _register(r);
        Puppet greedy = new Puppet();
        Puppet.Call[] memory calls = new Puppet.Call[](10);
        for (uint256 i; i < 10; ++i) {
            calls[i].to = address(registry);
            calls[i].data = abi.encodeCall(IRegistry.executeHashedReq, (id, r, 0));
        }
        greedy.script(calls);
        _send(executor, address(greedy), abi.encodeCall(Puppet.run, ()));
        (bool[] memory results, bytes[] memory returned) = greedy.results();
        assertTrue(results[0]);
        for (uint256 i = 1; i < 10; ++i) {
            assertFalse(results[i]);
            assertEq(returned[i], abi.encodeWithSelector(IRegistry.AlreadyExecuted.selector, id));
        }
        assertEq(target.count(), 2);
    }

    /// A target that cancels its own Request while it runs, and one of the same user that waits.
    function test_WhenTargetCancelsDuringItsCall_ItCannot() public {
        Puppet both = new Puppet();
        IRegistry.Request memory r = _request(address(both), "abcd");
        (r.user, r.initEthSent) = (payable(address(both)), 1 ether);
        vm.deal(address(both), 1 ether);
        both.act(address(registry), 1 ether, _newReqCall(r));
        Puppet.Call[] memory calls = new Puppet.Call[](1);
        calls[0] = Puppet.Call(address(registry), 0, abi.encodeCall(IRegistry.cancelHashedReq, (0, r)));
        both.script(calls);
        both.behave(Puppet.Mode.Accept, Puppet.Mode.Act, 0);
        _execute(0, r);
        (bool[] memory results, bytes[] memory returned) = both.results();
        assertFalse(results[0]);
        assertEq(bytes4(returned[0]), IRegistry.Reentered.selector);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RequestMismatch.selector, 0));
        both.act(address(registry), 0, abi.encodeCall(IRegistry.cancelHashedReq, (0, r)));
    }
}
