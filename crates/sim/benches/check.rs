//! What a warm check costs, next to the bare machine running the same call.
//!
//! `cargo bench -p errand-sim` prints one line of JSON: nanoseconds per call (median over the rounds) and ratios.
//! The sides take turns within every round, over the same calls, after it was asserted that all of them decide
//! alike.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a benchmark may stop")]

#[path = "../tests/it/asm.rs"]
mod asm;

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use asm::{asm, number};
use errand_sim::{Environment, Fork, Mirror, Runner, SimConfig};
use errand_types::{AccountState, BlockHead, CallSpec, LoadedState, NextBlock, Slot, WriteSet};
use revm::{
    ExecuteEvm, MainBuilder, MainContext,
    context::{BlockEnv, Context, TxEnv},
    database::InMemoryDB,
    primitives::{TxKind, hardfork::SpecId},
    state::{AccountInfo, Bytecode},
};
use std::{hint::black_box, time::Instant};

const CALLS: u64 = 10_000;
const ROUNDS: usize = 41;

const ORIGIN: Address = Address::repeat_byte(0xe0);
const TARGET: Address = Address::repeat_byte(0x7a);
const PROXY: Address = Address::repeat_byte(0x50);
const ORACLE: Address = Address::repeat_byte(0x51);

/// A limit order: its limit is in a mapping, the price behind a proxy. Reverts below the limit.
fn target() -> Bytes {
    asm(&format!(
        "0 CALLDATALOAD 0 MSTORE 1 32 MSTORE 64 0 KECCAK256 SLOAD 2 SLOAD ADD \
         4 64 MSTORE 32 96 32 64 {} GAS STATICCALL @answered JUMPI 0 0 REVERT \
         answered: 96 MLOAD LT @fail JUMPI 1 0 MSTORE 32 0 RETURN fail: 0 0 REVERT",
        number(PROXY)
    ))
}

fn proxy() -> Bytes {
    asm("CALLDATASIZE 0 0 CALLDATACOPY 0 0 CALLDATASIZE 0 0 SLOAD GAS DELEGATECALL \
         RETURNDATASIZE 0 0 RETURNDATACOPY @good JUMPI RETURNDATASIZE 0 REVERT good: RETURNDATASIZE 0 RETURN")
}

fn oracle() -> Bytes {
    asm("1 SLOAD 0 MSTORE 32 0 RETURN")
}

fn limit_slot(id: u64) -> U256 {
    keccak256([U256::from(id).to_be_bytes::<32>(), U256::ONE.to_be_bytes::<32>()].concat()).into()
}

fn state() -> LoadedState {
    let account = |code: Bytes| AccountState { balance: U256::ZERO, nonce: 1, code };
    let slot = |address, key: u64, value: U256| (Slot { address, key: U256::from(key) }, value);
    let mut slots =
        vec![slot(TARGET, 2, U256::ZERO), slot(PROXY, 0, number(ORACLE)), slot(PROXY, 1, U256::from(1_000))];
    // One in ten limits is reached.
    slots.extend((0..CALLS).map(|id| {
        let limit = if id % 10 == 0 { 900 } else { 1_001 + id };
        (Slot { address: TARGET, key: limit_slot(id) }, U256::from(limit))
    }));
    LoadedState {
        accounts: vec![
            (ORIGIN, AccountState { balance: U256::MAX >> 1, ..AccountState::default() }),
            (TARGET, account(target())),
            (PROXY, account(proxy())),
            (ORACLE, account(oracle())),
        ],
        slots,
    }
}

fn database(state: &LoadedState) -> InMemoryDB {
    let mut db = InMemoryDB::default();
    for (address, account) in &state.accounts {
        let code = Bytecode::new_raw(account.code.clone());
        let info = AccountInfo::new(account.balance, account.nonce, code.hash_slow(), code);
        db.insert_account_info(*address, info);
    }
    for (slot, value) in &state.slots {
        db.insert_account_storage(slot.address, slot.key, *value).unwrap();
    }
    db
}

fn spec(id: u64) -> CallSpec {
    CallSpec {
        origin: ORIGIN,
        caller: ORIGIN,
        to: TARGET,
        data: U256::from(id).to_be_bytes_vec().into(),
        value: U256::ZERO,
        gas_limit: 1_000_000,
        gas_price: 7,
    }
}

fn transaction(spec: &CallSpec) -> TxEnv {
    TxEnv {
        caller: spec.origin,
        gas_limit: spec.gas_limit,
        gas_price: spec.gas_price,
        kind: TxKind::Call(spec.to),
        data: spec.data.clone(),
        ..TxEnv::default()
    }
}

fn main() {
    let block = NextBlock { number: 101, timestamp: 1_700_000_012, base_fee: 7, gas_limit: 30_000_000 };
    let head = BlockHead {
        number: 100,
        hash: B256::ZERO,
        parent_hash: B256::ZERO,
        timestamp: 1_700_000_000,
        base_fee: 7,
        gas_limit: 30_000_000,
        gas_used: 15_000_000,
        prev_randao: B256::ZERO,
        beneficiary: Address::ZERO,
    };
    let state = state();
    let db = database(&state);
    let mut mirror = Mirror::new(head);
    mirror.insert(head.hash, state).unwrap();

    let specs: Vec<_> = (0..CALLS).map(spec).collect();
    let transactions: Vec<_> = specs.iter().map(transaction).collect();
    let mut runner = Runner::new(&SimConfig::new(1, Fork::Osaka), &mirror, &block);
    let mut bare = Context::mainnet()
        .with_ref_db(&db)
        .with_block(BlockEnv {
            number: U256::from(block.number),
            timestamp: U256::from(block.timestamp),
            basefee: block.base_fee,
            ..BlockEnv::default()
        })
        .modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
            cfg.disable_nonce_check = true;
            // Without fees neither the origin's balance nor the coinbase has to be written: the bare loop at
            // its best.
            cfg.disable_fee_charge = true;
        })
        .build_mainnet();

    let mut gas = 0;
    let mut runs = Vec::new();
    for (spec, transaction) in specs.iter().zip(&transactions) {
        let run = runner.run_call(spec, &[]);
        let theirs = bare.transact(transaction.clone()).unwrap().result;
        assert_eq!(run.outcome.is_success(), theirs.is_success());
        let used = run.outcome.gas_used().unwrap();
        assert_eq!(used + intrinsic_gas(&spec.data), theirs.tx_gas_used());
        gas = theirs.tx_gas_used();
        runs.push(run);
    }
    let succeeded = runs.iter().filter(|run| run.outcome.is_success()).count();

    // A block that writes one limit.
    let mut writes = WriteSet::default();
    writes.slots.insert(Slot { address: TARGET, key: limit_slot(7) }, U256::ONE);
    let mut next_mirror = Mirror::new(head);
    next_mirror.insert(head.hash, self::state()).unwrap();
    let next_head = BlockHead { number: 101, parent_hash: head.hash, hash: B256::repeat_byte(1), ..head };
    let changes = next_mirror.apply(next_head, &writes).unwrap();
    let env = Environment { block, gas_price: 7 };

    let (mut bare_ns, mut check_ns, mut valid_ns) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare_ns.push(time(|| {
            for transaction in &transactions {
                black_box(bare.transact(transaction.clone()).unwrap());
            }
        }));
        check_ns.push(time(|| {
            for spec in &specs {
                black_box(runner.run_call(spec, &[]));
            }
        }));
        valid_ns.push(time(|| {
            let valid = runs.iter().filter(|run| run.reads.is_valid(&changes, &env, &env)).count();
            assert_eq!(valid as u64, CALLS - 1);
        }));
    }
    let ratios = bare_ns.iter().zip(&check_ns).map(|(bare, check)| check / bare).collect();
    let build = time(|| {
        for _ in 0..CALLS {
            black_box(Runner::new(&SimConfig::new(1, Fork::Osaka), &mirror, &block));
        }
    });
    println!(
        "{{\"calls\":{CALLS},\"succeeded\":{succeeded},\"gas\":{gas},\"rounds\":{ROUNDS},\
         \"bare_ns\":{:.0},\"check_ns\":{:.0},\"check_to_bare\":{:.3},\"validity_ns\":{:.0},\
         \"new_runner_ns\":{build:.0}}}",
        median(bare_ns),
        median(check_ns),
        median(ratios),
        median(valid_ns),
    );
}

fn intrinsic_gas(data: &[u8]) -> u64 {
    21_000 + data.iter().map(|byte| if *byte == 0 { 4 } else { 16 }).sum::<u64>()
}

/// Nanoseconds per call.
fn time(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64 / CALLS as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
