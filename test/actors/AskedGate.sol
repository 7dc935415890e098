// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IExecutorGate} from "contracts/interfaces/IExecutorGate.sol";

/// A gate as plain as one can be that is asked every time: it reads whom it allows, grants this block only, and
/// where it wants a report writes down when it had the last one.
contract AskedGate is IExecutorGate {
    bool private immutable _wantsReport;
    address private _executor;
    uint256 public lastReport = 1;

    constructor(address executor, bool wantsReport) {
        (_executor, _wantsReport) = (executor, wantsReport);
    }

    function authorize(address executor, uint256[] calldata)
        external
        view
        returns (uint48 until, bool report)
    {
        if (executor == _executor) until = uint48(block.number);
        report = _wantsReport;
    }

    function executed(address, uint256[] calldata) external {
        lastReport = block.number;
    }

    function forget() external {
        delete lastReport;
    }

    function getSelectedExecutor(address, bytes32) external view returns (address, uint256) {
        return (_executor, 1);
    }
}
