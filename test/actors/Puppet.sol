// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

/**
 * A contract account that does what a test tells it to, when it is called and when it is paid. It plays
 * users, targets and executors.
 */
contract Puppet {
    enum Mode {
        Accept,
        Reject,
        Burn,
        /// reverts with more data than anybody should copy
        Bomb,
        /// makes the scripted calls
        Act,
        /// makes the scripted calls and reverts
        ActAndReject
    }

    struct Call {
        address to;
        uint256 value;
        bytes data;
    }

    /// One slot: a refund leaves little gas.
    Mode public onEth;
    Mode public onCall;
    /// Wei that go back to the caller of any call.
    uint96 public giveBack;

    uint256 public calls;
    address public lastCaller;
    uint256 public lastValue;
    bytes public lastData;

    Call[] private _script;
    bool[] private _results;
    bytes[] private _returned;

    error Rejected();

    constructor() payable {}

    receive() external payable {
        _play(onEth);
    }

    fallback() external payable {
        (lastCaller, lastValue, lastData) = (msg.sender, msg.value, msg.data);
        ++calls;
        _play(onCall);
        if (giveBack != 0) {
            (bool success,) = msg.sender.call{value: giveBack}("");
            require(success, Rejected());
        }
    }

    function behave(Mode onEth_, Mode onCall_, uint96 giveBack_) external {
        (onEth, onCall, giveBack) = (onEth_, onCall_, giveBack_);
    }

    function script(Call[] calldata calls_) external {
        delete _script;
        for (uint256 i; i < calls_.length; ++i) {
            _script.push(calls_[i]);
        }
    }

    /// Makes one call at once and passes on what comes of it.
    function act(address to, uint256 value, bytes calldata data) external payable returns (bytes memory) {
        (bool success, bytes memory result) = to.call{value: value}(data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
        return result;
    }

    /// Makes the scripted calls, all in one transaction.
    function run() external {
        _act();
    }

    function results() external view returns (bool[] memory, bytes[] memory) {
        return (_results, _returned);
    }

    function _play(Mode mode) private {
        if (mode == Mode.Accept) return;
        if (mode == Mode.Reject) revert Rejected();
        if (mode == Mode.Burn) while (true) {}
        if (mode == Mode.Bomb) {
            assembly ("memory-safe") {
                revert(0x10000, 1000000)
            }
        }
        _act();
        require(mode != Mode.ActAndReject, Rejected());
    }

    function _act() private {
        delete _results;
        delete _returned;
        for (uint256 i; i < _script.length; ++i) {
            (bool success, bytes memory result) = _script[i].to.call{value: _script[i].value}(_script[i].data);
            _results.push(success);
            _returned.push(result);
        }
    }
}
