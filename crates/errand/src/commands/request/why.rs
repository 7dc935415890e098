//! `errand request why`

use crate::{
    amount::{auto_text, eth_text, gas_price_text},
    cli::Global,
    commands::{keeper::Judgement, yes_no},
    history,
    keys::KeyArgs,
    output::{Progress, pairs, table},
    preview::{selected_executor, simulator_at, verdict_text},
    revert::revert_text,
    session::{Asking, Session},
};
use alloy::primitives::{Address, U256};
use clap::Args;
use errand_keeper::{Explanation, Outstanding, QuoteExplanation, Turn, explain};
use errand_types::{BlockHead, RequestId};
use eyre::{Result, WrapErr};
use serde_json::{Value, json};

/// Values of slots that are shown in the table.
const SHOWN_SLOTS: usize = 20;

/// Explain why a Request is, or is not, executed
///
/// Explains why a Request is, or is not, executed in the next block, or was in a past one: what its call would do
/// and why, what that depends on (everything the call reads: a change of it is what makes a keeper look again),
/// whose turn it is, and what an execution would earn and cost.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand request why 7
  errand request why 7 --executor 0x7099… --min-profit 0.001ether
  errand request why 7 --block 19000000    as it was after that block
  errand request why 7 --json")]
pub(crate) struct Why {
    /// Number of the Request
    #[arg(value_parser = super::request_id)]
    id: RequestId,
    /// Who would execute it. Default: the key's account, or whoever is selected
    #[arg(long, value_name = "ADDRESS", env = "ERRAND_EXECUTOR", value_parser = crate::calldata::address)]
    executor: Option<Address>,
    /// Explain it as of the state after this block, which takes a node that still has it. Default: the head
    #[arg(long, value_name = "NUMBER", env = "ERRAND_BLOCK")]
    block: Option<u64>,
    #[command(flatten)]
    judgement: Judgement,
    #[command(flatten)]
    key: KeyArgs,
}

impl Why {
    /// The block whose state it is about, and the Unix time of the next one: as it was, where there is one.
    async fn moment(&self, session: &Session) -> Result<(BlockHead, u64)> {
        let latest = session.head().await?;
        let head = match self.block {
            Some(number) if number != latest.number => session.block_head(number).await?,
            _ => latest,
        };
        let next = if head.number < latest.number {
            session.block_head(head.number + 1).await?.timestamp
        } else {
            head.timestamp + 1
        };
        Ok((head, next))
    }

    pub(super) async fn run(&self, global: &Global) -> Result<()> {
        let executor = match self.executor {
            Some(executor) => Some(executor),
            None if self.key.is_given() => Some(self.key.load()?.address()),
            None => None,
        };
        let session = Session::open(global).await?;
        let (head, now) = self.moment(&session).await?;
        let record = history::record_at(&session, self.id, head.number).await?;
        record.require_outstanding()?;
        let named = match executor {
            Some(executor) => Some(executor),
            None => {
                let at = head.number.into();
                let gate = session.registry().gate().block(at).call().await.asking("the gate")?;
                selected_executor(&session, gate, at).await?
            }
        };
        // Somebody has to be asked for: where nobody is selected, the user is as good as any.
        let executor = named.unwrap_or(record.entry.request.user);
        let progress = Progress::spinner("simulating");
        let mut simulator = simulator_at(&session, self.judgement.fork, head).await?;
        let policy = self.judgement.policy(executor);
        let explanation = explain(&mut simulator, &session.contracts, &policy, &record.entry, now)
            .await
            .wrap_err_with(|| format!("Request {} cannot be simulated", self.id))?;
        drop(progress);
        session.format.print(&explanation_json(&explanation, &record.entry, executor), || {
            explanation_text(&session, &explanation, &record.entry, named)
        })
    }
}

fn turn_text(turn: &Turn) -> String {
    match turn {
        Turn::Granted { until, .. } => format!("may execute, through block {until}"),
        Turn::Refused => "may not execute: it is somebody else's turn".to_owned(),
        Turn::Failed { reason } => format!("nobody may execute: the gate reverts: {}", revert_text(reason)),
        Turn::Unknown { reason } => format!("not known: {reason}"),
    }
}

fn explanation_json(explanation: &Explanation, entry: &Outstanding, executor: Address) -> Value {
    let (outcome, reason) = verdict_text(&explanation.verdict);
    let turn = match &explanation.turn {
        Turn::Granted { until, opening_gas } => {
            json!({ "answer": "granted", "untilBlock": until, "openingGas": opening_gas })
        }
        other => json!({ "answer": other.as_str(), "reason": turn_text(other) }),
    };
    let quote = explanation.quote.as_ref().map(|quote| match quote {
        QuoteExplanation::Executes { gas, charged_gas, balance, pays } => json!({
            "result": "executes",
            "gas": gas,
            "chargedGas": charged_gas,
            "incomeWei": balance.income.to_string(),
            "costWei": balance.cost.to_string(),
            "pays": pays,
        }),
        QuoteExplanation::Fails { reason } => json!({ "result": "fails", "reason": revert_text(reason) }),
        QuoteExplanation::Unknown { reason } => json!({ "result": "unknown", "reason": reason }),
    });
    let reads = &explanation.reads;
    json!({
        "id": explanation.id,
        "block": explanation.head.number,
        "nextBlock": {
            "number": explanation.next.number,
            "timestamp": explanation.next.timestamp,
            "baseFeeWei": explanation.next.base_fee.to_string(),
        },
        "check": { "outcome": outcome, "reason": reason },
        "reads": {
            "accounts": reads.accounts,
            "slots": reads.slots.iter().map(|(slot, value)| json!({
                "address": slot.address,
                "key": format!("{:#066x}", slot.key),
                "value": value.map(|value| format!("{value:#066x}")),
            })).collect::<Vec<_>>(),
            "environment": reads.environment,
        },
        "executor": executor,
        "gate": explanation.gate,
        "turn": turn,
        "paidGasPriceWei": explanation.gas_price.to_string(),
        "autoPerEthBase": explanation.auto_per_eth.map(|price| price.to_string()),
        "payWithAuto": entry.request.payWithAUTO,
        "ownGas": explanation.own_gas,
        "quote": quote,
    })
}

fn explanation_text(
    session: &Session,
    explanation: &Explanation,
    entry: &Outstanding,
    executor: Option<Address>,
) -> String {
    let executor =
        executor.map_or_else(|| "whoever comes first".to_owned(), |executor| session.address_text(executor));
    let (outcome, reason) = verdict_text(&explanation.verdict);
    let mut rows = vec![
        ("request", format!("{}, on the state after block {}", explanation.id, explanation.head.number)),
        ("call", reason.map_or_else(|| outcome.to_owned(), |reason| format!("{outcome}: {reason}"))),
        ("executor", format!("{executor}: {}", turn_text(&explanation.turn))),
        ("gate", session.address_text(explanation.gate)),
    ];
    rows.push((
        "execution",
        match &explanation.quote {
            None => "not tried: the call has to succeed, and the executor to have its turn".to_owned(),
            Some(QuoteExplanation::Executes { gas, charged_gas, .. }) => {
                format!("succeeds with {gas} gas, {charged_gas} charged")
            }
            Some(QuoteExplanation::Fails { reason }) => format!("fails: {}", revert_text(reason)),
            Some(QuoteExplanation::Unknown { reason }) => format!("not known: {reason}"),
        },
    ));
    if let Some(QuoteExplanation::Executes { gas, charged_gas, balance, pays }) = &explanation.quote {
        let premium = if entry.request.payWithAUTO {
            let price = explanation
                .auto_per_eth
                .map_or("an unknown price".to_owned(), |price| format!("{} per ETH", auto_text(price)));
            format!("+ 10 % in AUTO at {price}")
        } else {
            "+ 30 % in ETH".to_owned()
        };
        rows.push((
            "earns",
            format!(
                "{} = {charged_gas} gas x {} {premium}",
                eth_text(balance.income),
                gas_price_text(explanation.gas_price)
            ),
        ));
        let own = match explanation.own_gas {
            0 => String::new(),
            gas => format!(", without {gas} gas that is yours once: to open the turn, to hold a first AUTO"),
        };
        rows.push(("costs", format!("{} for {gas} gas{own}", eth_text(balance.cost))));
        rows.push(("profit", profit_text(balance.income, balance.cost)));
        rows.push(("pays", format!("{} by the limits of this command", yes_no(*pays))));
    }
    let mut text = pairs(rows);
    text.push_str("\n\n");
    text.push_str(&dependencies_text(session, explanation));
    text
}

fn profit_text(income: U256, cost: U256) -> String {
    match income.checked_sub(cost) {
        Some(profit) => eth_text(profit),
        None => format!("a loss of {}", eth_text(cost.saturating_sub(income))),
    }
}

fn dependencies_text(session: &Session, explanation: &Explanation) -> String {
    let reads = &explanation.reads;
    let mut rows: Vec<[String; 3]> = reads
        .environment
        .iter()
        .map(|name| ["environment".to_owned(), name.clone(), String::new()])
        .collect();
    for account in &reads.accounts {
        let used: Vec<_> =
            [(account.entered, "code"), (account.balance, "balance"), (account.nonce, "nonce")]
                .into_iter()
                .filter_map(|(used, what)| used.then_some(what))
                .collect();
        rows.push(["account".to_owned(), session.address_text(account.address), used.join(", ")]);
    }
    for (slot, value) in reads.slots.iter().take(SHOWN_SLOTS) {
        let value = value.map_or_else(|| "not known".to_owned(), |value| format!("{value:#x}"));
        rows.push([
            "slot".to_owned(),
            format!("{} {:#x}", session.short_text(slot.address), slot.key),
            value,
        ]);
    }
    if rows.is_empty() {
        return "It depends on nothing that is known.".to_owned();
    }
    let mut text = format!("It depends on\n{}", table(["what", "which", "value or use"], rows));
    let more = reads.slots.len().saturating_sub(SHOWN_SLOTS);
    if more > 0 {
        text.push_str(&format!("\n{more} more slots: --json shows all"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_called_one() {
        assert_eq!(profit_text(U256::from(5), U256::from(3)), "2 wei");
        assert_eq!(profit_text(U256::from(3), U256::from(5)), "a loss of 2 wei");
    }
}
