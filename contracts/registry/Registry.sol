// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IExecutorGate} from "../interfaces/IExecutorGate.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {BoundedCall} from "../libraries/BoundedCall.sol";
import {PackedFees} from "../libraries/PackedFees.sol";
import {EncodedRequest, Requests} from "../libraries/Requests.sol";
import {RegistrySettlement} from "./RegistrySettlement.sol";

/**
 * @title Registry
 * @notice See IRegistry.
 *
 * @dev MONEY. The Registry owes every registered Request its `initEthSent` and every account its credit, and
 * holds at least that. Nothing is inferred from balances: ETH that a target sends during its call is counted
 * by `receive`, which accepts it at no other time; ETH forced in otherwise belongs to nobody. For every
 * execution refund + fee + ETH for the call = deposit + ETH received, to the wei.
 *
 * REENTRANCY. One transient word guards every function that changes state. It also knows whether this
 * transaction's base is charged: a contract that calls ten times is paid it once.
 *
 * ISOLATION. Targets are called by Forwarders, which hold nothing; the users' AUTO allowances are held by
 * AutoPayments, which obeys this contract only. None of them can be a target.
 *
 * STARVATION. Whatever could fail quietly for want of gas has its gas checked first, and all reverts: a
 * batch entry's frame, a refund, the report to the gate.
 *
 * LIVENESS. Cancelling and withdrawing depend on nobody. Executing depends on the gate, and where fees are in
 * AUTO on the oracle; the owner can replace both.
 */
contract Registry is RegistrySettlement {
    /// @notice Gas that must be left beside a batch entry's `gasLimit`.
    uint256 public constant FRAME_RESERVE = 30_000;
    /// @notice Gas that `IExecutorGate.authorize` gets.
    uint256 public constant AUTHORIZE_GAS = 500_000;
    /// @notice Gas used by `IExecutorGate.authorize` that is charged at most; the rest is the executor's.
    uint256 public constant AUTHORIZE_CHARGED = 10_000;
    /// @notice Gas that `IExecutorGate.executed` gets.
    uint256 public constant EXECUTED_GAS = 40_000;
    /// @notice Gas that `IExecutorGate.executed` gets in addition per id.
    uint256 public constant EXECUTED_GAS_PER_ID = 8000;

    /// Bytes of a failed frame's error that are logged: `CallFailed` with 256 bytes of reason.
    uint256 private constant MAX_FRAME_REASON = 356;
    /// Seed of the transient slots that mark recurring Requests as run.
    uint256 private constant RAN_SEED = uint256(keccak256("errand.registry.ran"));

    constructor(
        address owner_,
        address autoToken,
        IExecutorGate gate_,
        IPriceOracle oracle,
        FeeSettings memory settings
    ) RegistrySettlement(owner_, autoToken, gate_, oracle, settings) {}

    /// @inheritdoc IRegistry
    function executeHashedReq(uint256 id, Request calldata r, uint256 expectedGas)
        external
        returns (uint256 gasUsed)
    {
        uint256 gasStart = gasleft();
        _requireBehindArguments(r);
        (Terms memory terms, bool isGranted, bool isWritten) = _openTerms();
        if (isWritten) terms.fees = terms.fees.forWrittenBalance();

        uint256[] memory ids;
        bool report;
        if (!isGranted) {
            ids = new uint256[](1);
            ids[0] = id;
            uint256 uncharged;
            (report, uncharged) = _authorize(ids);
            // A later start leaves out what the gate used beyond its allowance.
            gasStart -= uncharged;
            if (report) terms.baseGas += terms.fees.report() + terms.fees.reportPerId();
        }

        uint256 payout;
        (gasUsed,, payout) = _execute(id, r, expectedGas, terms, gasStart);

        if (report) _report(ids, 1);
        _pay(payout);
        _frame = USED;
    }

    /// @inheritdoc IRegistry
    function executeHashedReqs(Execution[] calldata executions) external returns (Outcome[] memory outcomes) {
        require(executions.length != 0, EmptyBatch());
        _requireCanonical(executions);
        (Terms memory terms, bool isGranted, bool isWritten) = _openTerms();
        terms.batch = true;
        terms.fees = terms.fees.forPayingOnce(executions.length, isWritten);
        terms.baseGas += terms.fees.shared();

        uint256[] memory ids;
        bool report;
        if (!isGranted) {
            uint256 gasBefore = gasleft();
            ids = new uint256[](executions.length);
            for (uint256 i; i < executions.length; ++i) {
                ids[i] = executions[i].id;
            }
            uint256 uncharged;
            (report, uncharged) = _authorize(ids);
            terms.baseGas += gasBefore - gasleft() - uncharged;
            if (report) terms.baseGas += terms.fees.report() + ids.length * terms.fees.reportPerId();
        }
        terms.baseGas /= executions.length;
        terms.floorBaseGas /= executions.length;

        uint256 succeeded;
        (outcomes, succeeded) = _executeAll(executions, terms, ids);

        if (report) _report(ids, succeeded);
        _pay(terms.payout);
        _frame = USED;
    }

    /**
     * @notice Executes one entry of a batch. Only this contract calls it: what fails is undone as a whole.
     * @return gasCharged gas units charged to the user.
     * @return fee wei, or AUTO base units.
     * @return payout wei to be paid to the executor.
     * @return lead by how much the gas of the entries so far exceeds their floor price.
     */
    function executeInFrame(Terms calldata terms_, Execution calldata e)
        external
        returns (uint256 gasCharged, uint256 fee, uint256 payout, int256 lead)
    {
        uint256 gasStart = gasleft();
        require(msg.sender == address(this), OnlySelf());
        Terms memory terms;
        // Copied as they are: this contract wrote them.
        assembly ("memory-safe") {
            calldatacopy(terms, terms_, 0xe0)
        }
        (gasCharged, fee, payout) = _execute(e.id, _requestOf(e), e.expectedGas, terms, gasStart);
        lead = terms.lead;
    }

    /// Locks the Registry; the first call of a transaction carries its base, and later ones cost less. `isWritten`
    /// says whether one before wrote the executor's AUTO balance.
    function _openTerms() private returns (Terms memory terms, bool isGranted, bool isWritten) {
        PackedFees fees;
        (fees, isGranted) = _readSettings();
        // Only where the caller began the transaction and has no code to call from are its call data what the
        // transaction carries: a contract makes them up for nothing. Here `tx.origin` can only lower the pay.
        if (msg.sender != tx.origin || msg.sender.code.length != 0) fees = fees.withoutCallData();
        if (_enter() == UNTOUCHED) {
            terms.baseGas = fees.txBase();
            terms.floorBaseGas = terms.baseGas;
        } else {
            fees = fees.forLaterCall();
            isWritten = _isWritten(msg.sender);
        }
        terms.fees = fees;
        terms.executor = msg.sender;
    }

    /// Asks the gate, and remembers a grant for later blocks.
    function _authorize(uint256[] memory ids) private returns (bool report, uint256 uncharged) {
        address gate_ = _gateAddress();
        bytes memory data = abi.encodeCall(IExecutorGate.authorize, (msg.sender, ids));
        uint256 gasBefore = gasleft();
        (bool success, uint256 size, uint256 until, uint256 reported) =
            BoundedCall.call(gate_, AUTHORIZE_GAS, data);
        uint256 used = gasBefore - gasleft();
        if (used > AUTHORIZE_CHARGED) uncharged = used - AUTHORIZE_CHARGED;

        require(success && size >= 64 && until <= type(uint48).max && reported <= 1, GateFailed(gate_));
        require(until >= block.number, NotExecutor(msg.sender));
        if (until > block.number) {
            _rememberGrant(until);
        } else {
            report = reported == 1;
        }
    }

    /// Tells the gate what was executed; whatever it makes of it changes nothing.
    function _report(uint256[] memory ids, uint256 count) private {
        assembly ("memory-safe") {
            mstore(ids, count)
        }
        uint256 allowance = EXECUTED_GAS + count * EXECUTED_GAS_PER_ID;
        bytes memory data = abi.encodeCall(IExecutorGate.executed, (msg.sender, ids));
        _requireForwardable(allowance + STIPEND);
        // What the gate makes of it changes nothing.
        // forge-lint: disable-next-line(unchecked-call)
        BoundedCall.call(_gateAddress(), allowance, data);
    }

    function _pay(uint256 payout) private {
        if (payout != 0) require(_send(msg.sender, payout, gasleft()), PaymentRefused(msg.sender));
    }

    /// Runs the entries of a batch, each in a frame of its own; `ids` becomes those that succeeded.
    function _executeAll(Execution[] calldata executions, Terms memory terms, uint256[] memory ids)
        private
        returns (Outcome[] memory outcomes, uint256 succeeded)
    {
        outcomes = new Outcome[](executions.length);
        // What the input of all frames begins with: the terms, and where the entry lies.
        // The terms are seven words, the offset of the entry is the eighth.
        bytes memory head = abi.encodeWithSelector(this.executeInFrame.selector, terms, 0x100);
        bytes memory firstReason;
        // The first entry lies behind the list of offsets, every other one behind the one before.
        uint256 offset = executions.length << 5;
        for (uint256 i; i < executions.length; ++i) {
            Execution calldata e = _entryAt(i, offset);
            uint256 size = _sizeOf(e);
            offset += size;
            Outcome memory outcome = outcomes[i];
            bytes memory reason = _tryExecute(e, size, head, terms, outcome);
            if (outcome.success) {
                if (ids.length != 0) ids[succeeded] = e.id;
                ++succeeded;
            } else {
                if (i == 0) firstReason = reason;
                emit ReqFailed(e.id, reason);
            }
        }
        require(succeeded != 0, NoneSucceeded(firstReason));
    }

    /// A single execution's Request has to lie directly behind the selector and three arguments.
    function _requireBehindArguments(Request calldata r) private pure {
        uint256 offset;
        assembly ("memory-safe") {
            offset := sub(r, 4)
        }
        require(offset == 0x60, NotCanonicallyEncoded(offset, 0x60));
    }

    /// A batch's list of offsets has to lie directly behind the selector, its own offset and its length.
    function _requireCanonical(Execution[] calldata executions) private pure {
        uint256 offset;
        assembly ("memory-safe") {
            offset := sub(executions.offset, 0x24)
        }
        require(offset == 0x20, NotCanonicallyEncoded(offset, 0x20));
    }

    /// A batch's entry `i`, which has to lie `expected` bytes behind the beginning of the list.
    function _entryAt(uint256 i, uint256 expected) private pure returns (Execution calldata e) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := calldataload(add(0x44, shl(5, i)))
            e := add(0x44, expected)
        }
        require(offset == expected, NotCanonicallyEncoded(offset, expected));
    }

    /// An entry's Request, which has to lie directly behind the entry's own words.
    function _requestOf(Execution calldata e) private pure returns (Request calldata r) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := calldataload(add(e, 0x20))
            r := add(e, 0x80)
        }
        require(offset == 0x80, NotCanonicallyEncoded(offset, 0x80));
    }

    /// The bytes of an entry, all of which are there: id, offset, expectedGas and gasLimit; then the Request
    /// with its callData last.
    function _sizeOf(Execution calldata e) private pure returns (uint256 size) {
        uint256 position;
        assembly ("memory-safe") {
            position := add(e, 0x1c0)
        }
        // A length within call data is far from overflowing.
        unchecked {
            return 0x1e0 + Requests.paddedLength(position);
        }
    }

    /**
     * Runs an entry in a frame of its own.
     * @dev The entry is copied as it lies in call data; the frame finds out whether it is the registered one.
     * The input is needed for the call only, so the next entry's takes its memory: the price of memory grows
     * with its square.
     */
    function _tryExecute(
        Execution calldata e,
        uint256 size,
        bytes memory head,
        Terms memory terms,
        Outcome memory outcome
    ) private returns (bytes memory reason) {
        int256 lead = terms.lead;
        uint256 payout;
        uint256 input;
        assembly ("memory-safe") {
            input := mload(0x40)
            let headSize := mload(head)
            mcopy(input, add(head, 0x20), headSize)
            mstore(add(input, 4), lead)
            calldatacopy(add(input, headSize), e, size)
            size := add(size, headSize)
        }
        uint256 gasLimit = e.gasLimit;
        // What is checked here is there when the call is made: nothing that takes gas lies between.
        _requireForwardable(gasLimit + FRAME_RESERVE);
        bool success;
        assembly ("memory-safe") {
            success := call(gasLimit, address(), 0, input, size, input, 0x80)
            if success {
                mstore(outcome, 1)
                mstore(add(outcome, 0x20), mload(input))
                mstore(add(outcome, 0x40), mload(add(input, 0x20)))
                payout := mload(add(input, 0x40))
                lead := mload(add(input, 0x60))
            }
        }
        terms.lead = lead;
        // No sum of wei there are overflows.
        unchecked {
            terms.payout += payout;
        }
        if (!success) reason = BoundedCall.returned(MAX_FRAME_REASON);
    }

    /// Executes one Request, up to paying the executor its ETH.
    function _execute(
        uint256 id,
        Request calldata request,
        uint256 expectedGas,
        Terms memory terms,
        uint256 gasStart
    ) private returns (uint256 gasCharged, uint256 fee, uint256 payout) {
        EncodedRequest r = _load(id, request);
        // Sees to it that the Request does not run again.
        if (r.isAlive()) _markRun(id);
        else delete _hashedReqs[id];

        Meter memory m = _meter(r, expectedGas, terms);
        m.gasStart = gasStart;
        if (r.payWithAUTO()) {
            _requireAuto(r.user(), _fee(m, r.insertFeeAmount() ? expectedGas : m.fixedGas));
        }
        if (r.insertFeeAmount()) Requests.insert(r, _feeIndex(r.verifyUser()), _fee(m, expectedGas));

        uint256 available = _callTarget(id, r);

        (gasCharged, fee, payout) = _settle(r, m, terms.executor, available);
        terms.lead = m.lead;

        emit HashedReqExecuted(id, terms.executor, !r.isAlive(), fee, r.payWithAUTO());
    }

    /// Calls the target. Returns the wei that are there for fee and refund.
    function _callTarget(uint256 id, EncodedRequest r) private returns (uint256 available) {
        _frame = CALLING;
        bool success = Requests.call(r, _forwarderOf(r.verifyUser(), r.insertFeeAmount()));
        if (!success) revert CallFailed(id, BoundedCall.returned(256));
        // A registered Request sends no more along than was paid in.
        unchecked {
            available = r.initEthSent() - r.ethForCall() + (_frame >> 8);
        }
        _frame = INSIDE;
    }

    /// A one-shot's hash is gone once it ran; a recurring Request is marked for this transaction.
    function _markRun(uint256 id) private {
        uint256 slot = RAN_SEED ^ id;
        bool ran;
        assembly ("memory-safe") {
            ran := tload(slot)
            tstore(slot, 1)
        }
        require(!ran, AlreadyExecuted(id));
    }

    function _forwarderOf(bool verifyUser, bool insertFeeAmount) private view returns (address) {
        if (verifyUser) return insertFeeAmount ? userFeeForwarder : userForwarder;
        return insertFeeAmount ? feeForwarder : plainForwarder;
    }

    /// Reverts unless a call can be given `gas` units: one part in 64 of what is left stays behind.
    function _requireForwardable(uint256 gas) private view {
        uint256 forwardable;
        unchecked {
            forwardable = gasleft();
            forwardable -= forwardable / 64;
        }
        require(forwardable >= gas, InsufficientGas(forwardable, gas));
    }
}
