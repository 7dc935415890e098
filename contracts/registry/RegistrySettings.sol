// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IExecutorGate} from "../interfaces/IExecutorGate.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {BoundedCall} from "../libraries/BoundedCall.sol";
import {
    CLEAN_BALANCE,
    COLD_BALANCE,
    COLD_REPORT,
    COLD_SLOT,
    PackedFees,
    pack
} from "../libraries/PackedFees.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

/**
 * @title What the owner of a Registry may change: all of it
 * @notice Gate, price oracle and fee settings, each within immutable bounds. None of them can touch a
 * registered Request's ETH beyond a fee so bounded, nor keep a user from cancelling. In a production
 * deployment the owner is OpenZeppelin's TimelockController.
 */
abstract contract RegistrySettings is IRegistry, Ownable2Step {
    /// @notice The factor by which a new oracle's price may differ from the last one's.
    uint256 public constant MAX_PRICE_STEP = 2;
    /// @notice Seconds between two changes of the oracle: steps cannot be taken all at once.
    uint256 public constant PRICE_STEP_SECONDS = 1 days;

    /// The bit of `_grant` that is set once the owner changed the fees.
    uint256 private constant FEES_CHANGED = 1 << 208;
    /// Fields of `FeeSettings`.
    uint256 private constant FEE_SETTINGS = 15;
    /// Gas that an oracle gets.
    uint256 private constant ORACLE_GAS = 100_000;
    /// No price lies above: it could only make a fee overflow.
    uint256 private constant MAX_AUTO_PER_ETH = type(uint128).max;

    /// What fees are computed from, as long as the owner does not change it: reading code costs nothing.
    PackedFees private immutable _initialFees;
    /// The same once the owner changed it; `_grant` says so.
    PackedFees private _changedFees;

    /// The gate and since when it is, in one word.
    IExecutorGate private _gate;
    uint48 private _gateSince;

    /// The executor (low 160 bits) whom the gate granted all blocks through the one in the 48 bits above, and
    /// above them whether the owner changed the fees: one word, which every execution reads anyway.
    uint256 private _grant;

    IPriceOracle private _priceOracle;
    /// The price at the last change of oracle: what a step is measured from when the old oracle is silent.
    uint128 private _lastAutoPerEth;
    /// When the oracle was changed; 0: not yet.
    uint48 private _priceOracleSince;

    constructor(address owner_, IExecutorGate gate_, IPriceOracle oracle, FeeSettings memory settings)
        Ownable(owner_)
    {
        _setGate(gate_);
        _setPriceOracle(oracle, _priceOf(oracle));
        _requireBounded(settings);
        _initialFees = pack(settings);
        emit FeeSettingsSet(settings);
    }

    /// @inheritdoc IRegistry
    function setGate(IExecutorGate gate_) external onlyOwner {
        _requireIdle();
        _setGate(gate_);
    }

    /// @inheritdoc IRegistry
    function setPriceOracle(IPriceOracle oracle) external onlyOwner {
        _requireIdle();
        uint256 earliest = _priceOracleSince == 0 ? 0 : _priceOracleSince + PRICE_STEP_SECONDS;
        // Seconds that a block's builder could shift do not matter in a day.
        // forge-lint: disable-next-line(block-timestamp)
        require(block.timestamp >= earliest, PriceStepTooEarly(earliest));
        uint256 last = _lastAutoPerEth;
        (bool known, uint256 current) = _tryPriceOf(_priceOracle);
        if (known) last = current;
        uint256 next = _priceOf(oracle);
        require(next <= last * MAX_PRICE_STEP && last <= next * MAX_PRICE_STEP, PriceStepTooLarge(last, next));
        _priceOracleSince = uint48(block.timestamp);
        _setPriceOracle(oracle, next);
    }

    /// @inheritdoc IRegistry
    function setFeeSettings(FeeSettings calldata settings) external onlyOwner {
        _requireIdle();
        _requireBounded(settings);
        _changedFees = pack(settings);
        _grant |= FEES_CHANGED;
        emit FeeSettingsSet(settings);
    }

    /// @inheritdoc IRegistry
    function gate() external view returns (IExecutorGate) {
        return _gate;
    }

    /// @inheritdoc IRegistry
    function gateSince() external view returns (uint256) {
        return _gateSince;
    }

    /// @inheritdoc IRegistry
    function grant() external view returns (address executor, uint256 untilBlock) {
        uint256 word = _grant;
        return (_granteeOf(word), _lastBlockOf(word));
    }

    /// @inheritdoc IRegistry
    function priceOracle() external view returns (IPriceOracle) {
        return _priceOracle;
    }

    /// @inheritdoc IRegistry
    function feeSettings() external view returns (FeeSettings memory) {
        return _feesOf(_grant).unpack();
    }

    /// @inheritdoc IRegistry
    function maxFeeSettings() public pure returns (FeeSettings memory) {
        // About twice what is calibrated for today's gas prices; a tip as on chains whose coin is cheap.
        return FeeSettings({
            tipCapWei: 1000 gwei,
            txBase: 42_000,
            tokenGas: 8,
            floorTokenGas: 20,
            tailEth: 22_000,
            tailAuto: 33_000,
            entryEth: 11_500,
            entryAuto: 26_000,
            entryWord: 10,
            shared: 11_000,
            refund: 15_000,
            credit: 5000,
            clearing: 9600,
            report: 14_000,
            reportPerId: 180
        });
    }

    /// What an execution by the caller goes by: the fees, and whether the gate granted this block before.
    function _readSettings() internal view returns (PackedFees fees, bool isGranted) {
        uint256 word = _grant;
        fees = _feesOf(word);
        isGranted = _granteeOf(word) == msg.sender && _lastBlockOf(word) >= block.number;
    }

    /// Remembers that the gate granted the caller all blocks through `lastBlock`.
    function _rememberGrant(uint256 lastBlock) internal {
        _grant = _grant & FEES_CHANGED | lastBlock << 160 | uint160(msg.sender);
    }

    /// The gate, for asking it.
    function _gateAddress() internal view returns (address) {
        return address(_gate);
    }

    /// What one ETH is worth in AUTO base units, times 1e18; reverts when the oracle does not know.
    function _autoPerEth() internal view returns (uint256) {
        return _priceOf(_priceOracle);
    }

    /// Reverts inside an execution: a target must not change what it is charged by.
    function _requireIdle() internal view virtual;

    function _setGate(IExecutorGate gate_) private {
        require(address(gate_).code.length != 0, NotContract(address(gate_)));
        _gate = gate_;
        _gateSince = uint48(block.timestamp);
        _grant &= FEES_CHANGED;
        emit GateSet(address(gate_));
    }

    function _setPriceOracle(IPriceOracle oracle, uint256 price) private {
        _priceOracle = oracle;
        // casting to `uint128` is safe because `_priceOf` gives at most MAX_AUTO_PER_ETH
        // forge-lint: disable-next-line(unsafe-typecast)
        _lastAutoPerEth = uint128(price);
        emit PriceOracleSet(address(oracle), price);
    }

    function _feesOf(uint256 word) private view returns (PackedFees) {
        return word & FEES_CHANGED == 0 ? _initialFees : _changedFees;
    }

    function _granteeOf(uint256 word) private pure returns (address) {
        // The low 160 bits are the executor: cutting off the rest is the point.
        // forge-lint: disable-next-line(unsafe-typecast)
        return address(uint160(word));
    }

    function _lastBlockOf(uint256 word) private pure returns (uint256) {
        return word >> 160 & type(uint48).max;
    }

    function _requireBounded(FeeSettings memory settings) private pure {
        FeeSettings memory maxima = maxFeeSettings();
        // A struct of numbers lies in memory as an array of words.
        for (uint256 i; i < FEE_SETTINGS; ++i) {
            uint256 value;
            uint256 maximum;
            assembly ("memory-safe") {
                value := mload(add(settings, shl(5, i)))
                maximum := mload(add(maxima, shl(5, i)))
            }
            require(value <= maximum, AboveMaximum(value, maximum));
        }
        uint256 least = settings.clearing;
        _requireAtLeast(settings.tailEth, least);
        _requireAtLeast(settings.entryEth, least);
        least += CLEAN_BALANCE;
        _requireAtLeast(settings.entryAuto, least);
        _requireAtLeast(settings.tailAuto, least + COLD_BALANCE);
        _requireAtLeast(settings.shared, COLD_SLOT);
        _requireAtLeast(settings.report, COLD_REPORT);
    }

    function _requireAtLeast(uint256 value, uint256 minimum) private pure {
        require(value >= minimum, BelowMinimum(value, minimum));
    }

    function _priceOf(IPriceOracle oracle) private view returns (uint256 price) {
        bool known;
        (known, price) = _tryPriceOf(oracle);
        require(known, PriceUnknown(address(oracle)));
    }

    function _tryPriceOf(IPriceOracle oracle) private view returns (bool known, uint256 price) {
        uint256 size;
        (known, size, price) =
            BoundedCall.read(address(oracle), ORACLE_GAS, abi.encodeCall(IPriceOracle.autoPerEth, ()));
        known = known && size >= 32 && price != 0 && price <= MAX_AUTO_PER_ETH;
    }
}
