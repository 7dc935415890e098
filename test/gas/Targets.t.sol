// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {RegistryTest} from "../utils/RegistryTest.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";

/// A target that stores one word.
contract Word {
    uint256 public word = 1;

    function set(uint256 word_) external payable {
        word = word_;
    }
}

/// What the Registry costs beyond calling the target directly: whole transactions, ETH-paid one-shot Requests
/// with refund, 516 bytes of call data. The bounds are what is reached, rounded up; the targets, where they are not
/// reached, stand beside them. Receipts of a node show the same. `make gas` writes the figures into
/// snapshots/RegistryTargets.json.
/// forge-config: default.isolate = true
contract GasTargetsTest is RegistryTest {
    uint256 private direct;

    function setUp() public override {
        super.setUp();
        Word word = new Word();
        direct = _receipt(user, address(word), 0, abi.encodeCall(Word.set, (uint256(keccak256("word")))));
        vm.deal(executor, 1 ether);
    }

    function _note(string memory name, uint256 gas) private {
        vm.snapshotValue("RegistryTargets", name, gas);
    }

    function _receipt(address from, address to, uint256 value, bytes memory data) private returns (uint256) {
        vm.deal(from, from.balance + value);
        relay.send(from, to, value, TX_GAS, data);
        return relay.receiptGas();
    }

    function _newWord(address target, address from, uint256 i)
        private
        returns (uint256 id, IRegistry.Request memory r)
    {
        r = _request(target, abi.encodeCall(Word.set, (uint256(keccak256(abi.encode(i))))));
        r.user = payable(from);
        r.initEthSent = 0.012_345_678_9 ether;
        id = _register(r);
    }

    function _single() private returns (uint256 over) {
        (uint256 id, IRegistry.Request memory r) = _newWord(address(new Word()), user, 0);
        bytes memory data = abi.encodeCall(IRegistry.executeHashedReq, (id, r, 0));
        assertEq(data.length, 516, "call data");
        return _receipt(executor, address(registry), 0, data) - direct;
    }

    function test_Single_WhenGrantIsRemembered() public {
        _single();
        uint256 over = _single();
        _note("single, grant remembered, over a direct call", over);
        assertLe(over, 36_700); // target 33,500
    }

    function test_Single_WhenGateIsAsked() public {
        _useAskedGate(executor, false);
        uint256 over = _single();
        _note("single, gate asked, over a direct call", over);
        assertLe(over, 45_300); // target 40,000
    }

    function _batchOf10(bool distinct) private returns (uint256 over) {
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](10);
        Word one = new Word();
        for (uint256 i; i < 10; ++i) {
            address target = distinct ? address(new Word()) : address(one);
            address from = distinct ? address(uint160(0xabc000 + i)) : user;
            (uint256 id, IRegistry.Request memory r) = _newWord(target, from, i);
            batch[i] = _entry(id, r);
        }
        bytes memory data = abi.encodeCall(IRegistry.executeHashedReqs, (batch));
        uint256 each = _receipt(executor, address(registry), 0, data) / 10;
        return each > direct ? each - direct : 0;
    }

    function test_BatchOf10_WhenTargetIsOne() public {
        _single();
        uint256 over = _batchOf10(false);
        _note("batch of 10, one target, over a direct call, each", over);
        assertLe(over, 4000);
    }

    function test_BatchOf10_WhenAllAreDistinct() public {
        _single();
        uint256 over = _batchOf10(true);
        _note("batch of 10, all distinct, over a direct call, each", over);
        assertLe(over, 8600); // target 6,000
    }

    function test_Registering() public {
        _single();
        IRegistry.Request memory r =
            _request(address(new Word()), abi.encodeCall(Word.set, (uint256(keccak256("word")))));
        bytes memory data =
            abi.encodeCall(IRegistry.newReq, (r.target, r.referer, r.callData, 0, false, false, false));
        assertEq(data.length, 324, "call data");
        uint256 gas = _receipt(user, address(registry), 0.012_345_678_9 ether, data);
        _note("registering", gas);
        assertLe(gas, 58_000);
    }
}
