// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IExecutorGate} from "../../../contracts/interfaces/IExecutorGate.sol";
import {IStakeManager} from "../../../contracts/interfaces/IStakeManager.sol";
import {HookedToken, ITransferHook} from "./HookedToken.sol";

/// A staker that is its StakeManager's Registry too, and calls every function of it from inside every
/// transfer. It counts what came through.
contract Reenterer is ITransferHook {
    IStakeManager private _manager;
    bool private _armed;
    uint256 public attempts;
    uint256 public successes;

    function join(HookedToken token, IStakeManager manager) external {
        _manager = manager;
        token.hookMe();
        token.approve(address(manager), type(uint256).max);
    }

    /// Calls the StakeManager, and re-enters it from any transfer meanwhile.
    function act(bytes calldata data) external {
        _armed = true;
        (bool success, bytes memory result) = address(_manager).call(data);
        _armed = false;
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
    }

    function onTransfer() external {
        if (!_armed) return;
        uint256[] memory ids = new uint256[](1);
        _attempt(abi.encodeCall(IStakeManager.stake, (1)));
        _attempt(abi.encodeCall(IStakeManager.unstake, (1)));
        _attempt(abi.encodeCall(IStakeManager.claim, (address(this))));
        _attempt(abi.encodeCall(IStakeManager.setWorker, (address(this))));
        _attempt(abi.encodeCall(IStakeManager.settle, ()));
        _attempt(abi.encodeCall(IStakeManager.checkIn, ()));
        _attempt(abi.encodeCall(IExecutorGate.authorize, (address(this), ids)));
        _attempt(abi.encodeCall(IExecutorGate.executed, (address(this), ids)));
    }

    /// Counts as refused only what the guard refuses.
    function _attempt(bytes memory data) private {
        ++attempts;
        (bool success, bytes memory reason) = address(_manager).call(data);
        bytes memory guard =
            abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        if (success || keccak256(reason) != keccak256(guard)) ++successes;
    }
}
