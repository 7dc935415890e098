// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity >=0.8.24;

import {IChugSplashManager} from "./IChugSplashManager.sol";

/**
 * @title ProjectActor: what a manager deploys, owns and calls with
 * @notice One per manager, callable by it alone. It is the admin of the project's proxies and the sender of its
 * calls. It holds no ETH between calls; tokens, roles and proxies that are given to it are the project's, moved
 * by the bundles that its owner approves.
 *
 * What it does with a proxy depends on the proxy's kind, which `adopt` records; a proxy that was not adopted is
 * a ChugSplashProxy.
 */
interface IProjectActor {
    /// @notice Emitted when a proxy came under the actor.
    event ProxyAdopted(
        address indexed proxy, IChugSplashManager.ProxyKind kind, address admin, address implementation
    );
    /// @notice Emitted when a proxy was handed over.
    event ProxyReleased(address indexed proxy, address indexed to);
    /// @notice Emitted when a proxy got another implementation; `previous` zero: it had none.
    event ImplementationSet(address indexed proxy, address indexed implementation, address previous);

    /// @notice Raised when anybody but the manager calls.
    error NotManager(address caller);
    /// @notice Raised when anybody but the actor itself asks for an action.
    error NotSelf(address caller);
    /// @notice Raised when ETH arrives while no action runs.
    error EthNotAccepted();
    /// @notice Raised when ETH that is left cannot be given back to the manager.
    error EthNotReturned();
    /// @notice Raised when a target is manager, actor, Registry or one of the bundle's strategies, and when an
    /// implementation is the temporary one.
    error TargetRefused(address target);
    /// @notice Raised when there is no code to call, or to be an implementation.
    error NoCode(address target);
    /// @notice Raised when an action of the switch is a DEPLOY.
    error NotInSwitch(IChugSplashManager.ActionKind kind);
    /// @notice Raised for the slots of ERC-1967, which `SET_IMPLEMENTATION` is for.
    error SlotRefused(bytes32 slot);
    /// @notice Raised when a value is empty or goes beyond its slot.
    error InvalidValue(uint256 offset, uint256 length);
    /// @notice Raised when action `index` reverted; `reason` is cut to 256 bytes. Nothing of the switch stays.
    error ActionFailed(uint256 index, bytes reason);
    /// @notice Raised when too little gas is left for an action: the transaction reverts as a whole.
    error InsufficientGas(uint256 forwardable, uint256 needed);
    /// @notice Raised when a proxy's new admin is the zero address.
    error ZeroAdmin();
    /// @notice Raised when no switch gave a proxy another implementation than it had, or it was rolled back.
    error NothingToRollBack();

    /// @notice Deploys `initCode` at the CREATE3 address of `salt`. Only the manager; reverts when there is code.
    function deploy(bytes32 salt, bytes calldata initCode) external returns (address deployed);

    /**
     * @notice Performs the switch: all actions or none. Only the manager. ETH that is left goes back to it.
     * @param bundleId tells switches apart that happen in one transaction.
     * @param firstIndex index of the first of `actions`.
     * @param skip so many of them are none of the switch's.
     * @return refund gas that the EVM will give back for what the actor itself wrote, as `perform` says.
     */
    function switchOver(
        bytes32 bundleId,
        uint256 firstIndex,
        uint256 skip,
        address ess,
        address eps,
        IChugSplashManager.Action[] calldata actions
    ) external payable returns (uint256 refund);

    /// @notice Performs one action with the gas it is given. Only the actor itself.
    /// @return refund gas that the EVM will give back for a temporary implementation that was put in and taken out.
    function perform(bytes32 bundleId, address ess, address eps, IChugSplashManager.Action calldata action)
        external
        returns (uint256 refund);

    /// @notice Gives every proxy the implementation it had before the last switch that set any. Only the manager.
    function rollback() external returns (uint256 proxies);

    /// @notice Records a proxy's kind and sets its implementation, which proves the right to. Only the manager.
    /// @param admin the ProxyAdmin of a TRANSPARENT proxy; zero for the other kinds.
    function adopt(address proxy, IChugSplashManager.ProxyKind kind, address admin, address implementation)
        external;

    /// @notice Hands a proxy over. Only the manager. A CHUGSPLASH proxy changes its admin, a TRANSPARENT one's
    /// ProxyAdmin and a UUPS proxy their owner; UUPS proxies with other rules are released by a bundle's CALLs.
    function release(address proxy, address to) external;

    /// @notice Returns the only address that may use this contract.
    function manager() external view returns (address);

    /// @notice Returns the temporary implementation through which adopted proxies' storage is written.
    function storageSetter() external view returns (address);

    /// @notice Returns where `deploy` puts what is deployed with `salt`.
    function addressOf(bytes32 salt) external view returns (address);

    /// @notice Returns what is recorded of a proxy. `implementation` is known of adopted ones only.
    function proxyOf(address proxy)
        external
        view
        returns (IChugSplashManager.ProxyKind kind, address admin, address implementation);

    /// @notice Returns the proxies of the last switch that a rollback would change, and to what.
    function rollbackOf() external view returns (address[] memory proxies, address[] memory implementations);
}
