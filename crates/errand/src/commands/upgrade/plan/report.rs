//! What a plan says, to people and to machines.

use super::{
    super::{project::cap_text, terms::signed},
    home::Home,
};
use crate::{
    amount::{eth_text, gas_price_text},
    output::{pairs, table},
};
use alloy::primitives::{I256, U256};
use errand_bundle::{
    bundle::{Batch, Bundle, Measured, TX_GAS_CAP},
    plan::{Kept, Plan},
};
use errand_keeper::bundles::{
    judge::SETTLE_COST,
    rehearsal::{Rehearsed, Selection},
};
use errand_types::BlockHead;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// All that came out.
pub(super) struct Planning<'a> {
    pub(super) head: BlockHead,
    pub(super) home: &'a Home,
    pub(super) plan: &'a Plan,
    /// What of the bundle that is taken back stays.
    pub(super) kept: &'a [(String, Kept)],
    pub(super) measured: &'a [Measured],
    pub(super) bundle: &'a Bundle,
    pub(super) rehearsed: &'a Rehearsed,
    /// Contracts whose storage layout was compared.
    pub(super) compared: &'a [String],
    pub(super) output: &'a Path,
    pub(super) layouts: Option<PathBuf>,
}

/// What executors spend and get at the present basefee, at no tip.
struct Executors {
    base_fee: U256,
    cost: U256,
    payment: U256,
    /// The difference.
    profit: I256,
    /// Tip at which they earn nothing, in wei per gas.
    break_even: u128,
}

impl Planning<'_> {
    fn executors(&self) -> Executors {
        let cap = self.bundle.header.maxBaseFee;
        // The basefee of the rehearsal.
        let base_fee = U256::from(self.next_base_fee()).min(cap);
        let gas = U256::from(self.rehearsed.gas_used().saturating_add(self.lock_gas()));
        let cost = gas.saturating_mul(base_fee);
        let payment = self.rehearsed.payment();
        let break_even = payment.saturating_sub(cost).checked_div(gas).unwrap_or_default().saturating_to();
        let profit = signed(payment).saturating_sub(signed(cost));
        Executors { base_fee, cost, payment, profit, break_even }
    }

    fn next_base_fee(&self) -> u64 {
        errand_sim::next_block(&self.head, errand_sim::BaseFeeRule::ETHEREUM, 0).base_fee
    }

    /// What claiming and taking the bond back costs.
    fn lock_gas(&self) -> u64 {
        match self.rehearsed.selection {
            Selection::Claimed { gas, .. } => gas.saturating_add(SETTLE_COST),
            Selection::Held | Selection::Assumed => 0,
        }
    }

    /// The transaction that holds the switch, if there is one.
    fn switch(&self) -> Option<&Batch> {
        if self.bundle.header.switchCount.is_zero() { None } else { self.bundle.batches.last() }
    }

    fn missing(&self) -> U256 {
        self.bundle.costs.deposit.saturating_sub(self.home.free)
    }

    /// Gas that the rehearsal of the whole saw in an action.
    fn used(&self, index: usize) -> Option<u64> {
        self.rehearsed.actions.iter().find(|(at, _)| *at == index).map(|(_, gas)| *gas)
    }

    pub(super) fn json(&self) -> Value {
        let (bundle, home) = (self.bundle, self.home);
        let actions: Vec<_> = bundle
            .actions
            .iter()
            .zip(&bundle.names)
            .zip(self.measured)
            .enumerate()
            .map(|(index, ((action, name), measured))| {
                json!({
                    "index": index, "name": name, "kind": action.kind.name(), "target": action.target,
                    "committedGas": action.gas, "measuredGas": measured.share, "usedGas": self.used(index),
                })
            })
            .collect();
        let transactions: Vec<_> = bundle
            .batches
            .iter()
            .zip(&self.rehearsed.transactions)
            .map(|(batch, done)| {
                json!({
                    "first": batch.first, "count": batch.count, "gasLimit": batch.gas, "bytes": batch.bytes,
                    "gasUsed": done.gas_used, "gasPaid": done.gas_paid.to_string(),
                    "paymentWei": done.payment.to_string(),
                })
            })
            .collect();
        let (costs, executors) = (&bundle.costs, self.executors());
        let unchanged: Vec<_> =
            self.plan.unchanged.iter().map(|(name, at)| json!({ "name": name, "address": at })).collect();
        let kept: Vec<_> =
            self.kept.iter().map(|(name, why)| json!({ "name": name, "why": kept_text(*why) })).collect();
        json!({
            "bundleId": bundle.id, "chainId": home.site.chain_id, "block": self.head.number,
            "manager": home.site.manager, "actor": home.site.actor, "owner": home.project.owner,
            "isRegistered": home.project.unregistered.is_none(), "nonce": bundle.nonce.to_string(),
            "ess": home.site.ess, "eps": home.site.eps, "uri": bundle.header.uri,
            "actionRoot": bundle.header.actionRoot, "actions": actions, "unchanged": unchanged, "kept": kept,
            "layoutsCompared": self.compared, "transactions": transactions,
            "deployCount": bundle.header.deployCount.to_string(),
            "switchCount": bundle.header.switchCount.to_string(),
            "switchGasLimit": self.switch().map(|batch| batch.gas), "transactionGasCap": TX_GAS_CAP,
            "totalGas": bundle.header.totalGas.to_string(), "gasUsed": self.rehearsed.gas_used(),
            "maxTxs": bundle.header.maxTxs.to_string(),
            "maxBaseFeeWei": (bundle.header.maxBaseFee != U256::MAX)
                .then(|| bundle.header.maxBaseFee.to_string()),
            "worstCostWei": costs.worst.map(|wei| wei.to_string()), "budgetWei": costs.budget.to_string(),
            "leastBudgetWei": costs.least_budget.to_string(), "userBondWei": costs.user_bond.to_string(),
            "callValueWei": costs.call_value.to_string(), "depositWei": costs.deposit.to_string(),
            "freeWei": home.free.to_string(), "missingWei": self.missing().to_string(),
            "baseFeeWei": executors.base_fee.to_string(), "expectedCostWei": executors.payment.to_string(),
            "executorSpendsWei": executors.cost.to_string(),
            "executorProfitWei": executors.profit.to_string(),
            "executorBreakEvenTipWei": executors.break_even.to_string(),
            "selection": self.selection(),
            "bundleFile": self.output, "layoutsFile": self.layouts,
        })
    }

    const fn selection(&self) -> &'static str {
        match self.rehearsed.selection {
            Selection::Held => "held",
            Selection::Claimed { .. } => "claimed",
            Selection::Assumed => "assumed",
        }
    }

    pub(super) fn text(&self) -> String {
        let mut parts = vec![self.head_text(), self.actions_text()];
        if !self.plan.unchanged.is_empty() {
            let names: Vec<_> = self.plan.unchanged.iter().map(|(name, _)| name.as_str()).collect();
            parts.push(format!("Unchanged, not deployed again: {}", names.join(", ")));
        }
        if !self.kept.is_empty() {
            let rows = self.kept.iter().map(|(name, why)| format!("  {name}: {}", kept_text(*why)));
            parts.push(format!("Stays as it is:\n{}", rows.collect::<Vec<_>>().join("\n")));
        }
        if !self.compared.is_empty() {
            parts.push(format!("Storage layouts fit those behind the proxies: {}", self.compared.join(", ")));
        }
        parts.push(self.transactions_text());
        parts.push(self.money_text());
        parts.push(self.next_text());
        parts.join("\n\n")
    }

    fn head_text(&self) -> String {
        let home = self.home;
        let registered = if home.project.unregistered.is_none() { "" } else { " (not registered yet)" };
        pairs([
            ("bundle", self.bundle.id.to_string()),
            ("manager", format!("{}{registered}", home.site.manager)),
            ("owner", home.project.owner.to_string()),
            ("rehearsed on", format!("block {} of chain {}", self.head.number, home.site.chain_id)),
        ])
    }

    fn actions_text(&self) -> String {
        let deploys: usize = self.bundle.header.deployCount.saturating_to();
        let rows = self.bundle.actions.iter().zip(&self.bundle.names).enumerate();
        let rows = rows.map(|(index, (action, name))| {
            [
                index.to_string(),
                if index < deploys { "deploy" } else { "switch" }.to_owned(),
                action.kind.name().to_owned(),
                name.clone(),
                action.target.to_string(),
                self.used(index).map_or_else(|| "-".to_owned(), |gas| gas.to_string()),
                action.gas.to_string(),
            ]
        });
        table(["#", "phase", "kind", "what", "target", "gas used", "committed"], rows)
    }

    fn transactions_text(&self) -> String {
        let rows = self.bundle.batches.iter().zip(&self.rehearsed.transactions).map(|(batch, done)| {
            let last = batch.first.saturating_add(batch.count).saturating_sub(1);
            [
                if batch.first == last { last.to_string() } else { format!("{}-{last}", batch.first) },
                done.gas_used.to_string(),
                batch.gas.to_string(),
                batch.bytes.to_string(),
                eth_text(done.payment),
            ]
        });
        let transactions = table(["actions", "gas used", "gas limit", "bytes", "paid"], rows);
        let switch = match self.switch() {
            Some(batch) => format!(
                "The last one holds the switch: it needs a limit of {} gas, and may have {TX_GAS_CAP}.",
                batch.gas
            ),
            None => "There is no switch: no proxy changes.".to_owned(),
        };
        let assumed = match self.rehearsed.selection {
            Selection::Assumed => {
                "\nThe selection strategy's answer was made up: nobody could claim the bundle in the rehearsal."
            }
            Selection::Held | Selection::Claimed { .. } => "",
        };
        format!("{transactions}\n{switch}{assumed}")
    }

    fn money_text(&self) -> String {
        let (costs, executors) = (&self.bundle.costs, self.executors());
        let worst = costs.worst.map_or_else(|| "no cap: up to the budget".to_owned(), eth_text);
        pairs([
            (
                "expected cost",
                format!("{} at a basefee of {}", eth_text(executors.payment), gas(executors.base_fee)),
            ),
            (
                "worst cost",
                format!("{worst}, at the cap on the basefee: {}", cap_text(self.bundle.header.maxBaseFee)),
            ),
            ("budget", eth_text(costs.budget)),
            ("user bond", eth_text(costs.user_bond)),
            ("sent by calls", eth_text(costs.call_value)),
            (
                "to deposit",
                format!("{}, of which {} are missing", eth_text(costs.deposit), eth_text(self.missing())),
            ),
            (
                "executors",
                if executors.profit.is_negative() {
                    self.loss_text(&executors)
                } else {
                    format!(
                        "spend {} for gas, claim included, and earn {}; less with a tip, nothing at {}",
                        eth_text(executors.cost),
                        eth_text(executors.profit.unsigned_abs()),
                        gas_price_text(executors.break_even)
                    )
                },
            ),
        ])
    }

    /// Why nobody is going to take it.
    fn loss_text(&self, executors: &Executors) -> String {
        format!(
            "spend {} for gas, claim included, and LOSE {}: nobody takes so small a bundle. Put more into it, or \
             carry it out yourself: errand keeper run --own-project {}",
            eth_text(executors.cost),
            eth_text(executors.profit.unsigned_abs()),
            self.home.site.manager
        )
    }

    fn next_text(&self) -> String {
        let mut lines = vec![format!("Bundle written to {}", self.output.display())];
        if let Some(layouts) = &self.layouts {
            lines.push(format!(
                "Storage layouts recorded in {}: keep it under version control",
                layouts.display()
            ));
        }
        if self.home.project.unregistered.is_some() {
            lines
                .push("Create the manager before it is proposed: errand upgrade register --salt SALT".into());
        }
        if self.bundle.header.uri.is_empty() {
            lines.push(
                "No uri says where the bundle is published: executors cannot find it. Plan again with --uri"
                    .into(),
            );
        } else {
            lines.push(format!("Publish it at {} before it is approved", self.bundle.header.uri));
        }
        lines.join("\n")
    }
}

const fn kept_text(why: Kept) -> &'static str {
    match why {
        Kept::Deployed => "what was deployed stays on the chain",
        Kept::NewProxy => "the proxy had nothing before",
        Kept::Called => "a call cannot be undone",
    }
}

fn gas(wei_per_gas: U256) -> String {
    gas_price_text(wei_per_gas.saturating_to())
}
