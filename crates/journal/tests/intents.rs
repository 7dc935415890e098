//! The life of an intent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use alloy::primitives::B256;
use common::{ACCOUNT, IDENTITY, attempt, block, inclusion, new_intent, work};
use errand_journal::{Inclusion, IntentId, IntentState, Journal, JournalError};
use proptest::prelude::*;
use std::collections::HashMap;

fn journal() -> Journal {
    Journal::in_memory(IDENTITY).unwrap()
}

#[test]
fn a_second_intent_for_the_same_work_is_refused_until_the_first_is_settled() {
    let journal = journal();
    let first = journal.open_intent(new_intent(5, [work(1), work(2)])).unwrap();
    journal.record_attempt(first.id, attempt(5, 1)).unwrap();
    let refused = |nonce| match journal.open_intent(new_intent(nonce, [work(3), work(2)])) {
        Err(JournalError::WorkTaken { work: taken, holder }) => taken == work(2) && holder == first.id,
        other => panic!("{other:?}"),
    };
    assert!(refused(6));
    journal.mark_mined(first.id, inclusion(attempt(5, 1).tx_hash, 106)).unwrap();
    assert!(refused(6));
    assert_eq!(journal.holder(work(3)).unwrap(), None, "a refused intent leaves nothing behind");
    journal.settle(first.id).unwrap();
    let second = journal.open_intent(new_intent(6, [work(3), work(2)])).unwrap();
    assert_eq!(journal.holder(work(2)).unwrap(), Some(second.id));
    assert_eq!(journal.holder(work(1)).unwrap(), None);
}

#[test]
fn a_nonce_has_one_unsettled_intent() {
    let journal = journal();
    let first = journal.open_intent(new_intent(5, [work(1)])).unwrap();
    let error = journal.open_intent(new_intent(5, [work(2)])).unwrap_err();
    assert!(
        matches!(error, JournalError::NonceTaken { account: ACCOUNT, nonce: 5, holder } if holder == first.id),
        "{error:?}"
    );
    journal.abandon(first.id).unwrap();
    let second = journal.open_intent(new_intent(5, [work(1)])).unwrap();
    assert!(second.id > first.id);
}

#[test]
fn work_that_is_named_twice_is_held_once() {
    let journal = journal();
    let intent = journal.open_intent(new_intent(0, [work(1), work(1)])).unwrap();
    assert_eq!(journal.holder(work(1)).unwrap(), Some(intent.id));
    journal.check().unwrap();
}

#[test]
fn an_attempt_is_refused_when_the_intent_is_not_open_or_the_hash_is_wrong() {
    let journal = journal();
    let id = journal.open_intent(new_intent(0, [work(1)])).unwrap().id;
    let mut wrong = attempt(0, 1);
    wrong.tx_hash = B256::ZERO;
    assert!(matches!(journal.record_attempt(id, wrong), Err(JournalError::WrongHash { .. })));
    journal.record_attempt(id, attempt(0, 1)).unwrap();
    journal.mark_mined(id, inclusion(attempt(0, 1).tx_hash, 101)).unwrap();
    assert!(matches!(journal.record_attempt(id, attempt(0, 2)), Err(JournalError::WrongState { .. })));
    let nobody = IntentId(99);
    assert!(
        matches!(journal.record_attempt(nobody, attempt(0, 2)), Err(JournalError::NoIntent(id)) if id == nobody)
    );
}

#[test]
fn a_state_that_does_not_follow_is_refused() {
    let journal = journal();
    let id = journal.open_intent(new_intent(0, [work(1)])).unwrap().id;
    journal.record_attempt(id, attempt(0, 1)).unwrap();
    let hash = attempt(0, 1).tx_hash;
    let refused = |result: Result<(), JournalError>| matches!(result, Err(JournalError::WrongState { .. }));
    assert!(refused(journal.mark_mined(id, inclusion(B256::ZERO, 101))), "not its transaction");
    assert!(refused(journal.mark_used_by_other(id, Some(hash), block(101))), "its own transaction");
    assert!(refused(journal.settle(id)), "the nonce is not used");
    assert!(refused(journal.release_work(id, work(1))), "nothing was executed");
    let reverted = Inclusion { success: false, ..inclusion(hash, 101) };
    journal.mark_mined(id, reverted).unwrap();
    assert!(refused(journal.release_work(id, work(1))), "it reverted");
    assert!(refused(journal.abandon(id)), "the nonce is used");
    journal.settle(id).unwrap();
    assert!(refused(journal.reopen(id)), "it is final");
    assert!(refused(journal.mark_mined(id, reverted)), "it is final");
}

#[test]
fn a_reorg_opens_the_intent_again_and_a_foreign_use_can_turn_out_to_be_ours() {
    let journal = journal();
    let id = journal.open_intent(new_intent(0, [work(1)])).unwrap().id;
    journal.record_attempt(id, attempt(0, 1)).unwrap();
    journal.mark_used_by_other(id, None, block(101)).unwrap();
    let mined = inclusion(attempt(0, 1).tx_hash, 101);
    journal.mark_mined(id, mined).unwrap();
    assert_eq!(journal.intent(id).unwrap().state, IntentState::Mined(mined));
    journal.reopen(id).unwrap();
    let intent = journal.intent(id).unwrap();
    assert_eq!((intent.state, intent.settled), (IntentState::Open, false));
    assert_eq!(intent.attempts, [attempt(0, 1)], "the bytes are still there for a rebroadcast");
    assert_eq!(journal.holder(work(1)).unwrap(), Some(id));
}

#[test]
fn released_work_can_be_taken_again_and_a_reorg_does_not_take_it_back_from_a_later_intent() {
    let journal = journal();
    let first = journal.open_intent(new_intent(0, [work(1), work(2)])).unwrap().id;
    journal.record_attempt(first, attempt(0, 1)).unwrap();
    journal.mark_mined(first, inclusion(attempt(0, 1).tx_hash, 101)).unwrap();
    journal.release_work(first, work(1)).unwrap();
    journal.release_work(first, work(2)).unwrap();
    let second = journal.open_intent(new_intent(1, [work(1)])).unwrap().id;
    journal.reopen(first).unwrap();
    assert_eq!(journal.holder(work(1)).unwrap(), Some(second));
    assert_eq!(journal.holder(work(2)).unwrap(), Some(first));
    journal.check().unwrap();
}

#[test]
fn released_work_goes_back_to_the_intent_that_is_open_again_when_the_later_one_lets_go() {
    let journal = journal();
    let first = journal.open_intent(new_intent(0, [work(1)])).unwrap().id;
    journal.record_attempt(first, attempt(0, 1)).unwrap();
    journal.mark_mined(first, inclusion(attempt(0, 1).tx_hash, 102)).unwrap();
    journal.release_work(first, work(1)).unwrap();
    let second = journal.open_intent(new_intent(1, [work(1)])).unwrap().id;
    journal.reopen(first).unwrap();
    journal.abandon(second).unwrap();
    assert_eq!(journal.holder(work(1)).unwrap(), Some(first));
    journal.check().unwrap();
    let refused = journal.open_intent(new_intent(1, [work(1)]));
    assert!(matches!(refused, Err(JournalError::WorkTaken { .. })), "{refused:?}");
    journal.abandon(first).unwrap();
    assert_eq!(journal.holder(work(1)).unwrap(), None);
}

#[test]
fn settling_drops_the_bytes_and_keeps_the_hashes() {
    let journal = journal();
    let id = journal.open_intent(new_intent(0, [work(1)])).unwrap().id;
    journal.record_attempt(id, attempt(0, 1)).unwrap();
    journal.mark_mined(id, inclusion(attempt(0, 1).tx_hash, 101)).unwrap();
    journal.settle(id).unwrap();
    let intent = journal.intent(id).unwrap();
    assert!(intent.settled && intent.request.is_empty() && intent.attempts[0].raw.is_empty());
    assert_eq!(intent.attempts[0].tx_hash, attempt(0, 1).tx_hash);
    assert_eq!(journal.unsettled().unwrap(), []);
    journal.check().unwrap();
}

#[test]
fn numbers_beyond_the_signed_range_are_kept() {
    let journal = journal();
    let mut new = new_intent(u64::MAX - 200, [work(u64::MAX)]);
    new.opened_at_block = u64::MAX;
    let intent = journal.open_intent(new).unwrap();
    assert_eq!(journal.intent(intent.id).unwrap(), intent);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is asked in whatever order: work is in at most one intent that is not settled (unless it was
    /// released), refused calls change nothing, and the journal finds itself in order.
    #[test]
    fn any_order_of_calls_keeps_work_in_one_hand(
        calls in prop::collection::vec((0_u8..8, 0_u64..4, 0_u64..6), 1..40)
    ) {
        let journal = journal();
        for (call, pick, number) in calls {
            let before = journal.history(100).unwrap();
            let target = before.get(usize::try_from(pick).unwrap()).map_or(IntentId(77), |intent| intent.id);
            let hash = before.iter().find(|i| i.id == target).and_then(|i| i.attempts.last()).map(|a| a.tx_hash);
            let result = match call {
                0 | 1 => journal.open_intent(new_intent(pick, [work(number), work(number + 1)])).map(drop),
                2 => journal.record_attempt(target, attempt(pick, u8::try_from(number).unwrap())),
                3 => journal.mark_mined(target, inclusion(hash.unwrap_or_default(), number)),
                4 => journal.mark_used_by_other(target, None, block(number)),
                5 => journal.reopen(target),
                6 => journal.abandon(target),
                _ => journal.settle(target),
            };
            let after = journal.history(100).unwrap();
            if result.is_err() {
                prop_assert_eq!(&before, &after);
            }
            let mut hands = HashMap::new();
            for intent in after.iter().filter(|intent| !intent.settled) {
                for work in &intent.work {
                    prop_assert!(hands.insert(*work, intent.id).is_none(), "{} is in two hands", work);
                }
            }
            for number in 0..8 {
                prop_assert_eq!(journal.holder(work(number)).unwrap(), hands.get(&work(number)).copied());
            }
            journal.check().unwrap();
        }
    }
}
