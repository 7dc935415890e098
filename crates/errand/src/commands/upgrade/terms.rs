//! What a bundle costs: `errand upgrade quote`, and what is shown before money is locked.

use super::{
    order::BundleArg,
    project::{Project, Proposal, action_count, cap_text},
};
use crate::{
    amount::eth_text,
    cli::Global,
    commands::duration_text,
    output::{pairs, warn},
    problem::Problem,
    session::{Asking, Session},
};
use alloy::{
    primitives::{Address, B256, I256, U256},
    providers::Provider,
};
use clap::Args;
use errand_bindings::{
    IChugSplashManager::{BundleHeader, Status},
    IExecutorPaymentTerms, ISimpleLockESS,
};
use errand_keeper::bundles::{
    bound::status_name,
    judge::{CLAIM_COST, SETTLE_COST},
};
use eyre::Result;
use serde_json::{Value, json};

/// What a proposed bundle needs of its project.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Money {
    pub(crate) free: U256,
    pub(crate) user_bond: U256,
    /// What an approval locks.
    pub(crate) needed: U256,
    /// What has to be deposited before.
    pub(crate) missing: U256,
}

impl Money {
    pub(crate) async fn of(project: &Project<'_>, proposal: &Proposal) -> Result<Self> {
        let free = project.accounts().await?.free;
        let user_bond = project.manager.userBond().call().await.asking("the user bond")?;
        let header = &proposal.header;
        let needed = user_bond.saturating_add(header.budget).saturating_add(header.callValue);
        Ok(Self { free, user_bond, needed, missing: needed.saturating_sub(free) })
    }

    /// Refuses an approval that would find too little.
    pub(crate) fn require_funded(&self, project: &Project<'_>, id: B256) -> Result<()> {
        if self.missing.is_zero() {
            return Ok(());
        }
        Err(Problem::new(format!(
            "the project is not funded: {} has {} free, and approving bundle {id} locks {}",
            project.address,
            eth_text(self.free),
            eth_text(self.needed)
        ))
        .hint(format!(
            "{} are missing: errand upgrade fund --for-bundle {id} --manager {}",
            eth_text(self.missing),
            project.address
        ))
        .into())
    }
}

/// Refuses a budget that the manager would refuse at the present basefee.
pub(crate) async fn require_budget(project: &Project<'_>, proposal: &Proposal) -> Result<()> {
    let prices = prices(project, proposal).await?;
    let (budget, Some(least)) = (proposal.header.budget, prices.least_budget) else { return Ok(()) };
    if budget >= least {
        return Ok(());
    }
    Err(Problem::new(format!(
        "the budget of {} is too low: at a basefee of {} the manager wants {}",
        eth_text(budget),
        gwei(prices.basefee),
        eth_text(least)
    ))
    .hint("wait for a lower basefee, or plan again with a higher caps.budget, and propose that")
    .into())
}

/// Warns of strategies that the record of the deployment does not know.
pub(crate) fn warn_of_strangers(session: &Session, h: &BundleHeader) {
    for (what, strategy) in [("selection", h.ess), ("payment", h.eps)] {
        if session.name_of(strategy).is_none() {
            warn(format!(
                "the {what} strategy {strategy} is none of the deployment's: read its code, as executors will"
            ));
        }
    }
}

/// Header and id for people.
pub(crate) fn header_text(session: &Session, id: B256, h: &BundleHeader) -> String {
    pairs([
        ("bundle", id.to_string()),
        ("action root", h.actionRoot.to_string()),
        ("actions", format!("{} deploy, {} in the switch", h.deployCount, h.switchCount)),
        ("gas", format!("{} committed, in up to {} paid transactions", h.totalGas, h.maxTxs)),
        ("basefee cap", cap_text(h.maxBaseFee)),
        ("budget", eth_text(h.budget)),
        ("sent by calls", eth_text(h.callValue)),
        ("selection", session.address_text(h.ess)),
        ("payment", session.address_text(h.eps)),
        // Quoted: the text of a stranger must not control the terminal.
        ("published at", format!("{:?}", h.uri)),
    ])
}

/// Header for machines.
pub(crate) fn header_json(h: &BundleHeader) -> Value {
    json!({
        "actionRoot": h.actionRoot,
        "deployCount": h.deployCount.to_string(),
        "switchCount": h.switchCount.to_string(),
        "totalGas": h.totalGas.to_string(),
        "maxTxs": h.maxTxs.to_string(),
        "maxBaseFeeWei": h.maxBaseFee.to_string(),
        "callValueWei": h.callValue.to_string(),
        "budgetWei": h.budget.to_string(),
        "ess": h.ess,
        "eps": h.eps,
        "uri": h.uri,
    })
}

/// Tell what a bundle costs, and what executors earn by it
///
/// Tells what a bundle costs at most and now, what has to be deposited before it is approved, and what an executor
/// earns and puts at risk, claiming and taking the bond back included. Committed gas is what executors are paid at
/// most, so what it costs in the end is less.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand upgrade quote 0xbe12… --manager 0x5FbD…")]
pub(crate) struct Quote {
    #[command(flatten)]
    bundle: BundleArg,
}

/// What strategies answer.
struct Prices {
    basefee: U256,
    tip: U256,
    gas: U256,
    worst: Option<U256>,
    least_budget: Option<U256>,
    now: Option<U256>,
    bond: Option<(U256, u64)>,
}

impl Quote {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let session = Session::open(global).await?;
        let project = Project::open(&session, self.bundle.manager.manager).await?;
        let proposal = project.proposal(self.bundle.id).await?;
        let status = project.status(proposal.id).await?;
        let money = Money::of(&project, &proposal).await?;
        let prices = prices(&project, &proposal).await?;
        let lock_gas = if prices.bond.is_some() { CLAIM_COST.saturating_add(SETTLE_COST) } else { 0 };
        let executor_gas = prices.gas.saturating_add(U256::from(lock_gas));
        let cost = executor_gas.saturating_mul(prices.basefee.saturating_add(prices.tip));
        let profit = prices.now.map(|payment| signed(payment).saturating_sub(signed(cost)));
        let is_open = status == Status::PROPOSED;
        let text = |amount: Option<U256>| amount.map(|amount| amount.to_string());
        let value = json!({
            "bundleId": proposal.id,
            "status": status_name(status),
            "header": header_json(&proposal.header),
            "gas": prices.gas.to_string(),
            "baseFeeWei": prices.basefee.to_string(),
            "tipWei": prices.tip.to_string(),
            "worstWei": text(prices.worst),
            "leastBudgetWei": text(prices.least_budget),
            "paymentNowWei": text(prices.now),
            "executorCostWei": cost.to_string(),
            "executorProfitWei": profit.map(|profit| profit.to_string()),
            "executorBondWei": prices.bond.map(|(bond, _)| bond.to_string()),
            "lockSeconds": prices.bond.map(|(_, seconds)| seconds),
            "userBondWei": money.user_bond.to_string(),
            "neededWei": is_open.then(|| money.needed.to_string()),
            "freeWei": money.free.to_string(),
            "missingWei": is_open.then(|| money.missing.to_string()),
        });
        session.format.print(&value, || {
            let mut rows = vec![
                ("status", status_name(status).to_owned()),
                ("actions", action_count(&proposal.header).to_string()),
                (
                    "gas",
                    format!("{}, with the fixed part of {} transactions", prices.gas, proposal.header.maxTxs),
                ),
                (
                    "basefee",
                    format!("{} now, cap {}", gwei(prices.basefee), cap_text(proposal.header.maxBaseFee)),
                ),
                ("costs at most", shown(prices.worst, "there is no cap; never more than the budget")),
                ("at this basefee", shown(prices.now, "the payment strategy gives no price")),
                ("budget", eth_text(proposal.header.budget)),
                ("least budget", shown(prices.least_budget, "the payment strategy does not say")),
                ("executor earns", profit.map_or_else(|| "unknown".to_owned(), profit_text)),
            ];
            if let Some((bond, seconds)) = prices.bond {
                rows.push((
                    "executor's bond",
                    format!("{}, lock of {}", eth_text(bond), duration_text(seconds)),
                ));
            }
            if is_open {
                rows.push((
                    "approval locks",
                    format!("{}, of it {} user bond", eth_text(money.needed), eth_text(money.user_bond)),
                ));
                rows.push(("free", eth_text(money.free)));
                rows.push(("to deposit", eth_text(money.missing)));
            }
            pairs(rows)
        })
    }
}

async fn prices(project: &Project<'_>, proposal: &Proposal) -> Result<Prices> {
    let session = project.session;
    let h = &proposal.header;
    let basefee = U256::from(session.head().await?.base_fee);
    // A node without an opinion on tips is no reason not to answer.
    let tip = U256::from(session.provider.get_max_priority_fee_per_gas().await.unwrap_or_default());
    let overhead = project.manager.txOverhead().call().await.asking("the overhead of a transaction")?;
    let gas = h.totalGas.saturating_add(h.maxTxs.saturating_mul(overhead));
    let eps = IExecutorPaymentTerms::new(h.eps, session.provider.clone());
    let most = |price: U256| {
        let eps = &eps;
        // What a strategy does not answer is told as that.
        async move { eps.maxPayment(gas, price).call().await.ok() }
    };
    let worst = if h.maxBaseFee == U256::MAX { None } else { most(h.maxBaseFee).await };
    let least_budget = most(h.maxBaseFee.min(basefee.saturating_mul(U256::from(2)))).await;
    // Not computeExecutorPayment: nodes make calls at a basefee of 0.
    let now = most(basefee).await;
    let bond = lock_terms(session, h.ess).await;
    Ok(Prices { basefee, tip, gas, worst, least_budget, now, bond })
}

/// Bond and seconds of a strategy that locks; `None`: it is of another kind.
pub(crate) async fn lock_terms(session: &Session, ess: Address) -> Option<(U256, u64)> {
    let lock = ISimpleLockESS::new(ess, session.provider.clone());
    let bond = lock.bondAmount().call().await.ok()?;
    let seconds = lock.lockSeconds().call().await.ok()?;
    Some((bond, u64::try_from(seconds).ok()?))
}

fn shown(amount: Option<U256>, otherwise: &str) -> String {
    amount.map_or_else(|| otherwise.to_owned(), eth_text)
}

/// A price per gas.
pub(crate) fn gwei(wei: U256) -> String {
    crate::amount::gas_price_text(u128::try_from(wei).unwrap_or(u128::MAX))
}

/// An amount that is subtracted from.
pub(super) fn signed(amount: U256) -> I256 {
    I256::try_from(amount).unwrap_or(I256::MAX)
}

fn profit_text(profit: I256) -> String {
    let amount = eth_text(profit.unsigned_abs());
    if profit.is_negative() { format!("nothing: it loses {amount} at this basefee and tip") } else { amount }
}
