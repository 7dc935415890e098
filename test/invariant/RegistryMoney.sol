// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Puppet} from "../actors/Puppet.sol";
import {TestOracle} from "../actors/TestOracle.sol";
import {Relay} from "../utils/Relay.sol";
import {RegistryStore} from "./RegistryStore.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";
import {Registry} from "contracts/registry/Registry.sol";
import {AutoToken} from "contracts/token/AutoToken.sol";
import {Test} from "forge-std/Test.sol";

/**
 * What everybody has to have after a transaction: told from what they had, from the fees that were logged and from
 * what targets give, account by account. What nobody is owed nobody gets.
 */
abstract contract RegistryMoney is Test {
    /// What a target sends the Registry that makes its scripted calls.
    uint256 private constant SCRIPTED_ETH = 0.002 ether;
    /// Gas that an account with code is charged more for a refund in ETH: RegistrySettlement.REFUND_GAS_CODE.
    uint256 private constant REFUND_GAS_CODE = 300;

    Registry public immutable registry;
    AutoToken public immutable autoToken;
    RegistryStore public immutable store;
    TestOracle public immutable oracle;
    Relay internal immutable relay;

    address[] public users;
    address[] public targets;
    address[] public executors;

    /// What came about, by the name of the disturbance or of what an execution was or led to.
    mapping(bytes32 what => uint256) public seen;
    /// By Request, of the last transaction that executed it: the fee that was logged, and what the user got.
    mapping(uint256 id => uint256) public feeOf;
    mapping(uint256 id => uint256) public refundOf;

    /// What an account has to have after the transaction.
    mapping(address account => uint256) private _eth;
    mapping(address account => uint256) private _auto;

    constructor(Registry registry_, AutoToken autoToken_, TestOracle oracle_, Relay relay_) {
        (registry, autoToken, oracle, relay) = (registry_, autoToken_, oracle_, relay_);
        store = new RegistryStore();
    }

    /// Before a transaction.
    function _openMoney() internal {
        address[] memory all = _accounts();
        for (uint256 i; i < all.length; ++i) {
            (_eth[all[i]], _auto[all[i]]) = (_ethOf(all[i]), autoToken.balanceOf(all[i]));
        }
    }

    /// An execution was logged: refund + fee + ETH for the call = deposit + ETH received. With a fee in AUTO the
    /// refund is all of it, or goes to the executor where sending it costs more.
    function _expectExecution(uint256 id, address executor, uint256 fee, bool inAuto) internal {
        IRegistry.Request memory r = store.request(id);
        uint256 received = _givenBy(r.target);
        uint256 available = r.initEthSent - r.ethForCall + received;
        uint256 payout;
        if (inAuto) {
            // What nobody has is found out in the end: a step that reverts finds nothing.
            unchecked {
                _auto[r.user] -= fee;
                _auto[executor] += fee;
            }
            if (available <= _ethFee(registry.feeSettings().refund)) payout = available;
            if (payout != 0) ++seen["kept remainder"];
        } else {
            payout = fee;
        }
        if (inAuto != r.payWithAUTO) store.fail("paid in the other currency");
        if (payout > available) return store.fail("fee > deposit + received - call");
        _eth[r.target] = _eth[r.target] + r.ethForCall - received;
        _eth[r.user] += available - payout;
        _eth[executor] += payout;
        (feeOf[id], refundOf[id]) = (fee, available - payout);
    }

    /// After it: every account has to the wei what the executions that were logged give it.
    function _closeMoney() internal {
        address[] memory all = _accounts();
        for (uint256 i; i < all.length; ++i) {
            if (_ethOf(all[i]) != _eth[all[i]]) {
                store.fail(string.concat(_nameOf(i), ": ETH != what the logs say"));
            }
            if (autoToken.balanceOf(all[i]) != _auto[all[i]]) {
                store.fail(string.concat(_nameOf(i), ": AUTO != what the logs say"));
            }
        }
    }

    /**
     * A fee is what was charged, or what the executor asked for, times price and premium. One in ETH has up to three
     * parts, each rounded down. A remainder that is worth less than sending it is part of it; so is, where the
     * executor asked, what crediting the user cost.
     */
    function _checkFee(uint256 id, uint256 expectedGas, uint256 gasCharged) internal {
        IRegistry.Request memory r = store.request(id);
        uint256 fee = feeOf[id];
        if (r.insertFeeAmount) ++seen["fixed fee"];
        if (r.payWithAUTO) {
            uint256 weiOf = _weiOf(r.insertFeeAmount ? expectedGas : gasCharged);
            if (fee != weiOf * oracle.autoPerEth() * 11 / (10 * 1e18)) store.fail("fee in AUTO");
            return;
        }
        IRegistry.FeeSettings memory fees = registry.feeSettings();
        if (r.insertFeeAmount) {
            uint256 asked = _ethFee(expectedGas);
            if (fee < asked) store.fail("fee in ETH < what was asked for");
            if (refundOf[id] != 0 && _takesEth(r.user) && fee != asked) store.fail("fixed fee in ETH");
            return;
        }
        uint256 highest = _ethFee(gasCharged);
        if (refundOf[id] == 0) highest += _ethFee(fees.refund + REFUND_GAS_CODE);
        else if (fee + 2 < highest) store.fail("fee in ETH < charge");
        if (fee > highest) store.fail("fee in ETH > charge");
    }

    /// What an account has in ETH: its wallet and its credit.
    function _ethOf(address account) internal view returns (uint256) {
        return account.balance + registry.creditOf(account);
    }

    /// Wei that a target sends the Registry when it is called, if the call succeeds.
    function _givenBy(address target) private view returns (uint256) {
        Puppet puppet = Puppet(payable(target));
        return puppet.giveBack() + (puppet.onCall() == Puppet.Mode.Act ? SCRIPTED_ETH : 0);
    }

    /// Whether an account is surely paid with the gas of a refund.
    function _takesEth(address account) private view returns (bool) {
        return account.code.length == 0 || Puppet(payable(account)).onEth() == Puppet.Mode.Accept;
    }

    /// Gas at the price that is paid: a tip counts up to its cap.
    function _weiOf(uint256 gas) private view returns (uint256) {
        uint256 highest = relay.baseFee() + registry.feeSettings().tipCapWei;
        return gas * (relay.gasPrice() < highest ? relay.gasPrice() : highest);
    }

    /// The same with the premium on fees in ETH.
    function _ethFee(uint256 gas) private view returns (uint256) {
        return _weiOf(gas) * 13 / 10;
    }

    function _accounts() private view returns (address[] memory all) {
        all = new address[](users.length + targets.length + executors.length);
        uint256 length;
        for (uint256 i; i < users.length; ++i) {
            all[length++] = users[i];
        }
        for (uint256 i; i < targets.length; ++i) {
            all[length++] = targets[i];
        }
        for (uint256 i; i < executors.length; ++i) {
            all[length++] = executors[i];
        }
    }

    function _nameOf(uint256 i) private view returns (string memory) {
        if (i < users.length) return "a user";
        return i < users.length + targets.length ? "a target" : "an executor";
    }
}
