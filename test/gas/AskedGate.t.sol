// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {MeteringBandTest} from "./Metering.t.sol";
import {RepeatedCallsTest} from "./RepeatedCalls.t.sol";

// The bands of Metering.t.sol and RepeatedCalls.t.sol, with a gate that is asked for every call: what it takes
// is charged as long as that is no more than 10,000 gas.

/// forge-config: default.isolate = true
contract AskedMeteringBandTest is MeteringBandTest {
    function _setGateFor(address executor_) internal override {
        _useAskedGate(executor_, false);
    }
}

/// forge-config: default.isolate = true
contract AskedRepeatedCallsTest is RepeatedCallsTest {
    function _setGateFor(address executor_) internal override {
        _useAskedGate(executor_, false);
    }
}

// The same with a gate that wants a report as well, and writes a word when it has it.

/// forge-config: default.isolate = true
contract ReportedMeteringBandTest is MeteringBandTest {
    function _setGateFor(address executor_) internal override {
        _useAskedGate(executor_, true);
    }
}

/// forge-config: default.isolate = true
contract ReportedRepeatedCallsTest is RepeatedCallsTest {
    function _setGateFor(address executor_) internal override {
        _useAskedGate(executor_, true);
    }
}
