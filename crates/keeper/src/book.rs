//! The book: every Request of a Registry that is outstanding, rebuilt from logs and kept by block deltas.

use alloy::{
    primitives::{Address, B256, keccak256},
    rpc::types::Log,
    sol_types::{SolEvent, SolValue},
};
use errand_bindings::IRegistry::{HashedReqAdded, HashedReqCancelled, HashedReqExecuted, Request};
use errand_types::{BlockHead, RequestId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// How many blocks can be taken back. A reorg that goes deeper needs the logs again.
pub const UNDO_DEPTH: usize = 64;

/// A Request that can still be executed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outstanding {
    /// Its number in the Registry.
    pub id: RequestId,
    /// What was registered.
    pub request: Request,
    /// The block that registered it.
    pub added_at: u64,
    /// The block of its last execution, for a recurring one that ran.
    pub last_executed_at: Option<u64>,
}

/// Why logs cannot be applied to a book.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// A log of the Registry does not decode as what its topic says.
    #[error("a log of block {block} is not what its topic says: {source}")]
    Undecodable {
        /// Where the log is.
        block: u64,
        /// What is wrong with it.
        source: alloy::sol_types::Error,
    },
    /// A Request's number does not fit.
    #[error("a log of block {block} names a Request whose number exceeds 64 bits")]
    IdTooLarge {
        /// Where the log is.
        block: u64,
    },
    /// The Registry has more Requests than logs told of.
    #[error(
        "the Registry has {length} Requests at block {block}, but the node's logs told of {seen}: it withheld logs \
         or was late with them"
    )]
    Missed {
        /// The head.
        block: u64,
        /// How many the Registry has registered.
        length: u64,
        /// How many of them were told of.
        seen: u64,
    },
    /// The block to take back is not the last one that was applied.
    #[error("block {number} ({hash}) is to be taken back, but the book does not know it as its last one")]
    NotTheLast {
        /// Height of the block to take back.
        number: u64,
        /// Its hash.
        hash: B256,
    },
}

/// What one log did, the other way round.
#[derive(Clone, Debug)]
enum Undo {
    Remove(RequestId),
    Restore(Box<Outstanding>),
}

/// What changed in the book with a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookChanges {
    /// Requests that are outstanding now and were not, or whose last execution changed.
    pub added: Vec<RequestId>,
    /// Requests that are not outstanding any more.
    pub removed: Vec<RequestId>,
}

/// How a book compares with the hashes that the Registry holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Completeness {
    /// Outstanding on chain and in the book, with the same hash.
    pub known: usize,
    /// Outstanding on chain and in no log that was read: registered before the look-back, or withheld by the node.
    pub outside_look_back: Vec<RequestId>,
    /// In the book, but not outstanding on chain or with another hash: a node withheld logs or lied.
    pub contradicted: Vec<RequestId>,
}

/// All outstanding Requests of one Registry at one block.
#[derive(Debug)]
pub struct Book {
    registry: Address,
    requests: BTreeMap<RequestId, Outstanding>,
    undo: VecDeque<(B256, Vec<Undo>)>,
    /// How many Requests the Registry had registered when the book was compared with it, and how many logs of
    /// registrations came since. Ids are consecutive: this is the next one.
    seen: u64,
}

impl Book {
    /// An empty book for the Registry at `registry`.
    pub const fn new(registry: Address) -> Self {
        Self { registry, requests: BTreeMap::new(), undo: VecDeque::new(), seen: 0 }
    }

    /// A book with the Requests that `snapshot` held.
    pub fn from_outstanding(registry: Address, requests: impl IntoIterator<Item = Outstanding>) -> Self {
        let requests = requests.into_iter().map(|entry| (entry.id, entry)).collect();
        Self { registry, requests, undo: VecDeque::new(), seen: 0 }
    }

    /// The Registry whose Requests these are.
    pub const fn registry(&self) -> Address {
        self.registry
    }

    /// The number of outstanding Requests.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether nothing is outstanding.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// The Request `id`, if it is outstanding.
    pub fn get(&self, id: RequestId) -> Option<&Outstanding> {
        self.requests.get(&id)
    }

    /// All outstanding Requests, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Outstanding> {
        self.requests.values()
    }

    /// Applies logs of past blocks, which will not be taken back one by one.
    pub fn apply_history(&mut self, logs: &[Log]) -> Result<(), BookError> {
        for log in logs {
            self.apply_log(log)?;
        }
        Ok(())
    }

    /// Applies a block that became the head. Logs of other contracts are passed over.
    pub fn apply(&mut self, head: &BlockHead, logs: &[Log]) -> Result<BookChanges, BookError> {
        let mut changes = BookChanges::default();
        let mut undo = Vec::new();
        for log in logs {
            let Some(step) = self.apply_log(log)? else { continue };
            match &step {
                Undo::Remove(id) => {
                    self.seen += 1;
                    changes.added.push(*id);
                }
                Undo::Restore(entry) if self.requests.contains_key(&entry.id) => changes.added.push(entry.id),
                Undo::Restore(entry) => changes.removed.push(entry.id),
            }
            undo.push(step);
        }
        self.undo.push_back((head.hash, undo));
        if self.undo.len() > UNDO_DEPTH {
            self.undo.pop_front();
        }
        Ok(changes)
    }

    /// Takes the last applied block back.
    pub fn undo(&mut self, head: &BlockHead) -> Result<BookChanges, BookError> {
        let error = BookError::NotTheLast { number: head.number, hash: head.hash };
        match self.undo.back() {
            Some((hash, _)) if *hash == head.hash => {}
            _ => return Err(error),
        }
        let (_, steps) = self.undo.pop_back().ok_or(error)?;
        let mut changes = BookChanges::default();
        for step in steps.into_iter().rev() {
            match step {
                Undo::Remove(id) => {
                    self.seen = self.seen.saturating_sub(1);
                    self.requests.remove(&id);
                    changes.removed.push(id);
                }
                Undo::Restore(entry) => {
                    changes.added.push(entry.id);
                    self.requests.insert(entry.id, *entry);
                }
            }
        }
        changes.added.retain(|id| self.requests.contains_key(id));
        Ok(changes)
    }

    /// Compares how many Requests the Registry has registered, at the last applied block, with what was seen.
    ///
    /// # Errors
    /// [`BookError::Missed`]: a node that indexes a block after it announces it gave no logs for it.
    pub fn expect(&self, length: u64, block: u64) -> Result<(), BookError> {
        let seen = self.seen;
        if length > seen { Err(BookError::Missed { block, length, seen }) } else { Ok(()) }
    }

    /// Compares the book with the hashes of all ids from 0 on, as `getHashedReqsSlice` gives them.
    pub fn compare(&mut self, hashes: &[B256]) -> Completeness {
        self.seen = hashes.len() as u64;
        let mut result = Completeness::default();
        for (number, hash) in (0u64..).zip(hashes) {
            let id = RequestId(number);
            match self.requests.get(&id) {
                Some(entry) if request_hash(&entry.request) == *hash => result.known += 1,
                Some(_) => result.contradicted.push(id),
                None if hash.is_zero() => {}
                None => result.outside_look_back.push(id),
            }
        }
        let beyond = RequestId(hashes.len() as u64);
        result.contradicted.extend(self.requests.range(beyond..).map(|(id, _)| *id));
        result
    }

    fn apply_log(&mut self, log: &Log) -> Result<Option<Undo>, BookError> {
        let block = log.block_number.unwrap_or_default();
        let undecodable = |source| BookError::Undecodable { block, source };
        let number = |id| u64::try_from(id).map(RequestId).map_err(|_| BookError::IdTooLarge { block });
        if log.address() != self.registry {
            return Ok(None);
        }
        match log.topic0() {
            Some(&HashedReqAdded::SIGNATURE_HASH) => {
                let event = HashedReqAdded::decode_log(&log.inner).map_err(undecodable)?.data;
                let id = number(event.id)?;
                let request = registered(event);
                self.requests
                    .insert(id, Outstanding { id, request, added_at: block, last_executed_at: None });
                Ok(Some(Undo::Remove(id)))
            }
            Some(&HashedReqExecuted::SIGNATURE_HASH) => {
                let event = HashedReqExecuted::decode_log(&log.inner).map_err(undecodable)?.data;
                let id = number(event.id)?;
                if event.wasRemoved {
                    return Ok(self.requests.remove(&id).map(|entry| Undo::Restore(Box::new(entry))));
                }
                Ok(self.requests.get_mut(&id).map(|entry| {
                    let before = entry.clone();
                    entry.last_executed_at = Some(block);
                    Undo::Restore(Box::new(before))
                }))
            }
            Some(&HashedReqCancelled::SIGNATURE_HASH) => {
                let event = HashedReqCancelled::decode_log(&log.inner).map_err(undecodable)?.data;
                let id = number(event.id)?;
                Ok(self.requests.remove(&id).map(|entry| Undo::Restore(Box::new(entry))))
            }
            _ => Ok(None),
        }
    }
}

/// The Request that a log registers.
pub fn registered(event: HashedReqAdded) -> Request {
    Request {
        user: event.user,
        target: event.target,
        referer: event.referer,
        callData: event.callData,
        initEthSent: event.initEthSent,
        ethForCall: event.ethForCall,
        verifyUser: event.verifyUser,
        insertFeeAmount: event.insertFeeAmount,
        payWithAUTO: event.payWithAUTO,
        isAlive: event.isAlive,
    }
}

/// The hash under which a Registry stores a Request: keccak256(abi.encode(request)).
pub fn request_hash(request: &Request) -> B256 {
    keccak256(request.abi_encode())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{Bytes, Log as InnerLog, U256, address};
    use proptest::prelude::*;

    const REGISTRY: Address = address!("0x1111111111111111111111111111111111111111");

    fn head(number: u64, fork: u8) -> BlockHead {
        let mut hash = B256::repeat_byte(fork);
        hash.0[..8].copy_from_slice(&number.to_be_bytes());
        BlockHead {
            number,
            hash,
            parent_hash: B256::ZERO,
            timestamp: number,
            base_fee: 0,
            gas_limit: 0,
            gas_used: 0,
            prev_randao: B256::ZERO,
            beneficiary: Address::ZERO,
        }
    }

    fn log(address: Address, event: &impl SolEvent, block: u64) -> Log {
        let inner = InnerLog { address, data: event.encode_log_data() };
        Log { inner, block_number: Some(block), ..Default::default() }
    }

    fn added(id: u64, alive: bool) -> HashedReqAdded {
        HashedReqAdded {
            id: U256::from(id),
            user: Address::repeat_byte(1),
            target: Address::repeat_byte(2),
            referer: Address::ZERO,
            callData: Bytes::from(vec![7; 40]),
            initEthSent: alloy::primitives::Uint::from(9),
            ethForCall: alloy::primitives::Uint::from(4),
            verifyUser: false,
            insertFeeAmount: true,
            payWithAUTO: false,
            isAlive: alive,
        }
    }

    fn executed(id: u64, removed: bool) -> HashedReqExecuted {
        HashedReqExecuted {
            id: U256::from(id),
            executor: Address::repeat_byte(3),
            wasRemoved: removed,
            fee: U256::ZERO,
            paidInAUTO: false,
        }
    }

    fn ids(book: &Book) -> Vec<u64> {
        book.iter().map(|entry| entry.id.0).collect()
    }

    #[test]
    fn requests_come_with_their_log_and_go_when_executed_or_cancelled() {
        let mut book = Book::new(REGISTRY);
        let logs: Vec<_> = (0..3).map(|id| log(REGISTRY, &added(id, false), 5)).collect();
        book.apply(&head(5, 0), &logs).unwrap();
        assert_eq!(ids(&book), [0, 1, 2]);
        assert_eq!(book.get(RequestId(1)).unwrap().added_at, 5);
        let logs = [
            log(REGISTRY, &executed(0, true), 6),
            log(REGISTRY, &HashedReqCancelled { id: U256::from(2) }, 6),
        ];
        let changes = book.apply(&head(6, 0), &logs).unwrap();
        assert_eq!(changes.removed, [RequestId(0), RequestId(2)]);
        assert_eq!(ids(&book), [1]);
    }

    #[test]
    fn a_log_that_did_not_come_is_missed_by_the_count() {
        let mut book = Book::new(REGISTRY);
        assert_eq!(book.compare(&[B256::ZERO; 4]).known, 0);
        book.apply(&head(5, 0), &[log(REGISTRY, &added(4, false), 5)]).unwrap();
        book.expect(5, 5).unwrap();
        // 5 was registered as well, whether or not 6 is told of.
        assert!(matches!(book.expect(6, 5), Err(BookError::Missed { block: 5, length: 6, seen: 5 })));
        book.apply(&head(6, 0), &[log(REGISTRY, &added(6, false), 6)]).unwrap();
        assert!(matches!(book.expect(7, 6), Err(BookError::Missed { length: 7, seen: 6, .. })));
        book.undo(&head(6, 0)).unwrap();
        book.undo(&head(5, 0)).unwrap();
        book.expect(4, 4).unwrap();
    }

    #[test]
    fn a_recurring_request_stays_and_remembers_when_it_ran() {
        let mut book = Book::new(REGISTRY);
        book.apply(&head(5, 0), &[log(REGISTRY, &added(0, true), 5)]).unwrap();
        book.apply(&head(6, 0), &[log(REGISTRY, &executed(0, false), 6)]).unwrap();
        assert_eq!(book.get(RequestId(0)).unwrap().last_executed_at, Some(6));
        book.undo(&head(6, 0)).unwrap();
        assert_eq!(book.get(RequestId(0)).unwrap().last_executed_at, None);
    }

    #[test]
    fn logs_of_other_contracts_are_passed_over() {
        let mut book = Book::new(REGISTRY);
        book.apply(&head(5, 0), &[log(Address::ZERO, &added(0, false), 5)]).unwrap();
        assert!(book.is_empty());
    }

    #[test]
    fn a_log_that_does_not_decode_is_an_error() {
        let mut broken = log(REGISTRY, &added(0, false), 5);
        broken.inner.data = alloy::primitives::LogData::new_unchecked(broken.topics().to_vec(), Bytes::new());
        let result = Book::new(REGISTRY).apply(&head(5, 0), &[broken]);
        assert!(matches!(result, Err(BookError::Undecodable { block: 5, .. })));
    }

    #[test]
    fn only_the_last_block_can_be_taken_back() {
        let mut book = Book::new(REGISTRY);
        book.apply(&head(5, 0), &[]).unwrap();
        book.apply(&head(6, 0), &[]).unwrap();
        assert!(matches!(book.undo(&head(5, 0)), Err(BookError::NotTheLast { number: 5, .. })));
        assert!(matches!(book.undo(&head(6, 1)), Err(BookError::NotTheLast { number: 6, .. })));
        book.undo(&head(6, 0)).unwrap();
        book.undo(&head(5, 0)).unwrap();
    }

    #[test]
    fn the_hash_is_the_one_that_the_registry_stores() {
        // cast keccak $(cast abi-encode 'f((address,address,address,bytes,uint112,uint112,bool,bool,bool,bool))'
        //   '(0x0101…01,0x0202…02,0x0000…00,0x0707…07,9,4,false,true,false,false)')
        let mut book = Book::new(REGISTRY);
        book.apply(&head(5, 0), &[log(REGISTRY, &added(0, false), 5)]).unwrap();
        let encoded = book.get(RequestId(0)).unwrap().request.abi_encode();
        assert_eq!(encoded.len(), 32 * 14);
        assert_eq!(U256::from_be_slice(&encoded[..32]), U256::from(32));
        assert_eq!(U256::from_be_slice(&encoded[4 * 32..5 * 32]), U256::from(0x140));
    }

    #[test]
    fn comparing_tells_what_is_missing_and_what_contradicts() {
        let mut book = Book::new(REGISTRY);
        let logs: Vec<_> = [1, 2, 3].map(|id| log(REGISTRY, &added(id, false), 5)).into();
        book.apply(&head(5, 0), &logs).unwrap();
        let hash = request_hash(&book.get(RequestId(1)).unwrap().request);
        let result = book.compare(&[B256::repeat_byte(9), hash, B256::ZERO]);
        assert_eq!(result.known, 1);
        assert_eq!(result.outside_look_back, [RequestId(0)]);
        assert_eq!(result.contradicted, [RequestId(2), RequestId(3)]);
        assert!(!result.contradicted.is_empty());
    }

    proptest! {
        /// Whatever blocks come and go, the book is the one that the canonical logs alone give.
        #[test]
        fn taking_blocks_back_restores_the_book(steps in prop::collection::vec((0u8..4, 0u64..6), 1..80)) {
            let mut book = Book::new(REGISTRY);
            let mut canonical: Vec<(BlockHead, Vec<Log>)> = Vec::new();
            for (fork, (kind, id)) in (0u8..).zip(steps) {
                if kind == 3 {
                    if let Some((head, _)) = canonical.pop() {
                        book.undo(&head).unwrap();
                    }
                } else {
                    let number = canonical.len() as u64;
                    let logs = vec![match kind {
                        0 => log(REGISTRY, &added(id, id % 2 == 0), number),
                        1 => log(REGISTRY, &executed(id, id % 2 == 1), number),
                        _ => log(REGISTRY, &HashedReqCancelled { id: U256::from(id) }, number),
                    }];
                    let head = head(number, fork);
                    // an id is registered once on a real chain
                    if kind == 0 && book.get(RequestId(id)).is_some() {
                        continue;
                    }
                    book.apply(&head, &logs).unwrap();
                    canonical.push((head, logs));
                }
                let mut fresh = Book::new(REGISTRY);
                for (_, logs) in &canonical {
                    fresh.apply_history(logs).unwrap();
                }
                prop_assert_eq!(book.iter().collect::<Vec<_>>(), fresh.iter().collect::<Vec<_>>());
            }
        }
    }
}
