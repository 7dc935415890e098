// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MeterTarget} from "../actors/MeterTarget.sol";
import {PassingOn} from "../actors/PassingOn.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";

/// Calls out of its constructor: an account that has no code yet.
contract CallingConstructor {
    bytes public result;

    constructor(address to, bytes memory data) {
        (, result) = to.call(data);
    }

    receive() external payable {}
}

/// Executors that want to be paid for call data that were never in a transaction.
/// forge-config: default.isolate = true
contract CallDataAttackTest is RegistryTest {
    uint256 private constant WORDS = 100;
    /// Tokens of the call's other words, beside those of the Request's call data.
    uint256 private constant TOKENS_SINGLE = 709;

    /// More than an execution with `WORDS` is charged without a price on call data; with it, 51,200 are added.
    uint256 private constant UNPRICED = 100_000;

    MeterTarget private target = new MeterTarget();

    function setUp() public override {
        super.setUp();
        _warmGrant();
        // A remembered grant is one executor's; here several act.
        _useTestGate();
        gate.answer(block.number, 0);
    }

    /// `words` words of input, each byte of them `filler`.
    function _new(uint256 words, bytes1 filler) private returns (uint256 id, IRegistry.Request memory r) {
        bytes memory data = new bytes(4 + 32 * words);
        for (uint256 i; i < data.length; ++i) {
            data[i] = i < 4 ? bytes1(0xaa) : filler;
        }
        r = _request(address(target), data);
        r.initEthSent = 1 ether;
        id = _register(r);
    }

    function _singleCall(uint256 id, IRegistry.Request memory r) private pure returns (bytes memory) {
        return abi.encodeCall(IRegistry.executeHashedReq, (id, r, 0));
    }

    function _cut(bytes memory data, uint256 bytesAtEnd) private pure returns (bytes memory cut) {
        cut = bytes.concat(data);
        assembly ("memory-safe") {
            mstore(cut, sub(mload(cut), bytesAtEnd))
        }
    }

    /// Gas that the price of call data adds to a charge of `r`, executed alone.
    function _priceOf(IRegistry.Request memory r) private pure returns (uint256 gas) {
        uint256 tokens = TOKENS_SINGLE;
        for (uint256 i; i < (r.callData.length + 31) / 32 * 32; ++i) {
            tokens += i < r.callData.length && r.callData[i] != 0 ? 4 : 1;
        }
        return 4 * tokens;
    }

    // --- contracts ---

    function test_WhenAContractExecutes_CallDataAreNotPaid() public {
        PassingOn wallet = new PassingOn();
        // So few that the floor price does not apply.
        (uint256 id, IRegistry.Request memory r) = _new(10, 0xff);
        uint256 snapshot = vm.snapshotState();
        uint256 direct = abi.decode(_send(executor, address(registry), _singleCall(id, r)), (uint256));
        vm.revertToState(snapshot);

        bytes memory data = abi.encodeCall(PassingOn.pass, (address(registry), _singleCall(id, r)));
        uint256 before = address(wallet).balance;
        uint256 passed = abi.decode(abi.decode(_send(executor, address(wallet), data), (bytes)), (uint256));
        // The Registry was not warm before the contract called it, which is not what is charged.
        assertApproxEqAbs(direct - passed, _priceOf(r), 200);
        assertEq(address(wallet).balance - before, _ethFee(passed), "what is measured is paid");
        assertGt(passed, 40_000);
    }

    function test_WhenAContractExecutes_NoFloorPriceApplies() public {
        PassingOn wallet = new PassingOn();
        (uint256 id, IRegistry.Request memory r) = _new(WORDS, 0xff);
        uint256 snapshot = vm.snapshotState();
        uint256 direct = abi.decode(_send(executor, address(registry), _singleCall(id, r)), (uint256));
        assertGt(direct, 21_000 + 10 * 12_800, "the floor price");
        vm.revertToState(snapshot);
        bytes memory data = abi.encodeCall(PassingOn.pass, (address(registry), _singleCall(id, r)));
        uint256 passed = abi.decode(abi.decode(_send(executor, address(wallet), data), (bytes)), (uint256));
        assertLt(passed, UNPRICED);
    }

    function test_WhenAContractExecutesABatch_CallDataAreNotPaid() public {
        PassingOn wallet = new PassingOn();
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](3);
        for (uint256 i; i < 3; ++i) {
            (uint256 id, IRegistry.Request memory r) = _new(WORDS, 0xff);
            batch[i] = _entry(id, r);
        }
        bytes memory call = abi.encodeCall(IRegistry.executeHashedReqs, (batch));
        bytes memory data = abi.encodeCall(PassingOn.pass, (address(registry), call));
        bytes memory result = abi.decode(_send(executor, address(wallet), data), (bytes));
        IRegistry.Outcome[] memory outcomes = abi.decode(result, (IRegistry.Outcome[]));
        for (uint256 i; i < 3; ++i) {
            assertTrue(outcomes[i].success);
            assertLt(outcomes[i].gasCharged, UNPRICED);
        }
    }

    function test_WhenAConstructorExecutes_CallDataAreNotPaid() public {
        (uint256 id, IRegistry.Request memory r) = _new(WORDS, 0xff);
        relay.setPrices(BASE_FEE, GAS_PRICE);
        CallingConstructor wallet = new CallingConstructor(address(registry), _singleCall(id, r));
        assertLt(abi.decode(wallet.result(), (uint256)), UNPRICED);
    }

    /// Code at the sender's own address can call with data of its making (EIP-7702).
    function test_WhenTheSenderHasCode_CallDataAreNotPaid() public {
        (uint256 id, IRegistry.Request memory r) = _new(WORDS, 0xff);
        vm.etch(executor, address(new PassingOn()).code);
        uint256 charged = abi.decode(_send(executor, address(registry), _singleCall(id, r)), (uint256));
        assertLt(charged, UNPRICED);
    }

    // --- call data that end early ---

    function test_RevertWhen_TheRequestIsCutOff() public {
        (uint256 id, IRegistry.Request memory r) = _new(WORDS, 0);
        bytes memory data = _singleCall(id, r);
        // 28 bytes of padding, then the words of zeros
        uint256[3] memory missing = [uint256(1), 28, 28 + 32 * WORDS];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IRegistry.CallDataCutOff.selector, data.length - missing[i], data.length
                )
            );
            _send(executor, address(registry), _cut(data, missing[i]));
        }
        _send(executor, address(registry), data);
    }

    function test_RevertWhen_TheLastEntryIsCutOff() public {
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](2);
        for (uint256 i; i < 2; ++i) {
            (uint256 id, IRegistry.Request memory r) = _new(WORDS, 0);
            batch[i] = _entry(id, r);
        }
        bytes memory data = abi.encodeCall(IRegistry.executeHashedReqs, (batch));
        uint256[3] memory missing = [uint256(1), 28, 28 + 32 * WORDS];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IRegistry.CallDataCutOff.selector, data.length - missing[i], data.length
                )
            );
            _send(executor, address(registry), _cut(data, missing[i]));
        }
        _send(executor, address(registry), data);
    }

    function test_RevertWhen_ALengthIsBeyondAnything() public {
        (uint256 id, IRegistry.Request memory r) = _new(1, 0);
        bytes memory data = _singleCall(id, r);
        uint256[3] memory lengths = [type(uint256).max, type(uint256).max - 31, 1 << 255];
        for (uint256 i; i < 3; ++i) {
            uint256 length = lengths[i];
            assembly ("memory-safe") {
                mstore(add(data, 0x1c4), length) // 0x20 + 4 + 0x60 + 0x140
            }
            vm.expectPartialRevert(IRegistry.CallDataCutOff.selector);
            _send(executor, address(registry), data);
        }
    }

    // --- call data that are used twice ---

    function test_RevertWhen_EntriesShareTheirBytes() public {
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](2);
        for (uint256 i; i < 2; ++i) {
            (uint256 id, IRegistry.Request memory r) = _new(WORDS, 0);
            batch[i] = _entry(id, r);
        }
        bytes memory data = abi.encodeCall(IRegistry.executeHashedReqs, (batch));
        // Both offsets to the first entry; then the second one moved by a word.
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistry.NotCanonicallyEncoded.selector, 0x40, 0x40 + abi.encode(batch[0]).length - 32
            )
        );
        _send(executor, address(registry), _with(data, 0x64, 0x40));
        vm.expectPartialRevert(IRegistry.NotCanonicallyEncoded.selector);
        _send(executor, address(registry), _with(data, 0x64, 0x40 + abi.encode(batch[0]).length - 64));
        // The list itself somewhere else.
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotCanonicallyEncoded.selector, 0x40, 0x20));
        _send(executor, address(registry), bytes.concat(_with(data, 4, 0x40), bytes32(0)));
    }

    function test_RevertWhen_TheRequestLiesElsewhere() public {
        (uint256 id, IRegistry.Request memory r) = _new(1, 0);
        bytes memory data = _singleCall(id, r);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotCanonicallyEncoded.selector, 0x40, 0x60));
        _send(executor, address(registry), _with(data, 0x24, 0x40));
    }

    function test_WhenAnEntrysRequestLiesElsewhere_TheEntryFails() public {
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](2);
        for (uint256 i; i < 2; ++i) {
            (uint256 id, IRegistry.Request memory r) = _new(1, 0);
            batch[i] = _entry(id, r);
        }
        bytes memory data = abi.encodeCall(IRegistry.executeHashedReqs, (batch));
        vm.expectEmit(address(registry));
        emit IRegistry.ReqFailed(
            batch[0].id, abi.encodeWithSelector(IRegistry.NotCanonicallyEncoded.selector, 0x60, 0x80)
        );
        bytes memory result = _send(executor, address(registry), _with(data, 0xa4, 0x60));
        IRegistry.Outcome[] memory outcomes = abi.decode(result, (IRegistry.Outcome[]));
        assertTrue(!outcomes[0].success && outcomes[1].success);
    }

    /// `data` with the word at `index` replaced.
    function _with(bytes memory data, uint256 index, uint256 word)
        private
        pure
        returns (bytes memory changed)
    {
        changed = bytes.concat(data);
        assembly ("memory-safe") {
            mstore(add(add(changed, 0x20), index), word)
        }
    }
}
