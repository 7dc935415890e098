//! Calls, transactions, read sets and the mirror, on real bytecode.

mod asm;
mod calls;
mod env;
mod mirror;
mod properties;
mod reads;
mod transactions;
mod world;
