//! What must survive a crash: opaque records, intents and in-flight transactions. It knows no protocol.
//!
//! A [`Journal`] is one SQLite file with one owner. Every writing call returns only when what it wrote is on
//! the disk, so the rule for its users is short: *record, then act*. Whatever is wrong with the file (another
//! chain's, a newer version's, damaged, in use) is an error with a name; the journal never repairs, guesses or
//! starts empty where something was. Losing it loses no work: everything on chain can be read again from
//! there. What is lost is the memory of which transactions are under way.
//!
//! # Layout
//! - [`intent`]: one nonce and what it is used for: [`Intent`], [`Attempt`], [`IntentState`]
//! - [`record`]: what users of the journal keep in it: [`Batch`], [`Record`], [`Snapshot`]
//! - [`journal`]: the handle and its writer thread: [`Journal`], [`Identity`]
//! - [`error`]: what can go wrong, by name: [`JournalError`]
//!
//! # What it does not guarantee
//! A file that is rolled back as a whole (an old backup put in place) opens: it is a valid journal. Whoever
//! sends transactions therefore compares it with the account's nonce on chain when it starts.

pub mod error;
pub mod intent;
pub mod journal;
pub mod record;
mod store;

pub use error::JournalError;
pub use intent::{Attempt, Inclusion, Intent, IntentId, IntentState, NewIntent, Purpose};
pub use journal::{Identity, Journal};
pub use record::{Batch, Record, Snapshot};
