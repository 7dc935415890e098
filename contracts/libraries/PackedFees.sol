// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.36;

import {IRegistry} from "../interfaces/IRegistry.sol";

/// `IRegistry.FeeSettings` in one word, so that an execution loads them with one SLOAD.
type PackedFees is uint256;

// What writing an AUTO balance costs less when it was written before in the transaction and was not read
// meanwhile: EIP-2929 and EIP-2200, as for what follows.
uint256 constant COLD_BALANCE = 4800;
// The same when it is read before it is written.
uint256 constant CLEAN_BALANCE = 2800;
// What sending ETH to an account that exists and is warm costs.
uint256 constant SENDING_ETH = 6700;
// What reading a slot costs less when it was read before in the transaction.
uint256 constant COLD_SLOT = 2000;
// What telling the gate costs less when it was told before: the slot that it writes then.
uint256 constant COLD_REPORT = 4900;

using {
    tipCapWei,
    txBase,
    tokenGas,
    floorTokenGas,
    tailEth,
    tailAuto,
    entryEth,
    entryAuto,
    entryWord,
    shared,
    refund,
    credit,
    clearing,
    report,
    reportPerId,
    withoutCallData,
    forLaterCall,
    forPayingOnce,
    forWrittenBalance,
    unpack
} for PackedFees global;

function tipCapWei(PackedFees fees) pure returns (uint256) {
    return PackedFees.unwrap(fees) & 0xffffffffffff;
}

function txBase(PackedFees fees) pure returns (uint256) {
    return (PackedFees.unwrap(fees) >> 48) & 0xffff;
}

function tokenGas(PackedFees fees) pure returns (uint256) {
    return (PackedFees.unwrap(fees) >> 64) & 0xff;
}

function floorTokenGas(PackedFees fees) pure returns (uint256) {
    return (PackedFees.unwrap(fees) >> 72) & 0xff;
}

function tailEth(PackedFees fees) pure returns (uint256) {
    return (PackedFees.unwrap(fees) >> 80) & 0xffff;
}

function tailAuto(PackedFees fees) pure returns (uint256) {
    return (PackedFees.unwrap(fees) >> 96) & 0xffff;
}

function entryEth(PackedFees fees) pure returns (uint256) {
    return (PackedFees.unwrap(fees) >> 112) & 0xffff;
}

function entryAuto(PackedFees fees) pure returns (uint256) {
    return (PackedFees.unwrap(fees) >> 128) & 0xffff;
}

function entryWord(PackedFees fees) pure returns (uint256) {
    return (PackedFees.unwrap(fees) >> 144) & 0xffff;
}

function shared(PackedFees fees) pure returns (uint256) {
    return (PackedFees.unwrap(fees) >> 160) & 0xffff;
}

function refund(PackedFees fees) pure returns (uint256) {
    return (PackedFees.unwrap(fees) >> 176) & 0xffff;
}

function credit(PackedFees fees) pure returns (uint256) {
    return (PackedFees.unwrap(fees) >> 192) & 0xffff;
}

function clearing(PackedFees fees) pure returns (uint256) {
    return (PackedFees.unwrap(fees) >> 208) & 0xffff;
}

function report(PackedFees fees) pure returns (uint256) {
    return (PackedFees.unwrap(fees) >> 224) & 0xffff;
}

function reportPerId(PackedFees fees) pure returns (uint256) {
    return PackedFees.unwrap(fees) >> 240;
}

/// The same with no price on call data.
function withoutCallData(PackedFees fees) pure returns (PackedFees) {
    return PackedFees.wrap(PackedFees.unwrap(fees) & ~(uint256(0xffff) << 64));
}

/// The same for a call that is not its transaction's first: the grant is read and the gate told already.
function forLaterCall(PackedFees fees) pure returns (PackedFees) {
    // No setting is below what is taken off it, here and below.
    unchecked {
        return PackedFees.wrap(PackedFees.unwrap(fees) - (COLD_REPORT << 224 | COLD_SLOT << 160));
    }
}

/// The same for an executor whose AUTO balance is written already.
function forWrittenBalance(PackedFees fees) pure returns (PackedFees) {
    unchecked {
        return PackedFees.wrap(PackedFees.unwrap(fees) - (COLD_BALANCE << 96));
    }
}

/// The same for a batch of `n`, each of which bears its part of paying the executor: entries in AUTO of writing
/// its balance, unless it is written already, the others of sending ETH.
function forPayingOnce(PackedFees fees, uint256 n, bool isWritten) pure returns (PackedFees) {
    // 16 bits hold twice what a setting may be at most.
    unchecked {
        uint256 word = PackedFees.unwrap(fees) + (SENDING_ETH / n << 112);
        return PackedFees.wrap(isWritten ? word : word + (COLD_BALANCE / n << 128));
    }
}

function pack(IRegistry.FeeSettings memory s) pure returns (PackedFees) {
    uint256 word = uint256(s.tipCapWei) | (uint256(s.txBase) << 48) | (uint256(s.tokenGas) << 64);
    word |= (uint256(s.floorTokenGas) << 72) | (uint256(s.tailEth) << 80) | (uint256(s.tailAuto) << 96);
    word |= (uint256(s.entryEth) << 112) | (uint256(s.entryAuto) << 128) | (uint256(s.entryWord) << 144);
    word |= (uint256(s.shared) << 160) | (uint256(s.refund) << 176) | (uint256(s.credit) << 192);
    word |= (uint256(s.clearing) << 208) | (uint256(s.report) << 224) | (uint256(s.reportPerId) << 240);
    return PackedFees.wrap(word);
}

// Each field is masked to its own width above, so no cast below can cut anything off.
function unpack(PackedFees fees) pure returns (IRegistry.FeeSettings memory s) {
    s.tipCapWei = uint48(fees.tipCapWei());
    s.txBase = uint16(fees.txBase());
    s.tokenGas = uint8(fees.tokenGas());
    s.floorTokenGas = uint8(fees.floorTokenGas());
    s.tailEth = uint16(fees.tailEth());
    s.tailAuto = uint16(fees.tailAuto());
    s.entryEth = uint16(fees.entryEth());
    s.entryAuto = uint16(fees.entryAuto());
    s.entryWord = uint16(fees.entryWord());
    s.shared = uint16(fees.shared());
    s.refund = uint16(fees.refund());
    s.credit = uint16(fees.credit());
    s.clearing = uint16(fees.clearing());
    s.report = uint16(fees.report());
    s.reportPerId = uint16(fees.reportPerId());
}
