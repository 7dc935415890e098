// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IAutoPayments} from "../interfaces/IAutoPayments.sol";
import {IExecutorGate} from "../interfaces/IExecutorGate.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {CalldataGas} from "../libraries/CalldataGas.sol";
import {FeeMath} from "../libraries/FeeMath.sol";
import {CLEAN_BALANCE, PackedFees} from "../libraries/PackedFees.sol";
import {EncodedRequest} from "../libraries/Requests.sol";
import {RegistryBook} from "./RegistryBook.sol";

/**
 * @title What an execution costs its user, and where the money goes
 * @notice An execution is charged max(txBase + tokenGas * T + measured + tail, txBase + floorTokenGas * T),
 * less what the EVM refunds for clearing a hash. T is counted from the Request's own words, so padded call
 * data earn nothing. `measured` ends before the payments; what they and the log cost is in the tail. What a
 * target is refunded for clearing its own storage cannot be seen here and is charged.
 *
 * @dev The maximum is the transaction's. An entry of a batch is charged by how much it raises the maximum of
 * the sums so far: all together pay what the transaction costs, and none more than it would pay alone.
 */
abstract contract RegistrySettlement is RegistryBook {
    /// @notice Percent of the charged gas up to which `expectedGas` may go.
    uint256 public constant EXPECTED_GAS_PERCENT = 102;
    /// @notice Gas with which a user's account is called when it is paid a refund, the stipend included.
    uint256 public constant REFUND_GAS = 10_000;
    /// @notice The same where the fee is in ETH and the account was called with `REFUND_GAS` and no ETH right
    /// before: what a wallet finds cold is found, and measured, there.
    uint256 public constant WARM_REFUND_GAS = 3000;

    /// Gas units that an account with code is charged more for a refund in ETH: a little of what it may use.
    uint256 private constant REFUND_GAS_CODE = 300;
    /// No charge comes near it, and no fee computed from it overflows.
    uint256 private constant MAX_EXPECTED_GAS = type(uint48).max;
    /// What the EVM adds to the gas of a call that carries ETH.
    uint256 internal constant STIPEND = 2300;
    /// Gas that must be left before a refund so that it gets its own, and can be credited should it fail.
    uint256 private constant REFUND_RESERVE = 43_000;
    /// Tokens of a Request's words before its call data, of which about 75 bytes are not zero. Counting them
    /// would cost more than they can differ.
    uint256 private constant TOKENS_HEAD = 577;
    /// Tokens of a call's words that are not the Request's: selector, id, offset and expectedGas.
    uint256 private constant TOKENS_SINGLE = TOKENS_HEAD + 132;
    /// The same for a batch entry: its offset, id, the Request's offset, expectedGas and gasLimit.
    uint256 private constant TOKENS_ENTRY = TOKENS_HEAD + 182;
    /// Seed of the transient slots that mark accounts whose AUTO balance was written.
    uint256 private constant WRITTEN_SEED = uint256(keccak256("errand.registry.written"));
    /// The code hash of an account that exists and has no code.
    bytes32 private constant NO_CODE = keccak256("");

    /// What all Requests of one call have in common, and what became of those before.
    struct Terms {
        /// by how much the gas of the entries so far exceeds their floor price
        int256 lead;
        /// wei to be paid to the executor for the entries so far
        uint256 payout;
        /// who executes and is paid
        address executor;
        /// gas units charged whatever a Request does: its share of the transaction
        uint256 baseGas;
        /// the part of them that the floor price has too; 0 when the transaction's base is charged already
        uint256 floorBaseGas;
        /// whether Requests run in frames
        bool batch;
        PackedFees fees;
    }

    /// What one Request is charged by.
    struct Meter {
        /// gas left when measuring began
        uint256 gasStart;
        /// gas units that are not measured
        uint256 fixedGas;
        /// gas units at the floor price
        uint256 floorGas;
        /// as in `Terms`
        int256 lead;
        /// wei per gas
        uint256 gasPrice;
        /// AUTO base units per ETH, times 1e18; 0 where the fee is in ETH
        uint256 autoPerEth;
        /// what the executor says will be charged
        uint256 expectedGas;
        /// gas units that a refund is charged
        uint256 refundGas;
        /// whether the user's account exists, so that a refund can be sent at that price
        bool userExists;
        PackedFees fees;
    }

    constructor(
        address owner_,
        address autoToken,
        IExecutorGate gate_,
        IPriceOracle oracle,
        FeeSettings memory settings
    ) RegistryBook(owner_, autoToken, gate_, oracle, settings) {}

    /// What is known of a Request's charge before it runs.
    function _meter(EncodedRequest r, uint256 expectedGas, Terms memory terms)
        internal
        returns (Meter memory m)
    {
        PackedFees fees = terms.fees;
        bool inAuto = r.payWithAUTO();
        (uint256 start, uint256 words) = r.callDataWords();
        uint256 tokens = CalldataGas.tokens(start, words);
        // Settings are of 16 bits, and memory has no 2^64 words: nothing here can overflow.
        unchecked {
            uint256 fixedGas = terms.baseGas;
            if (terms.batch) {
                tokens += TOKENS_ENTRY;
                fixedGas += words * fees.entryWord() + (inAuto ? fees.entryAuto() : fees.entryEth());
            } else {
                tokens += TOKENS_SINGLE;
                fixedGas += inAuto ? fees.tailAuto() : fees.tailEth();
            }
            m.fixedGas = fixedGas + tokens * fees.tokenGas();
            m.floorGas = terms.floorBaseGas + tokens * fees.floorTokenGas();
        }
        m.lead = terms.lead;
        if (!r.isAlive()) m.fixedGas -= fees.clearing();
        m.fees = fees;
        if (r.insertFeeAmount()) {
            require(expectedGas <= MAX_EXPECTED_GAS, ExpectedGasTooHigh(expectedGas, MAX_EXPECTED_GAS));
        }
        m.expectedGas = expectedGas;
        m.gasPrice = FeeMath.currentGasPrice(fees.tipCapWei());
        if (inAuto) {
            m.autoPerEth = _autoPerEth();
            if (_isWritten(r.user())) m.fixedGas -= CLEAN_BALANCE;
            _markWritten(r.user());
            _markWritten(terms.executor);
        }
    }

    /**
     * Charges for an execution: pulls a fee in AUTO, and refunds the user what is left of the ETH.
     * @param available wei that are there for fee and refund.
     * @return gasCharged gas units charged.
     * @return fee wei, or AUTO base units.
     * @return payout wei to be paid to the executor.
     */
    function _settle(EncodedRequest r, Meter memory m, address executor, uint256 available)
        internal
        returns (uint256 gasCharged, uint256 fee, uint256 payout)
    {
        if (r.payWithAUTO()) return _settleInAuto(r, m, executor, available);
        (gasCharged, fee) = _settleInEth(r, m, available);
        payout = fee;
    }

    /// The refund does not depend on the fee: it goes first, and what it costs is measured like the rest.
    function _settleInAuto(EncodedRequest r, Meter memory m, address executor, uint256 available)
        private
        returns (uint256 gasCharged, uint256 fee, uint256 payout)
    {
        if (available > FeeMath.ethFee(m.fees.refund(), m.gasPrice)) {
            if (!_push(r.user(), available, REFUND_GAS)) _credit(r.user(), available);
        } else {
            payout = available;
        }

        // Nothing expensive may come after this line but what the constants account for.
        uint256 gasUsed = m.gasStart - gasleft() + m.fixedGas;
        gasCharged = _chargeOf(m, gasUsed);
        _advance(m, gasUsed);
        if (r.insertFeeAmount()) {
            _requireExpected(m, gasCharged);
            fee = _fee(m, m.expectedGas);
        } else {
            fee = _fee(m, gasCharged);
        }
        IAutoPayments(autoPayments).pull(r.user(), executor, fee);
    }

    /// What a refund costs comes out of it, so it is charged a constant before it is sent. Where that could be
    /// far from what it costs, it is not sent but credited.
    function _settleInEth(EncodedRequest r, Meter memory m, uint256 available)
        private
        returns (uint256 gasCharged, uint256 fee)
    {
        bool isFixed = r.insertFeeAmount();
        if (isFixed) fee = _fee(m, m.expectedGas);
        // Whether the user's account was touched before in this transaction is part of what is measured.
        if (available > fee) _touch(r.user(), m);

        // Nothing expensive may come after this line but what the constants account for.
        uint256 gasUsed = m.gasStart - gasleft() + m.fixedGas;
        gasCharged = _chargeOf(m, gasUsed);
        _advance(m, gasUsed);
        if (!isFixed) fee = _fee(m, gasCharged);
        require(available >= fee, InsufficientPayment(fee, available));

        // A refund is worth sending when it is more than sending it costs. Where the fee was not fixed before
        // the call, that cost comes out of the refund.
        uint256 refund = available - fee;
        uint256 pushGas = _chargeOf(m, m.refundGas);
        uint256 pushCost = FeeMath.ethFee(pushGas, m.gasPrice);
        if (refund > pushCost) {
            gasCharged += pushGas;
            _advance(m, m.refundGas);
            if (!isFixed) refund -= pushCost;
        } else {
            refund = 0;
        }
        if (isFixed) _requireExpected(m, gasCharged);

        if (refund != 0) {
            (uint256 extraGas, uint256 withheld) = _refund(r.user(), refund, m);
            gasCharged += extraGas;
            refund -= withheld;
        }
        fee = available - refund;
    }

    /// Reverts when the executor's `expectedGas` lies too far above what is charged.
    function _requireExpected(Meter memory m, uint256 gasCharged) private pure {
        require(
            m.expectedGas * 100 <= gasCharged * EXPECTED_GAS_PERCENT,
            ExpectedGasTooHigh(m.expectedGas, gasCharged)
        );
    }

    /// The fee for `gas` units in the Request's currency.
    function _fee(Meter memory m, uint256 gas) internal pure returns (uint256) {
        return
            m.autoPerEth == 0
                ? FeeMath.ethFee(gas, m.gasPrice)
                : FeeMath.autoFee(gas, m.gasPrice, m.autoPerEth);
    }

    /// Reverts when the user's balance or allowance does not cover `fee` AUTO base units.
    function _requireAuto(address user, uint256 fee) internal view {
        uint256 available = IAutoPayments(autoPayments).available(user);
        require(available >= fee, InsufficientAuto(fee, available));
    }

    /**
     * Pushes a refund. When that fails, the user is credited, less what the attempt and the credit cost; so is
     * one who does not exist any more, as bringing an account into being costs more.
     * @dev The credit is written before its cost is known, so that writing it is measured: it depends on what
     * was there.
     * @return extraGas gas units beyond what a refund is charged.
     * @return withheld wei of the refund that pay for them.
     */
    function _refund(address user, uint256 refund, Meter memory m)
        private
        returns (uint256 extraGas, uint256 withheld)
    {
        uint256 gasBefore = gasleft();
        if (m.userExists && _push(user, refund, WARM_REFUND_GAS)) return (0, 0);

        _addCredit(user, refund);

        uint256 used = gasBefore - gasleft() + m.fees.credit();
        if (used > m.refundGas) {
            used -= m.refundGas;
            extraGas = _chargeOf(m, used);
            _advance(m, used);
        }
        withheld = FeeMath.ethFee(extraGas, m.gasPrice);
        if (withheld > refund) withheld = refund;
        _keepCredit(user, refund - withheld, withheld);
    }

    /// Sends a refund with little gas, which is there: the user cannot be credited for want of it.
    function _push(address user, uint256 refund, uint256 gas) private returns (bool success) {
        require(gasleft() >= REFUND_RESERVE, InsufficientGas(gasleft(), REFUND_RESERVE));
        return _send(user, refund, gas - STIPEND);
    }

    /// Whether an account's AUTO balance was written in this transaction, so that writing it again costs less.
    function _isWritten(address account) internal view returns (bool written) {
        uint256 slot = WRITTEN_SEED ^ uint160(account);
        assembly ("memory-safe") {
            written := tload(slot)
        }
    }

    function _markWritten(address account) private {
        uint256 slot = WRITTEN_SEED ^ uint160(account);
        assembly ("memory-safe") {
            tstore(slot, 1)
        }
    }

    /**
     * Warms a user's account and what it reads when it is paid, and notes what paying it is charged.
     * @dev An account with code is called as it will be when it is paid, only without ETH. A static call would
     * not do: many wallets log, it would fail, and what fails warms nothing.
     */
    function _touch(address user, Meter memory m) private {
        bytes32 hash = user.codehash;
        m.refundGas = m.fees.refund();
        if (hash == 0) return;
        m.userExists = true;
        if (hash == NO_CODE) return;
        m.refundGas += REFUND_GAS_CODE;
        _send(user, 0, REFUND_GAS);
    }

    /// By how much `gasUsed` units more, and the floor price, raise the maximum of the sums so far.
    function _chargeOf(Meter memory m, uint256 gasUsed) private pure returns (uint256 gasCharged) {
        int256 lead = m.lead;
        // The maximum of sums that grow does not fall.
        unchecked {
            // forge-lint: disable-next-line(unsafe-typecast)
            int256 used = lead + int256(gasUsed);
            int256 floor = int256(m.floorGas);
            gasCharged = uint256((used > floor ? used : floor) - (lead > 0 ? lead : int256(0)));
        }
    }

    /// Adds `gasUsed` units, and the floor price once, to the sums.
    function _advance(Meter memory m, uint256 gasUsed) private pure {
        // Gas units are far from 2^255.
        unchecked {
            // forge-lint: disable-next-line(unsafe-typecast)
            m.lead += int256(gasUsed) - int256(m.floorGas);
        }
        m.floorGas = 0;
    }
}
