// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {AllowancePuller} from "../actors/AllowancePuller.sol";
import {ForceFeeder} from "../actors/ForceFeeder.sol";
import {MeterTarget} from "../actors/MeterTarget.sol";
import {Puppet} from "../actors/Puppet.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IAutoPayments} from "contracts/interfaces/IAutoPayments.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";

/// Attempts to take what is somebody else's, or to pay for nothing.
/// forge-config: default.isolate = true
contract MoneyAttackTest is RegistryTest {
    Puppet private target = new Puppet();

    function setUp() public override {
        super.setUp();
        _warmGrant();
    }

    // --- ETH ---

    function test_WhenEthIsForcedIn_ItIsNobodys() public {
        ForceFeeder.feed(address(registry), 3 ether);
        IRegistry.Request memory r = _request(address(target), "abcd");
        r.initEthSent = 1 ether;
        uint256 id = _register(r);
        Ledger memory before = _ledger(r);
        _execute(id, r);
        (uint256 refund,) = _assertConserved(before, r);
        assertLt(refund, 1 ether);
        assertEq(address(registry).balance, 3 ether);
    }

    /// Forced in by the target during its own call: it is not counted as its payment.
    function test_RevertWhen_TargetForcesEthInAsPayment() public {
        IRegistry.Request memory r = _request(address(target), "abcd");
        r.isAlive = true;
        uint256 id = _register(r);
        ForcingTarget forcing = new ForcingTarget{value: 1 ether}(address(registry));
        r.target = address(forcing);
        id = _register(r);
        vm.expectPartialRevert(IRegistry.InsufficientPayment.selector);
        _execute(id, r);
    }

    /// Whatever a stranger left on a forwarder does not change what a Request is charged.
    function test_WhenForwarderHoldsEth_ItIsLeftAlone() public {
        address forwarder = registry.plainForwarder();
        ForceFeeder.feed(forwarder, 2 ether);
        IRegistry.Request memory r = _request(address(target), "abcd");
        (r.initEthSent, r.ethForCall) = (1 ether, 0.1 ether);
        uint256 id = _register(r);
        Ledger memory before = _ledger(r);
        _execute(id, r);
        _assertConserved(before, r);
        assertEq(forwarder.balance, 2 ether);
        assertEq(target.lastValue(), 0.1 ether);
    }

    function test_WhenTargetBurnsAllItsGas_NothingIsLost() public {
        IRegistry.Request memory r = _request(address(target), "abcd");
        r.initEthSent = 1 ether;
        uint256 id = _register(r);
        target.behave(Puppet.Mode.Accept, Puppet.Mode.Burn, 0);
        vm.expectPartialRevert(IRegistry.CallFailed.selector);
        relay.send(
            executor, address(registry), 0, 10_000_000, abi.encodeCall(IRegistry.executeHashedReq, (id, r, 0))
        );
        assertEq(address(registry).balance, 1 ether);
        _cancel(id, r);
    }

    function test_WhenTargetReturnsABomb_ItIsNotCopied() public {
        IRegistry.Request memory r = _request(address(target), "abcd");
        r.initEthSent = 1 ether;
        uint256 id = _register(r);
        target.behave(Puppet.Mode.Accept, Puppet.Mode.Bomb, 0);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.CallFailed.selector, id, new bytes(256)));
        _execute(id, r);
    }

    // --- reaching for the Registry's own ---

    /// No Request reaches what the Registry owns or may move: its calls come from a forwarder.
    function test_WhenTargetIsTheToken_AllowancesAreOutOfReach() public {
        address victim = makeAddr("victim");
        _fundAuto(victim);
        bytes memory steal = abi.encodeCall(IERC20.transferFrom, (victim, user, autoToken.balanceOf(victim)));
        IRegistry.Request memory r = _request(address(autoToken), steal);
        r.initEthSent = 1 ether;
        uint256 id = _register(r);
        vm.expectPartialRevert(IRegistry.CallFailed.selector);
        _execute(id, r);
        assertEq(autoToken.balanceOf(user), 0);
    }

    /// The Registry's functions for its own use are out of reach, too: each of its contracts is refused as a
    /// target, and one that stands in between is not the Registry.
    function test_WhenTargetCallsAutoPayments_ItIsRefused() public {
        address victim = makeAddr("victim");
        _fundAuto(victim);
        Puppet.Call[] memory calls = new Puppet.Call[](2);
        calls[0] = Puppet.Call(
            registry.autoPayments(), 0, abi.encodeCall(IAutoPayments.pull, (victim, user, 1 ether))
        );
        bytes memory input = abi.encodePacked(bytes32(uint256(uint160(address(autoToken)))), "");
        calls[1] = Puppet.Call(registry.userForwarder(), 0, input);
        target.script(calls);
        target.behave(Puppet.Mode.Accept, Puppet.Mode.Act, 0);
        IRegistry.Request memory r = _request(address(target), "abcd");
        r.initEthSent = 1 ether;
        _execute(_register(r), r);
        (bool[] memory results,) = target.results();
        assertFalse(results[0] || results[1]);
        assertEq(autoToken.balanceOf(user), 0);
    }

    // --- AUTO ---

    function test_WhenAutoIsGoneAfterTheCall_ExecutionIsUndone() public {
        AllowancePuller wallet = new AllowancePuller(autoToken, registry.autoPayments());
        deal(address(autoToken), address(wallet), 1_000_000 ether);
        IRegistry.Request memory r = _request(address(wallet), "abcd");
        (r.user, r.payWithAUTO, r.isAlive) = (payable(address(wallet)), true, true);
        uint256 id = registry.getHashedReqsLen();
        wallet.register(address(registry), _newReqCall(r));

        for (uint256 i = 1; i <= 2; ++i) {
            wallet.choose(AllowancePuller.Trick(i));
            bytes4 missing = i == 1
                ? IERC20Errors.ERC20InsufficientAllowance.selector
                : IERC20Errors.ERC20InsufficientBalance.selector;
            address whose = i == 1 ? registry.autoPayments() : address(wallet);
            _assertUnpaid(id, r, missing, whose);
            assertEq(autoToken.balanceOf(address(wallet)), 1_000_000 ether, "undone");

            // In a batch it fails alone.
            IRegistry.Request memory other = _request(address(target), abi.encode(i));
            other.initEthSent = 1 ether;
            IRegistry.Execution[] memory batch = new IRegistry.Execution[](2);
            batch[0] = _entry(id, r);
            batch[1] = _entry(_register(other), other);
            IRegistry.Outcome[] memory outcomes = _executeBatch(batch);
            assertTrue(!outcomes[0].success && outcomes[1].success);
        }
        wallet.choose(AllowancePuller.Trick.None);
        _execute(id, r);
        assertGt(autoToken.balanceOf(executor), 0);
    }

    /// The fee is known to the Registry alone; of the rest of the reason every byte is.
    function _assertUnpaid(uint256 id, IRegistry.Request memory r, bytes4 missing, address whose) private {
        try this.tryToExecute(id, r) {
            revert("executed");
        } catch (bytes memory reason) {
            uint256 fee;
            assembly ("memory-safe") {
                fee := mload(add(reason, mload(reason)))
            }
            assertGt(fee, 0);
            assertEq(reason, abi.encodeWithSelector(missing, whose, 0, fee));
        }
    }

    function tryToExecute(uint256 id, IRegistry.Request calldata r) external {
        _execute(id, r);
    }

    function test_WhenTokenIsPaused_OnlyAutoPaidRequestsStop() public {
        _fundAuto(user);
        IRegistry.Request memory r = _request(address(target), "auto");
        r.payWithAUTO = true;
        uint256 id = _register(r);
        vm.mockCallRevert(
            address(autoToken), abi.encodeWithSelector(IERC20.transferFrom.selector), bytes("paused")
        );
        vm.expectRevert(bytes("paused"));
        _execute(id, r);
        IRegistry.Request memory inEth = _request(address(target), "eth");
        inEth.initEthSent = 1 ether;
        _execute(_register(inEth), inEth);
        _cancel(id, r);
    }

    /// One user's Requests draw on the same AUTO: when it does not last, the rest fails alone.
    function test_WhenAutoLastsForOne_TheSecondFails() public {
        IRegistry.Request memory r = _request(address(target), "auto");
        (r.payWithAUTO, r.isAlive) = (true, true);
        IRegistry.Execution[] memory batch = new IRegistry.Execution[](2);
        batch[0] = _entry(_register(r), r);
        r = _request(address(target), "more");
        (r.payWithAUTO, r.isAlive) = (true, true);
        batch[1] = _entry(_register(r), r);
        _fundAuto(user);
        uint256 snapshot = vm.snapshotState();
        IRegistry.Outcome[] memory outcomes = _executeBatch(batch);
        vm.revertToState(snapshot);
        _fundAuto(user, outcomes[0].fee + outcomes[1].fee - 1, type(uint256).max);
        outcomes = _executeBatch(batch);
        assertTrue(outcomes[0].success && !outcomes[1].success);
        assertEq(autoToken.balanceOf(executor), outcomes[0].fee);
    }
}

/// Pays the Registry without its `receive()` being called.
contract ForcingTarget {
    address private immutable REGISTRY;

    constructor(address registry) payable {
        REGISTRY = registry;
    }

    fallback() external payable {
        ForceFeeder.feed(REGISTRY, address(this).balance);
    }
}
