// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {CommonBase} from "forge-std/Base.sol";
import {StdUtils} from "forge-std/StdUtils.sol";

import {ISeedSource} from "../../contracts/interfaces/ISeedSource.sol";
import {IStakeManager} from "../../contracts/interfaces/IStakeManager.sol";
import {HookedToken} from "../selection/actors/HookedToken.sol";
import {Reenterer} from "../selection/actors/Reenterer.sol";
import {ScriptedSeed} from "../selection/actors/ScriptedSeed.sol";

/// Drives a StakeManager and keeps the books beside it. The first actor re-enters from every transfer and
/// is also the Registry, so that no function refuses it for who it is. Every call's success is predicted,
/// and a misprediction counted.
contract StakeManagerHandler is CommonBase, StdUtils {
    uint256 public constant ACTORS = 6;
    uint256 private constant UNIT = 0.1 ether;

    IStakeManager public immutable manager;
    HookedToken public immutable token;
    ScriptedSeed public immutable seeds;
    Reenterer public immutable reenterer;

    struct Unstaking {
        uint256 amount;
        uint256 claimableFrom;
    }

    address[] private _plainActors;

    // The books.
    mapping(address actor => uint256) public staked;
    mapping(address actor => Unstaking[]) private _unstaking;
    uint256 public donated;

    // What was seen.
    uint256 private _observedEpoch = type(uint256).max;
    address private _observedStaker;
    address private _observedWorker;
    uint256 public executorChanges;
    uint256 public mispredicted;
    uint256 public calls;
    uint256 public reverts;

    constructor(IStakeManager manager_, HookedToken token_, ScriptedSeed seeds_, Reenterer reenterer_) {
        manager = manager_;
        token = token_;
        seeds = seeds_;
        reenterer = reenterer_;
        for (uint256 i = 1; i < ACTORS; ++i) {
            _plainActors.push(vm.addr(i));
        }
    }

    /// Watches the executor after whatever was done.
    modifier observed() {
        _;
        if (!_isSeedKnown()) return;
        (address staker, address worker) = manager.selected();
        uint256 epoch = manager.currentEpoch();
        if (epoch == _observedEpoch && (staker != _observedStaker || worker != _observedWorker)) {
            ++executorChanges;
        }
        (_observedEpoch, _observedStaker, _observedWorker) = (epoch, staker, worker);
    }

    // --- actions ---

    function stake(uint256 actorSeed, uint256 amount) external observed {
        address actor = actorOf(actorSeed);
        amount = bound(amount, 1, amount % 4 == 0 ? UNIT : 1000 ether);
        require(token.transfer(actor, amount));
        bool expected = _canChange();
        if (_call(actor, abi.encodeCall(IStakeManager.stake, (amount)), expected)) staked[actor] += amount;
    }

    function unstake(uint256 actorSeed, uint256 amount) external observed {
        address actor = _stakerFrom(actorSeed);
        if (staked[actor] == 0) return;
        amount = amount % 3 == 0 ? staked[actor] : bound(amount, 1, staked[actor]);
        if (_call(actor, abi.encodeCall(IStakeManager.unstake, (amount)), _canChange())) {
            staked[actor] -= amount;
            _unstaking[actor].push(Unstaking(amount, manager.currentEpoch() + 2));
        }
    }

    function unstakeTooMuch(uint256 actorSeed, uint256 excess) external observed {
        address actor = actorOf(actorSeed);
        excess = bound(excess, 1, type(uint128).max);
        _call(actor, abi.encodeCall(IStakeManager.unstake, (staked[actor] + excess)), false);
    }

    function claim(uint256 actorSeed) external observed {
        address actor = actorOf(actorSeed);
        uint256 expected = claimableInBooks(actor);
        if (expected == 0 && actorSeed % 8 != 0) return;
        uint256 before = token.balanceOf(actor);
        if (!_call(actor, abi.encodeCall(IStakeManager.claim, (actor)), expected != 0)) return;
        if (token.balanceOf(actor) - before != expected) ++mispredicted;

        Unstaking[] storage list = _unstaking[actor];
        uint256 i;
        while (i < list.length) {
            if (list[i].claimableFrom <= manager.currentEpoch()) {
                list[i] = list[list.length - 1];
                list.pop();
            } else {
                ++i;
            }
        }
    }

    function setWorker(uint256 actorSeed, uint256 workerSeed) external observed {
        address actor = actorOf(actorSeed);
        _call(actor, abi.encodeCall(IStakeManager.setWorker, (actorOf(workerSeed))), true);
    }

    function checkIn(uint256 actorSeed) external observed {
        if (!_isSeedKnown()) return;
        (, address worker) = manager.selected();
        address actor = actorSeed % 4 == 0 ? actorOf(actorSeed / 4) : worker;
        if (uint160(actor) == type(uint160).max) return;
        bool expected = actor == worker;
        if (_call(actor, abi.encodeCall(IStakeManager.checkIn, ()), expected)) {
            if (!manager.wasPresent(manager.currentEpoch())) ++mispredicted;
        }
    }

    function settle() external observed {
        _call(actorOf(1), abi.encodeCall(IStakeManager.settle, ()), _isSeedKnown());
    }

    function authorize(uint256 executorSeed) external observed {
        uint256[] memory ids = new uint256[](1);
        address executor = actorOf(executorSeed);
        vm.prank(address(reenterer));
        try manager.authorize(executor, ids) returns (uint48 grantedUntil, bool report) {
            (, address worker) = manager.selected();
            bool expected = worker == executor || uint160(worker) == type(uint160).max;
            uint256 lastBlock = (manager.currentEpoch() + 1) * manager.epochBlocks() - 1;
            if (report || grantedUntil != (expected ? lastBlock : 0)) ++mispredicted;
        } catch {
            if (_isSeedKnown()) ++mispredicted;
        }
    }

    function executed(uint256 executorSeed) external observed {
        bool expected = _isSeedKnown();
        uint256[] memory ids = new uint256[](1);
        bytes memory data = abi.encodeCall(manager.executed, (actorOf(executorSeed), ids));
        _call(address(reenterer), data, expected);
    }

    function donate(uint256 amount) external observed {
        amount = bound(amount, 1, 10 ether);
        require(token.transfer(address(manager), amount));
        donated += amount;
    }

    /// Time passes. Most seeds are proven at once, some later, some are lost.
    function roll(uint256 blocks, uint256 luck) external observed {
        uint256 epoch = manager.currentEpoch();
        vm.roll(block.number + bound(blocks, 1, 60));
        if (manager.currentEpoch() == epoch) return;
        if (luck % 8 == 0) seeds.setStatus(_key(), ISeedSource.Status.Lost);
        else if (luck % 8 != 1) seeds.setStatus(_key(), ISeedSource.Status.Known);
    }

    function prove() external observed {
        (ISeedSource.Status status,) = seeds.seedOf(_key());
        if (status == ISeedSource.Status.Pending) seeds.setStatus(_key(), ISeedSource.Status.Known);
    }

    // --- views ---

    function actorOf(uint256 seed) public view returns (address) {
        uint256 index = seed % ACTORS;
        return index == 0 ? address(reenterer) : _plainActors[index - 1];
    }

    function claimableInBooks(address actor) public view returns (uint256 amount) {
        Unstaking[] storage list = _unstaking[actor];
        for (uint256 i; i < list.length; ++i) {
            if (list[i].claimableFrom <= manager.currentEpoch()) amount += list[i].amount;
        }
    }

    function unstakingInBooks(address actor) public view returns (uint256 amount, uint256 claimableFrom) {
        Unstaking[] storage list = _unstaking[actor];
        for (uint256 i; i < list.length; ++i) {
            amount += list[i].amount;
            if (list[i].claimableFrom > claimableFrom) claimableFrom = list[i].claimableFrom;
        }
    }

    // --- internals ---

    function _call(address actor, bytes memory data, bool expected) private returns (bool success) {
        ++calls;
        if (actor == address(reenterer)) {
            (success,) = actor.call(abi.encodeCall(Reenterer.act, (data)));
        } else {
            vm.prank(actor);
            (success,) = address(manager).call(data);
        }
        if (!success) ++reverts;
        if (success != expected) ++mispredicted;
    }

    /// The next actor, beginning at a random one, that has something staked.
    function _stakerFrom(uint256 seed) private view returns (address actor) {
        uint256 first = seed % ACTORS;
        for (uint256 i; i < ACTORS; ++i) {
            actor = actorOf(first + i);
            if (staked[actor] != 0) return actor;
        }
    }

    function _key() private view returns (uint256) {
        return block.number - block.number % manager.epochBlocks() - 1;
    }

    /// Whether this epoch's draw can be known: it was recorded, or needs no seed, or has one.
    function _isSeedKnown() private view returns (bool) {
        (ISeedSource.Status status,) = seeds.seedOf(_key());
        if (status != ISeedSource.Status.Pending || manager.totalWeight() == 0) return true;
        (uint256 settled,) = manager.lastSettled();
        return settled == manager.currentEpoch();
    }

    function _canChange() private view returns (bool) {
        uint256 length = manager.epochBlocks();
        return _isSeedKnown() && block.number % length + seeds.freezeBlocks() < length;
    }
}
