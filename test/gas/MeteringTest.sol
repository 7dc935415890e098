// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MeterTarget} from "../actors/MeterTarget.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";

/// Runs an execution of every kind and compares what was charged with the gas of its receipt.
abstract contract MeteringTest is RegistryTest {
    /// A kind of execution.
    struct Path {
        /// entries of the batch; 0: single
        uint256 batch;
        bool inAuto;
        bool refund;
        bool isAlive;
        bool verifyUser;
        bool insertFee;
        /// words of input behind the selector
        uint256 words;
        /// whether unused words are of zeros
        bool zeros;
        /// one user registered all entries
        bool oneUser;
    }

    /// Gas that an executor says will be charged where the fee is inserted: less than any charge here.
    uint256 private constant FIXED = 20_000;
    /// Wei that are more than any fee here.
    uint112 private constant AMPLE = 0.123_456_789_123_456_789 ether;

    bool private _refunded;

    function setUp() public virtual override {
        super.setUp();
        deal(address(autoToken), executor, 1);
        _setGateFor(executor);
        // The first execution of a turn asks the gate; it is not what is measured.
        _warmGrant();
        vm.roll(block.number + 1);
    }

    /// Puts another gate in the place of the StakeManager, whose grant is remembered.
    function _setGateFor(address) internal virtual {}

    function _measure(Path memory p) internal returns (uint256 charged, uint256 receipt) {
        uint256 n = p.batch == 0 ? 1 : p.batch;
        uint256[] memory ample = new uint256[](n);
        for (uint256 i; i < n; ++i) {
            ample[i] = AMPLE;
        }
        uint256 snapshot = vm.snapshotState();
        uint256[] memory charges;
        (charges, receipt) = _run(p, ample);
        if (!p.refund && !p.inAuto && !p.insertFee) {
            // Deposits that cover the fee and leave less than a refund costs to send.
            for (uint256 i; i < n; ++i) {
                ample[i] = _ethFee(charges[i] - registry.feeSettings().refund / 2);
            }
            vm.revertToState(snapshot);
            (charges, receipt) = _run(p, ample);
        }
        if (p.batch == 0) assertEq(_refunded, p.refund, "refund");
        for (uint256 i; i < n; ++i) {
            charged += charges[i];
        }
        vm.revertToStateAndDelete(snapshot);
    }

    function _run(Path memory p, uint256[] memory payments)
        private
        returns (uint256[] memory charges, uint256 receipt)
    {
        uint256 n = payments.length;
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](n);
        for (uint256 i; i < n; ++i) {
            batch[i] = _prepare(p, i, payments[i]);
        }
        charges = new uint256[](n);
        Ledger memory before = _ledger(batch[0].request);
        if (p.batch == 0) {
            charges[0] = _execute(batch[0].id, batch[0].request, batch[0].expectedGas);
            receipt = relay.receiptGas();
            (uint256 refund,) = _assertConserved(before, batch[0].request);
            _refunded = refund != 0;
        } else {
            IRegistry.Outcome[] memory outcomes = _executeBatch(batch);
            receipt = relay.receiptGas();
            for (uint256 i; i < n; ++i) {
                assertTrue(outcomes[i].success, "entry failed");
                charges[i] = outcomes[i].gasCharged;
            }
        }
    }

    function _prepare(Path memory p, uint256 i, uint256 payment)
        private
        returns (IRegistry.Execution memory e)
    {
        e.gasLimit = 500_000;
        MeterTarget target = new MeterTarget{value: 1 ether}();
        IRegistry.Request memory r = e.request;
        (r.target, r.referer) = (address(target), payable(referer));
        r.user = payable(p.oneUser ? user : address(uint160(uint256(keccak256(abi.encode("user", i))))));
        vm.deal(r.user, 1);
        (r.verifyUser, r.insertFeeAmount) = (p.verifyUser, p.insertFee);
        (r.payWithAUTO, r.isAlive) = (p.inAuto, p.isAlive);

        bytes memory data = abi.encodePacked(bytes4(0xaabbccdd));
        for (uint256 w; w < p.words; ++w) {
            bytes32 word = p.zeros ? bytes32(0) : keccak256(abi.encode(i, w));
            if (w == 0 && p.verifyUser) word = bytes32(uint256(uint160(address(r.user))));
            if (w == (p.verifyUser ? 1 : 0) && p.insertFee) word = 0;
            data = bytes.concat(data, word);
        }
        r.callData = data;

        if (p.insertFee) e.expectedGas = FIXED;
        if (p.inAuto) {
            _fundAuto(r.user);
            if (p.refund) target.set(uint128(payment), 0);
        } else {
            uint256 paid = !p.insertFee ? payment : _ethFee(FIXED) + (p.refund ? payment : 0);
            if (p.isAlive) target.set(uint128(paid), 0);
            else r.initEthSent = uint112(paid);
        }
        e.id = _register(r);
    }

    function _name(Path memory p) internal pure returns (string memory) {
        return string.concat(
            p.batch == 0 ? "single" : string.concat("batch of ", vm.toString(p.batch)),
            p.inAuto ? ", AUTO" : ", ETH",
            p.refund ? ", refund" : "",
            p.isAlive ? ", alive" : "",
            p.verifyUser ? (p.insertFee ? ", userFee" : ", user") : (p.insertFee ? ", fee" : ", plain"),
            ", ",
            vm.toString(p.words),
            p.zeros ? " words of zeros" : " words",
            p.oneUser ? ", one user" : ""
        );
    }
}
