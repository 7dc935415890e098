//! What became of a transaction.

use crate::{Fees, Refusal};
use alloy::{eips::BlockNumHash, primitives::B256, rpc::types::TransactionReceipt};
use errand_journal::IntentId;
use errand_types::WorkId;
use std::fmt;

/// A request that was accepted: its intent is recorded and its transaction was given to the node.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// The intent, which later events name.
    pub intent: IntentId,
    /// Its nonce.
    pub nonce: u64,
    /// The first attempt.
    pub tx_hash: B256,
    /// What the node said: [`Update::Sent`], [`Update::Unknown`], [`Update::Refused`] or
    /// [`Update::OutOfFunds`]. In all cases the intent is open.
    pub update: Update,
}

/// Something that happened to an intent.
#[derive(Clone, Debug)]
pub struct Event {
    /// The intent.
    pub intent: IntentId,
    /// Its nonce.
    pub nonce: u64,
    /// The work that it was opened for.
    pub work: Vec<WorkId>,
    /// What happened.
    pub update: Update,
}

/// What happened to an intent. Only [`Confirmed`](Self::Confirmed) and [`Abandoned`](Self::Abandoned) are
/// final; everything else can still be undone by a reorg.
#[derive(Clone, Debug)]
pub enum Update {
    /// The node has the transaction.
    Sent {
        /// The transaction.
        tx_hash: B256,
        /// What it offers.
        fees: Fees,
    },
    /// Nobody knows whether the node has the transaction. It is asked, and sent again, with the next block.
    Unknown {
        /// The transaction.
        tx_hash: B256,
        /// Why.
        reason: String,
    },
    /// The node does not take the transaction. It is tried again, replaced or cancelled, by the reason.
    Refused {
        /// The transaction.
        tx_hash: B256,
        /// The reason.
        refusal: Refusal,
        /// The node's words.
        message: String,
    },
    /// The account cannot pay for the transaction. It is sent again with every block.
    OutOfFunds {
        /// The transaction.
        tx_hash: B256,
        /// The node's words.
        message: String,
    },
    /// A transaction with a higher fee took the place of one that was not mined in time.
    Replaced {
        /// The transaction before.
        old: B256,
        /// The transaction now.
        new: B256,
        /// What it offers.
        fees: Fees,
    },
    /// A transaction that does nothing competes for the nonce now.
    Cancelling {
        /// It.
        tx_hash: B256,
        /// What it offers.
        fees: Fees,
        /// Why.
        reason: CancelReason,
    },
    /// The transaction was not in the node's pool any more and was sent again, the same bytes.
    Dropped {
        /// The transaction.
        tx_hash: B256,
    },
    /// The transaction is in a block and succeeded.
    Mined {
        /// Its receipt.
        receipt: Box<TransactionReceipt>,
    },
    /// The transaction is in a block and reverted.
    Reverted {
        /// Its receipt.
        receipt: Box<TransactionReceipt>,
    },
    /// The cancellation is in a block: the transaction will not be.
    Cancelled {
        /// The cancellation's receipt.
        receipt: Box<TransactionReceipt>,
    },
    /// A transaction that this journal does not know used the nonce: another process has the key.
    NonceUsedByOther {
        /// The transaction, where it was found.
        tx_hash: Option<B256>,
    },
    /// The block that used the nonce is not canonical any more. The intent is open again.
    Reorged {
        /// That block, or the one at which the use was first seen.
        block: BlockNumHash,
    },
    /// The use of the nonce is as deep as the settings ask: the work is free.
    Confirmed {
        /// How the nonce was used.
        outcome: Outcome,
    },
    /// The intent was given up before anything that could be mined was sent. Work and nonce are free.
    Abandoned,
}

/// Why a transaction is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CancelReason {
    /// The caller asked.
    Asked,
    /// A replacement would cost more than the limit.
    AtCeiling,
    /// Its last block has passed.
    Expired,
    /// The node will never take it.
    Refused,
    /// Transactions wait behind a nonce that nobody uses.
    Gap,
}

/// How a nonce was used in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// By the transaction, which succeeded.
    Executed,
    /// By the transaction, which reverted.
    Reverted,
    /// By the cancellation.
    Cancelled,
    /// By a foreign transaction.
    UsedByOther,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Executed => "it succeeded",
            Self::Reverted => "it reverted",
            Self::Cancelled => "it was cancelled",
            Self::UsedByOther => "another transaction used its nonce",
        })
    }
}
