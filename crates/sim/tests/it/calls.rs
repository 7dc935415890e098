use crate::{
    asm::{asm, number},
    world::{
        CALLER, ORIGIN, OTHER, TARGET, World, call, config, head, missing, next, returning, runner, slot,
    },
};
use alloy::primitives::{Address, B256, Bytes, U256, bytes, hex};
use errand_sim::{Fork, HaltReason, Mirror, Outcome, Run, Runner, SimConfig, Unknown};
use errand_types::{CallSpec, StateKeys};

fn run(code: Bytes) -> Run {
    World::with_target(code).call(&call()).0
}

fn word(run: &Run) -> U256 {
    let Outcome::Success { output, .. } = &run.outcome else { panic!("{:?}", run.outcome) };
    U256::from_be_slice(output)
}

#[test]
fn a_call_that_returns_tells_output_logs_and_gas_of_its_frame() {
    let run = run(asm("0xbeef 0 MSTORE 42 32 0 LOG1 32 0 RETURN"));
    let Outcome::Success { output, logs, gas_used } = run.outcome else { panic!("{:?}", run.outcome) };
    assert_eq!(U256::from_be_slice(&output), U256::from(0xbeef));
    assert_eq!(logs.len(), 1);
    assert_eq!((logs[0].address, logs[0].topics()), (TARGET, [B256::with_last_byte(42)].as_slice()));
    assert_eq!(logs[0].data.data, output);
    // 375 for the log, 375 for its topic, 8 a byte; the rest are pushes and a word of memory.
    assert_eq!(gas_used, 375 + 375 + 8 * 32 + 24);
}

#[test]
fn a_revert_keeps_its_reason_and_its_unused_gas() {
    // PUSH2, PUSH0, MSTORE and a word of memory, PUSH1, PUSH0.
    let run = run(asm("0xbad 0 MSTORE 32 0 REVERT"));
    let output = U256::from(0xbad).to_be_bytes_vec().into();
    assert_eq!(run.outcome, Outcome::Revert { gas_used: 3 + 2 + 3 + 3 + 3 + 2, output });
}

#[test]
fn halts_use_all_gas_and_say_why() {
    for (code, reason) in [
        (asm("INVALID"), HaltReason::Invalid),
        (asm("POP"), HaltReason::Stack),
        (asm("5 JUMP"), HaltReason::BadJump),
        (asm("loop: @loop JUMP"), HaltReason::OutOfGas),
        (asm("1 0 0 RETURNDATACOPY"), HaltReason::OutOfBounds),
    ] {
        let outcome = run(code.clone()).outcome;
        assert_eq!(outcome, Outcome::Halt { gas_used: call().gas_limit, reason }, "{code}");
    }
}

#[test]
fn a_failed_call_inside_does_not_fail_the_run() {
    let world = World::with_target(returning(&format!("0 0 0 0 0 {} GAS CALL", number(OTHER))))
        .code(OTHER, asm("INVALID"));
    assert_eq!(word(&world.call(&call()).0), U256::ZERO);
}

#[test]
fn origin_and_caller_are_set_apart() {
    assert_eq!(word(&run(returning("ORIGIN"))), number(ORIGIN));
    assert_eq!(word(&run(returning("CALLER"))), number(CALLER));
    assert_eq!(word(&run(returning("GASPRICE"))), U256::from(call().gas_price));
    assert_eq!(word(&run(returning("CHAINID"))), U256::from(config().chain_id));
}

#[test]
fn the_environment_is_the_next_blocks() {
    let block = next().block;
    for (opcode, expected) in [
        ("TIMESTAMP", block.timestamp),
        ("NUMBER", block.number),
        ("BASEFEE", block.base_fee),
        ("GASLIMIT", block.gas_limit),
    ] {
        assert_eq!(word(&run(returning(opcode))), U256::from(expected), "{opcode}");
    }
}

#[test]
fn value_arrives_although_the_caller_has_none_and_the_callers_balance_stays() {
    let spec = CallSpec { value: U256::from(5), ..call() };
    let world = World::default().balance(TARGET, 2).balance(CALLER, 3);
    for (program, expected) in [
        ("SELFBALANCE".to_owned(), 7),
        (format!("{} BALANCE", number(CALLER)), 3),
        ("CALLVALUE".to_owned(), 5),
    ] {
        let mut world = world.clone();
        world.accounts.get_mut(&TARGET).unwrap().code = returning(&program);
        assert_eq!(word(&world.call(&spec).0), U256::from(expected), "{program}");
    }
}

#[test]
fn value_can_be_passed_on_by_the_target() {
    let pay = format!("0 0 0 0 4 {} GAS CALL POP {} BALANCE", number(OTHER), number(OTHER));
    let world = World::with_target(returning(&pay));
    let spec = CallSpec { value: U256::from(4), ..call() };
    assert_eq!(word(&world.call(&spec).0), U256::from(4));
    assert_eq!(word(&world.call(&CallSpec { value: U256::from(3), ..call() }).0), U256::ZERO);
}

#[test]
fn a_call_of_an_account_without_code_succeeds_with_nothing() {
    let (run, _) = World::default().call(&call());
    assert_eq!(run.outcome, Outcome::Success { gas_used: 0, output: Bytes::new(), logs: vec![] });
}

#[test]
fn a_delegated_account_runs_its_delegates_code_on_its_own_storage() {
    let delegation = [hex!("ef0100").as_slice(), OTHER.as_slice()].concat();
    let world = World::with_target(delegation.into())
        .code(OTHER, returning("1 SLOAD"))
        .slot(TARGET, 1, 11)
        .slot(OTHER, 1, 22);
    assert_eq!(word(&world.call(&call()).0), U256::from(11));
}

#[test]
fn a_delegated_account_is_followed_inside_a_run_too() {
    let middle = Address::repeat_byte(0x33);
    let delegation = [hex!("ef0100").as_slice(), OTHER.as_slice()].concat();
    let call_middle = format!("32 0 0 0 {} GAS STATICCALL POP 0 MLOAD", number(middle));
    let world = World::with_target(returning(&call_middle))
        .code(middle, delegation.into())
        .code(OTHER, returning("1 SLOAD"))
        .slot(middle, 1, 11);
    let (run, mirror) = world.call(&call());
    assert_eq!(word(&run), U256::from(11));
    let reads = mirror.dependencies(&run.reads);
    assert!(reads.accounts.iter().any(|account| account.address == OTHER), "the delegate's code is read");
}

#[test]
fn preset_transient_slots_are_seen_and_gone_after_the_run() {
    let world = World::with_target(returning("3 TLOAD"));
    let (_, mirror) = world.call(&call());
    let mut runner = runner(&mirror);
    let locked = runner.run_call(&call(), &[(slot(TARGET, 3), U256::from(9))]);
    assert_eq!(word(&locked), U256::from(9));
    assert_eq!(word(&runner.run_call(&call(), &[])), U256::ZERO);
}

#[test]
fn runs_do_not_see_each_other() {
    // Returns the slot's old value and adds one to it.
    let world = World::with_target(returning("1 SLOAD DUP1 1 ADD 1 SSTORE")).slot(TARGET, 1, 5);
    let (first, mirror) = world.call(&call());
    assert_eq!(word(&first), U256::from(5));
    let mut runner = runner(&mirror);
    for _ in 0..3 {
        assert_eq!(runner.run_call(&call(), &[]), first, "what it reads is the same, too");
    }
    assert_eq!(mirror.slot(&slot(TARGET, 1)), Some(U256::from(5)));
}

#[test]
fn a_big_run_leaves_nothing_to_the_next() {
    // Touches accounts 1000..2000, so that the machine's maps grow beyond what is kept.
    let touch = asm("1000 loop: DUP1 BALANCE POP 1 ADD DUP1 2000 LT ISZERO @loop JUMPI STOP");
    let world = World::with_target(touch);
    let spec = CallSpec { gas_limit: 10_000_000, ..call() };
    let (first, mirror) = world.call(&spec);
    assert!(first.reads.accounts().len() > 1000);
    let mut runner = runner(&mirror);
    assert_eq!(runner.run_call(&spec, &[]), first);
    assert_eq!(runner.run_call(&spec, &[]), first);
}

#[test]
fn nothing_is_assumed_of_what_is_not_loaded() {
    let world = World::with_target(returning("1 SLOAD 2 SLOAD ADD")).slot(TARGET, 1, 5);
    let mut mirror = Mirror::new(head(100));
    let first = runner(&mirror).run_call(&call(), &[]);
    assert_eq!(missing(&first).accounts, [TARGET]);
    assert!(!first.is_cacheable());

    mirror.insert(head(100).hash, world.load(&missing(&first))).unwrap();
    let second = runner(&mirror).run_call(&call(), &[]);
    assert_eq!(missing(&second).slots, [slot(TARGET, 1), slot(TARGET, 2)], "both misses in one run");
    assert!(!second.is_cacheable());

    mirror.insert(head(100).hash, world.load(&missing(&second))).unwrap();
    assert_eq!(word(&runner(&mirror).run_call(&call(), &[])), U256::from(5));
}

#[test]
fn what_depends_on_a_missing_value_is_found_in_another_round() {
    // The slot to read is named by slot 1.
    let world = World::with_target(returning("1 SLOAD SLOAD")).slot(TARGET, 1, 77).slot(TARGET, 77, 8);
    let mut mirror = Mirror::new(head(100));
    let (run, rounds) = world.call_on(&mut mirror, &call());
    assert_eq!((word(&run), rounds), (U256::from(8), 3));
}

#[test]
fn a_miss_in_a_frame_that_reverts_is_a_miss() {
    let world = World::with_target(returning(&format!("0 0 0 0 {} GAS STATICCALL", number(OTHER))))
        .code(OTHER, asm("1 SLOAD 0 0 REVERT"));
    let mut mirror = Mirror::new(head(100));
    let (run, _) = world.call_on(&mut mirror, &call());
    assert_eq!(word(&run), U256::ZERO);
    assert_eq!(mirror.slot(&slot(OTHER, 1)), Some(U256::ZERO));
}

#[test]
fn a_precompile_of_the_chain_is_unknown_and_not_a_success() {
    let foreign = Address::with_last_byte(0x64);
    let call_it = returning(&format!("0 0 0 0 {} GAS STATICCALL", number(foreign)));
    let (_, mirror) = World::with_target(call_it).call(&call());
    let config = SimConfig { foreign_precompiles: vec![foreign], ..config() };
    let run = Runner::new(&config, &mirror, &next().block).run_call(&call(), &[]);
    assert_eq!(run.outcome, Outcome::Unknown(Unknown::ForeignPrecompile(foreign)));
    assert!(!run.is_cacheable());
}

#[test]
fn an_opcode_that_the_fork_lacks_is_unknown_also_in_a_call_inside() {
    // 0x0c is no opcode; CLZ (0x1e) came with Osaka.
    let inside = format!("0 0 0 0 {} GAS STATICCALL STOP", number(OTHER));
    let world = World::with_target(asm(&inside)).code(OTHER, bytes!("0c"));
    assert_eq!(world.call(&call()).0.outcome, Outcome::Unknown(Unknown::Opcode));

    let (run, mirror) = World::with_target(returning("1 CLZ")).call(&call());
    assert_eq!(word(&run), U256::from(255));
    let prague = SimConfig::new(1, Fork::Prague);
    let run = Runner::new(&prague, &mirror, &next().block).run_call(&call(), &[]);
    assert_eq!(run.outcome, Outcome::Unknown(Unknown::Opcode));
}

#[test]
fn the_hash_of_the_head_is_known_and_an_older_one_is_not_guessed() {
    let (run, _) = World::with_target(returning("100 BLOCKHASH")).call(&call());
    assert_eq!(word(&run), U256::from_be_bytes(head(100).hash.0));
    let (run, _) = World::with_target(returning("99 BLOCKHASH")).call(&call());
    assert_eq!(run.outcome, Outcome::Unknown(Unknown::BlockHash(99)));
    // Out of the protocol's window it is zero for everybody.
    let (run, _) = World::with_target(returning("101 BLOCKHASH")).call(&call());
    assert_eq!(word(&run), U256::ZERO);
}

#[test]
fn precompiles_of_the_fork_run() {
    // SHA-256 of nothing.
    let (run, _) = World::with_target(returning("32 0 0 0 2 GAS STATICCALL POP 0 MLOAD")).call(&call());
    let empty = hex!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(word(&run), U256::from_be_bytes(empty));
}

#[test]
fn a_contract_created_in_the_run_starts_empty_whatever_is_loaded() {
    // The creation code is `PUSH8 <runtime> PUSH0 MSTORE 8 24 RETURN`, the runtime code answers slot 0.
    let create_and_call = "0x675f545f5260205ff35f5260086018f3 0 MSTORE 16 16 0 CREATE \
                           32 0 0 0 0 DUP6 GAS CALL POP 0 MLOAD";
    let created = TARGET.create(1);
    let world = World::with_target(returning(create_and_call)).slot(created, 0, 99);
    let mut mirror = Mirror::new(head(100));
    let slots = StateKeys { slots: vec![slot(created, 0)], ..StateKeys::default() };
    mirror.insert(head(100).hash, world.load(&slots)).unwrap();
    let (run, _) = world.call_on(&mut mirror, &call());
    assert_eq!(word(&run), U256::ZERO);
    assert!(run.reads.slots().is_empty(), "{:?}", mirror.dependencies(&run.reads));
}
