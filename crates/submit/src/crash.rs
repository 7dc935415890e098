//! Points at which a test may end the process.

use std::sync::Arc;

/// An instant between two steps of sending a transaction. In production nothing happens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CrashPoint {
    /// The nonce is chosen, nothing is written.
    BeforeIntent,
    /// The intent is written, nothing is signed.
    AfterIntent,
    /// The transaction is signed, but not written.
    AfterSign,
    /// The transaction is written, but not sent.
    BeforeBroadcast,
    /// It was sent; what the node answered is not known to anybody yet.
    AfterBroadcast,
    /// The receipt is there, but not written.
    BeforeReceipt,
    /// The receipt is written, nobody was told.
    AfterReceipt,
}

impl CrashPoint {
    /// All of them, in the order in which they are passed.
    pub const ALL: [Self; 7] = [
        Self::BeforeIntent,
        Self::AfterIntent,
        Self::AfterSign,
        Self::BeforeBroadcast,
        Self::AfterBroadcast,
        Self::BeforeReceipt,
        Self::AfterReceipt,
    ];
}

/// Called at every [`CrashPoint`].
pub type CrashHook = Arc<dyn Fn(CrashPoint) + Send + Sync>;
