use crate::{
    asm::asm,
    world::{CALLER, OTHER, TARGET, World, call, fork_head, head, runner, slot},
};
use alloy::primitives::{B256, U256};
use errand_sim::{Mirror, MirrorSize, UndoError};
use errand_types::{AccountWrite, StateKeys, WriteSet};

fn keys(slots: &[u64]) -> StateKeys {
    StateKeys { accounts: vec![TARGET], slots: slots.iter().map(|key| slot(TARGET, *key)).collect() }
}

fn writes(slots: &[(u64, u64)]) -> WriteSet {
    let mut writes = WriteSet::default();
    writes.slots.extend(slots.iter().map(|(key, value)| (slot(TARGET, *key), U256::from(*value))));
    writes
}

fn value(mirror: &Mirror, key: u64) -> Option<u64> {
    mirror.slot(&slot(TARGET, key)).map(|value| value.to())
}

fn loaded(world: &World, slots: &[u64]) -> Mirror {
    let mut mirror = Mirror::new(head(100));
    assert!(mirror.insert(head(100).hash, world.load(&keys(slots))).unwrap().is_empty());
    mirror
}

fn world() -> World {
    World::with_target(asm("STOP")).balance(TARGET, 3).slot(TARGET, 1, 5).slot(TARGET, 2, 6)
}

#[test]
fn state_of_another_block_is_refused() {
    let mut mirror = Mirror::new(head(100));
    let error = mirror.insert(head(99).hash, world().load(&keys(&[1]))).unwrap_err();
    assert_eq!((error.loaded, error.head), (head(99).hash, head(100).hash));
    assert_eq!(mirror.size(), MirrorSize::default());
}

#[test]
fn only_a_block_on_the_head_is_applied() {
    let mut mirror = loaded(&world(), &[1]);
    assert!(mirror.apply(head(102), &writes(&[(1, 9)])).is_err());
    assert!(mirror.apply(fork_head(101, B256::repeat_byte(9), 1), &writes(&[(1, 9)])).is_err());
    assert_eq!((value(&mirror, 1), mirror.head().number), (Some(5), 100));
}

#[test]
fn a_block_changes_what_is_tracked_and_reports_only_that() {
    let mut mirror = loaded(&world(), &[1, 2]);
    let changes = mirror.apply(head(101), &writes(&[(1, 9), (2, 6), (3, 7)])).unwrap();
    let slots: Vec<_> = changes.slots().map(|id| mirror.slot_of(id).unwrap()).collect();
    assert_eq!(slots, [slot(TARGET, 1)], "slot 2 has the value it had, slot 3 is not tracked");
    assert_eq!([1, 2, 3].map(|key| value(&mirror, key)), [Some(9), Some(6), None]);
    assert_eq!(mirror.head().number, 101);
}

#[test]
fn parts_of_an_account_change_one_by_one() {
    let mut mirror = loaded(&world(), &[]);
    let id = mirror.account_id(TARGET).unwrap();
    let mut step = |number, write: AccountWrite| {
        let mut writes = WriteSet::default();
        writes.accounts.insert(TARGET, write);
        let change = mirror.apply(head(number), &writes).unwrap().account(id);
        (change.balance, change.nonce, change.code)
    };
    let none = AccountWrite::default();
    assert_eq!(step(101, none.clone()), (false, false, false));
    assert_eq!(
        step(102, AccountWrite { balance: Some(U256::from(4)), ..none.clone() }),
        (true, false, false)
    );
    assert_eq!(step(103, AccountWrite { nonce: Some(2), ..none.clone() }), (false, true, false));
    assert_eq!(step(104, AccountWrite { code: Some(asm("STOP")), ..none.clone() }), (false, false, false));
    assert_eq!(step(105, AccountWrite { code: Some(asm("INVALID")), ..none }), (false, false, true));
    let account = mirror.account(TARGET).unwrap();
    assert_eq!((account.balance.to(), account.nonce, account.code), (4_u64, 2, asm("INVALID")));
}

#[test]
fn cleared_storage_is_zero_but_for_what_the_block_lists() {
    let mut mirror = loaded(&world(), &[1, 2]);
    let mut writes = writes(&[(2, 8)]);
    writes.accounts.insert(TARGET, AccountWrite { storage_cleared: true, ..AccountWrite::default() });
    assert_eq!(mirror.apply(head(101), &writes).unwrap().slots().count(), 2);
    assert_eq!([1, 2].map(|key| value(&mirror, key)), [Some(0), Some(8)]);
    mirror.undo(head(101).hash).unwrap();
    assert_eq!([1, 2].map(|key| value(&mirror, key)), [Some(5), Some(6)]);
}

#[test]
fn storage_is_cleared_also_of_an_account_that_is_not_tracked_itself() {
    let mut mirror = Mirror::new(head(100));
    let slots = StateKeys { accounts: vec![], slots: vec![slot(TARGET, 1)] };
    mirror.insert(head(100).hash, world().load(&slots)).unwrap();
    let mut writes = WriteSet::default();
    writes.accounts.insert(TARGET, AccountWrite { storage_cleared: true, ..AccountWrite::default() });
    mirror.apply(head(101), &writes).unwrap();
    assert_eq!((value(&mirror, 1), mirror.account(TARGET)), (Some(0), None));
}

#[test]
fn undoing_a_block_restores_what_it_changed_and_forgets_what_was_loaded_since() {
    let mut mirror = loaded(&world(), &[1]);
    mirror.apply(head(101), &writes(&[(1, 9)])).unwrap();
    mirror.insert(head(101).hash, world().load(&keys(&[2]))).unwrap();
    let changes = mirror.undo(head(101).hash).unwrap();
    assert_eq!(changes.slots().count(), 2, "the changed one and the forgotten one");
    assert_eq!((value(&mirror, 1), value(&mirror, 2)), (Some(5), None));
    assert_eq!(mirror.head(), &head(100));
}

#[test]
fn undoing_reaches_as_deep_as_the_history_and_no_deeper() {
    let mut mirror = loaded(&world(), &[1]);
    for block in 101..=(100 + Mirror::DEPTH as u64 + 1) {
        mirror.apply(head(block), &writes(&[(1, block)])).unwrap();
    }
    for block in (102..=(100 + Mirror::DEPTH as u64 + 1)).rev() {
        assert_eq!(value(&mirror, 1), Some(block));
        mirror.undo(head(block).hash).unwrap();
    }
    assert_eq!(mirror.undo(head(101).hash), Err(UndoError::DeeperThanHistory));
    assert_eq!((mirror.head().number, value(&mirror, 1)), (101, Some(101)), "an error changes nothing");
}

#[test]
fn only_the_head_is_undone() {
    let mut mirror = loaded(&world(), &[1]);
    mirror.apply(head(101), &writes(&[(1, 9)])).unwrap();
    assert!(matches!(mirror.undo(head(100).hash), Err(UndoError::NotTheHead { .. })));
    assert_eq!(value(&mirror, 1), Some(9));
}

#[test]
fn a_load_that_contradicts_the_mirror_is_reported_and_counts() {
    let mut mirror = loaded(&world(), &[1, 2]);
    mirror.apply(head(101), &writes(&[(1, 9)])).unwrap();
    // Block 101 also wrote slot 2 and the balance, but the write set did not say so.
    let real = world().slot(TARGET, 1, 9).slot(TARGET, 2, 77).balance(TARGET, 4);
    let changes = mirror.insert(head(101).hash, real.load(&keys(&[1, 2]))).unwrap();
    assert_eq!(changes.slots().count(), 1);
    assert!(changes.account(mirror.account_id(TARGET).unwrap()).balance);
    assert_eq!(value(&mirror, 2), Some(77));
    mirror.undo(head(101).hash).unwrap();
    assert_eq!(value(&mirror, 2), None, "since when it was wrong is not known");
}

#[test]
fn an_old_value_does_not_come_back_for_what_was_forgotten() {
    let mut mirror = loaded(&world(), &[1]);
    mirror.apply(head(101), &writes(&[(1, 9)])).unwrap();
    mirror.apply(head(102), &writes(&[])).unwrap();
    mirror.insert(head(102).hash, world().slot(TARGET, 1, 33).load(&keys(&[1]))).unwrap();
    mirror.undo(head(102).hash).unwrap();
    mirror.undo(head(101).hash).unwrap();
    assert_eq!(value(&mirror, 1), None);
}

#[test]
fn what_is_forgotten_keeps_its_id() {
    let mut mirror = loaded(&world(), &[]);
    mirror.apply(head(101), &writes(&[])).unwrap();
    mirror.insert(head(101).hash, world().load(&keys(&[1]))).unwrap();
    let id = mirror.slot_id(&slot(TARGET, 1)).unwrap();
    mirror.undo(head(101).hash).unwrap();
    assert_eq!(mirror.tracked().slots, []);
    mirror.insert(head(100).hash, world().load(&keys(&[2, 1]))).unwrap();
    assert_eq!(mirror.slot_id(&slot(TARGET, 1)), Some(id));
    assert_eq!(mirror.slot_of(id), Some(slot(TARGET, 1)));
}

#[test]
fn what_is_tracked_is_named_and_counted_and_code_is_shared() {
    let world = world().code(OTHER, asm("STOP")).balance(CALLER, 1);
    let mut mirror = loaded(&world, &[1, 2]);
    let more = StateKeys { accounts: vec![OTHER, CALLER], slots: vec![] };
    mirror.insert(head(100).hash, world.load(&more)).unwrap();
    // `STOP` twice, and the code of an account that has none.
    assert_eq!(mirror.size(), MirrorSize { accounts: 3, slots: 2, codes: 2 });
    assert_eq!(mirror.tracked().accounts, [TARGET, OTHER, CALLER]);
    assert_eq!(mirror.tracked().slots, [slot(TARGET, 1), slot(TARGET, 2)]);
}

#[test]
fn changes_of_several_blocks_add_up() {
    let mut mirror = loaded(&world(), &[1, 2]);
    let mut all = mirror.apply(head(101), &writes(&[(1, 9)])).unwrap();
    all.extend(&mirror.apply(head(102), &writes(&[(2, 9), (1, 5)])).unwrap());
    assert_eq!(all.len(), 2, "a value that changed and changed back stays in");
    assert!(all.has_slot(mirror.slot_id(&slot(TARGET, 2)).unwrap()));
}

#[test]
fn a_mirror_can_be_shared_between_threads() {
    let world = world();
    let (first, mirror) = world.call(&call());
    std::thread::scope(|scope| {
        let runs = [(); 2].map(|()| scope.spawn(|| crate::world::runner(&mirror).run_call(&call(), &[])));
        for run in runs {
            assert_eq!(run.join().unwrap(), first);
        }
    });
}

#[test]
fn what_no_outcome_depends_on_makes_room_and_the_rest_goes_on() {
    let world = World::with_target(asm("2 SLOAD POP STOP")).slot(TARGET, 1, 5).slot(TARGET, 2, 6);
    let mut mirror = loaded(&world, &[1, 2]);
    mirror.apply(head(101), &writes(&[(1, 7), (2, 8)])).unwrap();
    let others = StateKeys { accounts: vec![OTHER], slots: (1..=9).map(|key| slot(OTHER, key)).collect() };
    mirror.insert(head(101).hash, world.load(&others)).unwrap();
    let run = runner(&mirror).run_call(&call(), &[]);
    assert!(run.outcome.is_success(), "{:?}", run.outcome);
    let (held, kept) = (mirror.held(), mirror.slot_id(&slot(TARGET, 2)));
    assert_eq!(held, 13);
    mirror.keep_only([&run.reads]);
    assert!(mirror.held() < 5, "{} are left", mirror.held());
    assert_eq!((value(&mirror, 1), value(&mirror, 2)), (None, Some(8)));
    assert_eq!((mirror.slot_id(&slot(TARGET, 2)), mirror.account(OTHER)), (kept, None));
    assert_eq!(mirror.slots_of(TARGET).collect::<Vec<_>>(), [slot(TARGET, 2)]);
    // Ids are given again, and what is loaded under them is undone as what it is now.
    for round in 0..3 {
        mirror.insert(head(101).hash, world.load(&others)).unwrap();
        assert_eq!(mirror.slot(&slot(OTHER, 9)), Some(U256::ZERO), "round {round}");
        assert!(mirror.held() <= held, "it does not grow");
        let ids: Vec<_> = (1..=9).filter_map(|key| mirror.slot_id(&slot(OTHER, key))).collect();
        assert!(ids.iter().all(|id| id.index() < held && mirror.slot_of(*id).unwrap().address == OTHER));
        if round < 2 {
            mirror.keep_only([&run.reads]);
        }
    }
    mirror.undo(head(101).hash).unwrap();
    assert_eq!((value(&mirror, 2), mirror.slot(&slot(OTHER, 9))), (Some(6), None));
}
