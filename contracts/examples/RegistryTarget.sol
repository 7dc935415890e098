// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IRegistry} from "../interfaces/IRegistry.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";

/**
 * @title RegistryTarget: a base for contracts that Requests call on a user's behalf
 * @notice A function that moves a user's money takes the user as its first input and checks from which
 * forwarder the call comes: that, and nothing else, proves that the user registered it. The forwarders are
 * read from the Registry once, when this contract is created; nobody can change them.
 */
abstract contract RegistryTarget {
    using LowLevelCall for address;

    /// Raised when a call comes from somebody else than the Registry's forwarder for its kind of Request.
    error NotForwarder(address caller, address forwarder);
    /// Raised when the Registry does not accept the fee.
    error FeeRefused(uint256 feeWei);
    /// Raised when an account does not accept the ETH that it is due.
    error EthRefused(address account);

    /// the Registry whose Requests are believed
    IRegistry public immutable REGISTRY;
    /// from where Requests with `verifyUser` come
    address public immutable USER_FORWARDER;
    /// from where Requests with `verifyUser` and `insertFeeAmount` come
    address public immutable USER_FEE_FORWARDER;

    constructor(IRegistry registry) {
        REGISTRY = registry;
        USER_FORWARDER = registry.userForwarder();
        USER_FEE_FORWARDER = registry.userFeeForwarder();
    }

    /// For functions whose first input is the user, registered with `verifyUser` only.
    modifier onlyUserForwarder() {
        _requireCaller(USER_FORWARDER);
        _;
    }

    /// For functions whose inputs are the user and then the fee, registered with `verifyUser` and
    /// `insertFeeAmount`.
    modifier onlyUserFeeForwarder() {
        _requireCaller(USER_FEE_FORWARDER);
        _;
    }

    /// Pays the fee of the running Request.
    function _payFee(uint256 feeWei) internal {
        require(address(REGISTRY).callNoReturn(feeWei, ""), FeeRefused(feeWei));
    }

    /// Sends ETH with all gas and without reading what comes back.
    function _sendEth(address to, uint256 amountWei) internal {
        require(to.callNoReturn(amountWei, ""), EthRefused(to));
    }

    function _requireCaller(address forwarder) private view {
        require(msg.sender == forwarder, NotForwarder(msg.sender, forwarder));
    }
}
