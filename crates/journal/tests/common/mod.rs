//! What the tests share: a journal's identity, and content to put in.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part")]

use alloy::{
    eips::BlockNumHash,
    primitives::{Address, B256, Bytes, keccak256},
};
use errand_journal::{
    Attempt, Batch, Identity, Inclusion, Intent, IntentId, Journal, NewIntent, Purpose, Record, Snapshot,
};
use errand_types::{RequestId, WorkId};

pub(crate) const ACCOUNT: Address = Address::repeat_byte(0xaa);
pub(crate) const IDENTITY: Identity = Identity {
    chain_id: 31337,
    genesis: B256::repeat_byte(0x22),
    registry: Address::repeat_byte(0x11),
    account: ACCOUNT,
};

pub(crate) fn work(number: u64) -> WorkId {
    RequestId(number).into()
}

pub(crate) fn block(number: u64) -> BlockNumHash {
    BlockNumHash { number, hash: keccak256(number.to_be_bytes()) }
}

pub(crate) fn new_intent(nonce: u64, work: impl IntoIterator<Item = WorkId>) -> NewIntent {
    NewIntent {
        account: ACCOUNT,
        nonce,
        work: work.into_iter().collect(),
        opened_at_block: nonce + 100,
        request: Bytes::from(vec![7; 40]),
    }
}

pub(crate) fn attempt(nonce: u64, number: u8) -> Attempt {
    let raw = Bytes::from([vec![number; 120], nonce.to_be_bytes().to_vec()].concat());
    Attempt {
        tx_hash: keccak256(&raw),
        raw,
        purpose: if number < 9 { Purpose::Execute } else { Purpose::Cancel },
        max_fee_per_gas: 1_000_000_000 + u128::from(number),
        max_priority_fee_per_gas: 1_000 + u128::from(number),
        sent_at_block: nonce + 101,
    }
}

pub(crate) fn inclusion(tx_hash: B256, number: u64) -> Inclusion {
    Inclusion { tx_hash, block: block(number), success: true, gas_used: 30_000, gas_price: 1_000_000_007 }
}

/// One intent in each state, records and a snapshot.
pub(crate) fn fill(journal: &Journal) {
    let open = |nonce| {
        let intent = journal.open_intent(new_intent(nonce, [work(nonce), work(nonce + 1000)])).unwrap();
        journal.record_attempt(intent.id, attempt(nonce, 1)).unwrap();
        journal.record_attempt(intent.id, attempt(nonce, 9)).unwrap();
        intent.id
    };
    let settled = open(0);
    journal.mark_mined(settled, inclusion(attempt(0, 1).tx_hash, 102)).unwrap();
    journal.settle(settled).unwrap();
    let mined = open(1);
    journal.mark_mined(mined, inclusion(attempt(1, 9).tx_hash, 103)).unwrap();
    let other = open(2);
    journal.mark_used_by_other(other, Some(B256::repeat_byte(5)), block(104)).unwrap();
    open(3);
    let abandoned = journal.open_intent(new_intent(4, [work(4)])).unwrap().id;
    journal.abandon(abandoned).unwrap();
    journal.open_intent(new_intent(4, [work(4)])).unwrap();
    let mut batch = Batch::new();
    for number in 0..30_u8 {
        batch.put("request", [number], vec![number; 200]);
    }
    // More than a page, so that it has overflow pages.
    batch.put("bundle", *b"large", vec![3; 9000]);
    batch.snapshot("book", Snapshot { block: block(104), bytes: vec![8; 700] });
    journal.write(batch).unwrap();
}

/// All that can be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) intents: Vec<Intent>,
    pub(crate) holders: Vec<Option<IntentId>>,
    pub(crate) requests: Vec<Record>,
    pub(crate) bundles: Vec<Record>,
    pub(crate) book: Option<Snapshot>,
}

pub(crate) fn content(journal: &Journal) -> Content {
    Content {
        intents: journal.history(100).unwrap(),
        holders: (0..1100).map(|number| journal.holder(work(number)).unwrap()).collect(),
        requests: journal.records("request").unwrap(),
        bundles: journal.records("bundle").unwrap(),
        book: journal.snapshot("book").unwrap(),
    }
}
