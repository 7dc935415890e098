// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

/**
 * A selection and payment strategy that does what a test tells it to: misbehave, answer, answer something else
 * when it is asked again in the same transaction, or call back before it answers.
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
    /// What it answers from the second time on that it is asked in a transaction; zero: the same.
    address private _nextExecutor;
    uint256 private _nextPayment;

    /// Whom it calls before it answers; zero: nobody.
    address private _to;
    bytes private _call;
    /// What that call must revert with, or it answers nothing.
    bytes private _refusal;

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

    function beFickle(address nextExecutor, uint256 nextPayment) external {
        (_nextExecutor, _nextPayment) = (nextExecutor, nextPayment);
    }

    function callBack(address to, bytes calldata call_, bytes calldata refusal) external {
        (_to, _call, _refusal) = (to, call_, refusal);
    }

    /// Calls in its own name: it may own a project.
    function act(address to, bytes calldata data) external {
        (bool success,) = to.call(data);
        require(success, Unwilling());
    }

    function getSelectedExecutor(address, bytes32) external returns (address, uint256) {
        uint256 slot;
        assembly ("memory-safe") {
            slot := _nextExecutor.slot
        }
        (bool isAskedAgain, uint256 next) = _peek(slot);
        _misbehave();
        return (isAskedAgain && next != 0 ? address(uint160(next)) : executor, selectedAt);
    }

    function computeExecutorPayment(address, bytes32, uint256, uint256) external returns (uint256) {
        uint256 slot;
        assembly ("memory-safe") {
            slot := _nextPayment.slot
        }
        (bool isAskedAgain, uint256 next) = _peek(slot);
        _misbehave();
        return isAskedAgain && next != 0 ? next : payment;
    }

    /// Reads a slot, and tells by the gas it takes whether it was read in this transaction before: so a view
    /// that is asked in a static call can count.
    function _peek(uint256 slot) private view returns (bool isWarm, uint256 value) {
        assembly ("memory-safe") {
            let before := gas()
            value := sload(slot)
            isWarm := lt(sub(before, gas()), 2000)
        }
    }

    function _misbehave() private {
        if (_to != address(0)) {
            (bool success, bytes memory result) = _to.call(_call);
            require(!success && keccak256(result) == keccak256(_refusal), Unwilling());
        }
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
