// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Chore} from "./Actors.sol";
import {ExamplesFixture} from "./ExamplesFixture.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {MaxBaseFee} from "contracts/examples/MaxBaseFee.sol";
import {MinGas} from "contracts/examples/MinGas.sol";
import {IRegistry} from "contracts/interfaces/IRegistry.sol";

/// Says how much gas and ETH it got.
contract Gauge {
    uint256 public gasGot;
    uint256 public weiGot;
    address public caller;

    function measure() external payable returns (uint256) {
        gasGot = gasleft();
        (weiGot, caller) = (msg.value, msg.sender);
        return 42;
    }
}

/// Work in two parts, of which the second may fail: what MinGas is for.
contract Starvable is MinGas {
    uint256 public parts;

    function careless() external {
        _work();
    }

    function careful() external whenGasAtLeast(200_000) {
        _work();
    }

    function expensive() external {
        uint256 start = gasleft();
        while (start - gasleft() < 100_000) {}
        ++parts;
    }

    function _work() private {
        ++parts;
        try this.expensive() {} catch {}
    }
}

contract GuardsTest is ExamplesFixture {
    Gauge private gauge = new Gauge();
    Chore private chore = new Chore();

    function _call(uint256 maxBaseFee, uint256 minGas, address target, bytes memory data)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(guarded.callGuarded, (maxBaseFee, minGas, target, data));
    }

    function test_RevertWhen_BaseFeeIsTooHigh() public {
        vm.expectRevert(abi.encodeWithSelector(MaxBaseFee.BaseFeeTooHigh.selector, 10 gwei, 10 gwei - 1));
        guarded.callGuarded(10 gwei - 1, 0, address(gauge), abi.encodeCall(gauge.measure, ()));

        vm.fee(10 gwei - 1);
        guarded.callGuarded(10 gwei - 1, 0, address(gauge), abi.encodeCall(gauge.measure, ()));
        assertGt(gauge.gasGot(), 0);
    }

    function test_RevertWhen_TargetHasNoCode() public {
        vm.expectRevert(abi.encodeWithSelector(Address.AddressEmptyCode.selector, stranger));
        guarded.callGuarded(ANY_BASE_FEE, 0, stranger, "");
    }

    function test_RevertWhen_MinGasIsImpossible() public {
        (bool success,) = address(guarded).call(_call(ANY_BASE_FEE, type(uint256).max, address(gauge), ""));
        assertFalse(success);
    }

    function test_WhenTargetReverts_TheReasonComesBack() public {
        vm.expectRevert(Chore.NothingToDo.selector);
        guarded.callGuarded(ANY_BASE_FEE, 0, address(chore), abi.encodeCall(chore.run, ()));
    }

    function test_WhenCalled_ValueAndResultPass() public {
        bytes memory result = guarded.callGuarded{value: 3 ether}(
            ANY_BASE_FEE, 0, address(gauge), abi.encodeCall(gauge.measure, ())
        );
        assertEq(abi.decode(result, (uint256)), 42);
        assertEq(gauge.weiGot(), 3 ether);
        assertEq(gauge.caller(), address(guarded));
        assertEq(address(guarded).balance, 0);
    }

    /// With whatever gas: either the guard says that it is too little, or the target gets at least its minimum.
    function testFuzz_TargetGetsItsMinimum(uint256 minGas, uint256 supplied, uint256 valueWei, uint256 length)
        public
    {
        minGas = bound(minGas, 100_000, 5_000_000);
        supplied = bound(supplied, minGas, minGas + minGas / 20 + 60_000);
        valueWei = bound(valueWei, 0, 1 ether);
        bytes memory data = bytes.concat(abi.encodeCall(gauge.measure, ()), new bytes(bound(length, 0, 4000)));

        (bool success, bytes memory result) = address(guarded).call{gas: supplied, value: valueWei}(
            _call(ANY_BASE_FEE, minGas, address(gauge), data)
        );
        if (success) {
            // 300: the gauge's own way to its first line.
            assertGe(gauge.gasGot() + 300, minGas);
        } else {
            assertEq(selectorOf(result), MinGas.NotEnoughGas.selector);
        }
        assertEq(success, gauge.gasGot() != 0);
    }

    function test_WhenStarved_OnlyTheCarefulTargetRefuses() public {
        Starvable careless = new Starvable();
        careless.careless{gas: 90_000}();
        assertEq(careless.parts(), 1, "half of the work counts as success");

        Starvable careful = new Starvable();
        (bool success, bytes memory result) =
            address(careful).call{gas: 90_000}(abi.encodeCall(careful.careful, ()));
        assertFalse(success);
        assertEq(selectorOf(result), MinGas.NotEnoughGas.selector);
        careful.careful{gas: 210_000}();
        assertEq(careful.parts(), 2);
    }

    function test_WhenWrapped_TheRequestWaitsForTheBaseFee() public {
        chore.setUp();
        IRegistry.Request memory r = request(
            address(guarded),
            _call(5 gwei, 100_000, address(chore), abi.encodeCall(chore.run, ())),
            false,
            false
        );
        (r.verifyUser, r.initEthSent) = (false, 0.1 ether);
        uint256 id = register(r);
        assertNotExecutable(
            id, r, abi.encodeWithSelector(MaxBaseFee.BaseFeeTooHigh.selector, 10 gwei, 5 gwei)
        );
        vm.fee(5 gwei);
        execute(id, r);
        assertEq(chore.done(), 1);
    }
}
