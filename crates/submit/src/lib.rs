//! One owner per account: nonces, fees, replacement, receipts.
//!
//! A [`Submitter`] is the only thing in a process that sends from an account, for the keeper and for the
//! user's own commands alike. *One intent = one nonce*: every rebroadcast, replacement and cancellation of a
//! transaction reuses its nonce, so that at most one of them is mined. Each step is in the
//! [journal](errand_journal) before it is taken, so that a restart goes on with the same bytes and never with
//! a new nonce.
//!
//! It has no clock and follows no chain: the caller feeds it blocks, and gets back what they changed.
//!
//! # Layout
//! - [`submitter`]: the handle and its task: [`Submitter`], [`Builder`], [`Route`]
//! - [`request`]: what is to be sent, within which limits: [`TxRequest`], [`SubmitConfig`], [`TipPolicy`]
//! - [`event`]: what became of it: [`Event`], [`Update`], [`Outcome`]
//! - [`refusal`]: what a node's refusal means: [`Refusal`]
//! - [`fees`]: prices in wei per gas: [`Fees`]
//! - [`wait`]: the simple path for one transaction: [`send_and_wait`]
//! - [`crash`]: points at which a test may end the process: [`CrashPoint`]
//! - [`error`]: why nothing was sent: [`SubmitError`]
//!
//! # What it does not guarantee
//! At most one transaction per intent holds for one journal per key. Another process that uses the key can
//! take a nonce: that is detected and reported, and the intent's transaction is never mined then. A reorg
//! deeper than `confirmations` can bring a settled transaction back to the pool.

mod actor;
mod attempt;
pub mod crash;
pub mod error;
pub mod event;
pub mod fees;
mod flight;
mod node;
pub mod refusal;
pub mod request;
mod step;
pub mod submitter;
pub mod wait;

pub use crash::{CrashHook, CrashPoint};
pub use error::SubmitError;
pub use event::{CancelReason, Event, Outcome, Submitted, Update};
pub use fees::Fees;
pub use node::Route;
pub use refusal::Refusal;
pub use request::{SubmitConfig, TipPolicy, TxRequest};
pub use submitter::{Builder, Submitter};
pub use wait::{latest_head, send_and_wait};
