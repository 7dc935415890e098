//! What the tests share: a node that mines when told to, and a submitter with a journal on disk.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "each test file uses its part")]

use alloy::{
    network::{EthereumWallet, NetworkTransactionBuilder, TransactionBuilder},
    primitives::{Address, B256, Bytes, U256, address},
    providers::{DynProvider, Provider},
    rpc::types::{TransactionReceipt, TransactionRequest},
};
use errand_journal::{Identity, Journal};
use errand_submit::{Builder, Event, SubmitConfig, Submitter, TipPolicy, TxRequest, Update, latest_head};
use errand_testkit::Anvil;
use errand_types::{BlockHead, RequestId, WorkId};
use std::{path::PathBuf, time::Duration};
use tempfile::TempDir;

/// Counts its calls in slot 0.
pub(crate) const COUNTER: Address = address!("0x00000000000000000000000000000000000c0c01");
const COUNTER_CODE: [u8; 8] = [0x5f, 0x54, 0x60, 0x01, 0x01, 0x5f, 0x55, 0x00];
/// Reverts.
pub(crate) const REVERTER: Address = address!("0x00000000000000000000000000000000000c0c02");
const REVERTER_CODE: [u8; 3] = [0x5f, 0x5f, 0xfd];

pub(crate) const GWEI: u128 = 1_000_000_000;

pub(crate) fn work(number: u64) -> WorkId {
    RequestId(number).into()
}

/// A call of the counter that stands for a piece of work.
pub(crate) fn count(number: u64) -> TxRequest {
    TxRequest { work: vec![work(number)], ..TxRequest::call(COUNTER, Bytes::new(), 100_000) }
}

pub(crate) fn config() -> SubmitConfig {
    SubmitConfig {
        confirmations: 3,
        replace_after_blocks: 2,
        tip: TipPolicy::Fixed(GWEI),
        timeout: Duration::from_secs(60),
        ..SubmitConfig::default()
    }
}

pub(crate) struct Bed {
    pub(crate) anvil: Anvil,
    pub(crate) provider: DynProvider,
    pub(crate) account: Address,
    pub(crate) config: SubmitConfig,
    directory: TempDir,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        let anvil = Anvil::builder().no_mining().base_fee(10 * GWEI).spawn().await.unwrap();
        anvil.set_code(COUNTER, Bytes::from(COUNTER_CODE)).await.unwrap();
        anvil.set_code(REVERTER, Bytes::from(REVERTER_CODE)).await.unwrap();
        let (provider, account) = (anvil.provider().clone(), anvil.account(0).unwrap());
        Self { anvil, provider, account, config: config(), directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("journal.db")
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity { chain_id: 31337, genesis: B256::ZERO, registry: Address::ZERO, account: self.account }
    }

    pub(crate) fn journal(&self) -> Journal {
        Journal::open(self.path(), self.identity()).unwrap()
    }

    pub(crate) fn wallet(&self) -> EthereumWallet {
        self.anvil.signer(0).unwrap().into()
    }

    pub(crate) fn builder(&self) -> Builder {
        Builder::new(self.provider.clone(), self.wallet(), self.journal()).config(self.config.clone())
    }

    pub(crate) async fn start(&self) -> Submitter {
        let (submitter, events) = self.builder().start(self.head().await).await.unwrap();
        assert!(events.is_empty(), "{events:?}");
        submitter
    }

    pub(crate) async fn head(&self) -> BlockHead {
        latest_head(&self.provider).await.unwrap()
    }

    /// Mines a block and feeds it.
    pub(crate) async fn mine(&self, submitter: &Submitter) -> Vec<Event> {
        self.anvil.mine(1).await.unwrap();
        submitter.on_head(self.head().await).await.unwrap()
    }

    /// Mines a block with that base fee and without space for any transaction: all stay in the pool.
    pub(crate) async fn mine_without(&self, submitter: &Submitter, base_fee: u128) -> Vec<Event> {
        self.mine_with_space(submitter, base_fee, 10_000).await
    }

    /// Mines a block with that base fee and gas limit.
    pub(crate) async fn mine_with_space(
        &self,
        submitter: &Submitter,
        base_fee: u128,
        gas: u64,
    ) -> Vec<Event> {
        let limit = |gas: u64| self.anvil.call::<_, bool>("evm_setBlockGasLimit", (U256::from(gas),));
        let usual = self.head().await.gas_limit.max(30_000_000);
        assert!(limit(gas).await.unwrap());
        self.anvil.set_next_base_fee(base_fee).await.unwrap();
        self.anvil.mine(1).await.unwrap();
        assert!(limit(usual).await.unwrap());
        submitter.on_head(self.head().await).await.unwrap()
    }

    pub(crate) async fn counted(&self) -> u64 {
        self.provider.get_storage_at(COUNTER, U256::ZERO).await.unwrap().to()
    }

    pub(crate) async fn used_nonces(&self) -> u64 {
        self.provider.get_transaction_count(self.account).await.unwrap()
    }

    pub(crate) async fn receipt(&self, hash: B256) -> Option<TransactionReceipt> {
        self.provider.get_transaction_receipt(hash).await.unwrap()
    }

    /// Sends a transaction of the account behind the submitter's back.
    pub(crate) async fn send_elsewhere(&self, nonce: u64, fee: u128) -> B256 {
        let transaction = TransactionRequest::default()
            .with_to(Address::repeat_byte(9))
            .with_nonce(nonce)
            .with_chain_id(31337)
            .with_gas_limit(21_000)
            .with_max_fee_per_gas(fee)
            .with_max_priority_fee_per_gas(fee)
            .with_value(U256::from(1));
        let signed = transaction.build(&self.wallet()).await.unwrap();
        *self.provider.send_tx_envelope(signed).await.unwrap().tx_hash()
    }
}

/// What the updates are, in order.
pub(crate) fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| name(&event.update)).collect()
}

pub(crate) fn name(update: &Update) -> &'static str {
    match update {
        Update::Sent { .. } => "sent",
        Update::Unknown { .. } => "unknown",
        Update::Refused { .. } => "refused",
        Update::OutOfFunds { .. } => "out of funds",
        Update::Replaced { .. } => "replaced",
        Update::Cancelling { .. } => "cancelling",
        Update::Dropped { .. } => "dropped",
        Update::Mined { .. } => "mined",
        Update::Reverted { .. } => "reverted",
        Update::Cancelled { .. } => "cancelled",
        Update::NonceUsedByOther { .. } => "used by other",
        Update::Reorged { .. } => "reorged",
        Update::Confirmed { .. } => "confirmed",
        Update::Abandoned => "abandoned",
    }
}
