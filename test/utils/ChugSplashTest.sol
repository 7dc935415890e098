// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Relay} from "./Relay.sol";
import {ChugSplashProxy} from "contracts/chugsplash/ChugSplashProxy.sol";
import {ChugSplashRegistry} from "contracts/chugsplash/ChugSplashRegistry.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {IProjectActor} from "contracts/interfaces/IProjectActor.sol";
import {MerkleActions} from "contracts/libraries/MerkleActions.sol";
import {DiminishingBonusEPS} from "contracts/payment/DiminishingBonusEPS.sol";
import {FlatFeeEPS} from "contracts/payment/FlatFeeEPS.sol";
import {SimpleLockESS} from "contracts/selection/SimpleLockESS.sol";
import {Test} from "forge-std/Test.sol";
import {Vm} from "forge-std/Vm.sol";
import {DeployChugSplash} from "script/DeployChugSplash.s.sol";

/// A contract of a project, and a later version of it.
contract Box {
    uint256 public value;
    uint256 public immutable version;

    error Refused();

    constructor(uint256 version_) {
        version = version_;
    }

    function set(uint256 value_) external payable {
        value = value_;
    }

    function refuse() external pure {
        revert Refused();
    }
}

/// An executor that is a contract, which anybody may send.
abstract contract ContractExecutor {
    receive() external payable {}

    function claim(SimpleLockESS lock, IChugSplashManager manager, bytes32 id) external payable {
        lock.claim{value: msg.value}(address(manager), id);
    }
}

/**
 * A deployed ChugSplash, one project, and what tests of it share. A test collects actions, proposes and approves
 * them as a bundle, and has executors execute it. Test contracts run isolated: each call is a transaction.
 */
abstract contract ChugSplashTest is Test {
    uint256 internal constant BASE_FEE = 10 gwei;
    uint256 internal constant TX_GAS = 16_777_216;
    uint256 internal constant BOND = 0.1 ether;
    uint256 internal constant LOCK = 15 minutes;
    uint256 internal constant START = 1_800_000_000;

    Relay internal relay;
    ChugSplashRegistry internal registry;
    SimpleLockESS internal lock;
    FlatFeeEPS internal flatFee;
    DiminishingBonusEPS internal diminishingBonus;
    IChugSplashManager internal manager;
    IProjectActor internal actor;

    address internal owner = makeAddr("owner");
    address internal alice = makeAddr("alice");
    address internal bob = makeAddr("bob");
    address internal stranger = makeAddr("stranger");

    /// The bundle of the test: actions first, header from them.
    IChugSplashManager.Action[] internal plan;
    IChugSplashManager.BundleHeader internal header;
    bytes32 internal id;

    function setUp() public virtual {
        DeployChugSplash script = new DeployChugSplash();
        DeployChugSplash.Deployed memory d = script.deploy(script.parse("{}"), address(script));
        (registry, lock, flatFee, diminishingBonus) = (d.registry, d.lock, d.flatFee, d.diminishingBonus);
        manager = IChugSplashManager(registry.register(owner, "project"));
        actor = IProjectActor(manager.actor());

        vm.warp(START);
        vm.roll(1000);
        vm.fee(BASE_FEE);
        relay = new Relay(BASE_FEE, BASE_FEE);
        vm.deal(owner, 1000 ether);
        vm.deal(alice, 10 ether);
        vm.deal(bob, 10 ether);
        vm.deal(stranger, 10 ether);
        vm.prank(owner);
        manager.deposit{value: 100 ether}();
    }

    // --- actions ---

    function _addDeploy(bytes32 salt, bytes memory initCode, uint256 gas) internal returns (address target) {
        target = actor.addressOf(salt);
        plan.push(
            IChugSplashManager.Action(
                IChugSplashManager.ActionKind.DEPLOY, target, uint64(gas), abi.encode(salt, initCode)
            )
        );
    }

    /// Deploys a Box of a version that is not there yet.
    function _addBox(uint256 version) internal returns (address target) {
        return _addDeploy(bytes32(version), _boxCode(version), 400_000);
    }

    /// Deploys a proxy of the project.
    function _addProxy(bytes32 salt) internal returns (address target) {
        return
            _addDeploy(salt, abi.encodePacked(type(ChugSplashProxy).creationCode, abi.encode(actor)), 900_000);
    }

    function _addStore(address proxy, bytes32 slot, uint256 value) internal {
        _addStore(proxy, slot, 0, abi.encode(value));
    }

    function _addStore(address proxy, bytes32 slot, uint256 offset, bytes memory value) internal {
        plan.push(
            IChugSplashManager.Action(
                IChugSplashManager.ActionKind.SET_STORAGE, proxy, 100_000, abi.encode(slot, offset, value)
            )
        );
    }

    function _addImplementation(address proxy, address implementation) internal {
        plan.push(
            IChugSplashManager.Action(
                IChugSplashManager.ActionKind.SET_IMPLEMENTATION, proxy, 200_000, abi.encode(implementation)
            )
        );
    }

    function _addCall(address target, uint256 value, bytes memory data) internal {
        _addCall(target, value, data, 200_000);
    }

    function _addCall(address target, uint256 value, bytes memory data, uint256 gas) internal {
        plan.push(
            IChugSplashManager.Action(
                IChugSplashManager.ActionKind.CALL, target, uint64(gas), abi.encode(value, data)
            )
        );
    }

    function _boxCode(uint256 version) internal pure returns (bytes memory) {
        return abi.encodePacked(type(Box).creationCode, abi.encode(version));
    }

    // --- bundles ---

    function _leaves() internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](plan.length);
        for (uint256 i; i < leaves.length; ++i) {
            leaves[i] = MerkleActions.leafOf(i, plan[i].kind, plan[i].target, plan[i].gas, plan[i].data);
        }
    }

    /// Makes the header of the plan, with flat fee, lock and no cap. Tests change what they want to.
    function _makeHeader() internal {
        uint256 deploys;
        uint256 gas;
        for (uint256 i; i < plan.length; ++i) {
            if (plan[i].kind == IChugSplashManager.ActionKind.DEPLOY) ++deploys;
            gas += plan[i].gas;
        }
        header.actionRoot = MerkleActions.rootOf(_leaves());
        (header.deployCount, header.switchCount) = (deploys, plan.length - deploys);
        header.totalGas = gas;
        header.maxTxs = plan.length + 1;
        header.maxBaseFee = type(uint256).max;
        header.budget = 20 ether;
        (header.ess, header.eps) = (address(lock), address(flatFee));
        header.uri = "https://example.org/bundle.json";
    }

    function _propose() internal {
        vm.prank(owner);
        id = manager.propose(header);
    }

    function _approve() internal {
        _send(owner, abi.encodeCall(manager.approve, (id, header)));
    }

    /// Sends a transaction to the manager at the price of these tests: isolated calls else find a basefee of 0.
    function _send(address from, bytes memory data) internal returns (bytes memory) {
        return relay.send(from, address(manager), 0, TX_GAS, data);
    }

    /// Header, proposal and approval of the plan.
    function _start() internal {
        _makeHeader();
        _propose();
        _approve();
    }

    function _claim(address executor) internal {
        relay.send(executor, address(lock), BOND, TX_GAS, abi.encodeCall(lock.claim, (address(manager), id)));
    }

    // --- execution ---

    /// Bob sends it.
    function _claim(ContractExecutor executor) internal {
        relay.send(bob, address(executor), BOND, TX_GAS, abi.encodeCall(executor.claim, (lock, manager, id)));
    }

    function _slice(uint256 first, uint256 count)
        internal
        view
        returns (IChugSplashManager.Action[] memory actions, bytes32[][] memory proofs)
    {
        return _slice(first, count, _leaves());
    }

    function _slice(uint256 first, uint256 count, bytes32[] memory leaves)
        internal
        view
        returns (IChugSplashManager.Action[] memory actions, bytes32[][] memory proofs)
    {
        actions = new IChugSplashManager.Action[](count);
        proofs = new bytes32[][](count);
        for (uint256 i; i < count; ++i) {
            actions[i] = plan[first + i];
            proofs[i] = MerkleActions.proofOf(leaves, first + i);
        }
    }

    /// Executes with leaves that were computed before: for many actions.
    function _execute(address executor, uint256 first, uint256 count, bytes32[] memory leaves)
        internal
        returns (uint256 executed, uint256 payment)
    {
        (IChugSplashManager.Action[] memory actions, bytes32[][] memory proofs) = _slice(first, count, leaves);
        bytes memory data = abi.encodeCall(IChugSplashManager.execute, (id, first, actions, proofs));
        return abi.decode(relay.send(executor, address(manager), 0, TX_GAS, data), (uint256, uint256));
    }

    function _executeCall(uint256 first, uint256 count) internal view returns (bytes memory) {
        (IChugSplashManager.Action[] memory actions, bytes32[][] memory proofs) = _slice(first, count);
        return abi.encodeCall(IChugSplashManager.execute, (id, first, actions, proofs));
    }

    function _execute(address executor, uint256 first, uint256 count)
        internal
        returns (uint256 executed, uint256 payment)
    {
        bytes memory result = relay.send(executor, address(manager), 0, TX_GAS, _executeCall(first, count));
        if (result.length != 0) (executed, payment) = abi.decode(result, (uint256, uint256));
    }

    /// Sends a transaction to the manager that may fail.
    function _executeRaw(address executor, uint256 gasLimit, bytes memory data)
        internal
        returns (bool, bytes memory)
    {
        return address(relay)
            .call(abi.encodeCall(relay.send, (executor, address(manager), 0, gasLimit, data)));
    }

    /// Executes all that is left.
    function _executeAll(address executor) internal returns (uint256 payment) {
        payment = _executeRest(executor, 0);
    }

    function _executeRest(address executor, uint256 first) internal returns (uint256 payment) {
        (, payment) = _execute(executor, first, plan.length - first);
    }

    // --- looking ---

    /// What the last execution among the recorded logs said.
    function _lastExecution() internal returns (uint256 gasUsed, uint256 payment) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] != IChugSplashManager.ActionsExecuted.selector) continue;
            (,, gasUsed, payment) = abi.decode(logs[i].data, (uint256, uint256, uint256, uint256));
        }
    }

    function _status() internal view returns (IChugSplashManager.Status) {
        return manager.statusOf(id);
    }

    function _assertStatus(IChugSplashManager.Status expected) internal view {
        assertEq(uint256(_status()), uint256(expected), "status");
    }

    /// The manager holds what its accounts say, and nothing is left with the actor.
    function _assertSolvent() internal view {
        IChugSplashManager.Accounts memory a = manager.accounts();
        assertEq(address(manager).balance, a.free + a.budget + a.callValue + a.userBond + a.owed, "accounts");
        assertEq(address(actor).balance, 0, "actor");
    }

    /// Where all ETH is once a bundle has ended and nothing more is owed to executors.
    function _assertMoney(uint256 alicePaid, uint256 bobPaid, uint256 forfeited) internal view {
        assertEq(alice.balance, 10 ether + alicePaid - forfeited, "alice");
        assertEq(bob.balance, 10 ether + bobPaid, "bob");
        assertEq(address(lock).balance, 0, "lock");
        IChugSplashManager.Accounts memory a = manager.accounts();
        assertEq(a.paid, alicePaid + bobPaid, "paid");
        assertEq(a.free, 100 ether - a.paid + forfeited, "free");
        assertEq(a.budget + a.callValue + a.userBond + a.owed, 0, "locked and owed");
        _assertSolvent();
    }
}
