// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MeterTarget} from "../actors/MeterTarget.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";
import {console} from "forge-std/console.sol";

/// An executor that calls many times in one transaction, and takes down what the calls used.
contract Repeating {
    receive() external payable {}

    function run(address to, bytes[] calldata calls) external returns (uint256 used, bytes[] memory results) {
        results = new bytes[](calls.length);
        // Finding `to` cold is this contract's own affair.
        require(to.code.length != 0, "no code");
        for (uint256 i; i < calls.length; ++i) {
            bytes memory data = calls[i];
            bool success;
            uint256 before = gasleft();
            assembly ("memory-safe") {
                success := call(gas(), to, 0, add(data, 32), mload(data), 0, 0)
            }
            used += before - gasleft();
            require(success, "call failed");
            bytes memory result;
            assembly ("memory-safe") {
                result := mload(0x40)
                mstore(0x40, add(result, and(add(returndatasize(), 63), not(31))))
                mstore(result, returndatasize())
                returndatacopy(add(result, 32), 0, returndatasize())
            }
            results[i] = result;
        }
    }
}

/// Many calls in one transaction find warm what one call finds cold. What users are charged follows what the
/// calls cost: repeating them earns nothing, and is not worse paid either.
/// forge-config: default.isolate = true
contract RepeatedCallsTest is RegistryTest {
    Repeating private wallet;

    function setUp() public override {
        super.setUp();
        wallet = new Repeating();
        vm.deal(address(wallet), 1);
        deal(address(autoToken), address(wallet), 1);
        _setGateFor(address(wallet));
        (bytes memory first,) = _call(0, false, false, true);
        bytes[] memory calls = new bytes[](1);
        calls[0] = first;
        // The gate is asked, and its grant remembered.
        _sendAll(calls);
        vm.roll(block.number + 1);
    }

    /// Puts another gate in the place of the StakeManager, whose grant is remembered.
    function _setGateFor(address) internal virtual {}

    function _call(uint256 i, bool inAuto, bool inBatch, bool oneUser)
        private
        returns (bytes memory call, IRegistry.Request memory r)
    {
        r = _request(address(new MeterTarget()), abi.encode(keccak256(abi.encode(i))));
        if (!oneUser) r.user = payable(address(uint160(uint256(keccak256(abi.encode("user", i))))));
        if (inAuto) {
            r.payWithAUTO = true;
            _fundAuto(r.user);
        } else {
            r.initEthSent = 0.1 ether;
        }
        uint256 id = _register(r);
        if (!inBatch) return (abi.encodeCall(IRegistry.executeHashedReq, (id, r, 0)), r);
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](1);
        batch[0] = _entry(id, r);
        call = abi.encodeCall(IRegistry.executeHashedReqs, (batch));
    }

    function _sendAll(bytes[] memory calls) private returns (uint256 used, bytes[] memory results) {
        bytes memory data = abi.encodeCall(Repeating.run, (address(registry), calls));
        return abi.decode(_send(executor, address(wallet), data), (uint256, bytes[]));
    }

    function _chargedBy(bytes memory result, bool inBatch) private pure returns (uint256) {
        if (!inBatch) return abi.decode(result, (uint256));
        return abi.decode(result, (IRegistry.Outcome[]))[0].gasCharged;
    }

    /// Charged / cost in parts of 10,000; the cost is the transaction's base and what the calls used, less what
    /// the EVM refunds for the hashes that they cleared.
    function _ratio(uint256 n, bool[] memory inAuto, bool inBatch, bool oneUser) private returns (uint256) {
        bytes[] memory calls = new bytes[](n);
        for (uint256 i; i < n; ++i) {
            (calls[i],) = _call(i, inAuto[i], inBatch, oneUser);
        }
        (uint256 cost, bytes[] memory results) = _sendAll(calls);
        uint256 charged;
        for (uint256 i; i < n; ++i) {
            charged += _chargedBy(results[i], inBatch);
        }
        cost = cost + 21_000 - n * 4800;
        return charged * 10_000 / cost;
    }

    function _all(uint256 n, bool value) private pure returns (bool[] memory values) {
        values = new bool[](n);
        for (uint256 i; i < n; ++i) {
            values[i] = value;
        }
    }

    function _assertBand(bool inAuto, bool inBatch) private {
        uint256[2] memory sizes = [uint256(10), 50];
        for (uint256 i; i < 4; ++i) {
            uint256 snapshot = vm.snapshotState();
            (uint256 n, bool oneUser) = (sizes[i & 1], i & 2 != 0);
            uint256 ratio = _ratio(n, _all(n, inAuto), inBatch, oneUser);
            console.log(inAuto ? "AUTO" : "ETH", n, oneUser ? "one user" : "distinct users", ratio);
            assertGe(ratio, 9800);
            assertLe(ratio, 10_200);
            vm.revertToStateAndDelete(snapshot);
        }
    }

    function test_Singles_InEth() public {
        _assertBand(false, false);
    }

    function test_Singles_InAuto() public {
        _assertBand(true, false);
    }

    function test_BatchesOf1_InEth() public {
        _assertBand(false, true);
    }

    function test_BatchesOf1_InAuto() public {
        _assertBand(true, true);
    }

    /// A call that was paid in ETH has not written the executor's AUTO: the next one still does.
    function test_MixedKinds() public {
        for (uint256 i; i < 4; ++i) {
            uint256 snapshot = vm.snapshotState();
            bool[] memory inAuto = new bool[](4);
            for (uint256 k; k < 4; ++k) {
                inAuto[k] = (k + i) & 1 != 0;
            }
            uint256 ratio = _ratio(4, inAuto, i & 2 != 0, false);
            console.log("mixed kinds", ratio);
            assertGe(ratio, 9800);
            assertLe(ratio, 10_200);
            vm.revertToStateAndDelete(snapshot);
        }
    }
}
