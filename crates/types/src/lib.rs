//! Plain data that travels between the crates. No I/O, no logic beyond what keeps the data consistent.
//!
//! # Layout
//! - [`amount`]: amounts as people write them: [`Eth`], [`Auto`], [`GasPrice`]
//! - [`work`]: what executors execute, and how it is named: [`WorkId`], [`RequestId`]
//! - [`block`]: a block as the keeper sees it: [`BlockHead`], [`BlockDelta`], [`NextBlock`]
//! - [`state`]: state that blocks write and that simulations read: [`WriteSet`], [`StateKeys`], [`LoadedState`]
//! - [`call`]: a call to be simulated: [`CallSpec`]

pub mod amount;
pub mod block;
pub mod call;
pub mod state;
pub mod work;

pub use amount::{AmountError, Auto, AutoOrMax, Eth, GasPrice};
pub use block::{BlockDelta, BlockHead, NextBlock, TX_GAS_CAP};
pub use call::CallSpec;
pub use state::{AccountState, AccountWrite, LoadedState, Slot, StateKeys, WriteSet, WriteSource};
pub use work::{ANYONE, ParseWorkIdError, RequestId, WorkId, WorkKind, listed};
