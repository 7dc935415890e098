//! Why nothing was sent.

use crate::{Outcome, Refusal};
use alloy::primitives::{Address, TxHash, U256};
use errand_journal::{IntentId, JournalError};
use std::time::Duration;

/// Why a call of the submitter failed. A [`submit`](crate::Submitter::submit) that fails has sent nothing and
/// keeps no nonce.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The journal refused or failed; above all [`JournalError::WorkTaken`] and [`JournalError::DiskFull`].
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The node did not answer, or not as expected.
    #[error("the node cannot be asked for {what}")]
    Node {
        /// What was asked.
        what: &'static str,
        /// Its answer.
        source: alloy::transports::TransportError,
    },
    /// The node or the signer took too long.
    #[error("no answer to {what} within {after:?}")]
    Timeout {
        /// What was asked.
        what: &'static str,
        /// The time that was given.
        after: Duration,
    },
    /// The node is on another chain than the journal.
    #[error("the node is on chain {node}, the journal is for chain {journal}")]
    WrongChain {
        /// The node's chain.
        node: u64,
        /// The journal's chain.
        journal: u64,
    },
    /// The signer has no key for the journal's account.
    #[error("there is no key for {account}, the journal's account")]
    WrongAccount {
        /// The journal's account.
        account: Address,
    },
    /// The node says that far more transactions of the account wait than can be.
    #[error(
        "the node says that the account's next nonce is {pending}, {expected} is the highest that can be"
    )]
    ImplausibleNonce {
        /// The node's word.
        pending: u64,
        /// The highest that is believed.
        expected: u64,
    },
    /// The signer refused.
    #[error("the transaction could not be signed")]
    Sign(#[source] alloy::signers::Error),
    /// The account cannot pay for it, beside what is under way already.
    #[error("the account has {balance} wei, {needed} wei may be needed")]
    InsufficientFunds {
        /// What the transactions under way and this one may cost at most, with value.
        needed: U256,
        /// What the account holds.
        balance: U256,
    },
    /// Being included in the next block would cost more than the request allows.
    #[error("the next block needs {needed} wei per gas, the limit is {limit}")]
    TooExpensive {
        /// Base fee of the next block plus tip.
        needed: u128,
        /// The request's limit.
        limit: u128,
    },
    /// The last block in which it is any good is there already.
    #[error("it is good until block {last}, and the head is {head}")]
    Expired {
        /// The request's last block.
        last: u64,
        /// Height of the head.
        head: u64,
    },
    /// It wants more gas than a transaction may have.
    #[error("a gas limit of {wanted} is more than the {allowed} that a transaction may have")]
    TooMuchGas {
        /// The request's gas limit.
        wanted: u64,
        /// The chain's limit.
        allowed: u64,
    },
    /// As many transactions are under way as the settings allow.
    #[error("{0} transactions are under way, which is the limit")]
    TooManyInFlight(usize),
    /// The node says that no block can contain the transaction.
    #[error("the node refuses the transaction for good: {refusal} ({message})")]
    Refused {
        /// The reason.
        refusal: Refusal,
        /// The node's words.
        message: String,
    },
    /// No open intent has that number.
    #[error("intent {0} is not open")]
    NotOpen(IntentId),
    /// A replacement would cost more than the limit.
    #[error("intent {0} cannot be replaced within its limit")]
    AtCeiling(IntentId),
    /// The nonce was used without executing the transaction.
    #[error("the transaction {tx_hash} was not executed: {outcome}")]
    NotExecuted {
        /// How the nonce was used.
        outcome: Outcome,
        /// The first attempt.
        tx_hash: TxHash,
    },
    /// What the journal kept for an intent cannot be read.
    #[error("the journal's record of intent {id} cannot be read")]
    BadRecord {
        /// The intent.
        id: IntentId,
        /// The reason.
        source: serde_json::Error,
    },
    /// The submitter's task has ended.
    #[error("the submitter is stopped")]
    Stopped,
}
