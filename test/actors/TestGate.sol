// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IExecutorGate} from "contracts/interfaces/IExecutorGate.sol";
import {ANYONE} from "contracts/interfaces/IExecutorSelectionStrategy.sol";

/// A gate that answers what it is told to, and misbehaves on demand.
contract TestGate is IExecutorGate {
    enum Fault {
        None,
        Revert,
        Short,
        Bomb,
        Burn
    }

    /// Answers of `authorize`; wider than they should be, so that they can be lies.
    uint256 public until = type(uint48).max;
    uint256 public report;
    /// The only executor that is granted anything; zero: all are.
    address public only;
    Fault public onAuthorize;
    Fault public onExecuted;
    /// Gas used up before `authorize` answers.
    uint256 public extraGas;
    /// Called from within `authorize` and `executed`.
    address public hookTarget;
    bytes public hookData;
    bool public hookSucceeded;
    bytes4 public hookReason;

    /// What `executed` was told.
    event Told(address executor, uint256[] ids);

    uint256 public asked;
    /// One slot, in use from the start: the allowance of `executed` is small.
    uint128 public told;
    uint128 public lastAllowance = 1;

    function answer(uint256 until_, uint256 report_) external {
        (until, report) = (until_, report_);
    }

    function allowOnly(address executor) external {
        only = executor;
    }

    function fail(Fault onAuthorize_, Fault onExecuted_) external {
        (onAuthorize, onExecuted) = (onAuthorize_, onExecuted_);
    }

    function waste(uint256 gas) external {
        extraGas = gas;
    }

    function hook(address target, bytes calldata data) external {
        (hookTarget, hookData) = (target, data);
    }

    function authorize(address executor, uint256[] calldata) external returns (uint48, bool) {
        ++asked;
        _misbehave(onAuthorize);
        _runHook();
        uint256 gasBefore = gasleft();
        uint256 toWaste = extraGas;
        while (gasBefore - gasleft() < toWaste) {}

        uint256 granted = only == address(0) || only == executor ? until : 0;
        uint256 reported = report;
        assembly ("memory-safe") {
            mstore(0, granted)
            mstore(0x20, reported)
            return(0, 0x40)
        }
    }

    function executed(address executor, uint256[] calldata ids) external {
        lastAllowance = uint128(gasleft());
        ++told;
        emit Told(executor, ids);
        _runHook();
        _misbehave(onExecuted);
    }

    function getSelectedExecutor(address, bytes32) external view returns (address, uint256) {
        return (only == address(0) ? ANYONE : only, 1);
    }

    function _runHook() private {
        if (hookTarget == address(0)) return;
        bytes memory result;
        (hookSucceeded, result) = hookTarget.call(hookData);
        hookReason = bytes4(result);
    }

    function _misbehave(Fault fault) private pure {
        if (fault == Fault.Revert) revert("gate");
        if (fault == Fault.Burn) while (true) {}
        if (fault == Fault.Short) {
            assembly ("memory-safe") {
                mstore(0, 1)
                return(0, 0x20)
            }
        }
        // As large as 400,000 gas can buy.
        if (fault == Fault.Bomb) {
            assembly ("memory-safe") {
                return(0, 300000)
            }
        }
    }
}
