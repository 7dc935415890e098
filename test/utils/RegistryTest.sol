// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {AskedGate} from "../actors/AskedGate.sol";
import {MeterTarget} from "../actors/MeterTarget.sol";
import {TestGate} from "../actors/TestGate.sol";
import {Relay} from "./Relay.sol";
import {IPriceOracle} from "contracts/interfaces/IPriceOracle.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";
import {FeeMath} from "contracts/libraries/FeeMath.sol";
import {Registry} from "contracts/registry/Registry.sol";
import {StakeManager} from "contracts/selection/StakeManager.sol";
import {AutoToken} from "contracts/token/AutoToken.sol";
import {Test} from "forge-std/Test.sol";
import {Deploy} from "script/Deploy.s.sol";

/**
 * A deployed Registry and what tests of it share. Test contracts run isolated: each call from a test is a
 * transaction of its own, with its own gas, call data price, refunds and transient storage.
 */
abstract contract RegistryTest is Test {
    uint256 internal constant BASE_FEE = 10 gwei;
    uint256 internal constant GAS_PRICE = 11 gwei;

    uint256 internal constant TX_GAS = 30_000_000;

    Relay internal relay;
    Registry internal registry;
    AutoToken internal autoToken;
    IPriceOracle internal oracle;
    StakeManager internal stakeManager;
    /// Grants everything and remembers nothing until told otherwise; in place after `_useTestGate`.
    TestGate internal gate;

    address internal owner = makeAddr("owner");
    address internal executor = makeAddr("executor");
    address internal user = makeAddr("user");
    address internal referer = makeAddr("referer");

    /// Where ETH is before an execution.
    struct Ledger {
        uint256 registry;
        uint256 executor;
        uint256 user;
        uint256 target;
        uint256 credit;
        uint256 executorAuto;
        uint256 userAuto;
    }

    function setUp() public virtual {
        Deploy script = new Deploy();
        Deploy.Config memory config = script.parse(vm.readFile("script/config/31337.json"));
        config.owner = owner;
        Deploy.Deployed memory d = script.deploy(config, address(script));
        registry = d.registry;
        autoToken = d.autoToken;
        oracle = d.priceOracle;
        stakeManager = d.stakeManager;

        vm.roll(1000);
        vm.warp(1_800_000_000);
        relay = new Relay(BASE_FEE, GAS_PRICE);
        vm.deal(executor, 1 ether);
    }

    /// Has the gate asked, so that what is measured afterwards finds a grant that is remembered.
    function _warmGrant() internal {
        IRegistry.Request memory r = _request(address(new MeterTarget()), "warm");
        r.initEthSent = 1 ether;
        _execute(_register(r), r);
    }

    function _useTestGate() internal {
        gate = new TestGate();
        vm.prank(owner);
        registry.setGate(gate);
    }

    /// A gate that is asked for every call and grants it to `executor_` alone.
    function _useAskedGate(address executor_, bool wantsReport) internal returns (AskedGate asked) {
        asked = new AskedGate(executor_, wantsReport);
        vm.prank(owner);
        registry.setGate(asked);
    }

    // --- Requests ---

    /// A plain one-shot Request without ETH; tests fill in the rest.
    function _request(address target, bytes memory callData)
        internal
        view
        returns (IRegistry.Request memory r)
    {
        r.user = payable(user);
        r.target = target;
        r.referer = payable(referer);
        r.callData = callData;
    }

    /// Registers `r` as its user, with `initEthSent` as value.
    function _register(IRegistry.Request memory r) internal returns (uint256 id) {
        // One wei more: paying an account that does not exist costs 25,000 gas.
        vm.deal(r.user, r.user.balance + r.initEthSent + 1);
        vm.prank(r.user, r.user);
        return registry.newReqPaySpecific{value: r.initEthSent}(
            r.target,
            r.referer,
            r.callData,
            r.ethForCall,
            r.verifyUser,
            r.insertFeeAmount,
            r.payWithAUTO,
            r.isAlive
        );
    }

    function _newReqCall(IRegistry.Request memory r) internal pure returns (bytes memory) {
        return abi.encodeCall(
            IRegistry.newReqPaySpecific,
            (
                r.target,
                r.referer,
                r.callData,
                r.ethForCall,
                r.verifyUser,
                r.insertFeeAmount,
                r.payWithAUTO,
                r.isAlive
            )
        );
    }

    function _cancel(uint256 id, IRegistry.Request memory r) internal {
        vm.prank(r.user, r.user);
        registry.cancelHashedReq(id, r);
    }

    function _execute(uint256 id, IRegistry.Request memory r) internal returns (uint256 gasCharged) {
        return _execute(id, r, 0);
    }

    function _execute(uint256 id, IRegistry.Request memory r, uint256 expectedGas)
        internal
        returns (uint256 gasCharged)
    {
        bytes memory data = abi.encodeCall(IRegistry.executeHashedReq, (id, r, expectedGas));
        bytes memory result = _send(executor, address(registry), data);
        // Nothing comes back where a revert is expected.
        if (result.length != 0) return abi.decode(result, (uint256));
    }

    function _executeBatch(IRegistry.Execution[] memory batch)
        internal
        returns (IRegistry.Outcome[] memory outcomes)
    {
        bytes memory data = abi.encodeCall(IRegistry.executeHashedReqs, (batch));
        bytes memory result = _send(executor, address(registry), data);
        if (result.length != 0) return abi.decode(result, (IRegistry.Outcome[]));
    }

    function _entry(uint256 id, IRegistry.Request memory r)
        internal
        pure
        returns (IRegistry.Execution memory e)
    {
        (e.id, e.request, e.gasLimit) = (id, r, 500_000);
    }

    /// Sends a transaction at the gas price of these tests.
    function _send(address from, address to, bytes memory data) internal returns (bytes memory) {
        return relay.send(from, to, 0, TX_GAS, data);
    }

    /// Gives `account` AUTO and lets the Registry take its fees from it.
    function _fundAuto(address account) internal {
        _fundAuto(account, 1_000_000 ether, type(uint256).max);
    }

    function _fundAuto(address account, uint256 amount, uint256 allowance) internal {
        deal(address(autoToken), account, amount);
        address spender = registry.autoPayments();
        vm.prank(account);
        autoToken.approve(spender, allowance);
    }

    /// The charge of executing `r` as it is, in a state that is thrown away.
    function _gasOf(uint256 id, IRegistry.Request memory r) internal returns (uint256 gasCharged) {
        uint256 snapshot = vm.snapshotState();
        // Two steps, as the number of the executor's own guess is a part of the call data.
        gasCharged = r.insertFeeAmount ? 50_000 : 0;
        gasCharged = _execute(id, r, gasCharged);
        vm.revertToStateAndDelete(snapshot);
    }

    // --- money ---

    function _ethFee(uint256 gas) internal pure returns (uint256) {
        return FeeMath.ethFee(gas, GAS_PRICE);
    }

    function _autoFee(uint256 gas) internal view returns (uint256) {
        return FeeMath.autoFee(gas, GAS_PRICE, oracle.autoPerEth());
    }

    function _ledger(IRegistry.Request memory r) internal view returns (Ledger memory l) {
        l.registry = address(registry).balance;
        l.executor = executor.balance;
        l.user = r.user.balance;
        l.target = r.target.balance;
        l.credit = registry.creditOf(r.user);
        l.executorAuto = autoToken.balanceOf(executor);
        l.userAuto = autoToken.balanceOf(r.user);
    }

    /**
     * Asserts refund + fee + ETH for the call = deposit + ETH received, to the wei, for one execution of `r`.
     * @return refund wei that went to the user or were credited to him.
     * @return fee wei that went to the executor.
     */
    function _assertConserved(Ledger memory before, IRegistry.Request memory r)
        internal
        view
        returns (uint256 refund, uint256 fee)
    {
        Ledger memory now_ = _ledger(r);
        uint256 received = before.target + r.ethForCall - now_.target;
        refund = now_.user + now_.credit - before.user - before.credit;
        fee = now_.executor - before.executor;
        assertEq(refund + fee + r.ethForCall, r.initEthSent + received, "refund + fee + call");
        uint256 credited = now_.credit - before.credit;
        assertEq(now_.registry, before.registry - r.initEthSent + credited, "what the Registry holds");
        assertEq(
            now_.executorAuto - before.executorAuto,
            before.userAuto - now_.userAuto,
            "AUTO of user and executor"
        );
    }
}
