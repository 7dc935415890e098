// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

import {IExecutorGate} from "./IExecutorGate.sol";
import {IPriceOracle} from "./IPriceOracle.sol";

/**
 * @title Registry: calls that are made once they can succeed, by executors who are paid for it
 * @notice A user registers a Request. Whoever the gate allows executes it as soon as its call succeeds and is
 * paid the gas it used, plus 30 % in ETH from the Request's deposit, or plus 10 % in AUTO from the user's
 * wallet. Only a Request's hash is stored; `HashedReqAdded` carries every field of it.
 */
interface IRegistry {
    /// A call to be made when it can succeed.
    struct Request {
        /// who registered it
        address payable user;
        /// the contract to call
        address target;
        /// the dapp that brought the Request; told in logs, paid nothing by the Registry
        address payable referer;
        /// function and inputs of the call
        bytes callData;
        /// wei sent when registering: pays the call's value and the fee
        uint112 initEthSent;
        /// wei sent along with the call
        uint112 ethForCall;
        /// the first input is proven to be `user`, and the call comes from a user forwarder
        bool verifyUser;
        /// the fee is written into the call: second input when `verifyUser`, else the first
        bool insertFeeAmount;
        /// the fee is paid in AUTO when executed, else in ETH from the deposit
        bool payWithAUTO;
        /// recurring: stays registered after an execution
        bool isAlive;
    }

    /// One entry of a batch.
    struct Execution {
        uint256 id;
        Request request;
        /// gas units that will be charged; matters only with `insertFeeAmount`
        uint256 expectedGas;
        /// gas that the entry's frame gets
        uint256 gasLimit;
    }

    /// What became of one entry of a batch.
    struct Outcome {
        bool success;
        /// gas units charged to the user
        uint256 gasCharged;
        /// wei, or AUTO base units with `payWithAUTO`
        uint256 fee;
    }

    /// What fees are computed from, beside what is measured. Forks reprice gas, so the owner may adjust each
    /// field up to its maximum (`maxFeeSettings`). All but the tip are gas units.
    struct FeeSettings {
        /// wei per gas of the executor's tip that is paid at most
        uint48 tipCapWei;
        /// a transaction as such; charged once in each
        uint16 txBase;
        /// per token of call data: a zero byte is one token, any other four (EIP-7623)
        uint8 tokenGas;
        /// per token of call data where the floor price of EIP-7623 applies
        uint8 floorTokenGas;
        /// single execution paid in ETH: what follows the last measurement, the payout included
        uint16 tailEth;
        /// single execution paid in AUTO: what follows the last measurement, the pull included
        uint16 tailAuto;
        /// batch entry paid in ETH: what lies outside the measured part of its frame
        uint16 entryEth;
        /// batch entry paid in AUTO: what lies outside the measured part of its frame
        uint16 entryAuto;
        /// per word of a batch entry's call data: its way into the frame
        uint16 entryWord;
        /// what a batch does once, divided by the number of entries
        uint16 shared;
        /// pushing ETH back to the user
        uint16 refund;
        /// crediting it instead when the push fails, beside writing the credit
        uint16 credit;
        /// what the EVM refunds when a one-shot Request's hash is cleared
        uint16 clearing;
        /// telling the gate what was executed, per call
        uint16 report;
        /// telling the gate what was executed, per id
        uint16 reportPerId;
    }

    /// @notice Emitted when a Request is registered; carries all of it.
    event HashedReqAdded(
        uint256 indexed id,
        address indexed user,
        address target,
        address payable referer,
        bytes callData,
        uint112 initEthSent,
        uint112 ethForCall,
        bool verifyUser,
        bool insertFeeAmount,
        bool payWithAUTO,
        bool isAlive
    );
    /**
     * @notice Emitted when a Request was executed.
     * @param executor who executed it and was paid.
     * @param wasRemoved whether it was one-shot, and so is gone.
     * @param fee wei, or AUTO base units when `paidInAUTO`.
     */
    event HashedReqExecuted(
        uint256 indexed id, address indexed executor, bool wasRemoved, uint256 fee, bool paidInAUTO
    );
    /// @notice Emitted when its user cancelled a Request.
    event HashedReqCancelled(uint256 indexed id);
    /// @notice Emitted when an entry of a batch failed and was undone; `reason` is one of this interface's
    /// errors, the error of the AUTO token where the fee cannot be pulled, or empty where the gas ran out.
    event ReqFailed(uint256 indexed id, bytes reason);
    /// @notice Emitted when ETH could not be pushed to `account` and waits for `withdraw`.
    event Credited(address indexed account, uint256 amountWei);
    /// @notice Emitted when `account` took its credit.
    event Withdrawn(address indexed account, address indexed to, uint256 amountWei);
    /// @notice Emitted when the owner changed the gate.
    event GateSet(address indexed gate);
    /// @notice Emitted when the owner changed the price oracle; `autoPerEth` is its price at that moment.
    event PriceOracleSet(address indexed oracle, uint256 autoPerEth);
    /// @notice Emitted when the owner changed what fees are computed from.
    event FeeSettingsSet(FeeSettings settings);

    /// @notice Raised when a state-changing function is entered from within another.
    error Reentered();
    /// @notice Raised when the target is the zero address, the Registry, AutoPayments or a Forwarder.
    error TargetRefused(address target);
    /// @notice Raised when an ETH-paid Request would send more along than was sent.
    error EthForCallExceedsValue(uint256 ethForCall, uint256 value);
    /// @notice Raised when an AUTO-paid Request comes with any ETH but that for the call.
    error ValueNotEthForCall(uint256 value, uint256 ethForCall);
    /// @notice Raised when a recurring Request comes with ETH.
    error ValueWithAlive(uint256 value);
    /// @notice Raised when more ETH is sent than a Request can record.
    error AmountTooLarge(uint256 value);
    /// @notice Raised when `verifyUser` is set and the call's first input is not its user.
    error UserNotVerified(address user);
    /// @notice Raised when the call data have no room for the fee.
    error NoRoomForFee(uint256 length, uint256 needed);
    /// @notice Raised when the Request is not the registered one, or was executed or cancelled.
    error RequestMismatch(uint256 id);
    /// @notice Raised when an id does not exist.
    error UnknownRequest(uint256 id);
    /// @notice Raised when a slice does not lie within the ids.
    error SliceOutOfBounds(uint256 from, uint256 to, uint256 length);
    /// @notice Raised when somebody cancels another's Request.
    error NotUser(address caller, address user);
    /// @notice Raised when the gate refuses the executor.
    error NotExecutor(address caller);
    /// @notice Raised when the gate reverts, runs out of gas or answers something else than it should.
    error GateFailed(address gate);
    /// @notice Raised when a gate or the AUTO token has no code.
    error NotContract(address account);
    /// @notice Raised when the same Request would run twice in one transaction.
    error AlreadyExecuted(uint256 id);
    /// @notice Raised when the call of a single execution failed; `reason` is cut to 256 bytes.
    error CallFailed(uint256 id, bytes reason);
    /// @notice Raised when the ETH at hand does not cover the fee.
    error InsufficientPayment(uint256 required, uint256 available);
    /// @notice Raised when the user's AUTO balance or allowance does not cover the fee.
    error InsufficientAuto(uint256 required, uint256 available);
    /// @notice Raised when `expectedGas` exceeds 102 % of what is charged.
    error ExpectedGasTooHigh(uint256 expectedGas, uint256 gasCharged);
    /// @notice Raised when part of an execution's call data does not lie where the canonical ABI encoding puts
    /// it: bytes that several Requests share would be paid several times.
    error NotCanonicallyEncoded(uint256 position, uint256 expected);
    /// @notice Raised when call data end before the Request that they announce does.
    error CallDataCutOff(uint256 size, uint256 needed);
    /// @notice Raised when there is not enough gas left to give a callee what it is due.
    error InsufficientGas(uint256 left, uint256 needed);
    /// @notice Raised when a batch is empty.
    error EmptyBatch();
    /// @notice Raised when no entry of a batch succeeded; `reason` is the first entry's.
    error NoneSucceeded(bytes reason);
    /// @notice Raised when the executor does not accept its pay.
    error PaymentRefused(address executor);
    /// @notice Raised when the oracle reverts, or its answer is not a price.
    error PriceUnknown(address oracle);
    /// @notice Raised when a new oracle's price lies further from the last one than a step may go.
    error PriceStepTooLarge(uint256 last, uint256 next);
    /// @notice Raised when the oracle was changed less than `PRICE_STEP_SECONDS` ago.
    error PriceStepTooEarly(uint256 earliest);
    /// @notice Raised when ETH arrives while no target runs.
    error UnexpectedEth(address from);
    /// @notice Raised when an account without credit withdraws.
    error NothingToWithdraw(address account);
    /// @notice Raised when the receiver does not accept the withdrawn ETH.
    error WithdrawalRefused(address to);
    /// @notice Raised when a setting exceeds its immutable maximum.
    error AboveMaximum(uint256 value, uint256 maximum);
    /// @notice Raised when a setting is less than what is taken off it for what the EVM refunds or is warm.
    error BelowMinimum(uint256 value, uint256 minimum);
    /// @notice Raised when the frame of a batch entry is entered from outside.
    error OnlySelf();

    // --- registering ---

    /**
     * @notice Registers a Request that pays in ETH; `msg.value` is its deposit.
     * @param target the contract to call.
     * @param referer the dapp that brought the Request; may be zero.
     * @param callData function and inputs.
     * @param ethForCall wei of the deposit to send along.
     * @param verifyUser require the first input to be `msg.sender` and call from a user forwarder.
     * @param insertFeeAmount write the fee into the call.
     * @param isAlive recurring; needs `msg.value == 0`.
     * @return id of the Request.
     */
    function newReq(
        address target,
        address payable referer,
        bytes calldata callData,
        uint112 ethForCall,
        bool verifyUser,
        bool insertFeeAmount,
        bool isAlive
    ) external payable returns (uint256 id);

    /// @notice Like `newReq`, with the choice to pay in AUTO.
    function newReqPaySpecific(
        address target,
        address payable referer,
        bytes calldata callData,
        uint112 ethForCall,
        bool verifyUser,
        bool insertFeeAmount,
        bool payWithAUTO,
        bool isAlive
    ) external payable returns (uint256 id);

    /// @notice Removes the caller's own Request and sends its deposit back. Works whatever gate, prices or
    /// owner do.
    function cancelHashedReq(uint256 id, Request calldata r) external;

    /// @notice Sends the caller's credit to `to`: refunds that could not be pushed.
    function withdraw(address payable to) external;

    // --- executing ---

    /**
     * @notice Executes one Request and pays the caller, or reverts and changes nothing.
     * @dev The call data have to be in the canonical ABI encoding, as every encoder writes it. Their price is
     * paid to an account without code that calls directly: what a contract passes on may never have been in
     * the transaction.
     * @param expectedGas gas units that will be charged; matters only with `insertFeeAmount`.
     * @return gasUsed gas units charged.
     */
    function executeHashedReq(uint256 id, Request calldata r, uint256 expectedGas)
        external
        returns (uint256 gasUsed);

    /**
     * @notice Executes many Requests; one that fails undoes only itself. The caller is paid once.
     * @dev Reverts when none succeeds, and when less gas is left than an entry's `gasLimit` plus
     * `FRAME_RESERVE`, so that nobody can starve one entry. For call data holds what is said at
     * `executeHashedReq`.
     */
    function executeHashedReqs(Execution[] calldata executions) external returns (Outcome[] memory outcomes);

    // --- views ---

    /// @notice Returns the hash of a registered Request; 0 when it was executed or cancelled.
    function getHashedReq(uint256 id) external view returns (bytes32 hashedReq);

    /// @notice Returns how many Requests were ever registered.
    function getHashedReqsLen() external view returns (uint256 length);

    /// @notice Returns the hashes of the ids `from` to `to`, `to` excluded.
    function getHashedReqsSlice(uint256 from, uint256 to) external view returns (bytes32[] memory hashedReqs);

    /// @notice Returns the encoding whose hash is stored.
    function getReqBytes(Request calldata r) external pure returns (bytes memory encoded);

    /// @notice Returns `callData` with the word at `startIdx` replaced by `value`.
    function insertToCallData(bytes calldata callData, uint256 value, uint256 startIdx)
        external
        pure
        returns (bytes memory);

    /// @notice Returns the wei that `account` can withdraw.
    function creditOf(address account) external view returns (uint256 amountWei);

    /// @notice Returns the gate.
    function gate() external view returns (IExecutorGate);

    /// @notice Returns the Unix time in seconds of the last change of the gate.
    function gateSince() external view returns (uint256);

    /// @notice Returns the grant that is remembered: the executor and the last block of it.
    function grant() external view returns (address executor, uint256 untilBlock);

    /// @notice Returns the oracle that values AUTO.
    function priceOracle() external view returns (IPriceOracle);

    /// @notice Returns what fees are computed from.
    function feeSettings() external view returns (FeeSettings memory);

    /// @notice Returns how high the owner may set what fees are computed from; it never changes.
    function maxFeeSettings() external view returns (FeeSettings memory);

    /// @notice Returns the contract that users approve for AUTO payments.
    function autoPayments() external view returns (address);

    /// @notice Returns the forwarder of Requests without `verifyUser` and `insertFeeAmount`.
    function plainForwarder() external view returns (address);

    /// @notice Returns the forwarder of Requests with `verifyUser` only.
    function userForwarder() external view returns (address);

    /// @notice Returns the forwarder of Requests with `insertFeeAmount` only.
    function feeForwarder() external view returns (address);

    /// @notice Returns the forwarder of Requests with `verifyUser` and `insertFeeAmount`.
    function userFeeForwarder() external view returns (address);

    // --- owner ---

    /// @notice Changes the gate, and forgets any grant. Only the owner.
    function setGate(IExecutorGate gate) external;

    /// @notice Changes the oracle; its price may differ from the last by a factor of 2. Only the owner,
    /// once a day.
    function setPriceOracle(IPriceOracle oracle) external;

    /// @notice Changes what fees are computed from, each field up to its maximum; what is charged before a
    /// Request runs has to cover what is taken off it. Only the owner.
    function setFeeSettings(FeeSettings calldata settings) external;
}
