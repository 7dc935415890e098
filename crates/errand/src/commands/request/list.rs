//! `errand request list`

use crate::{
    abi::call_or_bytes_text, amount::eth_text, cli::Global, commands::request::entry_json, history,
    keys::KeyArgs, output::table, session::Session,
};
use alloy::primitives::{Address, U256};
use clap::{Args, builder::BoolishValueParser};
use errand_keeper::Outstanding;
use eyre::Result;
use serde_json::json;

/// Width at which a call is cut in the table.
const CALL_WIDTH: usize = 60;

/// List outstanding Requests
///
/// Lists the outstanding Requests, newest first. They are read from the Registry's logs and compared with the
/// hashes that it stores, so nothing can be missing unnoticed.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand request list --limit 20
  errand request list --mine --account alice
  errand request list --target 0x5FbDB2315678afecb367f032d93F642f64180aa3 --json")]
pub(crate) struct List {
    /// Only those of this user
    #[arg(long, value_name = "ADDRESS", env = "ERRAND_USER", value_parser = crate::calldata::address, conflicts_with = "mine")]
    user: Option<Address>,
    /// Only those that call this contract
    #[arg(long, value_name = "ADDRESS", env = "ERRAND_TARGET", value_parser = crate::calldata::address)]
    target: Option<Address>,
    /// Only those of the key's account
    #[arg(long, env = "ERRAND_MINE", value_parser = BoolishValueParser::new())]
    mine: bool,
    /// Not more than so many
    #[arg(long, value_name = "N", env = "ERRAND_LIMIT", default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    key: KeyArgs,
}

impl List {
    pub(super) async fn run(&self, global: &Global) -> Result<()> {
        let user = if self.mine { Some(self.key.load()?.address()) } else { self.user };
        let session = Session::open(global).await?;
        let synced = history::outstanding(&session).await?;
        let mut found: Vec<&Outstanding> = synced
            .book
            .iter()
            .filter(|entry| user.is_none_or(|user| entry.request.user == user))
            .filter(|entry| self.target.is_none_or(|target| entry.request.target == target))
            .collect();
        found.reverse();
        let matching = found.len();
        found.truncate(self.limit);

        let value = json!({
            "outstanding": synced.book.len(),
            "matching": matching,
            "requests": found.iter().map(|entry| entry_json(entry)).collect::<Vec<_>>(),
        });
        session.format.print(&value, || {
            if matching == 0 {
                return "no outstanding Requests".to_owned();
            }
            let rows = found.iter().map(|entry| {
                let request = &entry.request;
                let kind = if request.isAlive { "recurring" } else { "once" };
                let pays = if request.payWithAUTO {
                    "AUTO".to_owned()
                } else {
                    eth_text(U256::from(request.initEthSent))
                };
                [
                    entry.id.to_string(),
                    session.short_text(request.user),
                    session.short_text(request.target),
                    shortened(&call_or_bytes_text(&request.callData)),
                    pays,
                    kind.to_owned(),
                    entry.added_at.to_string(),
                ]
            });
            let text = table(["id", "user", "target", "call", "pays", "kind", "block"], rows);
            match matching - found.len() {
                0 => text,
                more => format!("{text}\n{more} more: raise --limit"),
            }
        })
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(CALL_WIDTH) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_calls_are_cut_at_a_character() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"é".repeat(100)).chars().count(), CALL_WIDTH + 1);
    }
}
