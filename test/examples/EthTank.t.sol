// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Chore, HookedWallet, RefusingWallet} from "./Actors.sol";
import {ExamplesFixture} from "./ExamplesFixture.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EthTank, TankCaller} from "contracts/examples/EthTank.sol";
import {RegistryTarget} from "contracts/examples/RegistryTarget.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";

contract EthTankTest is ExamplesFixture {
    address private byUserFee;
    Chore private chore = new Chore();

    function setUp() public override {
        super.setUp();
        byUserFee = registry.userFeeForwarder();
        _deposit(user, 1 ether);
        _deposit(stranger, 5 ether);
    }

    function _deposit(address who, uint256 amountWei) private {
        vm.deal(address(this), amountWei);
        tank.deposit{value: amountWei}(who);
    }

    function _work(uint256 fee, uint256 maxFee, address target, bytes memory data)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(tank.work, (user, fee, maxFee, target, data));
    }

    function _chore(uint256 fee, uint256 maxFee) private view returns (bytes memory) {
        return _work(fee, maxFee, address(chore), abi.encodeCall(chore.run, ()));
    }

    // --- refusals ---

    function test_RevertWhen_CallerIsNotTheUserFeeForwarder() public {
        chore.setUp();
        address[5] memory callers =
            [user, stranger, registry.plainForwarder(), registry.userForwarder(), registry.feeForwarder()];
        for (uint256 i = 0; i < callers.length; i++) {
            assertFails(
                callers[i],
                address(tank),
                _chore(0, 1 ether),
                abi.encodeWithSelector(RegistryTarget.NotForwarder.selector, callers[i], byUserFee)
            );
        }
    }

    function test_RevertWhen_FeeIsHigherThanAllowed() public {
        assertFails(
            byUserFee,
            address(tank),
            _chore(0.2 ether + 1, 0.2 ether),
            abi.encodeWithSelector(EthTank.FeeTooHigh.selector, 0.2 ether + 1, 0.2 ether)
        );
    }

    function test_RevertWhen_ShareIsTooLow() public {
        assertFails(
            byUserFee,
            address(tank),
            _chore(1 ether + 1, 2 ether),
            abi.encodeWithSelector(EthTank.TankTooLow.selector, user, 1 ether, 1 ether + 1)
        );
        vm.prank(user);
        vm.expectRevert(abi.encodeWithSelector(EthTank.TankTooLow.selector, user, 1 ether, 1 ether + 1));
        tank.withdraw(user, 1 ether + 1);
    }

    function test_RevertWhen_ThereIsNothingToDo() public {
        assertFails(
            byUserFee, address(tank), _chore(0, 0), abi.encodeWithSelector(Chore.NothingToDo.selector)
        );
    }

    function test_RevertWhen_TargetHasNoCode() public {
        assertFails(
            byUserFee,
            address(tank),
            _work(0, 0, stranger, ""),
            abi.encodeWithSelector(Address.AddressEmptyCode.selector, stranger)
        );
    }

    function test_RevertWhen_FeeIsPaidOutsideAnExecution() public {
        chore.setUp();
        assertFails(
            byUserFee,
            address(tank),
            _chore(0.1 ether, 1 ether),
            abi.encodeWithSelector(RegistryTarget.FeeRefused.selector, 0.1 ether)
        );
        assertEq(tank.balanceOf(user), 1 ether);
    }

    function test_RevertWhen_ReceiverTakesNoEth() public {
        address wallet = address(new RefusingWallet());
        vm.prank(user);
        vm.expectRevert(abi.encodeWithSelector(RegistryTarget.EthRefused.selector, wallet));
        tank.withdraw(wallet, 1);
    }

    function test_RevertWhen_EthComesWithoutDeposit() public {
        (bool success,) = address(tank).call{value: 1}("");
        assertFalse(success);
    }

    function test_RevertWhen_AnybodyUsesTheCaller() public {
        TankCaller caller = tank.CALLER();
        vm.expectRevert(abi.encodeWithSelector(TankCaller.NotTank.selector, user));
        vm.prank(user);
        caller.forward(address(chore), "");
    }

    // --- use ---

    function test_WhenDeposited_TheShareGrows() public {
        vm.deal(stranger, 1 ether);
        vm.prank(stranger);
        vm.expectEmit(address(tank));
        emit EthTank.Deposited(user, stranger, 0.5 ether);
        tank.deposit{value: 0.5 ether}(user);
        assertEq(tank.balanceOf(user), 1.5 ether);
    }

    function test_WhenWithdrawn_TheShareShrinks() public {
        address to = makeAddr("to");
        vm.expectEmit(address(tank));
        emit EthTank.Withdrawn(user, to, 0.3 ether);
        vm.prank(user);
        tank.withdraw(to, 0.3 ether);
        assertEq(to.balance, 0.3 ether);
        assertEq(tank.balanceOf(user), 0.7 ether);
        assertEq(address(tank).balance, 5.7 ether);
    }

    function test_WhenWalletReenters_TankRefuses() public {
        HookedWallet wallet = new HookedWallet();
        _deposit(address(wallet), 1 ether);
        wallet.arm(address(tank), abi.encodeCall(tank.withdraw, (address(wallet), 1)), address(0));
        vm.prank(address(wallet));
        tank.withdraw(address(wallet), 0.4 ether);
        assertEq(
            wallet.result(),
            abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
        assertEq(tank.balanceOf(address(wallet)), 0.6 ether);
        assertEq(address(wallet).balance, 0.4 ether);
    }

    /// What the work can call, it calls as CALLER, which has no share: nobody's ETH is within its reach.
    function test_RevertWhen_WorkTurnsOnTheTank() public {
        bytes memory reentered =
            abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        assertFails(
            byUserFee,
            address(tank),
            _work(0, 0, address(tank), abi.encodeCall(tank.withdraw, (user, 1))),
            reentered
        );
        assertFails(
            byUserFee,
            address(tank),
            _work(0, 0, address(tank), abi.encodeCall(tank.deposit, (user))),
            reentered
        );
        assertFails(
            byUserFee,
            address(tank),
            _work(0, 0, address(tank), _chore(0, 0)),
            abi.encodeWithSelector(RegistryTarget.NotForwarder.selector, tank.CALLER(), byUserFee)
        );
    }

    // --- through the Registry ---

    function test_WhenRecurring_TheTankPaysEachTimeAndOnlyItsUsersShare() public {
        IRegistry.Request memory r = request(address(tank), _chore(0, 0.1 ether), true, true);
        uint256 total;
        for (uint256 i = 0; i < 3; i++) {
            // A test is one transaction, in which the Registry executes a Request only once.
            uint256 id = register(r);
            assertNotExecutable(id, r, abi.encodeWithSelector(Chore.NothingToDo.selector));
            chore.setUp();
            uint256 fee = execute(id, r);
            assertGt(fee, 0);
            total += fee;
            assertEq(tank.balanceOf(user), 1 ether - total);
        }
        assertEq(chore.done(), 3);
        assertEq(tank.balanceOf(stranger), 5 ether);
        assertEq(address(tank).balance, 6 ether - total);
        assertEq(address(registry).balance, 0);
    }

    function test_WhenWorkIsAPeriodicPayment_ItIsPaidFromTheTank() public {
        token.mint(user, 10 ether);
        vm.startPrank(user);
        token.approve(address(payments), 10 ether);
        uint256 schedule = payments.create(
            token, stranger, 5 ether, uint40(block.timestamp), 1 days, 2, type(uint40).max, true
        );
        vm.stopPrank();
        IRegistry.Request memory r = request(
            address(tank),
            _work(0, 0.1 ether, address(payments), abi.encodeCall(payments.pay, (schedule))),
            true,
            true
        );
        uint256 id = register(r);
        uint256 fee = execute(id, r);
        assertEq(token.balanceOf(stranger), 5 ether);
        assertEq(tank.balanceOf(user), 1 ether - fee);
    }

    function test_RevertWhen_AnotherUserNamesTheOwner() public {
        bytes memory data = _chore(0, 0.1 ether);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UserNotVerified.selector, stranger));
        registry.newReqPaySpecific(address(tank), payable(0), data, 0, true, true, false, true);

        // Without proof of the user, it comes from a forwarder that the tank does not believe.
        vm.prank(stranger);
        uint256 id = registry.newReqPaySpecific(address(tank), payable(0), data, 0, false, true, false, true);
        IRegistry.Request memory r = request(address(tank), data, true, true);
        (r.user, r.verifyUser) = (payable(stranger), false);
        assertNotExecutable(
            id,
            r,
            abi.encodeWithSelector(RegistryTarget.NotForwarder.selector, registry.feeForwarder(), byUserFee)
        );
    }
}

/// Everything that can be done to a tank, by a few users and hostile work.
contract TankHandler is ExamplesFixture {
    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public fees;
    uint256 public worked;
    uint256 public calls;
    mapping(address who => uint256 balanceWei) public shareOf;
    address[3] public users;
    /// id + 1 of each user's recurring Request, per kind of work
    mapping(address who => mapping(uint256 mode => uint256)) private idOf;
    Chore private chore = new Chore();

    constructor() {
        setUp();
        users = [makeAddr("first"), makeAddr("second"), address(new HookedWallet())];
    }

    function theTank() external view returns (EthTank) {
        return tank;
    }

    function deposit(uint256 who, uint256 amountWei) external {
        address account = users[who % 3];
        amountWei = bound(amountWei, 0, 10 ether);
        vm.deal(address(this), amountWei);
        tank.deposit{value: amountWei}(account);
        deposited += amountWei;
        shareOf[account] += amountWei;
        ++calls;
    }

    function withdraw(uint256 who, uint256 amountWei) external {
        address account = users[who % 3];
        // One time in ten more than there is.
        amountWei = bound(amountWei, 0, shareOf[account] + shareOf[account] / 10);
        HookedWallet(payable(users[2]))
            .arm(address(tank), abi.encodeCall(tank.withdraw, (users[2], 1)), address(0));
        vm.prank(account);
        try tank.withdraw(account, amountWei) {
            withdrawn += amountWei;
            shareOf[account] -= amountWei;
        } catch {
            assertGt(amountWei, shareOf[account]);
        }
        ++calls;
    }

    function work(uint256 who, uint256 expectedGas, uint256 mode) external {
        address account = users[who % 3];
        mode %= 4;
        if (mode != 0) chore.setUp();
        // One time in four the work turns on the tank.
        (address target, bytes memory data) = mode == 1
            ? (address(tank), abi.encodeCall(tank.withdraw, (account, 1)))
            : (address(chore), abi.encodeCall(chore.run, ()));
        IRegistry.Request memory r = request(
            address(tank), abi.encodeCall(tank.work, (account, 0, 0.1 ether, target, data)), true, true
        );
        r.user = payable(account);
        if (idOf[account][mode] == 0) idOf[account][mode] = register(r) + 1;
        uint256 id = idOf[account][mode] - 1;

        expectedGas = bound(expectedGas, 1, 110_000);
        uint256 before = executor.balance;
        vm.prank(executor);
        try registry.executeHashedReq(id, r, expectedGas) {
            uint256 fee = executor.balance - before;
            assertGt(fee, 0);
            fees += fee;
            shareOf[account] -= fee;
            ++worked;
        } catch {
            assertEq(executor.balance, before);
        }
        ++calls;
    }
}

contract EthTankInvariantTest is ExamplesFixture {
    TankHandler private handler;
    EthTank private handled;

    function setUp() public override {
        handler = new TankHandler();
        handled = handler.theTank();
        bytes4[] memory selectors = new bytes4[](3);
        (selectors[0], selectors[1], selectors[2]) =
        (handler.deposit.selector, handler.withdraw.selector, handler.work.selector);
        targetSelector(FuzzSelector({addr: address(handler), selectors: selectors}));
        targetContract(address(handler));
        // Forge would also send from the contracts under test, and give them ETH for it.
        targetSender(makeAddr("sender"));
    }

    /// Shares are those of the model, and the tank holds exactly their sum:
    /// balance = Σ shares = Σ deposits − Σ withdrawals − Σ fees.
    function invariant_Solvent() public view {
        uint256 sum;
        for (uint256 i = 0; i < 3; i++) {
            address account = handler.users(i);
            assertEq(handled.balanceOf(account), handler.shareOf(account));
            sum += handled.balanceOf(account);
        }
        assertEq(address(handled).balance, sum);
        assertEq(sum, handler.deposited() - handler.withdrawn() - handler.fees());
        assertEq(address(handled.CALLER()).balance, 0);
    }

    /// The invariant means something: work was done, and paid.
    function afterInvariant() public view {
        if (handler.calls() >= 60) {
            assertGt(handler.worked(), 0);
            assertGt(handler.fees(), 0);
        }
    }
}
