// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IExecutorGate} from "../interfaces/IExecutorGate.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {EncodedRequest, Requests} from "../libraries/Requests.sol";
import {AutoPayments} from "./AutoPayments.sol";
import {Forwarder} from "./Forwarder.sol";
import {RegistrySettings} from "./RegistrySettings.sol";

/**
 * @title The Requests of a Registry: registering, cancelling, credits
 * @notice Everything but executing. Nothing here depends on gate, prices or owner.
 */
abstract contract RegistryBook is RegistrySettings {
    /// Where a transaction stands: the low byte of `_frame`.
    uint256 internal constant UNTOUCHED = 0;
    uint256 internal constant INSIDE = 1;
    /// Done, and this transaction's base is charged.
    uint256 internal constant USED = 2;
    /// A target is running.
    uint256 internal constant CALLING = 3;

    /// @inheritdoc IRegistry
    address public immutable autoPayments;
    /// @inheritdoc IRegistry
    address public immutable plainForwarder = address(new Forwarder());
    /// @inheritdoc IRegistry
    address public immutable userForwarder = address(new Forwarder());
    /// @inheritdoc IRegistry
    address public immutable feeForwarder = address(new Forwarder());
    /// @inheritdoc IRegistry
    address public immutable userFeeForwarder = address(new Forwarder());

    // A mapping, not an array: an array costs a cold read of its length with every execution.
    mapping(uint256 id => bytes32) internal _hashedReqs;
    uint256 private _length;
    mapping(address account => uint256) private _credits;

    /// Low byte: where the transaction stands. Above it: wei that arrived during the running target's call.
    uint256 internal transient _frame;

    constructor(
        address owner_,
        address autoToken,
        IExecutorGate gate_,
        IPriceOracle oracle,
        FeeSettings memory settings
    ) RegistrySettings(owner_, gate_, oracle, settings) {
        require(autoToken.code.length != 0, NotContract(autoToken));
        autoPayments = address(new AutoPayments(autoToken));
    }

    receive() external payable {
        require(_frame & 0xff == CALLING, UnexpectedEth(msg.sender));
        _frame += msg.value << 8;
    }

    /// @inheritdoc IRegistry
    function newReq(
        address target,
        address payable referer,
        bytes calldata callData,
        uint112 ethForCall,
        bool verifyUser,
        bool insertFeeAmount,
        bool isAlive
    ) external payable returns (uint256 id) {
        return _newReq(target, referer, callData, ethForCall, verifyUser, insertFeeAmount, false, isAlive);
    }

    /// @inheritdoc IRegistry
    function newReqPaySpecific(
        address target,
        address payable referer,
        bytes calldata callData,
        uint112 ethForCall,
        bool verifyUser,
        bool insertFeeAmount,
        bool payWithAUTO,
        bool isAlive
    ) external payable returns (uint256 id) {
        return _newReq(
            target, referer, callData, ethForCall, verifyUser, insertFeeAmount, payWithAUTO, isAlive
        );
    }

    /// @inheritdoc IRegistry
    function cancelHashedReq(uint256 id, Request calldata r) external {
        uint256 before = _enter();
        EncodedRequest request = _load(id, r);
        require(msg.sender == request.user(), NotUser(msg.sender, request.user()));

        delete _hashedReqs[id];

        emit HashedReqCancelled(id);

        // A wallet that takes no ETH can still cancel, and withdraw to where it likes.
        uint256 deposit = request.initEthSent();
        if (deposit != 0 && !_send(msg.sender, deposit, gasleft())) _credit(msg.sender, deposit);
        _frame = before;
    }

    /// @inheritdoc IRegistry
    function withdraw(address payable to) external {
        uint256 before = _enter();
        uint256 amount = _credits[msg.sender];
        require(amount != 0, NothingToWithdraw(msg.sender));

        delete _credits[msg.sender];

        emit Withdrawn(msg.sender, to, amount);

        require(_send(to, amount, gasleft()), WithdrawalRefused(to));
        _frame = before;
    }

    /// @inheritdoc IRegistry
    function getHashedReq(uint256 id) external view returns (bytes32 hashedReq) {
        require(id < _length, UnknownRequest(id));
        return _hashedReqs[id];
    }

    /// @inheritdoc IRegistry
    function getHashedReqsLen() external view returns (uint256 length) {
        return _length;
    }

    /// @inheritdoc IRegistry
    function getHashedReqsSlice(uint256 from, uint256 to)
        external
        view
        returns (bytes32[] memory hashedReqs)
    {
        require(from <= to && to <= _length, SliceOutOfBounds(from, to, _length));
        hashedReqs = new bytes32[](to - from);
        for (uint256 i; i < hashedReqs.length; ++i) {
            hashedReqs[i] = _hashedReqs[from + i];
        }
    }

    /// @inheritdoc IRegistry
    function getReqBytes(Request calldata r) external pure returns (bytes memory encoded) {
        return abi.encode(r);
    }

    /// @inheritdoc IRegistry
    function insertToCallData(bytes calldata callData, uint256 value, uint256 startIdx)
        external
        pure
        returns (bytes memory)
    {
        require(
            callData.length >= 32 && startIdx <= callData.length - 32, NoRoomForFee(callData.length, startIdx)
        );
        return bytes.concat(callData[:startIdx], bytes32(value), callData[startIdx + 32:]);
    }

    /// @inheritdoc IRegistry
    function creditOf(address account) external view returns (uint256 amountWei) {
        return _credits[account];
    }

    /// Copies a Request into memory and proves that it is the registered one.
    function _load(uint256 id, Request calldata r) internal view returns (EncodedRequest request) {
        bytes32 hash;
        (request, hash) = Requests.load(r);
        require(_hashedReqs[id] == hash, RequestMismatch(id));
    }

    /// Locks the Registry; returns what to put back in `_frame` when done.
    function _enter() internal returns (uint256 before) {
        before = _frame;
        require(before == UNTOUCHED || before == USED, Reentered());
        _frame = INSIDE;
    }

    function _requireIdle() internal view override {
        require(_frame == UNTOUCHED || _frame == USED, Reentered());
    }

    /// Sends ETH and copies nothing of what comes back.
    function _send(address to, uint256 amount, uint256 gasLimit) internal returns (bool success) {
        assembly ("memory-safe") {
            success := call(gasLimit, to, amount, 0, 0, 0, 0)
        }
    }

    function _credit(address account, uint256 amount) internal {
        _addCredit(account, amount);
        emit Credited(account, amount);
    }

    function _addCredit(address account, uint256 amount) internal {
        _credits[account] += amount;
    }

    /// Leaves `kept` of what was just added, and takes `withheld` off again.
    function _keepCredit(address account, uint256 kept, uint256 withheld) internal {
        _credits[account] -= withheld;
        if (kept != 0) emit Credited(account, kept);
    }

    /// Where in callData the fee goes: behind the selector, and behind the user where he is the first input.
    function _feeIndex(bool verifyUser) internal pure returns (uint256) {
        return verifyUser ? 36 : 4;
    }

    function _newReq(
        address target,
        address payable referer,
        bytes calldata callData,
        uint112 ethForCall,
        bool verifyUser,
        bool insertFeeAmount,
        bool payWithAUTO,
        bool isAlive
    ) private returns (uint256 id) {
        // No call leaves this function, so it need not lock; but a target must not enter it either.
        _requireIdle();
        require(!_isRefused(target), TargetRefused(target));
        require(msg.value <= type(uint112).max, AmountTooLarge(msg.value));
        if (payWithAUTO) {
            require(ethForCall == msg.value, ValueNotEthForCall(msg.value, ethForCall));
        } else {
            require(ethForCall <= msg.value, EthForCallExceedsValue(ethForCall, msg.value));
        }
        if (isAlive) require(msg.value == 0, ValueWithAlive(msg.value));
        if (verifyUser) {
            require(
                callData.length >= 36 && uint256(bytes32(callData[4:36])) == uint160(msg.sender),
                UserNotVerified(msg.sender)
            );
        }
        if (insertFeeAmount) {
            uint256 index = _feeIndex(verifyUser);
            require(callData.length >= index + 32, NoRoomForFee(callData.length, index));
        }

        (EncodedRequest request, bytes32 hash) = Requests.create(
            target, referer, callData, ethForCall, verifyUser, insertFeeAmount, payWithAUTO, isAlive
        );
        id = _length++;
        _hashedReqs[id] = hash;

        Requests.logAdded(request, id);
    }

    function _isRefused(address target) private view returns (bool) {
        return target == address(0) || target == address(this) || target == autoPayments
            || target == plainForwarder || target == userForwarder || target == feeForwarder
            || target == userFeeForwarder;
    }
}
