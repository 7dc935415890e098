//! State at one block.

use crate::{Endpoint, EndpointError};
use alloy::{
    eips::BlockNumberOrTag,
    primitives::{
        Address, B256, Bytes, U64, U256,
        map::{AddressHashMap, HashMap},
    },
};
use errand_types::{AccountState, LoadedState, Slot, StateKeys};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

/// Slots that nodes answer for in one `eth_getStorageValues`.
const SLOTS_PER_CALL: usize = 1_024;
/// Calls in one message: hosted nodes refuse long batches.
const CALLS_PER_BATCH: usize = 100;
/// Messages under way at a time.
const CONCURRENCY: usize = 4;

/// Why state could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The node does not know the block, or has no state for it any more.
    #[error("the node has no state of block {block}: {reason}")]
    NoState {
        /// Hash of the block.
        block: B256,
        /// What the node said.
        reason: String,
    },
    /// The node answers for a block that does not exist: it ignores the hash that it is asked for.
    #[error("the node ignores the block hash of a state query (EIP-1898), so its answers cannot be placed")]
    HashIgnored,
    /// The node left out or added something.
    #[error("the node answered `{method}` with something else than was asked for")]
    Malformed {
        /// The method.
        method: &'static str,
    },
    /// The node could not be asked.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

/// Reads accounts and slots at exactly one block, named by its hash, in as few calls as the node allows.
#[derive(Clone, Debug)]
pub struct StateLoader {
    endpoint: Endpoint,
    /// Whether the node has `eth_getStorageValues`.
    many_slots: bool,
    /// Whether the node has `eth_getAccountInfo`.
    whole_accounts: bool,
}

/// A block named by its hash, as EIP-1898 writes it. alloy's own type writes the bare hash, which fewer nodes
/// understand.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AtBlock {
    block_hash: B256,
}

#[derive(Debug, Deserialize)]
struct AccountInfo {
    balance: U256,
    nonce: U64,
    code: Bytes,
}

impl StateLoader {
    /// Finds out what the node offers, and that it honours block hashes.
    pub async fn probe(endpoint: &Endpoint) -> Result<Self, LoadError> {
        let head = endpoint
            .block(BlockNumberOrTag::Latest)
            .await?
            .ok_or(LoadError::Malformed { method: "eth_getBlockByNumber" })?;
        let plain = Self { endpoint: endpoint.clone(), many_slots: false, whole_accounts: false };
        let block = head.header.hash;
        let keys = StateKeys {
            accounts: vec![Address::ZERO],
            slots: vec![Slot { address: Address::ZERO, key: U256::ZERO }],
        };
        plain.load(block, &keys).await?;
        match plain.load(B256::repeat_byte(0x5a), &keys).await {
            Ok(_) => return Err(LoadError::HashIgnored),
            Err(LoadError::NoState { .. }) => {}
            Err(error) => return Err(error),
        }
        let many_slots = Self { many_slots: true, ..plain.clone() }.slots(block, &keys.slots).await.is_ok();
        let whole_accounts =
            Self { whole_accounts: true, ..plain.clone() }.accounts(block, &keys.accounts).await.is_ok();
        tracing::info!(url = endpoint.url(), many_slots, whole_accounts, "how state is loaded");
        Ok(Self { many_slots, whole_accounts, ..plain })
    }

    /// The node that is asked.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Loads everything in `keys` at the block, in the order of `keys`.
    pub async fn load(&self, block: B256, keys: &StateKeys) -> Result<LoadedState, LoadError> {
        let (accounts, slots) =
            futures::try_join!(self.accounts(block, &keys.accounts), self.slots(block, &keys.slots))?;
        Ok(LoadedState { accounts, slots })
    }

    async fn slots(&self, block: B256, slots: &[Slot]) -> Result<Vec<(Slot, U256)>, LoadError> {
        let size = if self.many_slots { SLOTS_PER_CALL } else { CALLS_PER_BATCH };
        let chunks = stream::iter(slots.chunks(size).map(|chunk| async move {
            let values = if self.many_slots {
                self.many_slots(block, chunk).await?
            } else {
                let params: Vec<_> = chunk
                    .iter()
                    .map(|slot| (slot.address, slot.key, AtBlock { block_hash: block }))
                    .collect();
                self.batch("eth_getStorageAt", block, &params).await?
            };
            Ok::<_, LoadError>(chunk.iter().copied().zip(values).collect::<Vec<_>>())
        }));
        chunks.buffered(CONCURRENCY).try_concat().await
    }

    /// `eth_getStorageValues` for at most [`SLOTS_PER_CALL`] slots, in their order.
    async fn many_slots(&self, block: B256, slots: &[Slot]) -> Result<Vec<U256>, LoadError> {
        const METHOD: &str = "eth_getStorageValues";
        let mut asked: AddressHashMap<Vec<B256>> = HashMap::default();
        for slot in slots {
            asked.entry(slot.address).or_default().push(slot.key.into());
        }
        let answer: AddressHashMap<Vec<U256>> = self
            .endpoint
            .request(METHOD, (&asked, AtBlock { block_hash: block }))
            .await
            .map_err(|error| no_state(block, error))?;
        let malformed = || LoadError::Malformed { method: METHOD };
        let complete = asked
            .iter()
            .all(|(address, keys)| answer.get(address).is_some_and(|values| values.len() == keys.len()));
        if !complete {
            return Err(malformed());
        }
        // Keys of an account were sent, and so are answered, in the order in which they occur.
        let mut answer: AddressHashMap<_> =
            answer.into_iter().map(|(address, values)| (address, values.into_iter())).collect();
        slots
            .iter()
            .map(|slot| answer.get_mut(&slot.address).and_then(Iterator::next).ok_or_else(malformed))
            .collect()
    }

    async fn accounts(
        &self,
        block: B256,
        accounts: &[Address],
    ) -> Result<Vec<(Address, AccountState)>, LoadError> {
        let chunks = stream::iter(accounts.chunks(CALLS_PER_BATCH).map(|chunk| async move {
            let params: Vec<_> =
                chunk.iter().map(|address| (*address, AtBlock { block_hash: block })).collect();
            let states: Vec<AccountState> = if self.whole_accounts {
                let infos: Vec<AccountInfo> = self.batch("eth_getAccountInfo", block, &params).await?;
                let state = |info: AccountInfo| AccountState {
                    balance: info.balance,
                    nonce: info.nonce.to(),
                    code: info.code,
                };
                infos.into_iter().map(state).collect()
            } else {
                let (balances, nonces, codes): (Vec<U256>, Vec<U64>, Vec<Bytes>) = futures::try_join!(
                    self.batch("eth_getBalance", block, &params),
                    self.batch("eth_getTransactionCount", block, &params),
                    self.batch("eth_getCode", block, &params),
                )?;
                let parts = balances.into_iter().zip(nonces).zip(codes);
                parts
                    .map(|((balance, nonce), code)| AccountState { balance, nonce: nonce.to(), code })
                    .collect()
            };
            Ok::<_, LoadError>(chunk.iter().copied().zip(states).collect::<Vec<_>>())
        }));
        chunks.buffered(CONCURRENCY).try_concat().await
    }

    async fn batch<P: alloy::rpc::json_rpc::RpcSend, R: alloy::rpc::json_rpc::RpcRecv>(
        &self,
        method: &'static str,
        block: B256,
        params: &[P],
    ) -> Result<Vec<R>, LoadError> {
        self.endpoint.batch(method, params).await.map_err(|error| no_state(block, error))
    }
}

/// Tells what the node refused from what went wrong on the way.
fn no_state(block: B256, error: EndpointError) -> LoadError {
    match error.refusal() {
        Some(reason) => LoadError::NoState { block, reason },
        None => LoadError::Endpoint(error),
    }
}
