//! What the node is asked, each question with a time limit.

use crate::{Refusal, SubmitError};
use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    network::TransactionResponse,
    primitives::{Address, B256, Bytes, TxHash, U64, U256},
    providers::{DynProvider, Provider},
    rpc::types::{Block, Transaction, TransactionReceipt},
    transports::{RpcError, TransportError, TransportResult},
};
use errand_types::BlockHead;
use serde::de::IgnoredAny;
use serde_json::json;
use std::{future::IntoFuture, time::Duration};

/// What became of a broadcast.
#[derive(Clone, Debug)]
pub(crate) enum Broadcast {
    /// The node has it.
    Taken,
    /// The node does not take it.
    Refused(Refusal, String),
    /// Nobody knows.
    Unknown(String),
}

/// Where signed transactions go.
#[derive(Clone, Debug, Default)]
pub enum Route {
    /// To the node's pool, and so to everybody.
    #[default]
    Public,
    /// To a relay that keeps them to itself: `eth_sendPrivateTransaction`.
    Private(DynProvider),
    /// To a block builder, each as a bundle of its own for the next block: `eth_sendBundle`.
    Bundle(DynProvider),
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    provider: DynProvider,
    route: Route,
    timeout: Duration,
}

impl Node {
    pub(crate) const fn new(provider: DynProvider, route: Route, timeout: Duration) -> Self {
        Self { provider, route, timeout }
    }

    /// Whether the node can be expected to know a transaction that was sent.
    pub(crate) const fn sees_what_was_sent(&self) -> bool {
        matches!(self.route, Route::Public)
    }

    async fn ask<T>(
        &self,
        what: &'static str,
        question: impl IntoFuture<Output = TransportResult<T>>,
    ) -> Result<T, SubmitError> {
        let answer = tokio::time::timeout(self.timeout, question.into_future()).await;
        let answer = answer.map_err(|_| SubmitError::Timeout { what, after: self.timeout })?;
        answer.map_err(|source| SubmitError::Node { what, source })
    }

    pub(crate) async fn chain_id(&self) -> Result<u64, SubmitError> {
        self.ask("its chain id", self.provider.get_chain_id()).await
    }

    pub(crate) async fn head(&self) -> Result<BlockHead, SubmitError> {
        let latest = self.provider.get_block_by_number(BlockNumberOrTag::Latest);
        match self.ask("its head", latest).await? {
            Some(block) => Ok(BlockHead::from(&block.header)),
            None => Err(SubmitError::Node { what: "its head", source: RpcError::NullResp }),
        }
    }

    /// The number of used nonces, as of a block.
    pub(crate) async fn used_nonces(&self, account: Address, at: BlockId) -> Result<u64, SubmitError> {
        self.ask("the account's nonce", self.provider.get_transaction_count(account).block_id(at)).await
    }

    pub(crate) async fn balance(&self, account: Address) -> Result<U256, SubmitError> {
        self.ask("the account's balance", self.provider.get_balance(account)).await
    }

    pub(crate) async fn tip(&self) -> Result<u128, SubmitError> {
        self.ask("a tip", self.provider.get_max_priority_fee_per_gas()).await
    }

    /// A receipt; `None` is no statement that there is none.
    pub(crate) async fn receipt(&self, hash: TxHash) -> Result<Option<TransactionReceipt>, SubmitError> {
        self.ask("a receipt", self.provider.get_transaction_receipt(hash)).await
    }

    pub(crate) async fn transaction(&self, hash: TxHash) -> Result<Option<Transaction>, SubmitError> {
        self.ask("a transaction", self.provider.get_transaction_by_hash(hash)).await
    }

    /// The transaction of a block that used a nonce of the account.
    pub(crate) async fn user_of(
        &self,
        account: Address,
        nonce: u64,
        number: u64,
    ) -> Result<Option<(TxHash, B256)>, SubmitError> {
        let block = self.provider.get_block_by_number(number.into()).full();
        let block: Option<Block> = self.ask("a block", block).await?;
        Ok(block.and_then(|block| {
            let mut transactions = block.transactions.into_transactions();
            let used = transactions
                .find(|tx| tx.from() == account && alloy::consensus::Transaction::nonce(tx) == nonce);
            used.map(|tx| (tx.tx_hash(), block.header.hash))
        }))
    }

    /// The hash of the canonical block at a height, where the node has one.
    pub(crate) async fn block_hash(&self, number: u64) -> Result<Option<B256>, SubmitError> {
        let block = self.provider.get_block_by_number(number.into());
        let block: Option<Block> = self.ask("a block", block).await?;
        Ok(block.map(|block| block.header.hash))
    }

    async fn send(&self, raw: &Bytes, next_block: u64) -> Result<(), SubmitError> {
        let (provider, method, parameter) = match &self.route {
            Route::Public => (&self.provider, "eth_sendRawTransaction", json!(raw)),
            Route::Private(relay) => (relay, "eth_sendPrivateTransaction", json!({ "tx": raw })),
            Route::Bundle(builder) => {
                let bundle = json!({ "txs": [raw], "blockNumber": U64::from(next_block) });
                (builder, "eth_sendBundle", bundle)
            }
        };
        let sent = provider.client().request::<_, IgnoredAny>(method, (parameter,));
        self.ask("to take a transaction", sent).await.map(drop)
    }

    /// Sends a signed transaction. Where the answer leaves open whether the node has it, it is looked up.
    pub(crate) async fn broadcast(&self, hash: TxHash, raw: &Bytes, next_block: u64) -> Broadcast {
        let reason = match self.send(raw, next_block).await {
            Ok(_) => return Broadcast::Taken,
            Err(SubmitError::Node { source: TransportError::ErrorResp(payload), .. }) => {
                match Refusal::classify(payload.code, &payload.message) {
                    Refusal::AlreadyKnown => return Broadcast::Taken,
                    // It may be low because this very transaction was mined meanwhile.
                    Refusal::NonceTooLow => Err((Refusal::NonceTooLow, payload.message.into_owned())),
                    refusal => return Broadcast::Refused(refusal, payload.message.into_owned()),
                }
            }
            Err(error) => Ok(error.to_string()),
        };
        match (self.transaction(hash).await, reason) {
            (Ok(Some(_)), _) => Broadcast::Taken,
            (_, Err((refusal, message))) => Broadcast::Refused(refusal, message),
            (_, Ok(reason)) => Broadcast::Unknown(reason),
        }
    }
}
