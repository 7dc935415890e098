// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IRegistry} from "../interfaces/IRegistry.sol";
import {RegistryTarget} from "./RegistryTarget.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/**
 * @title TankCaller: the address from which an EthTank's calls leave
 * @notice It makes arbitrary calls for anybody, and therefore is not the tank: it holds nothing, and tokens
 * or
 * approvals left here are anybody's.
 */
contract TankCaller {
    /// Raised when anybody but the tank asks for a call.
    error NotTank(address caller);

    address private immutable TANK = msg.sender;

    /// Calls `target`; what it reverts with comes back, and a target without code is an error.
    function forward(address target, bytes calldata data) external {
        require(msg.sender == TANK, NotTank(msg.sender));
        Address.functionCall(target, data);
    }
}

/**
 * @title EthTank: prepaid ETH that pays the fees of recurring Requests
 * @notice A recurring Request (`isAlive`) has no deposit: without AUTO, its target has to pay the fee. This
 * one does, for any work that anybody may start: the Request calls `work` here, registered with `verifyUser`,
 * `insertFeeAmount` and `isAlive` and without `payWithAUTO` (the fee would be counted in AUTO); the tank
 * takes
 * the fee from what its user has put in and has the actual target called by `CALLER`.
 *
 * Only a Request of the user himself draws from his share, at most `maxFeeWei` at a time. **The target must
 * revert when there is nothing to do.** One that always succeeds can be executed, and paid for, in every
 * block
 * until the share is used up; `PeriodicPayments.pay` is an example of one that does not.
 *
 * Shares are booked, never inferred from the balance; ETH is accepted through `deposit` alone. No owner.
 */
contract EthTank is RegistryTarget, ReentrancyGuardTransient {
    /// Emitted when `from` added to `user`'s share.
    event Deposited(address indexed user, address indexed from, uint256 amountWei);
    /// Emitted when `user` took from his share.
    event Withdrawn(address indexed user, address indexed to, uint256 amountWei);
    /// Emitted when `user`'s share paid for work.
    event Worked(address indexed user, address indexed target, uint256 feeWei);

    /// Raised when a share does not cover what it is asked for.
    error TankTooLow(address user, uint256 balanceWei, uint256 neededWei);
    /// Raised while the fee is higher than the user allows.
    error FeeTooHigh(uint256 feeWei, uint256 maxFeeWei);

    /// where the calls come from: targets see it as their caller
    TankCaller public immutable CALLER = new TankCaller();

    /// wei that belong to `user`
    mapping(address user => uint256 balanceWei) public balanceOf;

    constructor(IRegistry registry) RegistryTarget(registry) {}

    /// @notice Adds the value sent to `user`'s share.
    function deposit(address user) external payable nonReentrant {
        balanceOf[user] += msg.value;
        emit Deposited(user, msg.sender, msg.value);
    }

    /// @notice Sends `amountWei` of the caller's share to `to`.
    function withdraw(address to, uint256 amountWei) external nonReentrant {
        _take(msg.sender, amountWei);
        emit Withdrawn(msg.sender, to, amountWei);
        _sendEth(to, amountWei);
    }

    /**
     * @notice Has `target` called and pays the Request's fee from `user`'s share.
     * Request: `verifyUser`, `insertFeeAmount`, not `payWithAUTO`.
     * @param feeWei put here by the Registry; register any value.
     * @param maxFeeWei what one execution may cost at most.
     * @param data function and inputs of the call.
     */
    function work(address user, uint256 feeWei, uint256 maxFeeWei, address target, bytes calldata data)
        external
        onlyUserFeeForwarder
        nonReentrant
    {
        require(feeWei <= maxFeeWei, FeeTooHigh(feeWei, maxFeeWei));
        _take(user, feeWei);
        emit Worked(user, target, feeWei);
        CALLER.forward(target, data);
        _payFee(feeWei);
    }

    function _take(address user, uint256 amountWei) private {
        uint256 balanceWei = balanceOf[user];
        require(balanceWei >= amountWei, TankTooLow(user, balanceWei, amountWei));
        balanceOf[user] = balanceWei - amountWei;
    }
}
