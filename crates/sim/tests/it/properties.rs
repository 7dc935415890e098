//! What has to hold for any state, any program and any block.

use crate::{
    asm::{asm, number},
    world::{CALLER, ETHER, ORIGIN, World, call, config, fork_head, head, missing, next, runner, slot},
};
use alloy::primitives::{Address, B256, Bytes, U256, hex};
use errand_sim::{AccountChange, Environment, Mirror, Outcome, Run, Runner};
use errand_types::{AccountState, AccountWrite, CallSpec, LoadedState, StateKeys, WriteSet};
use proptest::{prelude::*, test_runner::TestRunner};
use revm::{
    ExecuteEvm, MainBuilder, MainContext,
    context::{BlockEnv, Context, TxEnv, result::ExecutionResult},
    database::InMemoryDB,
    primitives::{TxKind, hardfork::SpecId},
    state::{AccountInfo, Bytecode},
};
use std::cell::Cell;

/// The contracts of the generated worlds. The last one is never deployed at the start.
const POOL: [Address; 4] = [
    Address::repeat_byte(0x7a),
    Address::repeat_byte(0x11),
    Address::repeat_byte(0x12),
    Address::repeat_byte(0x13),
];
const KEYS: u64 = 4;

/// One statement of a generated program. Each leaves the stack as it was but for a running checksum on top.
fn statement() -> impl Strategy<Value = String> {
    let key = 0..KEYS;
    let pool = || (0..POOL.len()).prop_map(|n| number(POOL[n]));
    let call =
        |kind: &'static str| pool().prop_map(move |to| format!("32 0 0 0 {to} GAS {kind} XOR 0 MLOAD XOR"));
    prop_oneof![
        4 => key.clone().prop_map(|key| format!("{key} SLOAD XOR")),
        2 => (key.clone(), 0..3_u64).prop_map(|(key, value)| format!("{value} {key} SSTORE")),
        1 => key.prop_map(|key| format!("DUP1 {key} SSTORE")),
        2 => (0..4_u64).prop_map(|mask| format!("DUP1 {mask} AND ISZERO @end JUMPI")),
        1 => (0..4_u64).prop_map(|mask| format!("DUP1 {mask} EQ @fail JUMPI")),
        2 => call("STATICCALL"),
        1 => call("DELEGATECALL"),
        2 => (pool(), 0..3_u64)
            .prop_map(|(to, wei)| format!("32 0 0 0 {wei} {to} GAS CALL XOR 0 MLOAD XOR")),
        1 => pool().prop_map(|who| format!("{who} BALANCE XOR")),
        1 => pool().prop_map(|who| format!("{who} EXTCODEHASH XOR")),
        1 => pool().prop_map(|who| format!("{who} EXTCODESIZE XOR")),
        1 => pool().prop_map(|who| format!("{who} SELFDESTRUCT")),
        1 => (0..2_u64).prop_map(|wei| format!("0 0 {wei} CREATE XOR")),
        1 => Just("0 0 0 0 CREATE2 EXTCODEHASH XOR".to_owned()),
        1 => prop::sample::select(vec![
            "SELFBALANCE XOR", "TIMESTAMP XOR", "NUMBER XOR", "BASEFEE XOR", "GASPRICE XOR", "GASLIMIT XOR",
            "ORIGIN XOR", "CALLER BALANCE XOR", "GAS XOR", "COINBASE XOR", "1 TLOAD XOR", "DUP1 1 TSTORE",
            "CALLVALUE XOR", "DUP1 0 0 LOG1",
        ]).prop_map(str::to_owned),
    ]
}

/// Starts with 1, runs the statements, and returns the checksum, or reverts with it.
fn program() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(statement(), 1..8).prop_map(|statements| {
        let body = statements.join(" ");
        asm(&format!("1 {body} end: 0 MSTORE 32 0 RETURN fail: 0 MSTORE 32 0 REVERT"))
    })
}

fn code() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        6 => program(),
        1 => Just(Bytes::new()),
        1 => (0..POOL.len()).prop_map(|n| [hex!("ef0100").as_slice(), POOL[n].as_slice()].concat().into()),
    ]
}

fn world() -> impl Strategy<Value = World> {
    let account = (0..3_u64, 0..2_u64, code());
    let slots = prop::collection::vec(0..3_u64, POOL.len() * KEYS as usize);
    (prop::collection::vec(account, POOL.len() - 1), slots).prop_map(|(accounts, values)| {
        let mut world = World::default().balance(ORIGIN, ETHER);
        for (address, (wei, nonce, code)) in POOL.into_iter().zip(accounts) {
            let nonce = if code.is_empty() { nonce } else { 1 };
            world.accounts.insert(address, AccountState { balance: U256::from(wei), nonce, code });
        }
        for (n, value) in (0_u64..).zip(values) {
            world = world.slot(POOL[(n / KEYS) as usize], n % KEYS, value);
        }
        world
    })
}

/// What a block writes: seldom much, so that outcomes often stay valid.
fn block() -> impl Strategy<Value = WriteSet> {
    let address = || (0..POOL.len() + 2).prop_map(|n| [&POOL[..], &[CALLER, ORIGIN]].concat()[n]);
    let write = prop_oneof![
        4 => (0..3_u64).prop_map(|wei| AccountWrite { balance: Some(U256::from(wei)), ..AccountWrite::default() }),
        2 => (1..3_u64).prop_map(|nonce| AccountWrite { nonce: Some(nonce), ..AccountWrite::default() }),
        1 => code().prop_map(|code| AccountWrite { code: Some(code), nonce: Some(1), ..AccountWrite::default() }),
        1 => Just(AccountWrite {
            balance: Some(U256::ZERO),
            nonce: Some(0),
            code: Some(Bytes::new()),
            storage_cleared: true,
        }),
    ];
    let slot = (0..POOL.len(), 0..KEYS).prop_map(|(n, key)| slot(POOL[n], key));
    (
        prop::collection::hash_map(address(), write, 0..3),
        prop::collection::hash_map(slot, (0..3_u64).prop_map(U256::from), 0..5),
    )
        .prop_map(|(accounts, slots)| WriteSet {
            accounts: accounts.into_iter().collect(),
            slots: slots.into_iter().collect(),
        })
}

/// Environments that often agree in some of their values. In some, the transactions cannot be included.
fn environment() -> impl Strategy<Value = Environment> {
    let base_fee = prop::sample::select(vec![7, 7, 8, 2_000_000_000]);
    let gas_limit = prop::sample::select(vec![30_000_000, 30_000_000, 30_000_001, 200_000]);
    (0..2_u64, 0..2_u64, base_fee, gas_limit, 0..2_u128).prop_map(
        |(number, timestamp, base_fee, gas_limit, price)| {
            let mut env = next();
            env.block.number += number;
            env.block.timestamp += timestamp;
            env.block.base_fee = base_fee;
            env.block.gas_limit = gas_limit;
            env.gas_price += price;
            env
        },
    )
}

fn spec() -> impl Strategy<Value = CallSpec> {
    (0..2_u64, prop::sample::select(vec![30_000, 60_000, 300_000])).prop_map(|(wei, gas_limit)| CallSpec {
        value: U256::from(wei),
        gas_limit,
        ..call()
    })
}

/// Runs the call, or the whole transaction.
fn run_in(world: &World, mirror: &mut Mirror, env: &Environment, spec: &CallSpec, whole: bool) -> Run {
    let spec = CallSpec { gas_price: env.gas_price, ..spec.clone() };
    let run = |mirror: &Mirror| {
        let mut runner = Runner::new(&config(), mirror, &env.block);
        if whole { runner.run_transaction(&spec) } else { runner.run_call(&spec, &[]) }
    };
    world.settle(mirror, run, missing).0
}

fn check(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() })
}

#[test]
fn an_outcome_that_is_still_valid_is_what_a_new_run_gives() {
    let (valid, void) = (Cell::new(0), Cell::new(0));
    let blocks = prop::collection::vec((block(), environment()), 1..4);
    check(8_000)
        .run(
            &(world(), blocks, environment(), spec(), any::<bool>()),
            |(mut world, blocks, before, spec, whole)| {
                let mut mirror = Mirror::new(head(100));
                let cached = run_in(&world, &mut mirror, &before, &spec, whole);
                let mut changes = errand_sim::Changes::default();
                for (number, (writes, after)) in (101_u64..).zip(blocks) {
                    world.write(&writes);
                    changes.extend(&mirror.apply(head(number), &writes).unwrap());
                    if !cached.reads.is_valid(&changes, &before, &after) {
                        void.set(void.get() + 1);
                        break;
                    }
                    valid.set(valid.get() + 1);
                    let fresh = run_in(&world, &mut Mirror::new(head(number)), &after, &spec, whole);
                    prop_assert_eq!(&fresh.outcome, &cached.outcome);
                }
                Ok(())
            },
        )
        .unwrap();
    assert!(valid.get() > 1_000 && void.get() > 1_000, "{} valid, {} void", valid.get(), void.get());
}

#[test]
fn a_transaction_ends_as_in_the_unmodified_machine() {
    let succeeded = Cell::new(0);
    check(2_000)
        .run(&(world(), environment(), spec()), |(world, env, spec)| {
            let spec = CallSpec { gas_price: env.gas_price, ..spec };
            let mut mirror = Mirror::new(head(100));
            let run = |mirror: &Mirror| {
                Runner::new(&config(), mirror, &env.block).run_transactions(&[spec.clone(), spec.clone()])
            };
            let last = |runs: &Vec<Run>| missing(&runs[1]);
            let (ours, _) = world.settle(&mut mirror, run, last);
            for (run, theirs) in ours.into_iter().zip(unmodified(&world, &env, &spec)) {
                // Nobody knows the coinbase of a block to come.
                if run.is_cacheable() {
                    succeeded.set(succeeded.get() + i32::from(run.outcome.is_success()));
                    prop_assert_eq!(Some(run.outcome), theirs);
                }
            }
            Ok(())
        })
        .unwrap();
    assert!(succeeded.get() > 1_000, "{}", succeeded.get());
}

/// Runs a transaction twice on revm as it comes, with revm's own in-memory database. `None`: it is invalid.
fn unmodified(world: &World, env: &Environment, spec: &CallSpec) -> Vec<Option<Outcome>> {
    let mut db = InMemoryDB::default();
    for (address, account) in &world.accounts {
        let code = Bytecode::new_raw(account.code.clone());
        let info = AccountInfo::new(account.balance, account.nonce, code.hash_slow(), code);
        db.insert_account_info(*address, info);
    }
    for (slot, value) in &world.slots {
        db.insert_account_storage(slot.address, slot.key, *value).unwrap();
    }
    let mut evm = Context::mainnet()
        .with_db(db)
        .with_block(BlockEnv {
            number: U256::from(env.block.number),
            timestamp: U256::from(env.block.timestamp),
            gas_limit: env.block.gas_limit,
            basefee: env.block.base_fee,
            beneficiary: Address::repeat_byte(0xbe),
            ..BlockEnv::default()
        })
        .modify_cfg_chained(|cfg| {
            cfg.chain_id = config().chain_id;
            cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
        })
        .build_mainnet();
    let transaction = |nonce| TxEnv {
        caller: spec.origin,
        gas_limit: spec.gas_limit,
        gas_price: spec.gas_price,
        kind: TxKind::Call(spec.to),
        value: spec.value,
        data: spec.data.clone(),
        nonce,
        chain_id: Some(config().chain_id),
        ..TxEnv::default()
    };
    [0, 1]
        .into_iter()
        .map(|nonce| {
            Some(match evm.transact_one(transaction(nonce)).ok()? {
                ExecutionResult::Success { gas, logs, output, .. } => {
                    Outcome::Success { gas_used: gas.tx_gas_used(), output: output.into_data(), logs }
                }
                ExecutionResult::Revert { gas, output, .. } => {
                    Outcome::Revert { gas_used: gas.tx_gas_used(), output }
                }
                ExecutionResult::Halt { gas, reason, .. } => Outcome::Halt {
                    gas_used: gas.tx_gas_used(),
                    reason: revm::interpreter::InstructionResult::from(reason).into(),
                },
            })
        })
        .collect()
}

#[derive(Clone, Debug)]
enum Step {
    /// Loads slots and an account.
    Load(Vec<(usize, u64)>, usize),
    Apply(WriteSet),
    Undo,
}

fn step() -> impl Strategy<Value = Step> {
    let slots = prop::collection::vec((0..POOL.len(), 0..KEYS), 0..4);
    prop_oneof![
        2 => (slots, 0..POOL.len()).prop_map(|(slots, account)| Step::Load(slots, account)),
        3 => block().prop_map(Step::Apply),
        2 => Just(Step::Undo),
    ]
}

/// What a mirror knows, as it may be compared with the state.
fn known(mirror: &Mirror) -> LoadedState {
    let keys = mirror.tracked();
    let account = |address| (address, mirror.account(address).unwrap());
    let slot = |slot| (slot, mirror.slot(&slot).unwrap());
    let mut known = LoadedState {
        accounts: keys.accounts.into_iter().map(account).collect(),
        slots: keys.slots.into_iter().map(slot).collect(),
    };
    known.accounts.sort_by_key(|(address, _)| *address);
    known.slots.sort();
    known
}

#[test]
fn after_any_blocks_and_reorganisations_the_mirror_is_what_a_new_one_would_be() {
    let undone = Cell::new(0);
    let steps = prop::collection::vec(step(), 1..40);
    check(1_000)
        .run(&(world(), steps), |(world, steps)| {
            let mut mirror = Mirror::new(head(100));
            let mut branch = 0_u8;
            // The states of the canonical chain, oldest first.
            let mut states = vec![world];
            for step in steps {
                let before = known(&mirror);
                let changes = match step {
                    Step::Load(slots, account) => {
                        let slots = slots.into_iter().map(|(n, key)| slot(POOL[n], key)).collect();
                        let keys = StateKeys { accounts: vec![POOL[account]], slots };
                        let loaded = states.last().unwrap().load(&keys);
                        let changes = mirror.insert(mirror.head().hash, loaded).unwrap();
                        prop_assert!(changes.is_empty(), "nothing loaded contradicts what was known");
                        continue;
                    }
                    Step::Apply(writes) => {
                        branch = branch.wrapping_add(1);
                        let parent = mirror.head();
                        let child = fork_head(parent.number + 1, parent.hash, branch);
                        let mut state = states.last().unwrap().clone();
                        state.write(&writes);
                        states.push(state);
                        mirror.apply(child, &writes).unwrap()
                    }
                    Step::Undo if states.len() > 1 => {
                        states.pop();
                        undone.set(undone.get() + 1);
                        mirror.undo(mirror.head().hash).unwrap()
                    }
                    Step::Undo => {
                        prop_assert!(mirror.undo(mirror.head().hash).is_err());
                        continue;
                    }
                };
                // The changes are exactly what is not as it was.
                for (address, account) in before.accounts {
                    let change = changes.account(mirror.account_id(address).unwrap());
                    let expected = match mirror.account(address) {
                        None => AccountChange { balance: true, nonce: true, code: true },
                        Some(now) => AccountChange {
                            balance: now.balance != account.balance,
                            nonce: now.nonce != account.nonce,
                            code: now.code != account.code
                                || (now == AccountState::default()) != (account == AccountState::default()),
                        },
                    };
                    prop_assert_eq!(change, expected);
                }
                for (slot, value) in before.slots {
                    let changed = changes.has_slot(mirror.slot_id(&slot).unwrap());
                    prop_assert_eq!(changed, mirror.slot(&slot) != Some(value));
                }
                // Everything it claims to know is so.
                let mut fresh = Mirror::new(*mirror.head());
                fresh.insert(mirror.head().hash, states.last().unwrap().load(&mirror.tracked())).unwrap();
                prop_assert_eq!(known(&mirror), known(&fresh));
            }
            // And runs end alike on both.
            let state = states.last().unwrap();
            let run = |mirror: &Mirror| runner(mirror).run_call(&call(), &[]);
            let (old, _) = state.settle(&mut mirror, run, missing);
            let (new, _) = state.settle(&mut Mirror::new(fork_head(1, B256::ZERO, 9)), run, missing);
            prop_assert_eq!(old.outcome, new.outcome);
            Ok(())
        })
        .unwrap();
    assert!(undone.get() > 1_000);
}
