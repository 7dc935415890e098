use crate::{
    asm::{asm, number},
    world::{CALLER, ORIGIN, OTHER, TARGET, World, call, next, returning, runner, slot},
};
use alloy::primitives::{Address, Bytes, U256, hex};
use errand_sim::{AccountUse, Changes, Dependencies, EnvSeen, Environment, Mirror, Run};
use errand_types::{AccountWrite, CallSpec, Slot, WriteSet};

const BALANCE: AccountUse = AccountUse::BALANCE;
const NONCE: AccountUse = AccountUse::NONCE;
const ENTERED: AccountUse = AccountUse::ENTERED;

/// Third parties; `BENEFICIARY` exists, `NOBODY` does not.
const NOBODY: Address = Address::repeat_byte(0x40);

fn run(code: Bytes) -> (Run, Mirror) {
    World::with_target(code).code(OTHER, asm("STOP")).call(&call())
}

fn used(run: &Run, mirror: &Mirror, address: Address) -> Option<AccountUse> {
    run.reads.account(mirror.account_id(address)?)
}

/// A call of `to`, with everything else zero.
fn calling(kind: &str, to: Address, value: &str) -> String {
    format!("0 0 0 0 {value} {} GAS {kind}", number(to))
}

#[test]
fn slots_read_and_written_are_in_the_read_set_also_of_reverted_frames() {
    let code = format!("1 SLOAD 5 2 SSTORE {}", calling("CALL", OTHER, "0"));
    let world = World::with_target(asm(&code)).code(OTHER, asm("3 SLOAD 0 0 REVERT"));
    let (run, mirror) = world.call(&call());
    assert!(run.outcome.is_success());
    let slots: Vec<_> = run.reads.slots().iter().map(|id| mirror.slot_of(*id).unwrap()).collect();
    assert_eq!(slots, [slot(TARGET, 1), slot(TARGET, 2), slot(OTHER, 3)]);
}

#[test]
fn a_reverted_run_has_a_read_set() {
    let (run, mirror) = run(asm("1 SLOAD 0 0 REVERT"));
    assert!(run.is_cacheable());
    assert_eq!(run.reads.slots().len(), 1);
    assert_eq!(used(&run, &mirror, TARGET), Some(ENTERED));
}

#[test]
fn a_slot_that_the_gas_does_not_reach_is_not_read() {
    let (run, _) = World::with_target(asm("1 SLOAD")).call(&CallSpec { gas_limit: 2_000, ..call() });
    assert!(run.reads.slots().is_empty());
}

#[test]
fn opcodes_that_see_a_balance_or_a_nonce_are_told_from_those_that_do_not() {
    let other = number(OTHER);
    let touched = AccountUse::TOUCHED;
    for (code, target, third) in [
        (format!("{other} EXTCODESIZE"), ENTERED, touched),
        (format!("{other} EXTCODEHASH"), ENTERED, touched),
        (format!("32 0 0 {other} EXTCODECOPY"), ENTERED, touched),
        (format!("{other} BALANCE"), ENTERED, BALANCE),
        (format!("{other} BALANCE SELFBALANCE"), ENTERED | BALANCE, BALANCE),
        (calling("CALL", OTHER, "0"), ENTERED, ENTERED),
        (calling("CALL", OTHER, "1"), ENTERED | BALANCE, ENTERED),
        (calling("CALLCODE", OTHER, "1"), ENTERED | BALANCE, ENTERED),
        (calling("STATICCALL", OTHER, ""), ENTERED, ENTERED),
        (calling("DELEGATECALL", OTHER, ""), ENTERED, ENTERED),
        (format!("{other} SELFDESTRUCT"), ENTERED | BALANCE, touched),
    ] {
        let (run, mirror) = run(asm(&code));
        assert_eq!(used(&run, &mirror, TARGET), Some(target), "{code}");
        assert_eq!(used(&run, &mirror, OTHER), Some(third), "{code}");
    }
}

#[test]
fn the_callees_own_balance_counts_inside_a_call() {
    let world = World::with_target(asm(&calling("CALL", OTHER, "0"))).code(OTHER, asm("SELFBALANCE"));
    let (run, mirror) = world.call(&call());
    assert_eq!(used(&run, &mirror, OTHER), Some(ENTERED | BALANCE));
    assert_eq!(used(&run, &mirror, TARGET), Some(ENTERED));
    // In a delegate call it is the caller's balance.
    let world = World::with_target(asm(&calling("DELEGATECALL", OTHER, ""))).code(OTHER, asm("SELFBALANCE"));
    let (run, mirror) = world.call(&call());
    assert_eq!(used(&run, &mirror, OTHER), Some(ENTERED));
    assert_eq!(used(&run, &mirror, TARGET), Some(ENTERED | BALANCE));
}

#[test]
fn a_creation_depends_on_nonces_and_with_value_on_the_creators_balance() {
    for (code, target, created) in [
        ("0 0 0 CREATE", ENTERED | NONCE, TARGET.create(1)),
        ("0 0 0 0 CREATE2", ENTERED | NONCE, TARGET.create2_from_code([0; 32], [])),
        ("0 0 1 CREATE", ENTERED | NONCE | BALANCE, TARGET.create(1)),
    ] {
        let world = World::with_target(asm(code)).balance(TARGET, 9);
        let (run, mirror) = world.call(&call());
        assert_eq!(used(&run, &mirror, TARGET), Some(target), "{code}");
        assert_eq!(used(&run, &mirror, created), Some(ENTERED | NONCE), "{code}");
    }
}

#[test]
fn the_caller_is_not_read_unless_the_program_looks_at_it() {
    let spec = CallSpec { value: U256::from(1), ..call() };
    let (run, mirror) = World::with_target(asm("CALLER CALLVALUE")).call(&spec);
    assert_eq!(used(&run, &mirror, CALLER), None);
    let (run, mirror) = World::with_target(asm("CALLER BALANCE")).call(&spec);
    assert_eq!(used(&run, &mirror, CALLER), Some(BALANCE));
}

#[test]
fn the_caller_is_warm() {
    let gas = |code: &str| World::with_target(asm(code)).call(&call()).0.outcome.gas_used().unwrap();
    assert_eq!(gas("CALLER BALANCE"), 2 + 100);
    assert_eq!(gas(&format!("{} BALANCE", number(OTHER))), 3 + 2_600);
}

#[test]
fn the_origin_of_a_transaction_is_read_with_balance_and_nonce() {
    let (run, mirror) = World::with_target(asm("STOP")).transaction(&call());
    assert_eq!(used(&run, &mirror, ORIGIN), Some(BALANCE | NONCE));
}

#[test]
fn a_transaction_depends_on_what_decides_whether_it_is_included() {
    let (run, _) = World::with_target(asm("STOP")).transaction(&call());
    assert_eq!(run.reads.env(), EnvSeen::BASE_FEE | EnvSeen::GAS_LIMIT | EnvSeen::GAS_PRICE);
}

#[test]
fn every_look_at_the_environment_is_noted() {
    for (code, seen) in [
        ("TIMESTAMP", EnvSeen::TIMESTAMP),
        ("NUMBER", EnvSeen::NUMBER),
        ("BASEFEE", EnvSeen::BASE_FEE),
        ("GASLIMIT", EnvSeen::GAS_LIMIT),
        ("GASPRICE", EnvSeen::GAS_PRICE),
        ("ORIGIN", EnvSeen::ORIGIN),
        ("GAS", EnvSeen::GAS),
        ("PREVRANDAO", EnvSeen::PREV_RANDAO),
        ("COINBASE", EnvSeen::COINBASE),
        ("100 BLOCKHASH", EnvSeen::BLOCK_HASH),
        ("101 BLOCKHASH", EnvSeen::BLOCK_HASH),
        ("BLOBBASEFEE", EnvSeen::BLOB_BASE_FEE),
        ("CHAINID CALLER ADDRESS CALLVALUE CALLDATASIZE CODESIZE MSIZE PC 0 BLOBHASH", EnvSeen::NONE),
    ] {
        let (run, _) = run(asm(&code.replace("PREVRANDAO", "DIFFICULTY")));
        assert!(run.outcome.is_success(), "{code}: {:?}", run.outcome);
        assert_eq!(run.reads.env(), seen, "{code}");
    }
}

#[test]
fn a_look_at_the_environment_in_a_reverted_frame_is_noted_too() {
    let world =
        World::with_target(asm(&calling("STATICCALL", OTHER, ""))).code(OTHER, asm("TIMESTAMP 0 0 REVERT"));
    assert_eq!(world.call(&call()).0.reads.env(), EnvSeen::TIMESTAMP);
}

#[test]
fn gas_right_before_a_call_is_only_its_operand() {
    for kind in ["CALL", "CALLCODE"] {
        assert_eq!(run(asm(&calling(kind, OTHER, "0"))).0.reads.env(), EnvSeen::NONE, "{kind}");
    }
    for kind in ["STATICCALL", "DELEGATECALL"] {
        assert_eq!(run(asm(&calling(kind, OTHER, ""))).0.reads.env(), EnvSeen::NONE, "{kind}");
    }
    // Halved, or at the end of the code, it may be seen.
    let halved = format!("0 0 0 0 0 {} 2 GAS DIV CALL", number(OTHER));
    assert_eq!(run(asm(&halved)).0.reads.env(), EnvSeen::GAS);
}

#[test]
fn dependencies_are_written_out_for_people() {
    let (run, mirror) = World::with_target(asm("TIMESTAMP 1 SLOAD")).slot(TARGET, 1, 5).call(&call());
    let written = mirror.dependencies(&run.reads);
    let json = serde_json::to_value(&written).unwrap();
    assert_eq!(json["environment"], serde_json::json!(["timestamp"]));
    assert_eq!(json["slots"][0][1], serde_json::json!("0x5"));
    assert_eq!(json["accounts"][0]["entered"], serde_json::json!(true));
    assert_eq!(serde_json::from_value::<Dependencies>(json).unwrap(), written);
    let outcome = serde_json::to_string(&run.outcome).unwrap();
    assert_eq!(serde_json::from_str::<errand_sim::Outcome>(&outcome).unwrap(), run.outcome);
}

/// Applies a block that writes one account, and says whether the run is still valid.
fn valid_after(run: &Run, mirror: &mut Mirror, address: Address, write: AccountWrite) -> bool {
    let mut writes = WriteSet::default();
    writes.accounts.insert(address, write);
    let changes = mirror.apply(crate::world::head(101), &writes).unwrap();
    run.reads.is_valid(&changes, &next(), &next())
}

fn balance(wei: u64) -> AccountWrite {
    AccountWrite { balance: Some(U256::from(wei)), ..AccountWrite::default() }
}

fn code(code: Bytes) -> AccountWrite {
    AccountWrite { code: Some(code), ..AccountWrite::default() }
}

#[test]
fn a_slot_that_was_read_and_has_another_value_voids_the_outcome() {
    for (key, value, valid) in [(1, 6, false), (1, 5, true), (2, 6, true)] {
        let (run, mut mirror) = World::with_target(asm("1 SLOAD")).slot(TARGET, 1, 5).call(&call());
        let mut writes = WriteSet::default();
        writes.slots.insert(slot(TARGET, key), U256::from(value));
        let changes = mirror.apply(crate::world::head(101), &writes).unwrap();
        assert_eq!(run.reads.is_valid(&changes, &next(), &next()), valid, "slot {key} = {value}");
    }
}

#[test]
fn a_balance_voids_the_outcome_only_where_it_was_seen() {
    for (program, valid) in [
        (calling("CALL", OTHER, "0"), true),
        (format!("{} EXTCODESIZE", number(OTHER)), true),
        (format!("{} EXTCODEHASH", number(OTHER)), true),
        (format!("{} BALANCE", number(OTHER)), false),
    ] {
        let (run, mut mirror) = run(asm(&program));
        assert_eq!(valid_after(&run, &mut mirror, OTHER, balance(8)), valid, "{program}");
    }
}

#[test]
fn the_balance_of_who_pays_a_call_voids_the_outcome() {
    let (run, mut mirror) = run(asm(&calling("CALL", OTHER, "1")));
    assert!(!valid_after(&run, &mut mirror, TARGET, balance(1)));
}

#[test]
fn the_existence_of_an_account_voids_the_outcome() {
    for program in [
        calling("CALL", NOBODY, "1"),
        format!("{} EXTCODEHASH", number(NOBODY)),
        format!("{} SELFDESTRUCT", number(NOBODY)),
    ] {
        let (run, mut mirror) = run(asm(&program));
        assert!(!valid_after(&run, &mut mirror, NOBODY, balance(1)), "{program}");
        // More money for somebody who exists makes no difference.
        let world = World::with_target(asm(&program)).balance(NOBODY, 1);
        let (run, mut mirror) = world.call(&call());
        assert!(valid_after(&run, &mut mirror, NOBODY, balance(2)), "{program}");
    }
}

#[test]
fn code_voids_the_outcome_also_the_code_of_a_delegate() {
    let (run_, mut mirror) = run(asm(&calling("STATICCALL", OTHER, "")));
    assert!(!valid_after(&run_, &mut mirror, OTHER, code(asm("INVALID"))));

    let delegation = [hex!("ef0100").as_slice(), OTHER.as_slice()].concat();
    for changed in [TARGET, OTHER] {
        let world = World::with_target(delegation.clone().into()).code(OTHER, asm("STOP"));
        let (run, mut mirror) = world.call(&call());
        assert!(!valid_after(&run, &mut mirror, changed, code(asm("INVALID"))), "{changed}");
    }
}

#[test]
fn a_nonce_voids_the_outcome_of_a_creation_only() {
    let nonce = AccountWrite { nonce: Some(7), ..AccountWrite::default() };
    for (program, valid) in [("0 0 0 CREATE", false), ("STOP", true)] {
        let (run, mut mirror) = World::with_target(asm(program)).call(&call());
        assert_eq!(valid_after(&run, &mut mirror, TARGET, nonce.clone()), valid, "{program}");
    }
}

#[test]
fn storage_that_was_cleared_voids_the_outcome() {
    let (run, mut mirror) = World::with_target(asm("1 SLOAD")).slot(TARGET, 1, 5).call(&call());
    let cleared = AccountWrite { storage_cleared: true, ..AccountWrite::default() };
    assert!(!valid_after(&run, &mut mirror, TARGET, cleared));
}

#[test]
fn an_environment_that_was_seen_and_differs_voids_the_outcome() {
    let old = next();
    let later = |edit: fn(&mut Environment)| {
        let mut new = old;
        edit(&mut new);
        new
    };
    let environments = [
        ("TIMESTAMP", later(|env| env.block.timestamp += 1)),
        ("NUMBER", later(|env| env.block.number += 1)),
        ("BASEFEE", later(|env| env.block.base_fee += 1)),
        ("GASLIMIT", later(|env| env.block.gas_limit += 1)),
        ("GASPRICE", later(|env| env.gas_price += 1)),
    ];
    for (program, _) in &environments {
        let (run, _) = run(asm(program));
        assert!(run.reads.is_valid(&Changes::default(), &old, &old), "{program}");
        for (other, new) in &environments {
            let valid = run.reads.is_valid(&Changes::default(), &old, new);
            assert_eq!(valid, program != other, "{program} after a change of {other}");
        }
    }
}

#[test]
fn what_cannot_be_predicted_is_never_valid() {
    for program in ["DIFFICULTY", "COINBASE", "100 BLOCKHASH", "BLOBBASEFEE"] {
        let (run, _) = run(asm(program));
        assert!(!run.is_cacheable(), "{program}");
        assert!(!run.reads.is_valid(&Changes::default(), &next(), &next()), "{program}");
    }
    for program in ["ORIGIN", "GAS", "TIMESTAMP"] {
        assert!(run(asm(program)).0.is_cacheable(), "{program}");
    }
}

#[test]
fn an_unknown_outcome_is_never_valid() {
    let mirror = Mirror::new(crate::world::head(100));
    let run = runner(&mirror).run_call(&call(), &[]);
    assert!(!run.reads.is_valid(&Changes::default(), &next(), &next()));
}

#[test]
fn what_was_entered_is_told_from_what_was_only_looked_at() {
    let code = format!("{} EXTCODESIZE {}", number(NOBODY), calling("DELEGATECALL", OTHER, ""));
    let (run, mirror) = run(returning(&code));
    let entered = |address| run.reads.entered(mirror.account_id(address).unwrap());
    assert!(entered(TARGET) && entered(OTHER) && !entered(NOBODY));
    assert_eq!(mirror.account_id(CALLER), None);
}

#[test]
fn slot_keys_of_different_accounts_are_different_slots() {
    let world = World::with_target(asm(&format!("1 SLOAD {}", calling("CALL", OTHER, "0"))))
        .code(OTHER, asm("1 SLOAD"));
    let (run, mirror) = world.call(&call());
    let slots: Vec<Slot> = run.reads.slots().iter().filter_map(|id| mirror.slot_of(*id)).collect();
    assert_eq!(slots, [slot(TARGET, 1), slot(OTHER, 1)]);
}
