// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

import {IExecutorGate} from "./IExecutorGate.sol";
import {ISeedSource} from "./ISeedSource.sol";

/**
 * @title StakeManager: selection by stake
 * @notice One executor per epoch, drawn in proportion to staked AUTO. A gate for one Registry, and an ESS for
 * any project. An epoch in which nobody was staked when it was drawn, or whose seed is lost, is open to all.
 */
interface IStakeManager is IExecutorGate {
    /// @notice Emitted when `staker` staked; the weight counts from the next epoch.
    event Staked(address indexed staker, uint256 amount);
    /// @notice Emitted when `staker` unstaked; the tokens can be claimed from epoch `claimableFrom`.
    event Unstaked(address indexed staker, uint256 amount, uint256 claimableFrom);
    /// @notice Emitted when `staker` took unstaked tokens back.
    event Claimed(address indexed staker, address indexed to, uint256 amount);
    /// @notice Emitted when `staker` named the key that executes for it, from epoch `fromEpoch`.
    event WorkerSet(address indexed staker, address indexed worker, uint256 fromEpoch);
    /// @notice Emitted when an epoch's draw was recorded; `staker` zero: the epoch is open to all. Who
    /// executes for the staker is what its last `WorkerSet` up to that epoch says.
    event EpochSettled(uint256 indexed epoch, address indexed staker);
    /// @notice Emitted when the selected executor showed presence without work.
    event CheckedIn(uint256 indexed epoch, address indexed worker);

    /// @notice Raised when anybody but the Registry calls.
    error NotRegistry(address caller);
    /// @notice Raised when nothing would change hands.
    error ZeroAmount();
    /// @notice Raised when more is unstaked than `staked`.
    error InsufficientStake(uint256 requested, uint256 staked);
    /// @notice Raised when `amount` on top of the `total` weight would exceed 2^36 - 1. The tree raises it.
    error TotalTooLarge(uint256 total, uint256 amount);
    /// @notice Raised in an epoch's last blocks, when its successor's seed may be foreseeable.
    error StakeFrozen(uint256 untilBlock);
    /// @notice Raised while the seed of the epoch is not proven; `blockNumber` is whose.
    error SeedNotProven(uint256 blockNumber);
    /// @notice Raised when nothing can be claimed yet.
    error NothingToClaim(address staker);
    /// @notice Raised when claimed tokens would be lost: `to` is zero or this contract.
    error InvalidRecipient(address to);
    /// @notice Raised when the worker is zero or `ANYONE`.
    error InvalidWorker(address worker);
    /// @notice Raised when `caller` is not the epoch's executor.
    error NotExecutor(address caller, address expected);
    /// @notice Raised by the constructor for an epoch length outside its bounds.
    error EpochLengthOutOfBounds(uint256 epochBlocks, uint256 minBlocks, uint256 maxBlocks);
    /// @notice Raised by the constructor for a time between blocks that no chain has.
    error BlockSecondsTooHigh(uint256 blockSeconds, uint256 maxSeconds);
    /// @notice Raised by the constructor when token or seed source have no code.
    error NotContract(address account);
    /// @notice Raised by the constructor when the Registry is the zero address.
    error ZeroRegistry();

    /**
     * @notice Stakes `amount` AUTO base units of the caller; counts from the next epoch.
     * @dev Reverts `StakeFrozen` and `SeedNotProven`, as every change of stake does.
     */
    function stake(uint256 amount) external;

    /**
     * @notice Unstakes `amount` AUTO base units. The weight falls from the next epoch; if the caller is this
     * epoch's executor, it stays so. The tokens can be claimed after one full epoch, from the epoch after the
     * next one on, whatever is unstaked later.
     */
    function unstake(uint256 amount) external;

    /// @notice Sends the caller's claimable tokens to `to`; works whatever seed, Registry and freeze do.
    function claim(address to) external returns (uint256 amount);

    /// @notice Names the key that executes for the caller, from the next epoch; one key may serve several.
    function setWorker(address worker) external;

    /// @notice Records the current epoch's draw; anybody may. Does nothing when it is recorded.
    function settle() external;

    /// @notice Shows that the selected executor, which must be the caller, is present although there is
    /// nothing to execute. Does nothing when its presence is recorded.
    function checkIn() external;

    /// @notice Returns the Registry that this gate serves.
    function registry() external view returns (address);

    /// @notice Returns the token that is staked.
    function autoToken() external view returns (address);

    /// @notice Returns the source of seeds.
    function seedSource() external view returns (ISeedSource);

    /// @notice Returns the number of blocks in an epoch.
    function epochBlocks() external view returns (uint256);

    /// @notice Returns the seconds between two blocks, by which `selectedAt` is computed.
    function blockSeconds() external view returns (uint256);

    /// @notice Returns the AUTO base units that weigh 1.
    function unit() external view returns (uint256);

    /// @notice Returns the current epoch: block number / `epochBlocks`.
    function currentEpoch() external view returns (uint256 epoch);

    /// @notice Returns who is drawn for the current epoch, recorded or not; (0, ANYONE): open to all.
    /// Reverts `SeedNotProven`.
    function selected() external view returns (address staker, address worker);

    /// @notice Returns the last epoch whose draw was recorded, and the staker that was drawn; zero when it was
    /// open, and before the first.
    function lastSettled() external view returns (uint256 epoch, address staker);

    /// @notice Returns the AUTO base units that `staker` has staked.
    function stakeOf(address staker) external view returns (uint256 amount);

    /// @notice Returns the sum of all stakes in AUTO base units.
    function totalStaked() external view returns (uint256 amount);

    /// @notice Returns the weight of `staker`: its stake / `unit`, rounded down.
    function weightOf(address staker) external view returns (uint256 units);

    /// @notice Returns the sum of all weights.
    function totalWeight() external view returns (uint256 units);

    /// @notice Returns the key that executes for `staker` in the current epoch, if it is drawn.
    function workerOf(address staker) external view returns (address worker);

    /// @notice Returns what `staker` has unstaked and not claimed, and the epoch from which it can claim all
    /// of it.
    function unstakingOf(address staker) external view returns (uint256 amount, uint256 claimableFrom);

    /// @notice Returns the AUTO base units that `staker` can claim now.
    function claimableOf(address staker) external view returns (uint256 amount);

    /// @notice Returns whether the executor of `epoch` checked in during it, or the Registry reported an
    /// execution of it. What is executed under a grant that the Registry remembers is not reported.
    function wasPresent(uint256 epoch) external view returns (bool present);
}
