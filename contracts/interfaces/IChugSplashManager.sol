// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

/**
 * @title ChugSplashManager: a project's upgrades, and the money that pays for them
 * @notice An upgrade is a bundle: an ordered Merkle tree of actions (see `MerkleActions`), proposed, approved by
 * the owner, and executed by whom the bundle's selection strategy names. Executors are paid for measured gas,
 * at the price of the bundle's payment strategy, out of a budget that the approval locks.
 *
 * Selection strategies read the facts here and settle bonds by them; the manager calls strategies by bounded
 * views only. A bundle's life is divided into rounds: completion, cancellation, a stall, a pause and a budget
 * that cannot pay the next action each end one. A lock that was live when its round ended is excused.
 */
interface IChugSplashManager {
    /// What an action does. The `data` of each kind is ABI-encoded.
    enum ActionKind {
        /// (bytes32 salt, bytes initCode): deploys at the actor's CREATE3 address of `salt`, which is `target`;
        /// skipped, and paid, when there is code already
        DEPLOY,
        /// (bytes32 slot, uint256 offset, bytes value): writes 1 to 32 bytes into a slot of the proxy `target`;
        /// `offset` counts bytes from the lowest, as the compiler's storage layout does
        SET_STORAGE,
        /// (address implementation): makes it the implementation of the proxy `target`
        SET_IMPLEMENTATION,
        /// (uint256 value, bytes callData): the actor calls `target`
        CALL
    }

    /// How a proxy is upgraded.
    enum ProxyKind {
        /// ChugSplashProxy, whose admin is the actor
        CHUGSPLASH,
        /// OpenZeppelin 5 TransparentUpgradeableProxy, whose ProxyAdmin belongs to the actor
        TRANSPARENT,
        /// OpenZeppelin 5 UUPSUpgradeable, which lets the actor upgrade it
        UUPS
    }

    /// Where a bundle is in its life.
    enum Status {
        /// there is no such bundle
        EMPTY,
        /// the header is committed, nothing is locked
        PROPOSED,
        /// it may be executed
        APPROVED,
        /// the owner stopped it; budget and call value are free
        PAUSED,
        /// an action reverted although its gas was there; the owner decides
        STALLED,
        /// every action was executed
        COMPLETED,
        /// the owner gave it up after a stall
        FAILED,
        /// the owner cancelled it
        CANCELLED
    }

    /// Whether an executor may be selected by a claim now.
    enum Readiness {
        READY,
        /// the status is another one
        NOT_APPROVED,
        /// the owner asked for a pause that is not in force yet
        PAUSE_REQUESTED,
        /// the basefee is above the bundle's cap
        CONGESTED,
        /// the budget would not pay what is left at the present basefee
        UNDERFUNDED,
        /// a strategy's code changed since the approval, or the payment strategy gives no price
        UNSOUND
    }

    /// One action; its place in the order is its index, which the leaf binds too.
    struct Action {
        ActionKind kind;
        address target;
        /// gas units that are forwarded to it: exactly these, and whatever it costs besides is measured
        uint64 gas;
        bytes data;
    }

    /// What is proposed and approved.
    struct BundleHeader {
        /// root over all actions, see `MerkleActions`
        bytes32 actionRoot;
        /// the first so many actions are DEPLOY
        uint256 deployCount;
        /// the others, none of them DEPLOY, in one transaction
        uint256 switchCount;
        /// sum of the committed gas of all actions
        uint256 totalGas;
        /// so many transactions are paid their fixed part
        uint256 maxTxs;
        /// wei per gas above which nothing is executed; type(uint256).max: no cap
        uint256 maxBaseFee;
        /// wei that the CALL actions send along, in sum
        uint256 callValue;
        /// wei for the executors
        uint256 budget;
        /// selection strategy
        address ess;
        /// payment strategy
        address eps;
        /// where the actions are published; content is checked against the root
        string uri;
    }

    /// How far a bundle is. What does not change is in its header.
    struct BundleInfo {
        Status status;
        /// committed gas of those that were executed
        uint256 gasDone;
        /// index of the next action; equal to the number of actions when completed
        uint256 nextIndex;
        /// the action that failed, while STALLED
        uint256 stalledIndex;
        /// paying transactions so far
        uint256 txCount;
        /// Unix seconds
        uint256 approvedAt;
        /// Unix seconds at which a requested pause is or comes in force; 0: none is requested
        uint256 pauseAt;
        /// rounds that ended before
        uint256 selectionRound;
        /// the executor whose unbroken selection began at `selectedSince`, as far as it was recorded
        address recordedExecutor;
        uint256 selectedSince;
        /// the last that executed an action of this bundle; zero: none did
        address lastExecutor;
    }

    /// What a selection strategy with claims goes by.
    struct SelectionTerms {
        /// the only strategy whose answer counts
        address ess;
        Readiness readiness;
        uint256 round;
        uint256 maxBaseFee;
    }

    /// The accounts of the manager's ETH, in wei. What else it holds was forced in and belongs to nobody.
    struct Accounts {
        /// the owner's
        uint256 free;
        /// locked for executors
        uint256 budget;
        /// locked for CALL actions
        uint256 callValue;
        /// locked against cancellation
        uint256 userBond;
        /// credited to executors, for them to take
        uint256 owed;
        /// paid to executors for the active bundle, or the last one
        uint256 paid;
    }

    /// @notice Emitted when ETH was credited; `toBudget`: to the active bundle, else to the free balance.
    event Deposited(address indexed from, uint256 amount, bool toBudget);
    /// @notice Emitted when the owner took free ETH.
    event Withdrawn(address indexed to, uint256 amount);
    /// @notice Emitted when an executor took what it was credited.
    event OwedWithdrawn(address indexed account, address indexed to, uint256 amount);
    /// @notice Emitted when `account` was credited because a payment could not be pushed.
    event Owed(address indexed account, uint256 amount);
    /// @notice Emitted when the owner let `account` propose, or no longer.
    event ProposerSet(address indexed account, bool allowed);

    /// @notice Emitted when a header was committed; the Registry announces it.
    event BundleProposed(bytes32 indexed bundleId, address indexed proposer, uint256 nonce);
    /// @notice Emitted when the owner approved and the money was locked.
    event BundleApproved(bytes32 indexed bundleId, uint256 userBond, uint256 budget, uint256 callValue);
    /// @notice Emitted once per transaction that executed; the actions are `firstIndex` and so many after it.
    event ActionsExecuted(
        bytes32 indexed bundleId,
        address indexed executor,
        uint256 firstIndex,
        uint256 count,
        uint256 gasUsed,
        uint256 payment
    );
    /// @notice Emitted when a DEPLOY found code at its address.
    event DeploySkipped(bytes32 indexed bundleId, uint256 index, address target);
    /// @notice Emitted when the budget could not pay the next action; the round ends.
    event BudgetExhausted(bytes32 indexed bundleId, uint256 needed, uint256 left);
    /// @notice Emitted when the last action was executed; `paid` is the sum of all payments.
    event BundleCompleted(bytes32 indexed bundleId, address indexed executor, uint256 paid);
    /// @notice Emitted when an action reverted with its committed gas; `reason` is cut to 256 bytes.
    event BundleStalled(bytes32 indexed bundleId, address indexed executor, uint256 index, bytes reason);
    /// @notice Emitted when the owner lets a stalled bundle go on.
    event BundleRetried(bytes32 indexed bundleId);
    /// @notice Emitted when the owner gave a stalled bundle up.
    event BundleFailed(bytes32 indexed bundleId, uint256 index);
    /// @notice Emitted when the owner asked for a pause; from `effectiveAt` on nothing is executed.
    event PauseRequested(bytes32 indexed bundleId, uint256 effectiveAt);
    /// @notice Emitted when the money of a pause in force was set free: at once, or with the owner's next step.
    event BundlePaused(bytes32 indexed bundleId, uint256 released);
    /// @notice Emitted when the owner locked the money again, or took a request back.
    event BundleResumed(bytes32 indexed bundleId);
    /// @notice Emitted when the owner cancelled; `bondTo` is whom the user bond went to: an executor, or the
    /// manager itself where it came free.
    event BundleCancelled(bytes32 indexed bundleId, address indexed bondTo, uint256 userBond);
    /// @notice Emitted when a round ended; locks of it that were live at `endedAt` are excused.
    event RoundEnded(bytes32 indexed bundleId, uint256 round, uint256 endedAt);
    /// @notice Emitted when the clock of the payment strategy began to run for another executor.
    event SelectionRecorded(bytes32 indexed bundleId, address indexed executor, uint256 since);
    /// @notice Emitted when so many proxies got back what they had before.
    event RolledBack(uint256 proxies);

    /// @notice Raised when anybody but the Registry initialises, or when it does so twice.
    error NotInitializable(address caller);
    /// @notice Raised when the owner would be the zero address.
    error ZeroOwner();
    /// @notice Raised when somebody else proposes than the owner and its proposers.
    error NotProposer(address caller);
    /// @notice Raised when the owner would leave the manager without one, and its money with it.
    error RenounceRefused();
    /// @notice Raised when a bundle's status does not allow it.
    error WrongStatus(bytes32 bundleId, Status status);
    /// @notice Raised when `header` is not what was proposed as `bundleId`.
    error HeaderMismatch(bytes32 bundleId, bytes32 computed);
    /// @notice Raised when another bundle is active, or any is where none may be.
    error BundleActive(bytes32 bundleId);
    /// @notice Raised for a header without actions, with more than 65,536, without a transaction that is paid,
    /// or with numbers that do not fit; `field` names which.
    error InvalidHeader(string field);
    /// @notice Raised when a strategy has no code.
    error StrategyWithoutCode(address strategy);
    /// @notice Raised when the free balance is too small.
    error InsufficientFunds(uint256 available, uint256 needed);
    /// @notice Raised when the budget is less than what the committed gas may cost.
    error BudgetTooLow(uint256 budget, uint256 needed);
    /// @notice Raised while money is locked for an active bundle.
    error FundsLocked(bytes32 bundleId, Status status);
    /// @notice Raised when nothing would change hands.
    error ZeroAmount();
    /// @notice Raised when ETH would be lost or come back: zero, manager or actor.
    error InvalidRecipient(address to);
    /// @notice Raised when a payment to the caller, or to where it asked for, fails.
    error PaymentRefused(address to);
    /// @notice Raised when the caller is not who is selected; zero: nobody is.
    error NotSelected(address caller, address selected);
    /// @notice Raised when the basefee is above the bundle's cap.
    error BaseFeeAboveCap(uint256 baseFee, uint256 maxBaseFee);
    /// @notice Raised when a strategy's code is not what was approved.
    error StrategyChanged(address ess, address eps);
    /// @notice Raised when a strategy reverts, answers too little, or needs more gas than it gets.
    error StrategyFailed(address strategy);
    /// @notice Raised when the payment strategy asks for more than the `limit` that the budget has left, after it
    /// said that less would be due.
    error PaymentTooHigh(uint256 payment, uint256 limit);
    /// @notice Raised when no pause was requested.
    error NoPauseRequested(bytes32 bundleId);
    /// @notice Raised when there are no actions, or not as many proofs.
    error LengthMismatch(uint256 actions, uint256 proofs);
    /// @notice Raised when a batch does not begin with the next action.
    error WrongIndex(uint256 next, uint256 given);
    /// @notice Raised when a batch goes beyond the deploys without being the rest of the bundle.
    error IncompleteSwitch(uint256 expected, uint256 given);
    /// @notice Raised when a part of `execute`'s call data does not lie directly behind the one before: where it
    /// begins, and where it should, in bytes of call data.
    error NotCanonicallyEncoded(uint256 position, uint256 expected);
    /// @notice Raised when an action is not the bundle's at `index`.
    error InvalidProof(uint256 index);
    /// @notice The reason of a stall: an action of the deploy phase is of another kind.
    error NotDeploy(ActionKind kind);
    /// @notice The reason of a stall: a DEPLOY names another address than its salt gives.
    error WrongDeployTarget(address expected, address given);
    /// @notice Raised when a transaction brought too little gas: nothing of it happened.
    error InsufficientGas(uint256 forwardable, uint256 needed);
    /// @notice Raised when the strategies are as they should be.
    error StrategiesSound(bytes32 bundleId);

    // --- set-up ---

    /// @notice Makes `owner_` the owner and creates the actor. Only the Registry, once.
    function initialize(address owner_) external;

    /// @notice Lets `account` propose, or no longer. Only the owner.
    function setProposer(address account, bool allowed) external;

    /// @notice Names who may become the owner by `acceptOwnership`. Only the owner, at any time.
    function transferOwnership(address newOwner) external;

    /// @notice Makes the caller the owner, if it was named.
    function acceptOwnership() external;

    // --- money ---

    /// @notice Credits `msg.value`: to the budget of a bundle that is APPROVED or STALLED, else to the free
    /// balance. Anybody may; plain ETH does the same.
    function deposit() external payable;

    /// @notice Sends free wei. Only the owner; not while a bundle is APPROVED or STALLED.
    function withdraw(address payable to, uint256 amount) external;

    /// @notice Sends the caller what it was credited.
    function withdrawOwed(address payable to) external returns (uint256 amount);

    // --- life ---

    /// @notice Commits a header. Owner or proposer. Nothing is locked, any number may be proposed.
    function propose(BundleHeader calldata header) external returns (bytes32 bundleId);

    /**
     * @notice Approves a proposed bundle: it may be executed from now on. Only the owner, while no bundle is
     * active. Locks user bond, budget and call value out of the free balance; notes the strategies' code.
     * @dev Where the payment strategy has `maxPayment`, the budget must be at least what it gives for
     * `totalGas + maxTxs * txOverhead` at min(maxBaseFee, twice the present basefee).
     */
    function approve(bytes32 bundleId, BundleHeader calldata header) external;

    /**
     * @notice Asks for a pause of the active bundle: claims are refused from now on. Only the owner. In force at
     * once if nobody is selected or the basefee is above the cap, else after `pauseDelay`; asking again may
     * bring it forward. In force, budget and call value are free; the user bond stays locked.
     */
    function requestPause() external returns (uint256 effectiveAt);

    /// @notice Takes a pause back, or its request. Only the owner. Locks again what the pause set free.
    function resume() external;

    /// @notice Lets a stalled bundle go on at the action that failed; new claims are needed. Only the owner.
    function retry() external;

    /// @notice Gives a stalled bundle up: FAILED. User bond, budget and call value come free. Only the owner.
    function close() external;

    /**
     * @notice Cancels the active bundle. Only the owner; APPROVED, PAUSED or STALLED.
     * @dev The user bond goes to the executor that is selected, if it was the last to execute an action of this
     * bundle or was selected, and the bundle approved, between `cancelMinSeconds` and `cancelMaxSeconds` ago;
     * else to the last that executed one; else it comes free, as it does when an APPROVED bundle's strategies
     * changed or do not answer. `ANYONE` counts as nobody, and only an APPROVED bundle has a selected executor.
     */
    function cancel() external;

    /// @notice Gives every proxy the implementation it had before the last bundle that set implementations;
    /// proxies that were new in it, and storage and calls, stay. Only the owner, while no bundle is active; once.
    function rollback() external;

    /// @notice Puts a proxy under the actor, which has to have the right already, and sets its implementation
    /// to `implementation`, which proves it. Only the owner, while no bundle is active. See `IProjectActor`.
    function adopt(address proxy, ProxyKind kind, address admin, address implementation) external;

    /// @notice Hands a proxy over to `to`. Only the owner, while no bundle is active. See `IProjectActor`.
    function release(address proxy, address to) external;

    // --- execution ---

    /**
     * @notice Executes the actions from `firstIndex` on, which must be the next ones, and pays the caller. Only
     * who is selected, or anybody where the selection strategy answers `ANYONE`.
     * @dev A batch holds DEPLOY actions, or all actions that are left. Each gets exactly its committed gas; a
     * transaction that cannot give it reverts. All switch actions run in one frame: all happen or none.
     * An action that reverts stalls the bundle; what was executed before it stays, the caller is paid, and
     * its lock is excused. As many actions are executed as the budget surely pays; if it is not even one, the
     * round ends, nothing is paid, and `BudgetExhausted` says what is missing.
     * @param proofs one Merkle proof per action.
     * @return executed actions that were executed.
     * @return payment wei that were paid.
     */
    function execute(
        bytes32 bundleId,
        uint256 firstIndex,
        Action[] calldata actions,
        bytes32[][] calldata proofs
    ) external returns (uint256 executed, uint256 payment);

    /// @notice Records who is selected now, so that the payment strategy's clock runs: neither a second claim
    /// nor a next turn of the same executor starts it anew. Anybody may.
    function recordSelection() external;

    /// @notice Ends the round because a strategy's code changed or the payment strategy gives no price, so that
    /// the selected executor does not lose its bond. Anybody may.
    function noteUnsound() external;

    // --- views ---

    /// @notice Returns the owner.
    function owner() external view returns (address);

    /// @notice Returns who may accept the ownership.
    function pendingOwner() external view returns (address);

    /// @notice Returns the Registry this manager is of.
    function registry() external view returns (address);

    /// @notice Returns the code that all actors share.
    function actorImplementation() external view returns (address);

    /// @notice Returns the contract that deploys, owns proxies and makes calls for this manager.
    function actor() external view returns (address);

    /// @notice Returns whether `account` may propose; the owner always may.
    function isProposer(address account) external view returns (bool);

    /// @notice Returns the nonce of the next proposal.
    function nextNonce() external view returns (uint256);

    /// @notice Returns keccak256(abi.encode(chain id, manager, nonce, header)).
    function bundleIdOf(uint256 nonce, BundleHeader calldata header) external view returns (bytes32);

    /// @notice Returns the active bundle, APPROVED, PAUSED or STALLED; 0: none.
    function activeBundleId() external view returns (bytes32);

    /// @notice Returns a bundle's status: PAUSED from the moment on that a pause is in force.
    function statusOf(bytes32 bundleId) external view returns (Status);

    /// @notice Returns all there is to know of a bundle.
    function bundle(bytes32 bundleId) external view returns (BundleInfo memory);

    /// @notice Returns what a selection strategy with claims goes by.
    function selectionTerms(bytes32 bundleId) external view returns (SelectionTerms memory);

    /// @notice Returns when a round of a bundle ended, in Unix seconds; 0: it did not yet.
    function roundEndedAt(bytes32 bundleId, uint256 round) external view returns (uint256);

    /// @notice Returns who may execute the active bundle now, zero: nobody or the strategy fails, and the
    /// seconds that the payment strategy is going to be asked with.
    function selected() external view returns (address executor, uint256 elapsedSeconds);

    /// @notice Returns what the payment strategy gives now for all that is left, with its fixed parts.
    function priceOfRest() external view returns (uint256 payment);

    /// @notice Returns the manager's accounts.
    function accounts() external view returns (Accounts memory);

    /// @notice Returns what `account` was credited and can withdraw.
    function owedTo(address account) external view returns (uint256);

    /// @notice Returns the wei that an approval locks against cancellation.
    function userBond() external view returns (uint256);

    /// @notice Returns the gas units beyond committed gas that a transaction is paid at most; constant.
    function txOverhead() external view returns (uint256);

    /// @notice Returns the seconds until a pause is in force while somebody is selected; constant.
    function pauseDelay() external view returns (uint256);

    /// @notice Returns the seconds for which an executor has been selected, at least, to be given the user bond
    /// of a cancelled bundle without having executed; constant. A claim that front-runs earns nothing.
    function cancelMinSeconds() external view returns (uint256);

    /// @notice Returns the seconds for which it has been selected at most; constant. It had time to begin.
    function cancelMaxSeconds() external view returns (uint256);
}
