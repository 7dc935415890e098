// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MeteringTest} from "./MeteringTest.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";
import {console} from "forge-std/console.sol";

/**
 * Charged gas / gas of the receipt lies within 0.98 and 1.02, for every kind of execution and 1 to 100 words
 * of call data. `forge test --match-contract MeteringBand -vv` prints the table.
 * forge-config: default.isolate = true
 */
contract MeteringBandTest is MeteringTest {
    function _assertBand(uint256 batch, bool inAuto, uint256[] memory sizes) private {
        _assertBand(batch, inAuto, false, sizes);
    }

    function _assertBand(uint256 batch, bool inAuto, bool oneUser, uint256[] memory sizes) private {
        for (uint256 mode; mode < 16; ++mode) {
            for (uint256 i; i < sizes.length; ++i) {
                uint256 free;
                assembly ("memory-safe") {
                    free := mload(0x40)
                }
                Path memory p;
                p.batch = batch;
                p.inAuto = inAuto;
                p.refund = mode & 1 != 0;
                p.isAlive = mode & 2 != 0;
                p.verifyUser = mode & 4 != 0;
                p.insertFee = mode & 8 != 0;
                p.oneUser = oneUser;
                p.words = p.verifyUser && p.insertFee && sizes[i] == 1 ? 2 : sizes[i];
                // Where the floor price applies, no remainder is too small to be refunded.
                p.zeros = p.words == 100 && !p.refund && !p.insertFee && !inAuto;
                _check(p);
                // Nothing of it is needed any more, and the next one would have to pay for it.
                assembly ("memory-safe") {
                    mstore(0x40, free)
                }
            }
        }
    }

    function _check(Path memory p) private {
        (uint256 charged, uint256 receipt) = _measure(p);
        uint256 ratio = charged * 10_000 / receipt;
        int256 each = (int256(charged) - int256(receipt)) / int256(p.batch == 0 ? 1 : p.batch);
        console.log(_name(p), ratio, receipt, vm.toString(each));
        assertGe(ratio, 9800, _name(p));
        assertLe(ratio, 10_200, _name(p));
    }

    function _sizes(uint256 a, uint256 b, uint256 c) private pure returns (uint256[] memory sizes) {
        sizes = new uint256[](b == 0 ? 1 : 3);
        sizes[0] = a;
        if (b != 0) (sizes[1], sizes[2]) = (b, c);
    }

    function test_Single_InEth() public {
        _assertBand(0, false, _sizes(1, 20, 100));
    }

    function test_Single_InAuto() public {
        _assertBand(0, true, _sizes(1, 20, 100));
    }

    function test_BatchOf1_InEth() public {
        _assertBand(1, false, _sizes(1, 20, 100));
    }

    function test_BatchOf1_InAuto() public {
        _assertBand(1, true, _sizes(1, 20, 100));
    }

    function test_BatchOf10_InEth() public {
        _assertBand(10, false, _sizes(1, 20, 100));
    }

    function test_BatchOf10_InAuto() public {
        _assertBand(10, true, _sizes(1, 20, 100));
    }

    function test_BatchOf50_InEth() public {
        _assertBand(50, false, _sizes(2, 0, 0));
    }

    function test_BatchOf50_InAuto() public {
        _assertBand(50, true, _sizes(2, 0, 0));
    }

    function test_BatchOf50_WhenCallDataAreLong() public {
        for (uint256 i; i < 4; ++i) {
            Path memory p;
            (p.batch, p.words, p.refund) = (50, 20, true);
            (p.inAuto, p.verifyUser) = (i & 1 != 0, i & 2 != 0);
            _check(p);
        }
    }

    /// What one user's entries find warm is not charged as cold.
    function test_BatchOf10_OfOneUser_InEth() public {
        _assertBand(10, false, true, _sizes(2, 0, 0));
    }

    function test_BatchOf10_OfOneUser_InAuto() public {
        _assertBand(10, true, true, _sizes(2, 0, 0));
    }

    function test_BatchOf50_OfOneUser_InEth() public {
        _assertBand(50, false, true, _sizes(2, 0, 0));
    }

    function test_BatchOf50_OfOneUser_InAuto() public {
        _assertBand(50, true, true, _sizes(2, 0, 0));
    }

    /// Entries whose call data dominate and entries whose execution does, in one batch: the floor price is a
    /// property of the transaction, and none is charged more than it would be among its like.
    function test_MixedBatch() public {
        // The floor price binds, both are about equal, and execution prevails.
        uint256[3] memory burnt = [uint256(10_000), 100_000, 200_000];
        for (uint256 order; order < 3; ++order) {
            for (uint256 i; i < 3; ++i) {
                (uint256 charged, uint256 receipt) = _mixed(order, 10, 200, burnt[i]);
                console.log("mixed batch", burnt[i], charged * 10_000 / receipt, receipt);
                assertGe(charged * 10_000, receipt * 9800);
                assertLe(charged * 10_000, receipt * 10_200);
            }
        }
    }

    /// `n` entries, half of them with `words` words of ones, half of them with `burnt` gas to burn; in turn
    /// (order 0), the heavy call data first (1) or last (2).
    function _mixed(uint256 order, uint256 n, uint256 words, uint256 burnt)
        private
        returns (uint256 charged, uint256 receipt)
    {
        uint256 snapshot = vm.snapshotState();
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](n);
        for (uint256 i; i < n; ++i) {
            bool long = order == 0 ? i % 2 == 0 : (i < n / 2) == (order == 1);
            IRegistry.Request memory r = batch[i].request;
            r.target = address(new Burner());
            r.user = payable(address(uint160(uint256(keccak256(abi.encode("user", i))))));
            r.referer = payable(referer);
            r.callData = long ? _ones(words) : abi.encodePacked(burnt);
            r.initEthSent = 0.123_456_789_123_456_789 ether;
            vm.deal(r.user, 1);
            batch[i] = _entry(_register(r), r);
        }
        IRegistry.Outcome[] memory outcomes = _executeBatch(batch);
        receipt = relay.receiptGas();
        for (uint256 i; i < n; ++i) {
            assertTrue(outcomes[i].success, "entry failed");
            charged += outcomes[i].gasCharged;
        }
        vm.revertToStateAndDelete(snapshot);
    }

    function _ones(uint256 words) private pure returns (bytes memory data) {
        data = new bytes(32 * words);
        for (uint256 i; i < data.length; ++i) {
            data[i] = 0xff;
        }
    }
}

/// A target that burns the gas that its only word of input says, and none when the input is longer.
contract Burner {
    fallback() external payable {
        if (msg.data.length != 32) return;
        uint256 start = gasleft();
        while (start - gasleft() < uint256(bytes32(msg.data))) {}
    }
}
