// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {TransientSlot} from "@openzeppelin/contracts/utils/TransientSlot.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {CREATE3} from "solady/utils/CREATE3.sol";

import {IChugSplashManager} from "../interfaces/IChugSplashManager.sol";
import {ANYONE} from "../interfaces/IExecutorSelectionStrategy.sol";
import {IProjectActor} from "../interfaces/IProjectActor.sol";
import {BoundedCall} from "../libraries/BoundedCall.sol";
import {CalldataGas} from "../libraries/CalldataGas.sol";
import {MerkleActions} from "../libraries/MerkleActions.sol";
import {StrategyRead} from "../libraries/StrategyRead.sol";
import {ChugSplashLifeCycle} from "./ChugSplashLifeCycle.sol";

/**
 * @title Execution of a bundle, and its pay
 * @notice A transaction is paid min(measured + call data + intrinsic, committed gas of what it did + overhead).
 * Call data are counted from the actions themselves, and only where they were sent: docs/adr/0003. The intrinsic
 * gas is paid once in a transaction, the overhead `maxTxs` times: nothing is earned by padding or splitting.
 * What the EVM refunds for slots that actions clear cannot be seen here and is paid.
 */
abstract contract ChugSplashExecution is ChugSplashLifeCycle {
    using SafeCast for uint256;
    using TransientSlot for bytes32;
    using TransientSlot for TransientSlot.BooleanSlot;

    uint256 private constant TX_BASE = 21_000;
    /// EIP-2028 and EIP-7623, per token.
    uint256 private constant TOKEN_GAS = 4;
    uint256 private constant FLOOR_TOKEN_GAS = 10;
    /// Tokens of the call's own words: selector, id, index, and offsets and lengths of both arrays.
    uint256 private constant TOKENS_CALL = 320;
    /// Tokens of an action's words but its data: its offset and length, kind, target, gas, those of its proof.
    uint256 private constant TOKENS_ACTION = 350;
    /// Tokens of a hash of a proof.
    uint256 private constant TOKENS_HASH = 127;
    /// What comes before and after measuring: dispatch, accounts, event, payment.
    uint256 private constant TAIL_GAS = 21_050;
    /// What of that is warm where the transaction has called this manager before.
    uint256 private constant WARM_TAIL_GAS = 1900;
    /// What the EVM refunds for a slot that is cleared.
    uint256 private constant CLEARING_REFUND = 4800;
    /// What the event of a completion costs.
    uint256 private constant COMPLETION_GAS = 1950;
    /// What a call of the actor costs before its callee gets gas.
    uint256 private constant CALL_COST = 2700;
    /// Of what an action reverts with, so much is logged.
    uint256 private constant MAX_REASON = 256;
    /// Set once this transaction was paid its intrinsic gas.
    bytes32 private constant BASE_PAID = keccak256("errand.chugsplash.base-paid");

    /// A batch while it is executed.
    struct Run {
        bytes32 bundleId;
        /// index of the first action
        uint256 first;
        address actor;
        /// seconds for the payment strategy
        uint256 elapsed;
        /// the most that gas beyond the committed may be paid
        uint256 overhead;
        /// the transaction's own gas, as far as it was not paid yet, with its call data
        uint256 baseGas;
        /// what a transaction with these call data costs at least
        uint256 floorGas;
        /// actions that were executed
        uint256 done;
        /// their committed gas
        uint256 gasDone;
        /// committed gas of what failed
        uint256 gasFailed;
        /// gas that the EVM will give back, as far as manager and actor know, and what is reckoned as cold and is warm
        uint256 refund;
        bool failed;
        uint256 failedIndex;
        bytes reason;
    }

    /// @inheritdoc IChugSplashManager
    function execute(
        bytes32 bundleId,
        uint256 firstIndex,
        Action[] calldata actions,
        bytes32[][] calldata proofs
    ) external nonReentrant returns (uint256 executed, uint256 payment) {
        uint256 gasStart = gasleft();
        Bundle storage b = _bundles[bundleId];
        Run memory run;
        (run.bundleId, run.first, run.actor) = (bundleId, firstIndex, actor);
        _begin(b, run);
        _meter(b, run, _prove(b, run, actions, proofs));

        (uint256 affordable, uint256 needed) = _affordable(b, run, actions);
        if (affordable == 0) {
            _endRound(bundleId, b, block.timestamp);
            emit BudgetExhausted(bundleId, needed, _ledger.budget);
            return (0, 0);
        }
        uint256 deploys = Math.min(affordable, b.deployCount - firstIndex);
        _deployAll(run, actions, deploys);
        if (!run.failed && affordable > deploys) _switchOver(b, run, actions, deploys);
        uint256 freed = _advance(b, run);

        // Nothing but what TAIL_GAS accounts for may come after this line.
        uint256 gasUsed = run.baseGas + gasStart - gasleft() + TAIL_GAS;
        gasUsed -= run.refund;
        gasUsed = Math.max(gasUsed, run.floorGas);
        gasUsed = Math.min(gasUsed, run.gasDone + run.gasFailed + run.overhead);
        return (run.done, _charge(b, run, gasUsed, freed));
    }

    // --- before ---

    /// Sees that the bundle may be executed, and by the caller.
    function _begin(Bundle storage b, Run memory run) private {
        _requireApproved(run.bundleId, b);
        require(block.basefee <= b.maxBaseFee, BaseFeeAboveCap(block.basefee, b.maxBaseFee));
        require(_isCodeUnchanged(b), StrategyChanged(b.ess, b.eps));
        (bool ok, address executor, uint256 selectedAt) =
            StrategyRead.selected(b.ess, address(this), run.bundleId);
        require(ok, StrategyFailed(b.ess));
        require(executor == msg.sender || executor == ANYONE, NotSelected(msg.sender, executor));

        // Where the work is open to all, the clock runs from the approval for whoever comes.
        if (executor == ANYONE) selectedAt = b.approvedAt;
        uint256 since = _record(run.bundleId, b, msg.sender, selectedAt);
        run.elapsed = block.timestamp - (executor == ANYONE ? b.approvedAt : since);
    }

    /// Sees that these are the next actions, and no part of a switch. Returns the tokens of their call data.
    function _prove(Bundle storage b, Run memory run, Action[] calldata actions, bytes32[][] calldata proofs)
        private
        view
        returns (uint256 tokens)
    {
        uint256 count = actions.length;
        require(count != 0 && count == proofs.length, LengthMismatch(count, proofs.length));
        require(run.first == b.nextIndex, WrongIndex(b.nextIndex, run.first));
        uint256 deploysLeft = b.deployCount - run.first;
        if (count > deploysLeft) {
            uint256 all = deploysLeft + b.switchCount;
            require(count == all, IncompleteSwitch(all, count));
        }
        bytes32 root = b.actionRoot;
        tokens = TOKENS_CALL + TOKENS_ACTION * count;
        // Every part has to lie directly behind the one before: parts that share bytes would be paid twice.
        (uint256 nextAction, uint256 nextProof) = _lists(actions, proofs);
        for (uint256 i; i < count; ++i) {
            uint256 more;
            (more, nextAction, nextProof) =
                _proveOne(root, run.first + i, actions[i], proofs[i], nextAction, nextProof);
            tokens += more;
        }
        _requireAt(_positionOf(proofs), nextAction + 32);
        // Copying what comes behind would be paid, and costs a contract that has the memory already next to nothing.
        _requireAt(msg.data.length, nextProof);
    }

    /// Sees that the action is the bundle's at `index`, and lies where it should. Returns the tokens of its data
    /// and its proof, and where the next ones have to lie.
    function _proveOne(
        bytes32 root,
        uint256 index,
        Action calldata a,
        bytes32[] calldata proof,
        uint256 nextAction,
        uint256 nextProof
    ) private pure returns (uint256 tokens, uint256, uint256) {
        (bytes32 leaf, uint256 dataStart) = MerkleActions.leafOf(index, a);
        require(MerkleActions.verify(root, leaf, proof), InvalidProof(index));
        (uint256 head, uint256 data, uint256 hashes) = _partsOf(a, proof);
        // Unchecked: no call data are long enough.
        unchecked {
            _requireAt(head, nextAction);
            _requireAt(data, head + 5 * 32);
            _requireAt(hashes, nextProof + 32);
            uint256 words = (a.data.length + 31) / 32;
            tokens = CalldataGas.tokens(dataStart, words) + TOKENS_HASH * proof.length;
            return (tokens, data + 32 * words, hashes + 32 * proof.length);
        }
    }

    /// Where the first action, and the first proof's length, have to lie: directly behind the lists of offsets.
    function _lists(Action[] calldata actions, bytes32[][] calldata proofs)
        private
        pure
        returns (uint256 nextAction, uint256 nextProof)
    {
        uint256 position;
        assembly ("memory-safe") {
            position := actions.offset
        }
        // the selector, four words and the length
        _requireAt(position, 4 + 5 * 32);
        return (position + 32 * actions.length, _positionOf(proofs) + 32 * proofs.length);
    }

    function _positionOf(bytes32[][] calldata proofs) private pure returns (uint256 position) {
        assembly ("memory-safe") {
            position := proofs.offset
        }
    }

    /// Where an action, its data and its proof's hashes lie.
    function _partsOf(Action calldata a, bytes32[] calldata proof)
        private
        pure
        returns (uint256 head, uint256 data, uint256 hashes)
    {
        bytes calldata actionData = a.data;
        assembly ("memory-safe") {
            head := a
            data := actionData.offset
            hashes := proof.offset
        }
    }

    function _requireAt(uint256 position, uint256 expected) private pure {
        require(position == expected, NotCanonicallyEncoded(position, expected));
    }

    /// What the transaction costs besides running.
    function _meter(Bundle storage b, Run memory run, uint256 tokens) private {
        // Whether a contract's words ever were in the transaction cannot be seen: docs/adr/0003.
        if (msg.sender != tx.origin || msg.sender.code.length != 0) tokens = 0;
        // The clone copies all call data into memory before the code here runs.
        uint256 words = (msg.data.length + 31) / 32;
        run.baseGas = TOKEN_GAS * tokens + 6 * words + words * words / 512;
        if (BASE_PAID.asBoolean().tload()) {
            run.refund = WARM_TAIL_GAS;
            return;
        }
        BASE_PAID.asBoolean().tstore(true);
        run.baseGas += TX_BASE;
        run.floorGas = TX_BASE + FLOOR_TOKEN_GAS * tokens;
        if (b.txCount < b.maxTxs) run.overhead = txOverhead;
    }

    /// How many of the actions the budget surely pays, and what the next one would need.
    function _affordable(Bundle storage b, Run memory run, Action[] calldata actions)
        private
        view
        returns (uint256 count, uint256 needed)
    {
        uint256 budget = _ledger.budget;
        uint256 gas = run.overhead;
        for (uint256 i; i < actions.length; ++i) {
            gas += actions[i].gas;
        }
        uint256 all = _price(b, run, gas);
        if (all <= budget) return (actions.length, 0);

        gas = run.overhead;
        uint256 deploys = Math.min(actions.length, b.deployCount - run.first);
        for (; count < deploys; ++count) {
            gas += actions[count].gas;
            needed = _price(b, run, gas);
            if (needed > budget) return (count, needed);
        }
        // The deploys, but not the switch.
        return (deploys, all);
    }

    function _price(Bundle storage b, Run memory run, uint256 gas) private view returns (uint256 payment) {
        bool ok;
        (ok, payment) = StrategyRead.price(b.eps, address(this), run.bundleId, gas, run.elapsed);
        require(ok, StrategyFailed(b.eps));
    }

    // --- actions ---

    function _deployAll(Run memory run, Action[] calldata actions, uint256 count) private {
        for (uint256 i; i < count; ++i) {
            Action calldata a = actions[i];
            bytes memory problem = _deployProblem(run.actor, a);
            bool success = problem.length == 0;
            if (!success) {
                run.reason = problem;
            } else if (a.target.code.length != 0) {
                emit DeploySkipped(run.bundleId, run.first + i, a.target);
            } else {
                success = _deploy(run.actor, a);
                if (!success) run.reason = BoundedCall.returned(MAX_REASON);
            }
            if (!success) {
                (run.failed, run.failedIndex, run.gasFailed) = (true, run.first + i, a.gas);
                return;
            }
            ++run.done;
            run.gasDone += a.gas;
        }
    }

    /// Why a leaf can never be deployed, so that it stalls the bundle like one that reverts.
    function _deployProblem(address actor_, Action calldata a) private pure returns (bytes memory problem) {
        if (a.kind != ActionKind.DEPLOY) return abi.encodeWithSelector(NotDeploy.selector, a.kind);
        bytes32 salt = a.data.length < 32 ? bytes32(0) : bytes32(a.data[:32]);
        address expected = CREATE3.predictDeterministicAddress(salt, actor_);
        if (a.target != expected) {
            return abi.encodeWithSelector(WrongDeployTarget.selector, expected, a.target);
        }
    }

    /**
     * Has the actor deploy, with exactly the committed gas. Its frame undoes what a failed constructor leaves.
     * @dev The action's data are the arguments of `deploy` as they are. They are laid out in memory that is not
     * kept: the price of memory grows with its square.
     */
    function _deploy(address actor_, Action calldata a) private returns (bool success) {
        bytes calldata data = a.data;
        uint256 committed = a.gas;
        bytes4 selector = IProjectActor.deploy.selector;
        uint256 forwardable;
        uint256 needed = committed + CALL_COST;
        assembly ("memory-safe") {
            let input := mload(0x40)
            mstore(input, selector)
            calldatacopy(add(input, 4), data.offset, data.length)
            forwardable := gas()
            forwardable := sub(forwardable, shr(6, forwardable))
            if iszero(lt(forwardable, needed)) {
                success := call(committed, actor_, 0, input, add(data.length, 4), 0, 0)
            }
        }
        require(forwardable >= needed, InsufficientGas(forwardable, needed));
    }

    /// Has the actor perform the switch in one frame.
    function _switchOver(Bundle storage b, Run memory run, Action[] calldata actions, uint256 skip) private {
        uint256 gas;
        for (uint256 i = skip; i < actions.length; ++i) {
            gas += actions[i].gas;
        }
        uint256 value = _ledger.callValue;
        _ledger.callValue = 0;
        bytes memory input =
            abi.encodeCall(IProjectActor.switchOver, (run.bundleId, run.first, skip, b.ess, b.eps, actions));
        address actor_ = run.actor;
        bool success;
        uint256 refund;
        assembly ("memory-safe") {
            success := call(gas(), actor_, value, add(input, 32), mload(input), 0, 32)
            refund := mload(0)
        }
        if (success) {
            run.refund += refund;
            run.done += actions.length - skip;
            run.gasDone += gas;
            return;
        }
        _ledger.callValue = value.toUint88();
        (run.failed, run.gasFailed) = (true, gas);
        (run.failedIndex, run.reason) = _switchFailure();
    }

    /// Which action of the switch failed; when it was none, the transaction lacks gas and reverts.
    function _switchFailure() private pure returns (uint256 index, bytes memory reason) {
        bytes memory data = BoundedCall.returned(4 + 3 * 32 + MAX_REASON);
        // Only the first four bytes are looked at.
        // forge-lint: disable-next-line(unsafe-typecast)
        if (data.length < 4 || bytes4(data) != IProjectActor.ActionFailed.selector) {
            assembly ("memory-safe") {
                revert(add(data, 32), mload(data))
            }
        }
        assembly ("memory-safe") {
            // drops the selector
            let length := sub(mload(data), 4)
            data := add(data, 4)
            mstore(data, length)
        }
        return abi.decode(data, (uint256, bytes));
    }

    // --- after ---

    /// Writes down what was done. Returns wei that came free with the last action, besides the budget.
    function _advance(Bundle storage b, Run memory run) private returns (uint256 freed) {
        uint256 next = run.first + run.done;
        b.nextIndex = next.toUint24();
        b.gasDone = (b.gasDone + run.gasDone).toUint48();
        // As often as the overhead is paid: further calls in a transaction use none of it up.
        if (run.overhead != 0) ++b.txCount;
        if (run.done != 0 && !b.worked) b.worked = true;

        bytes32 bundleId = run.bundleId;
        if (run.failed) {
            b.status = Status.STALLED;
            b.stalledIndex = run.failedIndex.toUint24();
            b.pauseAt = 0;
            _endRound(bundleId, b, block.timestamp);
            emit BundleStalled(bundleId, msg.sender, run.failedIndex, run.reason);
            _announce(bundleId, Status.STALLED, block.timestamp);
        } else if (next == uint256(b.deployCount) + b.switchCount) {
            Ledger storage l = _ledger;
            freed = uint256(l.callValue) + l.userBond;
            (l.callValue, l.userBond) = (0, 0);
            run.refund += (freed != 0 && l.owed == 0 ? 2 : 1) * CLEARING_REFUND - COMPLETION_GAS;
            _closeBundle(bundleId, b, Status.COMPLETED);
        }
    }

    /// Pays the caller; with the last action, what is left comes free.
    function _charge(Bundle storage b, Run memory run, uint256 gasUsed, uint256 freed)
        private
        returns (uint256 payment)
    {
        payment = _price(b, run, gasUsed);
        Ledger storage l = _ledger;
        (uint256 free, uint256 left, uint256 paid) = (l.free, l.budget, l.paid);
        require(payment <= left, PaymentTooHigh(payment, left));
        (left, paid) = (left - payment, paid + payment);
        bool completed = b.status == Status.COMPLETED;
        if (completed) (free, left) = (free + freed + left, 0);
        (l.free, l.budget, l.paid) = (free.toUint88(), left.toUint88(), paid.toUint80());

        emit ActionsExecuted(run.bundleId, msg.sender, run.first, run.done, gasUsed, payment);
        if (completed) emit BundleCompleted(run.bundleId, msg.sender, paid);

        if (payment != 0) _send(msg.sender, payment);
    }
}
