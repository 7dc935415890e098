//! What a node's refusal means.

use std::fmt;

/// Why a node does not take a transaction, by what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It has it already: as good as taken.
    AlreadyKnown,
    /// The nonce is used on chain.
    NonceTooLow,
    /// Transactions before it are missing.
    NonceTooHigh,
    /// Another transaction has the nonce in the pool, and the fees are not enough above that one's.
    ReplacementUnderpriced,
    /// The fees are below what the pool, or the next block, asks.
    Underpriced,
    /// The account cannot pay for it.
    InsufficientFunds,
    /// The gas limit does not cover the call data.
    IntrinsicGasTooLow,
    /// The gas limit is above what a block, or a transaction, may have.
    ExceedsGasLimit,
    /// The chain or node does not know this type of transaction.
    TypeUnsupported,
    /// It is signed for another chain, or not validly.
    BadSignature,
    /// The fee fields contradict each other or the node's own limit on fees.
    BadFees,
    /// The pool is full, or full for this account.
    PoolFull,
    /// The node is asked too often, or cannot answer now.
    Busy,
    /// A message that this table does not know.
    Other,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
