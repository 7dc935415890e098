// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {ChugSplashTest} from "../utils/ChugSplashTest.sol";
import {IChugSplashManager} from "contracts/interfaces/IChugSplashManager.sol";
import {IExecutorPaymentTerms} from "contracts/interfaces/IExecutorPaymentTerms.sol";
import {StrategyRead} from "contracts/libraries/StrategyRead.sol";
import {DiminishingBonusEPS} from "contracts/payment/DiminishingBonusEPS.sol";
import {FlatFeeEPS} from "contracts/payment/FlatFeeEPS.sol";

/// What every payment strategy has to do to serve bundles.
abstract contract EpsConformance is ChugSplashTest {
    function _eps() internal view virtual returns (IExecutorPaymentTerms);

    function _price(uint256 gas, uint256 elapsed) internal view returns (uint256) {
        return _eps().computeExecutorPayment(address(manager), "x", gas, elapsed);
    }

    function testFuzz_Conforms_MoreGasIsNeverPaidLess(uint64 gas, uint64 more, uint32 elapsed) public view {
        assertLe(_price(gas, elapsed), _price(uint256(gas) + more, elapsed));
    }

    function testFuzz_Conforms_WaitingIsNeverPaidMore(uint64 gas, uint32 elapsed, uint32 more) public view {
        assertGe(_price(gas, elapsed), _price(gas, uint256(elapsed) + more));
    }

    function testFuzz_Conforms_MaxPaymentIsNeverExceeded(uint64 a, uint64 b, uint32 elapsed, uint64 baseFee)
        public
    {
        vm.fee(baseFee);
        uint256 together = _eps().maxPayment(uint256(a) + b, baseFee);
        assertLe(_price(a, elapsed) + _price(b, elapsed), together, "in whatever transactions");
    }

    function test_Conforms_NothingIsPaidForNothing() public view {
        assertEq(_price(0, 0), 0);
    }

    function test_Conforms_TheAnswerFitsItsGas() public view {
        (bool ok,) = StrategyRead.price(address(_eps()), address(manager), "x", 1e9, 100);
        assertTrue(ok);
        (ok,) = StrategyRead.maxPayment(address(_eps()), 1e9, 1e12);
        assertTrue(ok);
    }

    function test_Conforms_ABundleIsPaidByIt() public {
        _addBox(1);
        _addBox(2);
        _makeHeader();
        header.eps = address(_eps());
        _propose();
        _approve();
        _claim(alice);
        (, uint256 payment) = _execute(alice, 0, 2);
        assertGe(payment, relay.receiptGas() * BASE_FEE * 119 / 100);
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        _assertSolvent();
    }
}

/// forge-config: default.isolate = true
contract FlatFeeEPSTest is EpsConformance {
    function _eps() internal view override returns (IExecutorPaymentTerms) {
        return flatFee;
    }

    function testFuzz_IsTheFlatPercentage(uint64 gas, uint64 baseFee, uint32 elapsed) public {
        vm.fee(baseFee);
        assertEq(_price(gas, elapsed), uint256(gas) * baseFee * 12 / 10);
    }

    function test_TheTipComesOnTop() public {
        FlatFeeEPS eps = new FlatFeeEPS(2000, 1 gwei);
        vm.fee(0.1 gwei);
        assertEq(eps.computeExecutorPayment(address(0), 0, 1e6, 0), 1e6 * (0.12 gwei + 1 gwei));
        assertEq(eps.maxPayment(1e6, 0.1 gwei), 1e6 * (0.12 gwei + 1 gwei));
        assertFalse(eps.coversDataFee());
    }
}

/// forge-config: default.isolate = true
contract DiminishingBonusEPSTest is EpsConformance {
    function _eps() internal view override returns (IExecutorPaymentTerms) {
        return diminishingBonus;
    }

    /// Exactly on the line from 40 % to 20 % over 900 seconds.
    function test_LiesOnItsLine() public {
        vm.fee(10 gwei);
        uint256 unit = 9e6 * 10 gwei;
        assertEq(_price(9e6, 0), unit * 14 / 10);
        assertEq(_price(9e6, 1), unit * 14 / 10 - unit * 2 / 10 / 900);
        assertEq(_price(9e6, 450), unit * 13 / 10);
        assertEq(_price(9e6, 899), unit * 12 / 10 + unit * 2 / 10 / 900);
        assertEq(_price(9e6, 900), unit * 12 / 10);
        assertEq(_price(9e6, 5000), unit * 12 / 10);
    }

    function test_TheTipComesOnTop() public {
        DiminishingBonusEPS eps = new DiminishingBonusEPS(4000, 2000, 900, 1 gwei);
        vm.fee(1 gwei);
        assertEq(eps.computeExecutorPayment(address(0), 0, 1e6, 450), 1e6 * (1.3 gwei + 1 gwei));
        assertFalse(eps.coversDataFee());
    }

    function test_RevertWhen_TheLineWouldRise() public {
        vm.expectRevert(abi.encodeWithSelector(DiminishingBonusEPS.InvalidLine.selector, 1999, 2000, 900));
        new DiminishingBonusEPS(1999, 2000, 900, 0);
        vm.expectRevert(abi.encodeWithSelector(DiminishingBonusEPS.InvalidLine.selector, 4000, 2000, 0));
        new DiminishingBonusEPS(4000, 2000, 0, 0);
    }

    // --- in a bundle: what the elapsed seconds are ---

    function _begin() private {
        for (uint256 i; i < 6; ++i) {
            _addBox(i);
        }
        _makeHeader();
        header.eps = address(diminishingBonus);
        _propose();
        _approve();
    }

    function _assertBonus(address executor, uint256 index, uint256 elapsed) private {
        (, uint256 payment) = _execute(executor, index, 1);
        uint256 bps = payment * 10_000 / (relay.receiptGas() * BASE_FEE);
        uint256 expected = 14_000 - 2000 * (elapsed > 900 ? 900 : elapsed) / 900;
        // Its second call in a transaction costs some hundred gas more than what is calibrated.
        assertApproxEqAbs(bps, expected, 40);
    }

    /// What the manager pays lies on the line to the wei: from 1.4 down to 1.2 in 900 seconds since the executor
    /// was first selected, and there it stays.
    function test_Elapsed_IsPaidExactlyOnTheLine() public {
        _begin();
        vm.warp(START + 100);
        _claim(alice);
        uint256[6] memory elapsed = [uint256(0), 1, 450, 899, 900, 5000];
        uint256 before = alice.balance;
        uint256 sum;
        for (uint256 i; i < elapsed.length; ++i) {
            vm.warp(START + 100 + elapsed[i]);
            // Her lock has run out; nobody else was selected since.
            if (elapsed[i] > LOCK) {
                _claim(alice);
                before -= BOND;
            }
            (, uint256 seconds_) = manager.selected();
            assertEq(seconds_, elapsed[i]);
            vm.recordLogs();
            (, uint256 payment) = _execute(alice, i, 1);
            (uint256 gasUsed,) = _lastExecution();
            uint256 t = elapsed[i] < 900 ? elapsed[i] : 900;
            assertEq(payment, gasUsed * BASE_FEE * (12_600 - 2 * t) / 9000, vm.toString(elapsed[i]));
            sum += payment;
            assertEq(alice.balance, before + sum);
        }
        _assertStatus(IChugSplashManager.Status.COMPLETED);
        assertEq(manager.accounts().paid, sum);
    }

    function test_Elapsed_RunsFromTheSelection() public {
        _begin();
        vm.warp(START + 1000);
        _claim(alice);
        _assertBonus(alice, 0, 0);
        vm.warp(START + 1450);
        _assertBonus(alice, 1, 450);
        // A second claim does not start it anew.
        vm.warp(START + 1901);
        _claim(alice);
        _assertBonus(alice, 2, 901);
        // Somebody else has a bonus of its own, and after it so has she.
        vm.warp(START + 3000);
        _claim(bob);
        _assertBonus(bob, 3, 0);
        vm.warp(START + 4000);
        _claim(alice);
        _assertBonus(alice, 4, 0);
    }

    /// The first lock passes without any work: the second claim is no beginning either.
    function test_Elapsed_WhenTheFirstLockWasIdle() public {
        _begin();
        _claim(alice);
        vm.warp(START + LOCK + 1);
        _claim(alice);
        _assertBonus(alice, 0, 901);
    }
}
