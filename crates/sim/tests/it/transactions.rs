use crate::{
    asm::{asm, number},
    world::{
        CALLER, ETHER, ORIGIN, OTHER, TARGET, World, call, config, head, missing, next, returning, runner,
        slot,
    },
};
use alloy::primitives::{Bytes, U256, bytes};
use errand_sim::{Fork, HaltReason, InvalidTransaction, Mirror, Outcome, Run, Runner, SimConfig, Unknown};
use errand_types::{CallSpec, StateKeys};

const GAS_CAP: u64 = 16_777_216;

fn gas(world: &World, spec: &CallSpec) -> u64 {
    world.transaction(spec).0.outcome.gas_used().unwrap()
}

fn refusal(world: &World, spec: &CallSpec) -> InvalidTransaction {
    match world.transaction(spec).0.outcome {
        Outcome::Unknown(Unknown::Invalid(why)) => why,
        outcome => panic!("{outcome:?}"),
    }
}

#[test]
fn a_transfer_costs_21000() {
    let world = World::with_target(Bytes::new());
    assert_eq!(gas(&world, &CallSpec { value: U256::from(1), ..call() }), 21_000);
}

#[test]
fn calldata_costs_its_floor_price_since_prague() {
    // 100 bytes that are not zero: 400 tokens, of 10 at the floor and 4 else.
    let spec = CallSpec { data: vec![1; 100].into(), ..call() };
    let (run, mirror) = World::with_target(Bytes::new()).transaction(&spec);
    assert_eq!(run.outcome.gas_used(), Some(21_000 + 4_000));
    let cancun = SimConfig::new(31337, Fork::Cancun);
    let run = Runner::new(&cancun, &mirror, &next().block).run_transaction(&spec);
    assert_eq!(run.outcome.gas_used(), Some(21_000 + 1_600));
}

#[test]
fn execution_is_charged_on_top_and_clearing_a_slot_is_refunded() {
    // PUSH0, PUSH1, SSTORE of a cold slot from 5 to 0; 4,800 come back.
    let world = World::with_target(asm("0 1 SSTORE")).slot(TARGET, 1, 5);
    assert_eq!(gas(&world, &call()), 21_000 + 2 + 3 + 5_000 - 4_800);
    // What comes back is at most a fifth.
    let world = World::with_target(asm("0 1 SSTORE 0 2 SSTORE")).slot(TARGET, 1, 5).slot(TARGET, 2, 5);
    let before = 21_000 + 2 * (2 + 3 + 5_000);
    assert_eq!(gas(&world, &call()), before - before / 5);
}

#[test]
fn a_failed_transaction_costs_what_it_used_or_all() {
    let (run, _) = World::with_target(asm("0 0 REVERT")).transaction(&call());
    assert_eq!(run.outcome, Outcome::Revert { gas_used: 21_004, output: Bytes::new() });
    let (run, _) = World::with_target(asm("INVALID")).transaction(&call());
    assert_eq!(run.outcome, Outcome::Halt { gas_used: call().gas_limit, reason: HaltReason::Invalid });
    let (run, _) = World::with_target(asm("1 SLOAD")).transaction(&CallSpec { gas_limit: 21_100, ..call() });
    assert_eq!(run.outcome, Outcome::Halt { gas_used: 21_100, reason: HaltReason::OutOfGas });
}

#[test]
fn logs_and_output_come_back() {
    let (run, _) = World::with_target(asm("42 0 0 LOG1 7 0 MSTORE 32 0 RETURN")).transaction(&call());
    let Outcome::Success { output, logs, .. } = run.outcome else { panic!("{:?}", run.outcome) };
    assert_eq!(U256::from_be_slice(&output), U256::from(7));
    assert_eq!((logs.len(), logs[0].address), (1, TARGET));
}

#[test]
fn the_origin_is_the_caller_whatever_the_spec_says() {
    let spec = CallSpec { caller: CALLER, ..call() };
    let (run, _) = World::with_target(returning("CALLER")).transaction(&spec);
    let Outcome::Success { output, .. } = run.outcome else { panic!("{:?}", run.outcome) };
    assert_eq!(U256::from_be_slice(&output), number(ORIGIN));
}

#[test]
fn what_no_block_would_take_is_named() {
    let world = World::with_target(Bytes::new());
    let wei = |wei: u128| U256::from(wei);
    let poor = world.clone().balance(ORIGIN, 9);
    assert_eq!(
        refusal(&poor, &CallSpec { value: wei(3), ..call() }),
        InvalidTransaction::InsufficientFunds {
            required: wei(1_000_000 * 1_000_000_000 + 3),
            balance: wei(9)
        }
    );
    assert_eq!(refusal(&world, &CallSpec { gas_price: 6, ..call() }), InvalidTransaction::BelowBaseFee);
    assert_eq!(
        refusal(&world, &CallSpec { gas_limit: GAS_CAP + 1, ..call() }),
        InvalidTransaction::AboveGasCap { cap: GAS_CAP }
    );
    assert_eq!(
        refusal(&world, &CallSpec { gas_limit: 20_999, ..call() }),
        InvalidTransaction::BelowIntrinsicGas { required: 21_000 }
    );
    let data = vec![1; 100].into();
    assert_eq!(
        refusal(&world, &CallSpec { gas_limit: 24_999, data, ..call() }),
        InvalidTransaction::BelowIntrinsicGas { required: 25_000 }
    );
    let contract = world.clone().code(ORIGIN, asm("STOP")).balance(ORIGIN, ETHER);
    assert_eq!(refusal(&contract, &call()), InvalidTransaction::OriginHasCode);
}

#[test]
fn a_block_smaller_than_the_transaction_is_named() {
    let (_, mirror) = World::with_target(Bytes::new()).transaction(&call());
    let mut block = next().block;
    block.gas_limit = 999_999;
    let run = Runner::new(&config(), &mirror, &block).run_transaction(&call());
    assert_eq!(run.outcome, Outcome::Unknown(Unknown::Invalid(InvalidTransaction::AboveBlockGasLimit)));
    assert!(!run.is_cacheable());
}

#[test]
fn a_delegated_origin_may_send() {
    let delegation = [bytes!("ef0100").as_ref(), OTHER.as_slice()].concat();
    let world = World::with_target(Bytes::new()).code(ORIGIN, delegation.into()).balance(ORIGIN, ETHER);
    assert_eq!(gas(&world, &call()), 21_000);
}

#[test]
fn the_account_that_gets_the_tip_is_not_read() {
    let (run, mirror) = World::with_target(asm("STOP")).transaction(&call());
    let addresses: Vec<_> =
        mirror.dependencies(&run.reads).accounts.iter().map(|account| account.address).collect();
    assert_eq!(addresses.len(), 2);
    assert!(addresses.contains(&ORIGIN) && addresses.contains(&TARGET));
}

fn sequence(world: &World, specs: &[CallSpec]) -> (Vec<Run>, Mirror) {
    let mut mirror = Mirror::new(head(100));
    let (runs, _) = world.settle(
        &mut mirror,
        |mirror| runner(mirror).run_transactions(specs),
        |runs| {
            let mut all = StateKeys::default();
            if let Some(keys) = runs.last().map(missing) {
                all = keys;
            }
            all
        },
    );
    (runs, mirror)
}

#[test]
fn a_transaction_sees_what_the_one_before_it_left() {
    // Returns slot 1 and adds one to it.
    let world = World::with_target(returning("1 SLOAD DUP1 1 ADD 1 SSTORE")).slot(TARGET, 1, 5);
    let (runs, mirror) = sequence(&world, &[call(), call(), call()]);
    for (run, expected) in runs.iter().zip([5_u64, 6, 7]) {
        let Outcome::Success { output, .. } = &run.outcome else { panic!("{:?}", run.outcome) };
        assert_eq!(U256::from_be_slice(output), U256::from(expected));
    }
    assert_eq!(mirror.slot(&slot(TARGET, 1)), Some(U256::from(5)), "the mirror is as it was");
    assert_eq!(runner(&mirror).run_transactions(&[call(), call(), call()]), runs, "and so is a runner");
}

#[test]
fn the_origin_pays_for_the_transactions_before() {
    let world = World::with_target(returning(&format!("{} BALANCE", number(ORIGIN))));
    let (runs, _) = sequence(&world, &[call(), call()]);
    let used = u128::from(runs[0].outcome.gas_used().unwrap());
    let Outcome::Success { output, .. } = &runs[1].outcome else { panic!("{:?}", runs[1].outcome) };
    let left = ETHER - (used + u128::from(call().gas_limit)) * call().gas_price;
    assert_eq!(U256::from_be_slice(output), U256::from(left));
}

#[test]
fn a_sequence_goes_on_after_a_revert_and_ends_at_an_invalid_transaction() {
    let revert_when_called_with_data = asm("CALLDATASIZE @fail JUMPI STOP fail: 0 0 REVERT");
    let world = World::with_target(revert_when_called_with_data);
    let fails = CallSpec { data: bytes!("01"), ..call() };
    let invalid = CallSpec { gas_limit: 20_999, ..call() };
    let (runs, _) = sequence(&world, &[fails, call(), invalid, call()]);
    assert!(matches!(runs[0].outcome, Outcome::Revert { .. }));
    assert!(runs[1].outcome.is_success());
    assert!(matches!(runs[2].outcome, Outcome::Unknown(Unknown::Invalid(_))));
    assert_eq!(runs[3].outcome, Outcome::Unknown(Unknown::Predecessor));
}

#[test]
fn a_later_transaction_depends_on_what_the_earlier_ones_read() {
    let world = World::with_target(asm("0 CALLDATALOAD SLOAD")).slot(TARGET, 1, 5);
    let read = |key: u64| CallSpec { data: U256::from(key).to_be_bytes_vec().into(), ..call() };
    let (runs, mirror) = sequence(&world, &[read(1), read(2)]);
    let slots = |run: &Run| mirror.dependencies(&run.reads).slots.len();
    assert_eq!((slots(&runs[0]), slots(&runs[1])), (1, 2));
}
