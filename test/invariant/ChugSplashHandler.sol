// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ForceFeeder} from "../actors/ForceFeeder.sol";
import {Puppet} from "../actors/Puppet.sol";
import {ScriptedStrategy} from "../actors/ScriptedStrategy.sol";
import {Box, ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {ChugSplashProxy} from "contracts/chugsplash/ChugSplashProxy.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {ANYONE} from "contracts/interfaces/IExecutorSelectionStrategy.sol";
import {ISimpleLockESS} from "contracts/interfaces/ISimpleLockESS.sol";

/**
 * Owner, executors, strangers, strategies and targets of one project, doing what they like at any price and time.
 * Executors among them refuse ETH, burn gas and call back; targets revert, burn, throw bombs and send ETH back;
 * strategies revert, lie and eat gas. What is wrong with a step is noted and judged by the invariants.
 */
contract ChugSplashHandler is ChugSplashTest {
    ScriptedStrategy public ess;
    ScriptedStrategy public eps;
    Puppet public target;
    address[2] public proxies;
    address[] public executors;

    /// Time goes on here: what a step sets does not outlive it otherwise.
    uint256 public clock;

    // --- ghosts ---

    /// calls of manager and lock
    uint256 public tried;
    /// those that succeeded, in all and by function
    uint256 public achieved;
    mapping(bytes4 selector => uint256) public achievedBy;
    uint256 public completed;
    uint256 public stalled;
    /// wei that were forced in
    uint256 public forced;
    /// ETH in and out of the manager, as those saw it who sent and got it
    uint256 public sentIn;
    uint256 public takenOut;
    /// bonds posted, given back and forfeited
    uint256 public bondsIn;
    uint256 public bondsOut;
    uint256 public bondsForfeited;
    /// the bundle's budget and what was added to it
    uint256 public funded;
    /// of payments by our own strategies, payment / cost at the highest, in basis points
    uint256 public highestRatio;
    string public fault;

    bool private _ownStrategies;
    bool private _lockExcused;
    uint256 private _lockClaimedAt;
    uint256 private _salt;
    IChugSplashManager.Status private _last;
    bytes32 private _lastId;
    uint256 private _lastIndex;

    /// What stops a bundle is done seldom, so that more is stopped than empty ones.
    modifier seldom(uint256 seed) {
        if (seed % 5 != 0) return;
        _;
    }

    modifier step() {
        vm.warp(clock);
        vm.fee(relay.baseFee());
        _;
        _watch();
    }

    function setUp() public override {
        super.setUp();
        clock = START;
        (ess, eps, target) = (new ScriptedStrategy(), new ScriptedStrategy(), new Puppet());
        eps.price(0.001 ether);
        executors = [alice, bob, address(new Puppet()), address(new Puppet())];
        for (uint256 i; i < executors.length; ++i) {
            vm.deal(executors[i], 1000 ether);
        }
        address box = address(new Box(0));
        for (uint256 i; i < 2; ++i) {
            proxies[i] = address(new ChugSplashProxy(address(actor)));
            vm.prank(owner);
            manager.adopt(proxies[i], IChugSplashManager.ProxyKind.CHUGSPLASH, address(0), box);
        }
        sentIn = 100 ether;
    }

    // --- the owner ---

    /// A bundle of some deploys, and of a switch of both proxies in which the target is called between.
    function begin(uint256 seed) external step {
        if (manager.activeBundleId() != 0) {
            // Who wants the next one closes what stalled, and now and then cancels what does not move.
            if (seed % 2 == 0) _try(owner, 0, abi.encodeCall(manager.close, ()));
            else if (seed % 7 == 0) _cancelIt();
            return;
        }
        delete plan;
        uint256 deploys = seed % 4;
        address box = address(new Box(++_salt));
        for (uint256 i; i < deploys; ++i) {
            bool fails = (seed >> 8) % 8 == i;
            _addDeploy(keccak256(abi.encode(++_salt)), fails ? bytes(hex"5f5ffd") : _boxCode(_salt), 400_000);
        }
        bool switches = deploys == 0 || (seed >> 16) % 4 != 0;
        if (switches) {
            _addImplementation(proxies[0], box);
            _addStore(proxies[0], 0, _salt);
            _addCall(address(target), (seed >> 20) % 3, hex"01020304", 500_000);
            _addImplementation(proxies[1], box);
        }
        _makeHeader();
        header.callValue = switches ? (seed >> 20) % 3 : 0;
        header.maxTxs = 1 + (seed >> 24) % 4;
        header.maxBaseFee = (seed >> 28) % 2 == 0 ? type(uint256).max : 40 gwei;
        header.ess = (seed >> 32) % 5 == 0 ? address(ess) : address(lock);
        uint256 which = (seed >> 36) % 5;
        header.eps = which == 0 ? address(eps) : which < 3 ? address(flatFee) : address(diminishingBonus);
        uint256 gas = header.totalGas + header.maxTxs * manager.txOverhead();
        header.budget = gas * 2 * relay.baseFee() * 14 / 10;
        _ownStrategies = header.ess != address(ess) && header.eps != address(eps);

        vm.prank(owner);
        try manager.propose(header) returns (bytes32 bundleId) {
            id = bundleId;
        } catch {
            return;
        }
        if (_try(owner, 0, abi.encodeCall(manager.approve, (id, header)))) {
            funded = header.budget;
            (_last, _lastId, _lastIndex) = (IChugSplashManager.Status.APPROVED, id, 0);
            (_lockExcused, _lockClaimedAt) = (false, 0);
        }
    }

    function requestPause(uint256 seed) external seldom(seed) step {
        _try(owner, 0, abi.encodeCall(manager.requestPause, ()));
    }

    function resume() external step {
        _try(owner, 0, abi.encodeCall(manager.resume, ()));
    }

    function retry() external step {
        _try(owner, 0, abi.encodeCall(manager.retry, ()));
    }

    function close(uint256 seed) external seldom(seed) step {
        _try(owner, 0, abi.encodeCall(manager.close, ()));
    }

    function cancel(uint256 seed) external seldom(seed) step {
        // A wallet may refuse the user bond: then it is owed.
        if ((seed >> 8) % 2 == 0) {
            Puppet puppet = Puppet(payable(executors[2 + (seed >> 16) % 2]));
            puppet.behave(Puppet.Mode.Reject, Puppet.Mode.Accept, 0);
        }
        _cancelIt();
    }

    function rollback(uint256 seed) external seldom(seed) step {
        _try(owner, 0, abi.encodeCall(manager.rollback, ()));
    }

    function withdraw(uint256 amount) external seldom(amount) step {
        amount >>= 8;
        uint256 free = manager.accounts().free;
        amount = free == 0 ? 1 : amount % free + 1;
        if (_try(owner, 0, abi.encodeCall(manager.withdraw, (payable(owner), amount)))) takenOut += amount;
    }

    // --- strangers ---

    function deposit(uint256 amount) external step {
        amount = amount % 5 ether + 1;
        vm.deal(stranger, amount);
        IChugSplashManager.Status status = manager.statusOf(id);
        if (!_try(stranger, amount, abi.encodeCall(manager.deposit, ()))) return;
        sentIn += amount;
        bool active =
            status == IChugSplashManager.Status.APPROVED || status == IChugSplashManager.Status.STALLED;
        if (manager.activeBundleId() != 0 && active) funded += amount;
    }

    function force(uint256 amount) external step {
        amount = amount % 1 ether + 1;
        vm.deal(address(this), amount);
        ForceFeeder.feed(address(manager), amount);
        forced += amount;
    }

    function note(uint256 which) external step {
        (address selected,) = manager.selected();
        if (selected == address(0)) _claimAs(executors[(which >> 8) % 4]);
        // Congestion has to be there to be noted.
        if (which % 8 >= 4) relay.setPrices(45 gwei, 45 gwei);
        if (which % 4 == 0) _try(stranger, 0, abi.encodeCall(manager.recordSelection, ()));
        if (which % 4 == 1) _try(stranger, 0, abi.encodeCall(manager.noteUnsound, ()));
        if (which % 4 == 2) {
            _tryLock(stranger, 0, abi.encodeCall(lock.noteCongestion, (address(manager), id)));
        }
        if (which % 4 == 3) _tryLock(_holder(), 0, abi.encodeCall(lock.release, (address(manager), id)));
    }

    function passTime(uint256 amount) external step {
        uint256[6] memory spans = [uint256(1), 30, 200, 450, LOCK, 2 * LOCK];
        clock += spans[amount % 6] + amount % 2;
    }

    function setBaseFee(uint256 amount) external step {
        uint256[5] memory prices = [uint256(1 gwei), 10 gwei, 20 gwei, 45 gwei, 100 gwei];
        relay.setPrices(prices[amount % 5], prices[amount % 5]);
    }

    // --- executors ---

    function claim(uint256 who) external step {
        _claimAs(executors[who % executors.length]);
    }

    function settle(uint256 who) external step {
        ISimpleLockESS.Lock memory old = lock.lockOf(address(manager), id);
        if (old.executor == address(0)) return;
        (, bool excused) = lock.outcomeOf(address(manager), id);
        address from = who % 2 == 0 ? stranger : old.executor;
        uint256 owedBefore = lock.owedTo(old.executor) + (from == old.executor ? old.executor.balance : 0);
        uint256 before = address(manager).balance;
        uint256 lockBefore = address(lock).balance;
        if (!_tryLock(from, 0, abi.encodeCall(lock.settle, (address(manager), id)))) return;
        uint256 paid = lockBefore - address(lock).balance;
        if (from == old.executor) {
            bondsOut += excused || paid != 0 ? paid - (excused ? 0 : BOND) : 0;
            if (!excused) _judgeForfeit(before);
        } else {
            _judgeSettlement(old.executor, excused, owedBefore, before);
        }
        (_lockExcused, _lockClaimedAt) = (false, 0);
    }

    function withdrawBond(uint256 who) external step {
        address executor = executors[who % executors.length];
        uint256 owed = lock.owedTo(executor);
        if (_tryLock(executor, 0, abi.encodeCall(lock.withdraw, (payable(stranger))))) bondsOut += owed;
    }

    function withdrawOwed(uint256 who) external step {
        address executor = executors[who % executors.length];
        uint256 owed = manager.owedTo(executor);
        if (_try(executor, 0, abi.encodeCall(manager.withdrawOwed, (payable(stranger))))) takenOut += owed;
    }

    /// The holder, or somebody else now and then, executes what comes next: some deploys, or all that is left.
    function execute(uint256 seed) external step {
        (address selected,) = manager.selected();
        if (selected == address(0)) _claimAs(executors[(seed >> 24) % 4]);
        address executor = seed % 8 == 0 ? executors[(seed >> 8) % 4] : _holder();
        IChugSplashManager.BundleInfo memory info = manager.bundle(id);
        if (info.nextIndex >= plan.length) return;
        uint256 left = plan.length - info.nextIndex;
        uint256 deploysLeft = header.deployCount - info.nextIndex;
        uint256 count = deploysLeft > 1 && seed % 3 == 0 ? 1 + (seed >> 16) % deploysLeft : left;
        uint256 received = executor.balance;
        uint256 lockBefore = address(lock).balance;
        uint256 targetBefore = address(target).balance;
        if (!_try(executor, 0, _executeCall(info.nextIndex, count))) return;

        // An executor that calls back may have settled its lock when it was paid.
        uint256 bonds = lockBefore - address(lock).balance;
        bondsOut += bonds;
        uint256 payment = executor.balance - received - bonds;
        takenOut += payment;
        // ETH of the calls, less what came back.
        uint256 targetNow = address(target).balance;
        if (targetNow >= targetBefore) takenOut += targetNow - targetBefore;
        else sentIn += targetBefore - targetNow;
        if (_ownStrategies && payment != 0) {
            uint256 ratio = payment * 10_000 / (relay.receiptGas() * relay.baseFee());
            if (ratio > highestRatio) highestRatio = ratio;
        }
        if (manager.accounts().paid > funded) fault = "more was paid than the budget";
    }

    // --- bad behaviour ---

    function misbehave(uint256 seed) external step {
        // They answer most of the time, or little would ever be executed by them.
        uint256 mode = (seed >> 8) % 15;
        if (seed % 2 == 0) ess.behave(ScriptedStrategy.Mode(mode < 6 ? mode : 0));
        else eps.behave(ScriptedStrategy.Mode(mode < 5 ? mode : 0));
        ess.select((seed >> 16) % 5 == 4 ? ANYONE : executors[(seed >> 16) % 4], clock);
        eps.price(seed % 7 == 0 ? type(uint256).max : 0.001 ether);
    }

    function changeTarget(uint256 seed) external step {
        // Accepting most of the time, or little would ever be completed.
        Puppet.Mode mode = Puppet.Mode(seed % 3 == 0 ? (seed >> 8) % 5 : 0);
        Puppet.Call[] memory calls = new Puppet.Call[](2);
        calls[0] = Puppet.Call(address(manager), 0, abi.encodeCall(manager.cancel, ()));
        calls[1] = Puppet.Call(address(lock), 0, abi.encodeCall(lock.settle, (address(manager), id)));
        target.script(calls);
        target.behave(Puppet.Mode.Accept, mode, uint96((seed >> 16) % 2));
    }

    function changeExecutor(uint256 seed) external step {
        Puppet puppet = Puppet(payable(executors[2 + seed % 2]));
        Puppet.Call[] memory calls = new Puppet.Call[](2);
        calls[0] = Puppet.Call(address(manager), 0, abi.encodeCall(manager.withdrawOwed, (payable(stranger))));
        calls[1] = Puppet.Call(address(lock), 0, abi.encodeCall(lock.settle, (address(manager), id)));
        puppet.script(calls);
        Puppet.Mode mode = Puppet.Mode(seed % 3 == 0 ? (seed >> 8) % 6 : 0);
        puppet.behave(mode, Puppet.Mode.Accept, 0);
    }

    // --- internals ---

    function _cancelIt() private {
        // The user bond goes to one executor, at once or for it to take, or stays.
        uint256 before = _executorsHold();
        IChugSplashManager.Accounts memory was = manager.accounts();
        if (!_try(owner, 0, abi.encodeCall(manager.cancel, ()))) return;
        IChugSplashManager.Accounts memory now_ = manager.accounts();
        uint256 pushed = _executorsHold() - before;
        takenOut += pushed;
        uint256 stayed = now_.free - was.free - was.budget - was.callValue;
        if (pushed + (now_.owed - was.owed) + stayed != was.userBond) fault = "a user bond went astray";
    }

    function _claimAs(address executor) private {
        ISimpleLockESS.Lock memory old = lock.lockOf(address(manager), id);
        bool excused;
        if (old.executor != address(0)) (, excused) = lock.outcomeOf(address(manager), id);
        uint256 owedBefore = lock.owedTo(old.executor);
        uint256 before = address(manager).balance;
        if (!_tryLock(executor, BOND, abi.encodeCall(lock.claim, (address(manager), id)))) return;
        bondsIn += BOND;
        _judgeSettlement(old.executor, excused, owedBefore, before);
        (_lockExcused, _lockClaimedAt) = (false, clock);
    }

    function _holder() private view returns (address holder) {
        (holder,) = manager.selected();
        if (holder == address(0) || holder == ANYONE) holder = alice;
    }

    function _try(address from, uint256 value, bytes memory data) private returns (bool success) {
        return _send(from, address(manager), value, data);
    }

    function _tryLock(address from, uint256 value, bytes memory data) private returns (bool success) {
        // An executor that is paid its bond may fetch at once what the manager owes it.
        uint256 owed = manager.accounts().owed;
        success = _send(from, address(lock), value, data);
        takenOut += owed - manager.accounts().owed;
    }

    function _send(address from, address to, uint256 value, bytes memory data)
        private
        returns (bool success)
    {
        ++tried;
        (success,) = address(relay).call(abi.encodeCall(relay.send, (from, to, value, TX_GAS, data)));
        if (!success) return false;
        ++achieved;
        // Only the first four bytes are looked at.
        // forge-lint: disable-next-line(unsafe-typecast)
        ++achievedBy[bytes4(data)];
    }

    function _executorsHold() private view returns (uint256 sum) {
        for (uint256 i; i < executors.length; ++i) {
            sum += executors[i].balance;
        }
    }

    /// A lock was settled by somebody else than its executor.
    function _judgeSettlement(address executor, bool excused, uint256 owedBefore, uint256 before) private {
        if (executor == address(0)) return;
        if (!excused) _judgeForfeit(before);
        else if (lock.owedTo(executor) != owedBefore + BOND) fault = "an excused bond was not credited";
    }

    function _judgeForfeit(uint256 before) private {
        if (_lockExcused) fault = "an excused bond was forfeited";
        if (address(manager).balance != before + BOND) fault = "a forfeited bond did not arrive";
        bondsForfeited += BOND;
        sentIn += BOND;
        IChugSplashManager.Status status = manager.statusOf(id);
        if (status == IChugSplashManager.Status.APPROVED || status == IChugSplashManager.Status.STALLED) {
            funded += BOND;
        }
    }

    /// What holds from each step to the next.
    function _watch() private {
        if (id == 0 || _lastId != id) return;
        IChugSplashManager.Status now_ = manager.statusOf(id);
        if (!_isEdge(_last, now_)) {
            fault = string.concat("from ", vm.toString(uint256(_last)), " to ", vm.toString(uint256(now_)));
        }
        if (now_ != _last) {
            if (now_ == IChugSplashManager.Status.COMPLETED) ++completed;
            if (now_ == IChugSplashManager.Status.STALLED) ++stalled;
        }
        uint256 index = manager.bundle(id).nextIndex;
        if (index < _lastIndex) fault = "it went back";
        (_last, _lastIndex) = (now_, index);
        if (_lockClaimedAt == 0) return;
        ISimpleLockESS.Lock memory l = lock.lockOf(address(manager), id);
        if (l.executor == address(0)) return;
        (, bool excused) = lock.outcomeOf(address(manager), id);
        if (_lockExcused && !excused) fault = "an excuse was taken back";
        if (now_ != IChugSplashManager.Status.APPROVED && clock <= l.until && !excused) {
            fault = "stopped in its time, and not excused";
        }
        _lockExcused = excused;
    }

    /// The table of statuses. A step may take two edges: a pause comes in force, and is taken back.
    function _isEdge(IChugSplashManager.Status from, IChugSplashManager.Status to)
        private
        pure
        returns (bool)
    {
        if (from == to) return true;
        uint256 f = uint256(from);
        uint256 t = uint256(to);
        if (f == 2) return t >= 3;
        if (f == 3) return t == 2 || t == 7;
        if (f == 4) return t == 2 || t == 6 || t == 7;
        return false;
    }

    function bundleView() external view returns (bytes32, IChugSplashManager.BundleHeader memory) {
        return (id, header);
    }

    function contracts() external view returns (IChugSplashManager, ISimpleLockESS, address) {
        return (manager, lock, address(actor));
    }

    function actionTarget(uint256 index) external view returns (address) {
        return plan[index].target;
    }

    function ownerOfIt() external view returns (address) {
        return owner;
    }
}
