//! One module per group of commands.

pub(crate) mod auto;
pub(crate) mod keeper;
pub(crate) mod request;
pub(crate) mod stake;
pub(crate) mod status;
pub(crate) mod upgrade;

use crate::{amount::eth_text, send::Sent};
use alloy::primitives::U256;
use serde_json::{Value, json};

/// The result of a command that sent transactions and has nothing else to tell.
pub(crate) fn sent_json(sent: &[Sent]) -> Value {
    json!({ "transactions": sent })
}

/// Every transaction with what it was for.
pub(crate) fn sent_text(sent: &[Sent]) -> String {
    let parts: Vec<_> = sent.iter().map(|sent| format!("done: {}\n{}", sent.purpose, sent.text())).collect();
    parts.join("\n\n")
}

/// A yes or no for tables.
pub(crate) const fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// Seconds in words, as `2h 5m`.
pub(crate) fn duration_text(seconds: u64) -> String {
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

/// A fee in its currency.
pub(crate) fn fee_text(fee: U256, in_auto: bool) -> String {
    if in_auto { crate::amount::auto_text(fee) } else { eth_text(fee) }
}
