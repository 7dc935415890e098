// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

/**
 * A selection and payment strategy that does what a test tells it to, on the answers that it gives now and on
 * those that it gives after it was called a number of times.
 */
contract ScriptedStrategy {
    enum Mode {
        Answer,
        Revert,
        /// uses all the gas it gets
        Burn,
        /// reverts with more data than anybody should copy
        Bomb,
        /// answers one byte less than a word
        Short,
        /// answers with dirty upper bits
        Dirty
    }

    Mode public mode;
    address public executor;
    uint256 public selectedAt;
    uint256 public payment;
    /// Answers another executor to whoever brings less gas than this.
    uint256 public fickleBelow;

    error Unwilling();

    function behave(Mode mode_) external {
        mode = mode_;
    }

    function select(address executor_, uint256 selectedAt_) external {
        (executor, selectedAt) = (executor_, selectedAt_);
    }

    function price(uint256 payment_) external {
        payment = payment_;
    }

    function getSelectedExecutor(address, bytes32) external view returns (address, uint256) {
        _misbehave();
        return (executor, selectedAt);
    }

    function computeExecutorPayment(address, bytes32, uint256, uint256) external view returns (uint256) {
        _misbehave();
        return payment;
    }

    function _misbehave() private view {
        Mode now_ = mode;
        if (now_ == Mode.Revert) revert Unwilling();
        if (now_ == Mode.Burn) while (true) {}
        assembly ("memory-safe") {
            if eq(now_, 3) { revert(0x10000, 200000) }
            if eq(now_, 4) { return(0, 31) }
            if eq(now_, 5) {
                mstore(0, not(0))
                mstore(0x20, 1)
                return(0, 0x40)
            }
        }
    }
}
