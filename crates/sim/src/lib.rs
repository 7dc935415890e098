//! Pure simulation: what a call would do in the next block, and what its outcome depends on.
//!
//! There is no network, no clock and no async here. Whoever owns a [`Mirror`] feeds it with state and blocks;
//! a [`Runner`] borrows it and runs calls on it. What the mirror does not hold is reported as
//! [`Unknown::Missing`], to be loaded and tried again: nothing is ever assumed to be zero.
//!
//! ```text
//! LoadedState, WriteSet --exclusive--> Mirror --shared--> Runner (one per thread) --> Run { Outcome, ReadSet }
//!                                        |                                                           |
//!                                        +--------------- Changes of a block --> ReadSet::is_valid <-+
//! ```
//!
//! # Layout
//! - [`config`]: what tells one chain's rules from another's: [`SimConfig`], [`Fork`]
//! - [`env`]: what a run can see of the next block and of its transaction: [`next_block`], [`Environment`]
//! - [`mirror`]: the state that runs read, with its history: [`Mirror`]
//! - [`changes`]: what a block changed of it: [`Changes`]
//! - [`runner`]: runs calls and whole transactions: [`Runner`]
//! - [`stage`]: rehearsals, in which anybody acts: [`Act`], [`Stage`]
//! - [`outcome`]: what comes out: [`Run`], [`Outcome`], [`Unknown`]
//! - [`reads`]: what an outcome depends on, and when it still holds: [`ReadSet`]

pub mod changes;
pub mod config;
pub mod env;
mod hooks;
pub mod mirror;
pub mod outcome;
pub mod reads;
mod recorder;
pub mod runner;
pub mod stage;

pub use changes::{AccountChange, Changes};
pub use config::{Fork, ParseForkError, SimConfig};
pub use env::{BaseFeeRule, Environment, next_block};
pub use mirror::{AccountId, InsertError, Mirror, MirrorSize, NotTheNextBlock, SlotId, UndoError};
pub use outcome::{HaltReason, InvalidTransaction, Outcome, Run, Unknown};
pub use reads::{AccountRead, AccountUse, Dependencies, EnvSeen, ReadSet};
pub use runner::Runner;
pub use stage::{Act, Answer, Asked, Played, Stage, WatchedCall};
