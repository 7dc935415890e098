// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {IChugSplashManager} from "../interfaces/IChugSplashManager.sol";
import {IProjectActor} from "../interfaces/IProjectActor.sol";
import {ChugSplashExecution} from "./ChugSplashExecution.sol";
import {ChugSplashMoney} from "./ChugSplashMoney.sol";
import {ChugSplashState} from "./ChugSplashState.sol";

/**
 * @title ChugSplashManager
 * @notice See IChugSplashManager.
 *
 * @dev PARTS. What is remembered is in `ChugSplashState`, the accounts in `ChugSplashMoney`, what strategies are
 * asked in `ChugSplashStrategies`, the owner's decisions in `ChugSplashLifeCycle`, executing and paying in
 * `ChugSplashExecution`.
 *
 * OWNER. May do with the project's proxies and free money what it likes while no bundle is active. While one is
 * APPROVED or STALLED its money is locked; the bond of an executor that did its duty is out of its reach, because
 * every way to stop a bundle ends a round.
 *
 * EXECUTORS. Can do nothing but execute what was approved, in its order. One that makes an action fail stalls
 * the bundle, is paid for that once, and the owner decides.
 *
 * MONEY. balance >= free + budget + callValue + userBond + owed. Payments leave the budget only.
 *
 * LIVENESS. Whatever strategies do, the owner can cancel or pause, and withdraw. No step waits for an executor,
 * a strategy or the receiver of a payment.
 */
contract ChugSplashManager is ChugSplashExecution {
    /// @inheritdoc IChugSplashManager
    address public immutable actorImplementation;

    /// @param registry_ is where managers come from and announce; it may be deployed later.
    constructor(address registry_, address actorImplementation_, uint256 userBond_)
        ChugSplashState(registry_)
        ChugSplashMoney(userBond_)
    {
        actorImplementation = actorImplementation_;
    }

    /// @inheritdoc IChugSplashManager
    function initialize(address owner_) external nonReentrant {
        require(msg.sender == registry && owner() == address(0), NotInitializable(msg.sender));
        require(owner_ != address(0), ZeroOwner());
        _transferOwnership(owner_);
        actor = Clones.cloneDeterministicWithImmutableArgs(
            actorImplementation, abi.encodePacked(address(this)), 0
        );
    }

    /// @inheritdoc IChugSplashManager
    function adopt(address proxy, ProxyKind kind, address admin, address implementation)
        external
        onlyOwner
        nonReentrant
    {
        _requireNoneActive();
        IProjectActor(actor).adopt(proxy, kind, admin, implementation);
    }

    /// @inheritdoc IChugSplashManager
    function release(address proxy, address to) external onlyOwner nonReentrant {
        _requireNoneActive();
        IProjectActor(actor).release(proxy, to);
    }

    /// @inheritdoc IChugSplashManager
    function rollback() external onlyOwner nonReentrant {
        _requireNoneActive();
        emit RolledBack(IProjectActor(actor).rollback());
    }
}
