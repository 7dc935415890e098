// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {CREATE3} from "solady/utils/CREATE3.sol";

import {IChugSplashManager} from "../interfaces/IChugSplashManager.sol";
import {IProjectActor} from "../interfaces/IProjectActor.sol";
import {BoundedCall} from "../libraries/BoundedCall.sol";
import {ProjectProxies} from "./ProjectProxies.sol";

/**
 * @title ProjectActor
 * @notice See IProjectActor.
 *
 * @dev Its manager is in its code, behind the clone's. ETH is accepted during a switch, for what is left of a
 * call or comes back from it, and goes to the manager when the switch ends; what a proxy sends while it is adopted
 * goes with the next one.
 */
contract ProjectActor is ProjectProxies, ReentrancyGuardTransient {
    /// What a call of itself costs before it gets gas.
    uint256 private constant CALL_COST = 700;
    uint256 private constant MAX_REASON = 256;

    modifier onlyManager() {
        require(msg.sender == manager(), NotManager(msg.sender));
        _;
    }

    receive() external payable {
        require(_reentrancyGuardEntered(), EthNotAccepted());
    }

    /// @inheritdoc IProjectActor
    function deploy(bytes32 salt, bytes calldata initCode) external onlyManager returns (address deployed) {
        return CREATE3.deployDeterministic(initCode, salt);
    }

    /// @inheritdoc IProjectActor
    function switchOver(
        bytes32 bundleId,
        uint256 firstIndex,
        uint256 skip,
        address ess,
        address eps,
        IChugSplashManager.Action[] calldata actions
    ) external payable onlyManager nonReentrant returns (uint256 refund) {
        for (uint256 i = skip; i < actions.length; ++i) {
            IChugSplashManager.Action calldata action = actions[i];
            bytes memory input = abi.encodeCall(this.perform, (bundleId, ess, eps, action));
            uint256 forwardable = gasleft() - gasleft() / 64;
            uint256 needed = action.gas + CALL_COST;
            require(forwardable >= needed, InsufficientGas(forwardable, needed));
            (bool success,, uint256 more,) = BoundedCall.call(address(this), action.gas, input);
            if (!success) revert ActionFailed(firstIndex + i, BoundedCall.returned(MAX_REASON));
            refund += more;
        }
        uint256 left = address(this).balance;
        if (left == 0) return refund;
        (bool returned,) = msg.sender.call{value: left}("");
        require(returned, EthNotReturned());
    }

    /// @inheritdoc IProjectActor
    function perform(bytes32 bundleId, address ess, address eps, IChugSplashManager.Action calldata action)
        external
        returns (uint256 refund)
    {
        require(msg.sender == address(this), NotSelf(msg.sender));
        address target = action.target;
        require(target != ess && target != eps, TargetRefused(target));
        _requireForeign(target);

        if (action.kind == IChugSplashManager.ActionKind.SET_STORAGE) {
            (bytes32 slot, uint256 offset, bytes memory value) =
                abi.decode(action.data, (bytes32, uint256, bytes));
            return _setStorage(bundleId, target, slot, offset, value);
        } else if (action.kind == IChugSplashManager.ActionKind.SET_IMPLEMENTATION) {
            _switch(bundleId, target, abi.decode(action.data, (address)));
        } else {
            require(action.kind == IChugSplashManager.ActionKind.CALL, NotInSwitch(action.kind));
            (uint256 value, bytes memory callData) = abi.decode(action.data, (uint256, bytes));
            // Plain ETH may go to any account; a call of one without code would count as success.
            require(callData.length == 0 || target.code.length != 0, NoCode(target));
            _call(target, value, callData);
        }
    }

    /// @inheritdoc IProjectActor
    function rollback() external onlyManager nonReentrant returns (uint256 proxies) {
        return _rollback();
    }

    /// @inheritdoc IProjectActor
    function adopt(address proxy, IChugSplashManager.ProxyKind kind, address admin, address implementation)
        external
        onlyManager
        nonReentrant
    {
        _requireForeign(proxy);
        _adopt(proxy, kind, admin, implementation);
    }

    /// @inheritdoc IProjectActor
    function release(address proxy, address to) external onlyManager nonReentrant {
        _release(proxy, to);
    }

    /// @inheritdoc IProjectActor
    function manager() public view returns (address) {
        return address(bytes20(Clones.fetchCloneArgs(address(this))));
    }

    /// @inheritdoc IProjectActor
    function addressOf(bytes32 salt) external view returns (address) {
        return CREATE3.predictDeterministicAddress(salt);
    }

    /// Neither manager nor actor nor Registry: they believe one another.
    function _requireForeign(address target) private view {
        address manager_ = manager();
        require(
            target != address(this) && target != manager_
                && target != IChugSplashManager(manager_).registry(),
            TargetRefused(target)
        );
    }
}
