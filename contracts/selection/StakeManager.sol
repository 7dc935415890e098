// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

import {IExecutorGate} from "../interfaces/IExecutorGate.sol";
import {ANYONE, IExecutorSelectionStrategy} from "../interfaces/IExecutorSelectionStrategy.sol";
import {ISeedSource} from "../interfaces/ISeedSource.sol";
import {IStakeManager} from "../interfaces/IStakeManager.sol";
import {SumTree} from "../libraries/SumTree.sol";

/**
 * @title StakeManager
 * @notice See IStakeManager.
 *
 * @dev MONEY. Every token that came in through `stake` is owed to its staker, staked or unstaking. Nothing is
 * inferred from the balance: tokens that were sent here otherwise belong to nobody. The token is trusted to
 * move exactly what it is asked to (no fee on transfer, no rebasing); it may call back, which the guard and
 * the order of effects withstand.
 *
 * DRAW. An epoch's seed belongs to the block before it. Any change of stake settles the current epoch first,
 * so whatever is settled later in an epoch, it is drawn from the stakes as they were when the epoch began,
 * and a view can compute what nobody recorded yet. An epoch that is settled with nobody staked stays open
 * until it ends: otherwise the first staker could choose itself, knowing the seed. Settling fixes the staker;
 * the worker needs no fixing, because `setWorker` never changes the current epoch.
 *
 * RENTED STAKE. Weight falls at once, but the tokens stay for one full epoch: what is staked for a block or
 * two has to be held for more than a turn.
 *
 * LIVENESS. No owner, no pause. Changing a stake depends on the seed source alone: where seeds have to be
 * proven anybody can, and a lost one opens the epoch. Claiming depends on nobody but the token.
 *
 * GAS. What every change of stake needs lies in one slot (`Book`), what the Registry asks for in another
 * (`Turn`). A leaf that was left is taken again, so the tree's height follows the largest number of stakers
 * there ever were at a time; 2^24 - 1 is the most.
 */
contract StakeManager is IStakeManager, ReentrancyGuardTransient {
    using BitMaps for BitMaps.BitMap;
    using SafeCast for uint256;
    using SafeERC20 for IERC20;
    using SumTree for SumTree.Tree;

    /// @inheritdoc IStakeManager
    uint256 public constant unit = 0.1 ether;
    /// Longest epoch: a block hash, where that is the seed, can be read for so many blocks.
    uint256 private constant MAX_EPOCH_BLOCKS = 256;
    /// Of an epoch, at most one block in so many may be frozen.
    uint256 private constant MIN_BLOCKS_PER_FROZEN = 4;
    uint256 private constant MAX_BLOCK_SECONDS = 1 hours;

    /// One slot.
    struct Book {
        /// sum of all stakes
        uint96 totalStaked;
        /// first block after the last settled epoch; 0 before the first
        uint48 settledUntil;
        /// leaf that was drawn for that epoch; 0: it is open
        uint24 drawn;
        /// highest leaf there ever was; leaf 0 does not exist
        uint24 leaves;
        /// head of the list of leaves that were left; 0: none
        uint24 free;
        /// height of the tree
        uint8 height;
    }

    /// What `authorize` remembers: the worker of the epoch that ends before `until`.
    struct Turn {
        address worker;
        uint48 until;
    }

    struct Leaf {
        /// whose weight this is; stays after the staker left, until the leaf is taken again
        address staker;
        /// next leaf of the list, when it was left
        uint24 next;
    }

    /// One slot.
    struct Position {
        uint96 stake;
        /// unstaked last
        uint96 unstaking;
        uint40 claimableFrom;
        /// 0 while the weight is 0
        uint24 leaf;
    }

    /// What was unstaked before that and not claimed; the usual unstaking does not touch it.
    struct Earlier {
        uint96 amount;
        uint40 claimableFrom;
        /// claimable
        uint96 matured;
    }

    struct Worker {
        /// from `fromEpoch` on; 0: the staker itself
        address worker;
        uint48 fromEpoch;
        /// before that; 0: the staker itself
        address previous;
    }

    /// @inheritdoc IStakeManager
    address public immutable registry;
    /// @inheritdoc IStakeManager
    address public immutable autoToken;
    /// @inheritdoc IStakeManager
    ISeedSource public immutable seedSource;
    /// @inheritdoc IStakeManager
    uint256 public immutable epochBlocks;
    /// @inheritdoc IStakeManager
    uint256 public immutable blockSeconds;

    uint256 private immutable _freezeBlocks;

    // They are written in `stake` and `unstake`, which slither cannot analyse.
    // slither-disable-start uninitialized-state
    Book private _book;
    Turn private _turn;
    SumTree.Tree private _tree;
    mapping(uint256 leaf => Leaf) private _leaves;
    mapping(address staker => Position) private _positions;
    mapping(address staker => Earlier) private _earlier;
    mapping(address staker => Worker) private _workers;
    BitMaps.BitMap private _presence;

    // slither-disable-end uninitialized-state

    /// @param registry_ may be deployed later: it is not called.
    constructor(
        address registry_,
        address autoToken_,
        ISeedSource seedSource_,
        uint256 epochBlocks_,
        uint256 blockSeconds_
    ) {
        require(registry_ != address(0), ZeroRegistry());
        require(autoToken_.code.length != 0, NotContract(autoToken_));
        require(address(seedSource_).code.length != 0, NotContract(address(seedSource_)));
        require(blockSeconds_ <= MAX_BLOCK_SECONDS, BlockSecondsTooHigh(blockSeconds_, MAX_BLOCK_SECONDS));

        uint256 freezeBlocks = seedSource_.freezeBlocks();
        uint256 minBlocks = Math.max(1, MIN_BLOCKS_PER_FROZEN * freezeBlocks);
        require(
            epochBlocks_ >= minBlocks && epochBlocks_ <= MAX_EPOCH_BLOCKS,
            EpochLengthOutOfBounds(epochBlocks_, minBlocks, MAX_EPOCH_BLOCKS)
        );

        registry = registry_;
        autoToken = autoToken_;
        seedSource = seedSource_;
        epochBlocks = epochBlocks_;
        blockSeconds = blockSeconds_;
        _freezeBlocks = freezeBlocks;
    }

    // --- staking ---

    /// @inheritdoc IStakeManager
    function stake(uint256 amount) external nonReentrant {
        require(amount != 0, ZeroAmount());
        _settleBeforeChange();

        Position storage position = _positions[msg.sender];
        (uint256 staked, uint24 leaf) = (position.stake, position.leaf);
        // What the amount adds to the rounded-down weight, computed so that no amount overflows.
        uint256 units = amount / unit + (amount % unit + staked % unit) / unit;
        if (units != 0) {
            if (leaf == 0) {
                leaf = _takeLeaf();
                position.leaf = leaf;
            }
            _tree.add(_book.height, leaf, units);
        }

        position.stake = (staked + amount).toUint96();
        _book.totalStaked = (_book.totalStaked + amount).toUint96();

        emit Staked(msg.sender, amount);

        IERC20(autoToken).safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IStakeManager
    function unstake(uint256 amount) external nonReentrant {
        require(amount != 0, ZeroAmount());
        Position storage position = _positions[msg.sender];
        uint256 staked = position.stake;
        require(amount <= staked, InsufficientStake(amount, staked));
        _settleBeforeChange();

        uint256 left = staked - amount;
        uint256 units = staked / unit - left / unit;
        if (units != 0) {
            uint24 leaf = position.leaf;
            _tree.take(_book.height, leaf, units);
            if (left < unit) {
                _leaves[leaf].next = _book.free;
                _book.free = leaf;
                position.leaf = 0;
            }
        }

        uint256 claimableFrom = currentEpoch() + 2;
        position.stake = left.toUint96();
        _addUnstaking(position, amount, claimableFrom);
        _book.totalStaked = (_book.totalStaked - amount).toUint96();

        emit Unstaked(msg.sender, amount, claimableFrom);
    }

    /// @inheritdoc IStakeManager
    function claim(address to) external nonReentrant returns (uint256 amount) {
        require(to != address(0) && to != address(this), InvalidRecipient(to));
        amount = claimableOf(msg.sender);
        require(amount != 0, NothingToClaim(msg.sender));

        uint256 epoch = currentEpoch();
        Position storage position = _positions[msg.sender];
        if (epoch >= position.claimableFrom) position.unstaking = 0;
        Earlier storage earlier = _earlier[msg.sender];
        if (epoch >= earlier.claimableFrom) earlier.amount = 0;
        earlier.matured = 0;

        emit Claimed(msg.sender, to, amount);

        IERC20(autoToken).safeTransfer(to, amount);
    }

    /// @inheritdoc IStakeManager
    function setWorker(address worker) external nonReentrant {
        require(worker != address(0) && worker != ANYONE, InvalidWorker(worker));
        Worker storage record = _workers[msg.sender];

        uint256 nextEpoch = currentEpoch() + 1;
        // A second change within an epoch replaces the first, which never counted.
        if (record.fromEpoch < nextEpoch) record.previous = record.worker;
        record.worker = worker;
        record.fromEpoch = nextEpoch.toUint48();

        emit WorkerSet(msg.sender, worker, nextEpoch);
    }

    // --- turns ---

    /// @inheritdoc IStakeManager
    function settle() external nonReentrant {
        _settle();
    }

    /// @inheritdoc IExecutorGate
    function authorize(address executor, uint256[] calldata)
        external
        nonReentrant
        returns (uint48 grantedUntil, bool report)
    {
        require(msg.sender == registry, NotRegistry(msg.sender));
        (address worker, uint48 until) = _currentTurn();

        // Nobody loses a turn before it ends, so the Registry need neither ask again nor report.
        if (worker == executor || worker == ANYONE) grantedUntil = until - 1;
        report = false;
    }

    /// @inheritdoc IExecutorGate
    function executed(address executor, uint256[] calldata) external nonReentrant {
        require(msg.sender == registry, NotRegistry(msg.sender));
        (address worker,) = _currentTurn();
        if (worker == executor) _presence.set(currentEpoch());
    }

    /// @inheritdoc IStakeManager
    function checkIn() external nonReentrant {
        (address worker,) = _currentTurn();
        require(msg.sender == worker, NotExecutor(msg.sender, worker));

        uint256 epoch = currentEpoch();
        if (_presence.get(epoch)) return;
        _presence.set(epoch);

        emit CheckedIn(epoch, worker);
    }

    // --- views ---

    /// @inheritdoc IExecutorSelectionStrategy
    function getSelectedExecutor(address, bytes32)
        external
        view
        returns (address executor, uint256 selectedAt)
    {
        (bool known, uint256 leaf) = _drawnLeaf();
        if (!known) return (address(0), 0);

        (, executor) = _executorAt(leaf);
        uint256 elapsed = (block.number - _firstBlock()) * blockSeconds;
        // Never 0, which would say that nobody is selected.
        selectedAt = Math.max(1, Math.saturatingSub(block.timestamp, elapsed));
    }

    /// @inheritdoc IStakeManager
    function selected() external view returns (address staker, address worker) {
        return _executorAt(_requireDrawnLeaf());
    }

    /// @inheritdoc IStakeManager
    function lastSettled() external view returns (uint256 epoch, address staker) {
        uint256 until = _book.settledUntil;
        if (until != 0) return (until / epochBlocks - 1, _leaves[_book.drawn].staker);
    }

    /// @inheritdoc IStakeManager
    function currentEpoch() public view returns (uint256 epoch) {
        return block.number / epochBlocks;
    }

    /// @inheritdoc IStakeManager
    function stakeOf(address staker) external view returns (uint256 amount) {
        return _positions[staker].stake;
    }

    /// @inheritdoc IStakeManager
    function totalStaked() external view returns (uint256 amount) {
        return _book.totalStaked;
    }

    /// @inheritdoc IStakeManager
    function weightOf(address staker) external view returns (uint256 units) {
        return _tree.weightAt(_book.height, _positions[staker].leaf);
    }

    /// @inheritdoc IStakeManager
    function totalWeight() public view returns (uint256 units) {
        return _tree.total(_book.height);
    }

    /// @inheritdoc IStakeManager
    function workerOf(address staker) public view returns (address worker) {
        Worker storage record = _workers[staker];
        worker = currentEpoch() < record.fromEpoch ? record.previous : record.worker;
        if (worker == address(0)) worker = staker;
    }

    /// @inheritdoc IStakeManager
    function unstakingOf(address staker) external view returns (uint256 amount, uint256 claimableFrom) {
        Position storage position = _positions[staker];
        Earlier storage earlier = _earlier[staker];
        amount = uint256(position.unstaking) + earlier.amount + earlier.matured;
        if (amount != 0) claimableFrom = position.claimableFrom;
    }

    /// @inheritdoc IStakeManager
    function claimableOf(address staker) public view returns (uint256 amount) {
        Position storage position = _positions[staker];
        Earlier storage earlier = _earlier[staker];
        uint256 epoch = currentEpoch();
        amount = earlier.matured;
        if (epoch >= earlier.claimableFrom) amount += earlier.amount;
        if (epoch >= position.claimableFrom) amount += position.unstaking;
    }

    /// @inheritdoc IStakeManager
    function wasPresent(uint256 epoch) external view returns (bool present) {
        return _presence.get(epoch);
    }

    // --- internals ---

    /// First block of the current epoch.
    function _firstBlock() private view returns (uint256) {
        return block.number - block.number % epochBlocks;
    }

    function _settleBeforeChange() private {
        uint256 until = _settle();
        require(block.number + _freezeBlocks < until, StakeFrozen(until - 1));
    }

    /// Records the current epoch's draw if nobody has; returns the first block after the epoch.
    function _settle() private returns (uint48 until) {
        until = _book.settledUntil;
        if (block.number < until) return until;

        uint24 leaf = _requireDrawnLeaf();
        until = (_firstBlock() + epochBlocks).toUint48();
        // One after the other, so that they are one write.
        _book.drawn = leaf;
        _book.settledUntil = until;

        emit EpochSettled(currentEpoch(), _leaves[leaf].staker);
    }

    function _requireDrawnLeaf() private view returns (uint24 leaf) {
        bool known;
        (known, leaf) = _drawnLeaf();
        if (!known) revert SeedNotProven(_firstBlock() - 1);
    }

    /// Returns the leaf that is drawn for the current epoch, 0 when it is open; unknown while the seed is.
    function _drawnLeaf() private view returns (bool known, uint24 leaf) {
        if (block.number < _book.settledUntil) return (true, _book.drawn);

        uint256 total = totalWeight();
        if (total == 0) return (true, 0);

        // A block precedes this epoch: in epoch 0 nobody can be staked already.
        (ISeedSource.Status status, bytes32 seed) = seedSource.seedOf(_firstBlock() - 1);
        if (status == ISeedSource.Status.Pending) return (false, 0);
        if (status == ISeedSource.Status.Lost) return (true, 0);

        // Hashed with the address, so that what is drawn elsewhere from the same seed says nothing here.
        uint256 random = uint256(keccak256(abi.encode(address(this), seed)));
        return (true, _tree.draw(_book.height, random % total).toUint24());
    }

    /// Returns whose a drawn leaf is and who executes for it.
    function _executorAt(uint256 leaf) private view returns (address staker, address worker) {
        if (leaf == 0) return (address(0), ANYONE);
        staker = _leaves[leaf].staker;
        worker = workerOf(staker);
    }

    /// Returns the current epoch's worker and its end, and records them if nobody has.
    function _currentTurn() private returns (address worker, uint48 until) {
        (worker, until) = (_turn.worker, _turn.until);
        if (block.number < until) return (worker, until);

        until = _settle();
        (, worker) = _executorAt(_book.drawn);
        _turn = Turn({worker: worker, until: until});
    }

    /// Returns a leaf for the caller: one that was left, else a new one.
    function _takeLeaf() private returns (uint24 leaf) {
        uint24 drawn = _book.drawn;
        leaf = _book.free;
        if (leaf != 0 && leaf == drawn) {
            // The staker that was drawn has left, but keeps its turn: the leaf names it until the epoch ends.
            leaf = _leaves[drawn].next;
            if (leaf != 0) _leaves[drawn].next = _leaves[leaf].next;
        } else if (leaf != 0) {
            _book.free = _leaves[leaf].next;
        }
        if (leaf == 0) {
            leaf = _book.leaves + 1;
            _book.leaves = leaf;
            uint256 height = _book.height;
            if (leaf >= SumTree.capacity(height)) _book.height = _tree.grow(height).toUint8();
        }
        _leaves[leaf] = Leaf({staker: msg.sender, next: 0});
    }

    /// Adds what is claimable from `claimableFrom`; what was unstaked before keeps its own epoch.
    function _addUnstaking(Position storage position, uint256 amount, uint256 claimableFrom) private {
        uint256 unstaking = position.unstaking;
        if (unstaking != 0 && position.claimableFrom != claimableFrom) {
            Earlier storage earlier = _earlier[msg.sender];
            // It was unstaked two epochs ago or longer, as the one between lies in `position`.
            earlier.matured += earlier.amount;
            earlier.amount = position.unstaking;
            earlier.claimableFrom = position.claimableFrom;
            unstaking = 0;
        }
        position.unstaking = (unstaking + amount).toUint96();
        position.claimableFrom = claimableFrom.toUint40();
    }
}
