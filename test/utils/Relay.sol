// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {Vm} from "forge-std/Vm.sol";

/**
 * Sends transactions at a gas price. Forge runs isolated calls at price 0; here the price is set within the
 * transaction, and the account that pays for it is put in this contract's place. What `to` then finds is what
 * a transaction of `from` would give it: only the two of them are warm, transient storage is empty.
 */
contract Relay {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint256 public baseFee;
    uint256 public gasPrice;
    /// Gas that the receipt of the last transaction would show.
    uint256 public receiptGas;

    constructor(uint256 baseFee_, uint256 gasPrice_) {
        (baseFee, gasPrice) = (baseFee_, gasPrice_);
    }

    function setPrices(uint256 baseFee_, uint256 gasPrice_) external {
        (baseFee, gasPrice) = (baseFee_, gasPrice_);
    }

    /// Calls `to` from `from` with `value` and `gasLimit`, and passes on what comes of it.
    function send(address from, address to, uint256 value, uint256 gasLimit, bytes memory data)
        external
        returns (bytes memory result)
    {
        VM.fee(baseFee);
        VM.txGasPrice(gasPrice);
        // warm, as sender and recipient of a transaction are
        (uint256 warm,) = (from.balance, to.balance);
        VM.prank(from, from);
        bool success;
        (success, result) = to.call{value: value, gas: gasLimit}(data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
        receiptGas = _receiptOf(data, VM.lastCallGas());
        warm;
    }

    /// The rules of EIP-2028, EIP-3529 and EIP-7623, byte by byte.
    function _receiptOf(bytes memory data, Vm.Gas memory gas) private pure returns (uint256) {
        uint256 tokens;
        for (uint256 i; i < data.length; ++i) {
            tokens += data[i] == 0 ? 1 : 4;
        }
        uint256 used = 21_000 + 4 * tokens + gas.gasTotalUsed;
        uint256 refund = uint256(uint64(gas.gasRefunded));
        used -= refund < used / 5 ? refund : used / 5;
        uint256 floor = 21_000 + 10 * tokens;
        return used > floor ? used : floor;
    }
}
