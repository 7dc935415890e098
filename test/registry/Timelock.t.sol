// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MeterTarget} from "../actors/MeterTarget.sol";
import {TestGate} from "../actors/TestGate.sol";
import {TestOracle} from "../actors/TestOracle.sol";
import {RegistryTest} from "../utils/RegistryTest.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";

/// A Registry whose owner is OpenZeppelin's TimelockController, as in a production deployment.
/// forge-config: default.isolate = true
contract TimelockTest is RegistryTest {
    uint256 private constant DELAY = 2 days;
    bytes32 private constant SALT = "salt";

    TimelockController private timelock;
    TestGate private nextGate = new TestGate();
    TestOracle private nextOracle;
    address private proposer = makeAddr("proposer");
    address private performer = makeAddr("performer");
    address private stranger = makeAddr("stranger");

    function setUp() public override {
        super.setUp();
        nextOracle = new TestOracle(oracle.autoPerEth() * 3 / 2);
        timelock = new TimelockController(DELAY, _one(proposer), _one(performer), address(0));
        vm.prank(owner);
        registry.transferOwnership(address(timelock));
        assertEq(registry.owner(), owner, "until the timelock accepts");
        bytes memory accept = abi.encodeCall(Ownable2Step.acceptOwnership, ());
        _schedule(accept);
        skip(DELAY);
        _perform(accept);
        assertEq(registry.owner(), address(timelock));
    }

    function _one(address account) private pure returns (address[] memory list) {
        list = new address[](1);
        list[0] = account;
    }

    function _idOf(bytes memory call) private view returns (bytes32) {
        return timelock.hashOperation(address(registry), 0, call, 0, SALT);
    }

    function _schedule(bytes memory call) private {
        vm.prank(proposer);
        timelock.schedule(address(registry), 0, call, 0, SALT, DELAY);
    }

    function _perform(bytes memory call) private {
        vm.prank(performer);
        timelock.execute(address(registry), 0, call, 0, SALT);
    }

    /// What an owner may do, once each.
    function _calls() private view returns (bytes[3] memory calls) {
        calls[0] = abi.encodeCall(IRegistry.setGate, (nextGate));
        calls[1] = abi.encodeCall(IRegistry.setPriceOracle, (nextOracle));
        calls[2] = abi.encodeCall(IRegistry.setFeeSettings, (_fees()));
    }

    function _fees() private view returns (IRegistry.FeeSettings memory fees) {
        fees = registry.feeSettings();
        fees.tailEth += 1000;
    }

    /// An operation that is not in the state it should be in.
    function _notReady(bytes memory call) private view returns (bytes memory) {
        return abi.encodeWithSelector(
            TimelockController.TimelockUnexpectedOperationState.selector,
            _idOf(call),
            bytes32(1 << uint8(TimelockController.OperationState.Ready))
        );
    }

    function _lacks(address account, bytes32 role) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, account, role);
    }

    // --- refused ---

    /// Nobody reaches the Registry but by way of the timelock: not its proposer either, nor who owned it before.
    function test_RevertWhen_ItIsNotTheTimelockThatCalls() public {
        bytes[3] memory calls = _calls();
        address[4] memory callers = [stranger, owner, proposer, performer];
        for (uint256 i; i < 3; ++i) {
            for (uint256 k; k < 4; ++k) {
                bytes memory refused =
                    abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, callers[k]);
                vm.expectRevert(refused);
                _send(callers[k], address(registry), calls[i]);
            }
        }
    }

    function test_RevertWhen_AStrangerUsesTheTimelock() public {
        bytes[3] memory calls = _calls();
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(_lacks(stranger, timelock.PROPOSER_ROLE()));
            vm.prank(stranger);
            timelock.schedule(address(registry), 0, calls[i], 0, SALT, DELAY);

            _schedule(calls[i]);
            bytes32 id = _idOf(calls[i]);
            vm.expectRevert(_lacks(stranger, timelock.CANCELLER_ROLE()));
            vm.prank(stranger);
            timelock.cancel(id);
        }
        skip(DELAY);
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(_lacks(stranger, timelock.EXECUTOR_ROLE()));
            vm.prank(stranger);
            timelock.execute(address(registry), 0, calls[i], 0, SALT);
        }
    }

    function test_RevertWhen_ItIsTooEarly() public {
        bytes[3] memory calls = _calls();
        for (uint256 i; i < 3; ++i) {
            bytes memory notReady = _notReady(calls[i]);
            vm.expectRevert(notReady);
            _perform(calls[i]);

            vm.expectRevert(
                abi.encodeWithSelector(
                    TimelockController.TimelockInsufficientDelay.selector, DELAY - 1, DELAY
                )
            );
            vm.prank(proposer);
            timelock.schedule(address(registry), 0, calls[i], 0, SALT, DELAY - 1);

            _schedule(calls[i]);
            skip(DELAY - 1);
            vm.expectRevert(notReady);
            _perform(calls[i]);
        }
        assertEq(address(registry.gate()), address(stakeManager));
        assertEq(address(registry.priceOracle()), address(oracle));
    }

    /// The bounds are the Registry's, and hold for the timelock too.
    function test_RevertWhen_TheTimelockLeavesTheBounds() public {
        uint256 price = oracle.autoPerEth();
        nextOracle.set(price * 2 + 1);
        IRegistry.FeeSettings memory fees = registry.maxFeeSettings();
        uint256 maximum = fees.tailEth++;
        bytes memory setOracle = abi.encodeCall(IRegistry.setPriceOracle, (nextOracle));
        bytes memory setFees = abi.encodeCall(IRegistry.setFeeSettings, (fees));
        _schedule(setOracle);
        _schedule(setFees);
        skip(DELAY);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.PriceStepTooLarge.selector, price, price * 2 + 1));
        _perform(setOracle);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AboveMaximum.selector, maximum + 1, maximum));
        _perform(setFees);
    }

    function test_RevertWhen_ItWasCancelledOrIsDone() public {
        bytes[3] memory calls = _calls();
        for (uint256 i; i < 3; ++i) {
            _schedule(calls[i]);
        }
        bytes32 id = _idOf(calls[0]);
        vm.prank(proposer);
        timelock.cancel(id);
        skip(DELAY);
        bytes memory notReady = _notReady(calls[0]);
        vm.expectRevert(notReady);
        _perform(calls[0]);
        for (uint256 i = 1; i < 3; ++i) {
            _perform(calls[i]);
            notReady = _notReady(calls[i]);
            vm.expectRevert(notReady);
            _perform(calls[i]);
        }
    }

    // --- done ---

    function test_WhenTheDelayIsOver_GateIsSet() public {
        bytes memory call = _calls()[0];
        _schedule(call);
        skip(DELAY);
        vm.expectEmit(address(registry));
        emit IRegistry.GateSet(address(nextGate));
        _perform(call);
        assertEq(address(registry.gate()), address(nextGate));
        assertEq(registry.gateSince(), block.timestamp);
        nextGate.answer(block.number, 0);
        _warmGrant();
        assertEq(nextGate.asked(), 1, "it is the one that is asked");
    }

    function test_WhenTheDelayIsOver_PriceOracleIsSet() public {
        bytes memory call = _calls()[1];
        uint256 price = nextOracle.autoPerEth();
        _schedule(call);
        skip(DELAY);
        vm.expectEmit(address(registry));
        emit IRegistry.PriceOracleSet(address(nextOracle), price);
        _perform(call);
        assertEq(address(registry.priceOracle()), address(nextOracle));
    }

    function test_WhenTheDelayIsOver_FeesAreSet() public {
        bytes memory call = _calls()[2];
        IRegistry.FeeSettings memory fees = _fees();
        _schedule(call);
        skip(DELAY);
        vm.expectEmit(address(registry));
        emit IRegistry.FeeSettingsSet(fees);
        _perform(call);
        assertEq(abi.encode(registry.feeSettings()), abi.encode(fees));
    }

    /// What the delay is for: whoever does not like what is coming leaves with all of his deposit, at the price
    /// that was.
    function test_WhenAChangeIsScheduled_UsersCanLeaveBefore() public {
        IRegistry.Request memory r = _request(address(new MeterTarget()), "abcd");
        r.initEthSent = 1 ether;
        uint256 id = _register(r);
        uint256 charged = _gasOf(id, r);
        bytes memory call = _calls()[2];
        _schedule(call);
        skip(DELAY - 1);
        assertEq(_gasOf(id, r), charged, "nothing has changed yet");
        uint256 before = user.balance;
        _cancel(id, r);
        assertEq(user.balance - before, 1 ether);
    }
}
