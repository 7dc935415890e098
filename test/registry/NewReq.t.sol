// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Puppet} from "../actors/Puppet.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";
import {Vm} from "forge-std/Vm.sol";

/// forge-config: default.isolate = true
contract NewReqTest is RegistryTest {
    address private target = address(new Puppet());

    function _expectRefused(IRegistry.Request memory r, uint256 value, bytes memory reason) private {
        vm.deal(r.user, value);
        r.initEthSent = uint112(value);
        vm.expectRevert(reason);
        vm.prank(r.user);
        registry.newReqPaySpecific{value: value}(
            r.target,
            r.referer,
            r.callData,
            r.ethForCall,
            r.verifyUser,
            r.insertFeeAmount,
            r.payWithAUTO,
            r.isAlive
        );
    }

    // --- refusals ---

    function test_RevertWhen_TargetIsRefused() public {
        address[7] memory refused = [
            address(0),
            address(registry),
            registry.autoPayments(),
            registry.plainForwarder(),
            registry.userForwarder(),
            registry.feeForwarder(),
            registry.userFeeForwarder()
        ];
        for (uint256 i; i < refused.length; ++i) {
            _expectRefused(
                _request(refused[i], ""),
                1,
                abi.encodeWithSelector(IRegistry.TargetRefused.selector, refused[i])
            );
        }
    }

    function test_RevertWhen_EthForCallExceedsValue() public {
        IRegistry.Request memory r = _request(target, "");
        r.ethForCall = 2;
        _expectRefused(r, 1, abi.encodeWithSelector(IRegistry.EthForCallExceedsValue.selector, 2, 1));
    }

    function test_RevertWhen_AutoPaidValueIsNotEthForCall() public {
        IRegistry.Request memory r = _request(target, "");
        r.payWithAUTO = true;
        r.ethForCall = 5;
        _expectRefused(r, 6, abi.encodeWithSelector(IRegistry.ValueNotEthForCall.selector, 6, 5));
        _expectRefused(r, 4, abi.encodeWithSelector(IRegistry.ValueNotEthForCall.selector, 4, 5));
    }

    function test_RevertWhen_AliveComesWithEth() public {
        IRegistry.Request memory r = _request(target, "");
        r.isAlive = true;
        _expectRefused(r, 1, abi.encodeWithSelector(IRegistry.ValueWithAlive.selector, 1));
        (r.payWithAUTO, r.ethForCall) = (true, 1);
        _expectRefused(r, 1, abi.encodeWithSelector(IRegistry.ValueWithAlive.selector, 1));
    }

    function test_RevertWhen_AmountIsTooLarge() public {
        uint256 value = uint256(type(uint112).max) + 1;
        vm.deal(user, value);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AmountTooLarge.selector, value));
        vm.prank(user);
        registry.newReq{value: value}(target, payable(referer), "", 0, false, false, false);
    }

    function test_RevertWhen_FirstInputIsNotTheUser() public {
        bytes memory reason = abi.encodeWithSelector(IRegistry.UserNotVerified.selector, user);
        bytes4 f = 0x11223344;
        bytes[5] memory wrong = [
            bytes(""),
            abi.encodePacked(f),
            // one byte short
            abi.encodePacked(f, bytes12(0), bytes19(bytes20(user))),
            abi.encodeWithSelector(f, referer),
            // dirty bits above the address
            abi.encodePacked(f, bytes12(uint96(1)), user)
        ];
        for (uint256 i; i < wrong.length; ++i) {
            IRegistry.Request memory r = _request(target, wrong[i]);
            r.verifyUser = true;
            _expectRefused(r, 0, reason);
        }
    }

    function test_RevertWhen_FeeHasNoRoom() public {
        IRegistry.Request memory r = _request(target, new bytes(35));
        r.insertFeeAmount = true;
        _expectRefused(r, 0, abi.encodeWithSelector(IRegistry.NoRoomForFee.selector, 35, 4));

        r.callData = bytes.concat(abi.encodeWithSelector(0x11223344, user), bytes31(0));
        r.verifyUser = true;
        _expectRefused(r, 0, abi.encodeWithSelector(IRegistry.NoRoomForFee.selector, 67, 36));
    }

    // --- what is stored and logged ---

    function test_WhenRegistered_EverythingIsLoggedAsPublished() public {
        IRegistry.Request memory r = _request(target, hex"112233445566778899");
        (r.initEthSent, r.ethForCall) = (0.5 ether, 0.2 ether);
        vm.recordLogs();
        uint256 id = _register(r);
        Vm.Log[] memory logs = vm.getRecordedLogs();

        assertEq(logs.length, 1);
        assertEq(logs[0].emitter, address(registry));
        assertEq(logs[0].topics.length, 3);
        assertEq(
            logs[0].topics[0],
            keccak256(
                "HashedReqAdded(uint256,address,address,address,bytes,uint112,uint112,bool,bool,bool,bool)"
            )
        );
        assertEq(uint256(logs[0].topics[1]), id);
        assertEq(address(uint160(uint256(logs[0].topics[2]))), user);
        assertEq(
            logs[0].data,
            abi.encode(
                r.target,
                r.referer,
                r.callData,
                r.initEthSent,
                r.ethForCall,
                r.verifyUser,
                r.insertFeeAmount,
                r.payWithAUTO,
                r.isAlive
            )
        );
        assertEq(address(registry).balance, 0.5 ether);
    }

    /// Log and hash are those of the ABI encoding, for every length and every flag that can be had.
    function testFuzz_WhenRegistered_HashAndLogAreTheEncoding(
        bytes memory data,
        uint8 flags,
        uint112 value,
        uint112 ethForCall
    ) public {
        IRegistry.Request memory r = _request(target, data);
        r.verifyUser = flags & 1 != 0;
        r.insertFeeAmount = flags & 2 != 0;
        r.payWithAUTO = flags & 4 != 0;
        r.isAlive = flags & 8 != 0;
        r.initEthSent = r.isAlive ? 0 : value;
        r.ethForCall = r.payWithAUTO ? r.initEthSent : uint112(bound(ethForCall, 0, r.initEthSent));
        if (r.verifyUser) {
            r.callData = bytes.concat(bytes4(0x11223344), bytes32(uint256(uint160(user))), data);
        }
        if (r.insertFeeAmount) r.callData = bytes.concat(r.callData, new bytes(36));

        vm.recordLogs();
        uint256 id = _register(r);
        assertEq(registry.getHashedReq(id), keccak256(abi.encode(r)));
        assertEq(registry.getReqBytes(r), abi.encode(r));
        assertEq(
            vm.getRecordedLogs()[0].data,
            abi.encode(
                r.target,
                r.referer,
                r.callData,
                r.initEthSent,
                r.ethForCall,
                r.verifyUser,
                r.insertFeeAmount,
                r.payWithAUTO,
                r.isAlive
            )
        );
    }

    function test_WhenRegisteredByNewReq_FeeIsInEth() public {
        IRegistry.Request memory r = _request(target, "abcd");
        r.initEthSent = 7;
        vm.deal(user, 7);
        vm.prank(user);
        uint256 id = registry.newReq{value: 7}(target, payable(referer), "abcd", 0, false, false, false);
        assertEq(registry.getHashedReq(id), keccak256(abi.encode(r)));
    }

    function test_WhenEqualRequestsAreRegistered_EachHasItsId() public {
        IRegistry.Request memory r = _request(target, "abcd");
        r.initEthSent = 1 ether;
        uint256 first = _register(r);
        uint256 second = _register(r);
        assertEq(second, first + 1);
        _cancel(first, r);
        assertEq(registry.getHashedReq(first), 0);
        assertEq(registry.getHashedReq(second), keccak256(abi.encode(r)));
        assertEq(address(registry).balance, 1 ether);
    }

    // --- views ---

    function test_RevertWhen_IdIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownRequest.selector, 0));
        registry.getHashedReq(0);
        _register(_request(target, ""));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownRequest.selector, 1));
        registry.getHashedReq(1);
    }

    function test_WhenSliced_HashesAreThoseOfTheIds() public {
        for (uint256 i; i < 5; ++i) {
            _register(_request(target, abi.encode(i)));
        }
        _cancel(2, _request(target, abi.encode(2)));
        assertEq(registry.getHashedReqsLen(), 5);
        bytes32[] memory slice = registry.getHashedReqsSlice(1, 4);
        assertEq(slice.length, 3);
        assertEq(slice[0], keccak256(abi.encode(_request(target, abi.encode(1)))));
        assertEq(slice[1], 0);
        assertEq(slice[2], keccak256(abi.encode(_request(target, abi.encode(3)))));
        assertEq(registry.getHashedReqsSlice(5, 5).length, 0);
        assertEq(registry.getHashedReqsSlice(0, 5).length, 5);
    }

    function test_RevertWhen_SliceIsOutOfBounds() public {
        _register(_request(target, ""));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.SliceOutOfBounds.selector, 0, 2, 1));
        registry.getHashedReqsSlice(0, 2);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.SliceOutOfBounds.selector, 1, 0, 1));
        registry.getHashedReqsSlice(1, 0);
    }

    function testFuzz_WhenInserted_OneWordChanges(bytes memory data, uint256 value, uint256 start)
        public
        view
    {
        vm.assume(data.length >= 32);
        start = bound(start, 0, data.length - 32);
        bytes memory inserted = registry.insertToCallData(data, value, start);
        assertEq(inserted.length, data.length);
        for (uint256 i; i < data.length; ++i) {
            bytes1 expected = i >= start && i < start + 32 ? bytes32(value)[i - start] : data[i];
            assertEq(inserted[i], expected);
        }
    }

    function test_RevertWhen_InsertedBeyondTheEnd() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NoRoomForFee.selector, 36, 5));
        registry.insertToCallData(new bytes(36), 1, 5);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NoRoomForFee.selector, 31, 0));
        registry.insertToCallData(new bytes(31), 1, 0);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NoRoomForFee.selector, 36, type(uint256).max));
        registry.insertToCallData(new bytes(36), 1, type(uint256).max);
    }
}
