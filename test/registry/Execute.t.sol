// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Puppet} from "../actors/Puppet.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IForwarder} from "contracts/interfaces/IForwarder.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";

/// forge-config: default.isolate = true
contract ExecuteTest is RegistryTest {
    Puppet private target = new Puppet();

    function _funded(bytes memory callData) private view returns (IRegistry.Request memory r) {
        r = _request(address(target), callData);
        r.initEthSent = 1 ether;
    }

    function _expectMismatch(uint256 id, IRegistry.Request memory r) private {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RequestMismatch.selector, id));
        _execute(id, r);
    }

    // --- refusals: identity ---

    function test_RevertWhen_AnyFieldDiffers() public {
        IRegistry.Request memory r = _funded("abcd");
        uint256 id = _register(r);
        IRegistry.Request[10] memory other;
        for (uint256 i; i < 10; ++i) {
            other[i] = abi.decode(abi.encode(r), (IRegistry.Request));
        }
        other[0].user = payable(referer);
        other[1].target = address(new Puppet());
        other[2].referer = payable(user);
        other[3].callData = "abce";
        other[4].initEthSent += 1;
        other[5].ethForCall += 1;
        other[6].verifyUser = true;
        other[7].insertFeeAmount = true;
        other[8].payWithAUTO = true;
        other[9].isAlive = true;
        for (uint256 i; i < 10; ++i) {
            _expectMismatch(id, other[i]);
        }
        _execute(id, r);
    }

    function test_RevertWhen_IdIsNotTheRequests() public {
        uint256 id = _register(_funded("abcd"));
        uint256 another = _register(_funded("efgh"));
        _expectMismatch(another, _funded("abcd"));
        _expectMismatch(id, _funded("efgh"));
        _expectMismatch(another + 1, _funded("abcd"));
    }

    function test_RevertWhen_OneShotIsExecutedAgain() public {
        IRegistry.Request memory r = _funded("abcd");
        uint256 id = _register(r);
        _execute(id, r);
        _expectMismatch(id, r);
        assertEq(target.calls(), 1);
    }

    function test_RevertWhen_Cancelled() public {
        IRegistry.Request memory r = _funded("abcd");
        uint256 id = _register(r);
        _cancel(id, r);
        _expectMismatch(id, r);
    }

    /// Call data whose fields are the registered ones, but which are not their ABI encoding.
    function test_RevertWhen_EncodingIsNotCanonical() public {
        uint256 id = _register(_funded("abcde"));
        bytes memory canonical = abi.encodeCall(IRegistry.executeHashedReq, (id, _funded("abcde"), 0));
        // selector, id, offset and expectedGas come first
        uint256 head = 4 + 3 * 32;
        uint256[5] memory fields = [uint256(0), 1, 2, 4, 6];
        for (uint256 i; i < fields.length; ++i) {
            bytes memory dirty = bytes.concat(canonical);
            dirty[head + 32 * fields[i]] = 0x01;
            _expectMismatchRaw(id, dirty);
        }
        bytes memory padding = bytes.concat(canonical);
        padding[canonical.length - 1] = 0x01;
        _expectMismatchRaw(id, padding);

        // callData one word further on
        bytes memory shifted = bytes.concat(canonical, new bytes(32));
        shifted[head + 4 * 32 - 1] = 0x60;
        shifted[head + 4 * 32 - 2] = 0x01;
        for (uint256 i = shifted.length - 1; i >= head + 10 * 32 + 32; --i) {
            shifted[i] = shifted[i - 32];
        }
        _expectMismatchRaw(id, shifted);

        // a length that wraps around when it is rounded up
        bytes memory endless = bytes.concat(canonical);
        for (uint256 i; i < 32; ++i) {
            endless[head + 10 * 32 + i] = 0xff;
        }
        vm.expectPartialRevert(IRegistry.CallDataCutOff.selector);
        _send(executor, address(registry), endless);

        _send(executor, address(registry), canonical);
        assertEq(target.calls(), 1);
    }

    function _expectMismatchRaw(uint256 id, bytes memory data) private {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RequestMismatch.selector, id));
        _send(executor, address(registry), data);
    }

    function test_RevertWhen_CallDataIsCutShort() public {
        uint256 id = _register(_funded("abcde"));
        bytes memory data = abi.encodeCall(IRegistry.executeHashedReq, (id, _funded("abcde"), 0));
        assembly ("memory-safe") {
            mstore(data, sub(mload(data), 28)) // into the five bytes themselves
        }
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.CallDataCutOff.selector, data.length, data.length + 28)
        );
        _send(executor, address(registry), data);
    }

    // --- refusals: the call ---

    function test_RevertWhen_TargetReverts() public {
        IRegistry.Request memory r = _funded("abcd");
        uint256 id = _register(r);
        target.behave(Puppet.Mode.Accept, Puppet.Mode.Reject, 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistry.CallFailed.selector, id, abi.encodeWithSelector(Puppet.Rejected.selector)
            )
        );
        _execute(id, r);
        assertEq(registry.getHashedReq(id), keccak256(abi.encode(r)), "still registered");
        assertEq(address(registry).balance, 1 ether);
    }

    function test_RevertWhen_TargetHasNoCode() public {
        IRegistry.Request memory r = _funded("abcd");
        r.target = makeAddr("nobody");
        uint256 id = _register(r);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistry.CallFailed.selector,
                id,
                abi.encodeWithSelector(IForwarder.TargetWithoutCode.selector, r.target)
            )
        );
        _execute(id, r);
        // A precompile has no code either.
        r.target = address(4);
        id = _register(r);
        vm.expectPartialRevert(IRegistry.CallFailed.selector);
        _execute(id, r);
    }

    function test_RevertWhen_DepositDoesNotCoverTheFee() public {
        IRegistry.Request memory r = _funded("abcd");
        (r.initEthSent, r.ethForCall) = (1 ether, 1 ether - 1000);
        uint256 id = _register(r);
        vm.expectPartialRevert(IRegistry.InsufficientPayment.selector);
        _execute(id, r);
        assertEq(registry.getHashedReq(id), keccak256(abi.encode(r)));
    }

    // --- success ---

    function test_WhenExecuted_TargetGetsTheCallFromItsForwarder() public {
        address[4] memory forwarders = [
            registry.plainForwarder(),
            registry.userForwarder(),
            registry.feeForwarder(),
            registry.userFeeForwarder()
        ];
        for (uint256 i; i < 4; ++i) {
            IRegistry.Request memory r = _funded(abi.encodeWithSelector(0x11223344, user, uint256(0), "rest"));
            r.ethForCall = 0.1 ether;
            (r.verifyUser, r.insertFeeAmount) = (i & 1 != 0, i & 2 != 0);
            if (r.insertFeeAmount && !r.verifyUser) r.callData = abi.encodeWithSelector(0x11223344, 0, 7);
            uint256 id = _register(r);

            bytes memory expected = r.callData;
            uint256 fee = _ethFee(60_000);
            if (r.insertFeeAmount) {
                expected = registry.insertToCallData(expected, fee, r.verifyUser ? 36 : 4);
            }
            if (r.verifyUser) expected = abi.encodePacked(expected, user);

            Ledger memory before = _ledger(r);
            _execute(id, r, 60_000);
            _assertConserved(before, r);

            assertEq(target.lastCaller(), forwarders[i], "forwarder");
            assertEq(target.lastData(), expected, "call data");
            assertEq(target.lastValue(), 0.1 ether, "value");
        }
    }

    function test_WhenExecuted_EventSaysWhatWasPaid() public {
        IRegistry.Request memory r = _funded("abcd");
        uint256 id = _register(r);
        uint256 snapshot = vm.snapshotState();
        uint256 before = executor.balance;
        _execute(id, r);
        uint256 fee = executor.balance - before;
        vm.revertToState(snapshot);

        vm.expectEmit(address(registry));
        emit IRegistry.HashedReqExecuted(id, executor, true, fee, false);
        _execute(id, r);
        assertEq(registry.getHashedReq(id), 0);
    }

    function test_WhenCallDataIsEmpty_TargetIsPaid() public {
        IRegistry.Request memory r = _funded("");
        r.ethForCall = 0.4 ether;
        _execute(_register(r), r);
        assertEq(address(target).balance, 0.4 ether);
        assertEq(target.calls(), 0, "its receive() ran");
    }

    function test_WhenAlive_ItRunsInEveryTransactionOnce() public {
        IRegistry.Request memory r = _request(address(target), "abcd");
        r.isAlive = true;
        uint256 id = _register(r);
        vm.deal(address(target), 10 ether);
        target.behave(Puppet.Mode.Accept, Puppet.Mode.Accept, 0.01 ether);
        for (uint256 i = 1; i <= 3; ++i) {
            Ledger memory before = _ledger(r);
            vm.expectEmit(true, true, true, false, address(registry));
            emit IRegistry.HashedReqExecuted(id, executor, false, 0, false);
            _execute(id, r);
            (uint256 refund, uint256 fee) = _assertConserved(before, r);
            assertEq(refund + fee, 0.01 ether);
            assertEq(target.calls(), i);
            assertEq(registry.getHashedReq(id), keccak256(abi.encode(r)));
        }
        _cancel(id, r);
        _expectMismatch(id, r);
    }

    function test_WhenExecutorRefusesItsPay_NothingHappens() public {
        IRegistry.Request memory r = _funded("abcd");
        uint256 id = _register(r);
        Puppet greedy = new Puppet();
        greedy.behave(Puppet.Mode.Reject, Puppet.Mode.Accept, 0);
        bytes memory call = abi.encodeCall(IRegistry.executeHashedReq, (id, r, 0));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.PaymentRefused.selector, address(greedy)));
        _send(executor, address(greedy), abi.encodeCall(Puppet.act, (address(registry), 0, call)));
        assertEq(registry.getHashedReq(id), keccak256(abi.encode(r)));
    }
}
