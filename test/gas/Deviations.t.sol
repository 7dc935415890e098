// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {AskedGate} from "../actors/AskedGate.sol";
import {MeterTarget} from "../actors/MeterTarget.sol";
import {PassingOn} from "../actors/PassingOn.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";
import {console} from "forge-std/console.sol";

/// A target that gives storage back.
contract Clearing {
    uint256[400] private _words;
    uint256 private _next;

    constructor() {
        for (uint256 i; i < _words.length; ++i) {
            _words[i] = 1;
        }
        _next = 1;
    }

    function clear(uint256 n) external {
        for (uint256 i; i < n; ++i) {
            delete _words[i];
        }
    }
}

/// What is charged and what is paid where they are known to differ: the figures of docs/registry.md, in parts
/// of 10,000. `forge test --match-contract Deviations -vv` prints them.
/// forge-config: default.isolate = true
contract DeviationsTest is RegistryTest {
    function _ratio(string memory name, uint256 charged) private view returns (uint256 ratio) {
        ratio = charged * 10_000 / relay.receiptGas();
        console.log(name, ratio, charged, relay.receiptGas());
    }

    function _newPlain() private returns (uint256 id, IRegistry.Request memory r) {
        r = _request(address(new MeterTarget()), "abcd");
        r.initEthSent = 1 ether;
        id = _register(r);
    }

    function _newAuto() private returns (uint256 id, IRegistry.Request memory r) {
        r = _request(address(new MeterTarget()), "abcd");
        r.payWithAUTO = true;
        id = _register(r);
    }

    // --- what the EVM hides ---

    /// The EVM refunds what a target clears, up to a fifth of the transaction, and shows nobody.
    function test_WhenTargetClearsStorage_UpToAQuarterIsOvercharged() public {
        _warmGrant();
        uint256[4] memory slots = [uint256(1), 5, 20, 400];
        uint256[4] memory highest = [uint256(10_900), 11_900, 12_200, 12_500];
        for (uint256 i; i < 4; ++i) {
            IRegistry.Request memory r =
                _request(address(new Clearing()), abi.encodeCall(Clearing.clear, (slots[i])));
            r.initEthSent = 1 ether;
            uint256 ratio = _ratio("target clears slots", _execute(_register(r), r));
            assertLe(ratio, highest[i]);
            assertGe(ratio, 10_200);
        }
    }

    // --- AUTO ---

    function test_WhenExecutorHasNoAuto_ItsFirstBalanceIsNotPaid() public {
        _fundAuto(user);
        (uint256 id, IRegistry.Request memory r) = _newAuto();
        _warmGrant();
        uint256 ratio = _ratio("executor's first AUTO", _execute(id, r));
        assertGe(ratio, 7900);
        assertLe(ratio, 8300);
    }

    function test_WhenAllowanceIsFinite_ItsChangeIsNotPaid() public {
        deal(address(autoToken), executor, 1);
        _fundAuto(user, 1_000_000 ether, 1_000_000 ether);
        (uint256 id, IRegistry.Request memory r) = _newAuto();
        _warmGrant();
        uint256 ratio = _ratio("finite allowance", _execute(id, r));
        assertGe(ratio, 9500);
        assertLe(ratio, 9900);
    }

    // --- the gate ---

    /// Somebody has to draw and to remember: of that, 10,000 are charged.
    function test_WhenItIsATurnsFirst_TheRestOfTheDrawIsTheExecutors() public {
        deal(address(autoToken), executor, 1000 ether);
        vm.startPrank(executor, executor);
        autoToken.approve(address(stakeManager), 1000 ether);
        stakeManager.stake(1000 ether);
        vm.stopPrank();
        (uint256 id, IRegistry.Request memory r) = _newPlain();
        vm.roll(block.number + stakeManager.epochBlocks());
        uint256 ratio = _ratio("turn's first", _execute(id, r));
        assertGe(ratio, 7000);
        assertLe(ratio, 7500);

        (id, r) = _newPlain();
        vm.roll(block.number + stakeManager.epochBlocks());
        ratio = _ratio("a later turn's first", _execute(id, r));
        assertGe(ratio, 7800);
        assertLe(ratio, 8300);

        // The grant is remembered: within the band again.
        (id, r) = _newPlain();
        ratio = _ratio("the same turn's second", _execute(id, r));
        assertGe(ratio, 9800);
        assertLe(ratio, 10_200);
    }

    /// The same where the gate is asked every time: in a batch each entry bears its part of the 10,000.
    function test_WhenAskingTakesMore_TheRestIsTheExecutors() public {
        _useTestGate();
        gate.answer(block.number, 0);
        gate.waste(20_000);
        _warmGrant();
        (uint256 id, IRegistry.Request memory r) = _newPlain();
        uint256 ratio = _ratio("asking takes more", _execute(id, r));
        assertGe(ratio, 7200);
        assertLe(ratio, 7600);

        IRegistry.Execution[] memory batch = new IRegistry.Execution[](10);
        for (uint256 i; i < 10; ++i) {
            (id, r) = _newPlain();
            batch[i] = _entry(id, r);
        }
        IRegistry.Outcome[] memory outcomes = _executeBatch(batch);
        uint256 charged;
        for (uint256 i; i < 10; ++i) {
            charged += outcomes[i].gasCharged;
        }
        ratio = _ratio("asking takes more, batch of 10", charged);
        assertGe(ratio, 9100);
        assertLe(ratio, 9600);
    }

    /// What is charged for a report is what writing one word takes that was not zero.
    function test_WhenTheReportTakesMore_TheRestIsTheExecutors() public {
        AskedGate asked = _useAskedGate(executor, true);
        _warmGrant();
        asked.forget();
        (uint256 id, IRegistry.Request memory r) = _newPlain();
        uint256 ratio = _ratio("the report writes a new word", _execute(id, r));
        assertEq(asked.lastReport(), block.number);
        assertGe(ratio, 8000);
        assertLe(ratio, 8500);

        (id, r) = _newPlain();
        ratio = _ratio("the report finds its word written", _execute(id, r));
        assertGe(ratio, 10_200);
        assertLe(ratio, 10_600);
    }

    // --- contracts that execute ---

    /// What passing the call on costs, and the call data's price, are the contract's own.
    function test_WhenAContractExecutes_ItBearsTheCallData() public {
        PassingOn wallet = new PassingOn();
        vm.deal(address(wallet), 1);
        for (uint256 i; i < 2; ++i) {
            (uint256 id, IRegistry.Request memory r) = _newPlain();
            bytes memory call = abi.encodeCall(IRegistry.executeHashedReq, (id, r, 0));
            bytes memory data = abi.encodeCall(PassingOn.pass, (address(registry), call));
            uint256 charged =
                abi.decode(abi.decode(_send(executor, address(wallet), data), (bytes)), (uint256));
            uint256 ratio = _ratio("passed on by a contract", charged);
            // The first one asks the gate.
            if (i == 0) continue;
            assertGe(ratio, 8700);
            assertLe(ratio, 9500);
        }
    }

    // --- settings that changed ---

    /// Fees that the owner changed lie in storage; reading them is measured and paid.
    function test_WhenOwnerChangedFees_SingleExecutionsStayInTheBand() public {
        _warmGrant();
        IRegistry.FeeSettings memory fees = registry.feeSettings();
        vm.prank(owner);
        registry.setFeeSettings(fees);
        (uint256 id, IRegistry.Request memory r) = _newPlain();
        uint256 ratio = _ratio("changed fees", _execute(id, r));
        assertGe(ratio, 9800);
        assertLe(ratio, 10_200);
    }
}
