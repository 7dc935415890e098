//! The engine of a keeper: what is outstanding, what of it would succeed, what is worth sending, and the loop
//! around it.
//!
//! # Layout
//! What a Registry's work is:
//! - [`contracts`]: the addresses of one deployment: [`Contracts`]
//! - [`book`]: every outstanding Request, by block deltas: [`Book`]
//! - [`requests`]: a Request as calls
//! - [`pricing`]: fees, and what the operator asks: [`ProfitRule`]
//!
//! What would happen to it:
//! - [`simulator`]: runs calls on the state at the head: [`Simulator`]
//! - [`check`]: would the target's call succeed: [`Checker`](check::Checker)
//! - [`checks`]: of which Requests it is known, and which come next: [`Checks`](checks::Checks)
//! - [`clock`]: what time is it on the chain: [`Clock`](clock::Clock)
//! - [`turn`]: whose turn is it: [`Turn`]
//! - [`quote`]: what does the whole transaction use and earn: [`Quoter`](quote::Quoter)
//! - [`quotes`]: which quotes stand, and which come next: [`Quotes`](quotes::Quotes)
//!
//! What to do about it:
//! - [`batch`]: several Requests as one transaction, and what becomes of one that fails
//! - [`flights`]: what was sent and is not settled
//! - [`planner`]: which Requests go into which transaction
//! - [`quarantine`]: what failed on chain is left alone for a while
//! - [`engine`]: all of the above at one head: [`Engine`]
//!
//! Bundles of ChugSplash:
//! - [`bundles`]: which are approved, what they would do, and whether to claim and execute them: [`Bundles`](bundles::Bundles)
//!
//! Doing it:
//! - [`sync`]: the book at start, from journal and logs
//! - [`run`]: from start to stop: [`Keeper`]
//! - `session`: the loop between two resyncs
//! - [`losses`]: what was spent for nothing in the last day
//! - [`report`]: what it tells: [`Observer`]
//! - [`explain`]: why a Request waits: [`explain()`]

pub mod batch;
pub mod book;
pub mod bundles;
pub mod check;
pub mod checks;
pub mod clock;
pub mod contracts;
pub mod engine;
pub mod explain;
pub mod flights;
pub mod funds;
pub mod losses;
pub mod planner;
pub mod pricing;
pub mod quarantine;
pub mod quote;
pub mod quotes;
pub mod report;
pub mod requests;
pub mod run;
mod session;
pub mod simulator;
pub mod sync;
pub mod turn;

pub use book::{Book, Outstanding};
pub use check::Verdict;
pub use contracts::Contracts;
pub use engine::{Engine, Policy};
pub use explain::{Explanation, QuoteExplanation, explain};
pub use pricing::{AutoValue, Balance, ProfitRule};
pub use report::{BlockReport, MinedReport, Observer, SentReport, Withheld};
pub use run::{Keeper, KeeperError, Sender};
pub use simulator::Simulator;
pub use turn::{Terms, Turn};
