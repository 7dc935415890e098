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
    /// @notice Gas with which a refund is pushed, the stipend included.
    uint256 public constant REFUND_GAS = 10_000;

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
    /// Seed of the transient slots that mark users who paid in AUTO.
    uint256 private constant PAID_SEED = uint256(keccak256("errand.registry.paid"));
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
            if (_markPaid(r.user())) m.fixedGas -= CLEAN_BALANCE;
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
        bool inAuto = r.payWithAUTO();
        bool isFixed = r.insertFeeAmount();
        if (isFixed) fee = _fee(m, m.expectedGas);
        // Whether the user's account was touched before in this transaction is part of what is measured.
        bool exists;
        if (available > (inAuto ? 0 : fee)) exists = _touch(r.user());

        // Nothing expensive may come after this line but what the constants account for.
        uint256 gasWithRefund;
        unchecked {
            uint256 gasUsed = m.gasStart - gasleft() + m.fixedGas;
            gasCharged = _chargeOf(m, gasUsed);
            gasWithRefund = _chargeOf(m, gasUsed + m.fees.refund());
            // Gas units are far from 2^255, here and below.
            // forge-lint: disable-next-line(unsafe-typecast)
            m.lead += int256(gasUsed) - int256(m.floorGas);
            m.floorGas = 0;
        }

        uint256 refund = available;
        if (!inAuto) {
            if (!isFixed) fee = _fee(m, gasCharged);
            require(available >= fee, InsufficientPayment(fee, available));
            unchecked {
                refund -= fee;
            }
        }
        // A refund is worth sending when it is more than sending it costs. Where the fee is in ETH and was
        // not fixed before the call, that cost comes out of the refund.
        // Gas with the refund is not less than without.
        unchecked {
            uint256 pushCost = FeeMath.ethFee(gasWithRefund - gasCharged, m.gasPrice);
            if (refund > pushCost) {
                gasCharged = gasWithRefund;
                m.lead += int256(m.fees.refund());
                if (!inAuto && !isFixed) refund -= pushCost;
            } else {
                refund = 0;
            }
        }

        if (isFixed) {
            require(
                m.expectedGas * 100 <= gasCharged * EXPECTED_GAS_PERCENT,
                ExpectedGasTooHigh(m.expectedGas, gasCharged)
            );
        }
        if (inAuto) {
            if (!isFixed) fee = _fee(m, gasCharged);
            IAutoPayments(autoPayments).pull(r.user(), executor, fee);
        }

        // The refund is a part of what is available.
        unchecked {
            payout = available - refund;
        }
        if (refund != 0) {
            (uint256 extraGas, uint256 withheld) = _refund(r.user(), exists, refund, m);
            gasCharged += extraGas;
            payout += withheld;
        }
        if (!inAuto) fee = payout;
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
     * Pushes a refund with little gas. When that fails, the user is credited, less what the attempt and the
     * credit cost; so is one who does not exist any more, as bringing an account into being costs more.
     * @dev The credit is written before its cost is known, so that writing it is measured: it depends on what
     * was there.
     * @return extraGas gas units beyond what a refund is charged.
     * @return withheld wei of the refund that pay for them.
     */
    function _refund(address user, bool exists, uint256 refund, Meter memory m)
        private
        returns (uint256 extraGas, uint256 withheld)
    {
        uint256 gasBefore = gasleft();
        require(gasBefore >= REFUND_RESERVE, InsufficientGas(gasBefore, REFUND_RESERVE));
        if (exists && _send(user, refund, REFUND_GAS - STIPEND)) return (0, 0);

        _addCredit(user, refund);

        uint256 used = gasBefore - gasleft() + m.fees.credit();
        if (used > m.fees.refund()) {
            uint256 more = used - m.fees.refund();
            extraGas = _chargeOf(m, more);
            // Gas units are far from 2^255.
            // forge-lint: disable-next-line(unsafe-typecast)
            m.lead += int256(more);
        }
        withheld = FeeMath.ethFee(extraGas, m.gasPrice);
        if (withheld > refund) withheld = refund;
        _keepCredit(user, refund - withheld, withheld);
    }

    /// Marks a user as one who pays in AUTO. Returns whether he did before in this transaction: then his balance
    /// is written already.
    function _markPaid(address user) private returns (bool before) {
        uint256 slot = PAID_SEED ^ uint160(user);
        assembly ("memory-safe") {
            before := tload(slot)
            tstore(slot, 1)
        }
    }

    /// Warms an account, and what it delegates to, without letting it run. Returns whether it exists.
    function _touch(address account) private view returns (bool exists) {
        bytes32 noCode = NO_CODE;
        assembly ("memory-safe") {
            let hash := extcodehash(account)
            exists := iszero(iszero(hash))
            if exists { if xor(hash, noCode) { pop(staticcall(0, account, 0, 0, 0, 0)) } }
        }
    }

    /// By how much `gasUsed` units and their floor price raise the maximum of the sums so far.
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
}
