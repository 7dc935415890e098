//! A plan with gas and money: final actions, header, id, batches, and what it costs.

mod batch;

pub use batch::{Batch, GasRules, Measured, TX_GAS_CAP, call_data, outside_gas, rest_batches};

use crate::{
    Action, BundleHeader, Tree,
    config::Caps,
    header::{Totals, TotalsError, bundle_id},
    plan::Planned,
    project::Site,
};
use alloy::primitives::{B256, U256};

/// What a payment strategy pays for gas units at a basefee, in wei, at most. `None`: it gives no price.
pub type Price<'a> = &'a dyn Fn(U256, U256) -> Option<U256>;

/// What a bundle is made with besides its actions.
#[derive(Debug, Clone)]
pub struct Terms<'a> {
    /// the manager's next nonce
    pub nonce: U256,
    /// what the file says it may cost
    pub caps: &'a Caps,
    /// where the actions are going to be published
    pub uri: &'a str,
    /// wei that the manager locks against cancellation
    pub user_bond: U256,
    /// wei per gas now, by which the manager judges the budget when it is approved
    pub base_fee: U256,
    /// whether the chain takes a fee for data outside the gas price
    pub chain_takes_data_fee: bool,
    /// whether the payment strategy says that it covers one
    pub covers_data_fee: bool,
}

/// A bundle, ready to be proposed and published.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// where
    pub site: Site,
    /// the nonce that is part of the id
    pub nonce: U256,
    /// the id
    pub id: B256,
    /// what is proposed
    pub header: BundleHeader,
    /// in their order
    pub actions: Vec<Action>,
    /// what the actions are for people
    pub names: Vec<String>,
    /// over the actions
    pub tree: Tree,
    /// the transactions that execute it, each as large as fits
    pub batches: Vec<Batch>,
    /// money
    pub costs: Costs,
}

/// What a bundle costs, in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Costs {
    /// executors are paid at most, while the basefee is at the cap; `None`: there is no cap
    pub worst: Option<U256>,
    /// the least budget that the manager approves now
    pub least_budget: U256,
    /// locked for executors
    pub budget: U256,
    /// locked against cancellation
    pub user_bond: U256,
    /// sent along by calls
    pub call_value: U256,
    /// the sum of what is locked: what the manager's free balance must be
    pub deposit: U256,
}

/// Why there is no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The list of actions is none of a bundle.
    #[error(transparent)]
    Actions(#[from] TotalsError),
    /// There is not one measurement for each action.
    #[error("{actions} actions, but {measured} measurements")]
    NotMeasured {
        /// actions
        actions: usize,
        /// measurements
        measured: usize,
    },
    /// A measurement contradicts itself.
    #[error("`{name}`: {frame} gas in its frame, but {share} altogether")]
    BadMeasurement {
        /// of which action
        name: String,
        /// gas in the frame
        frame: u64,
        /// gas altogether
        share: u64,
    },
    /// The switch does not fit into one transaction, and may not be divided.
    #[error("the switch needs {needed} gas in one transaction, which may have {cap}: split the upgrade")]
    SwitchTooLarge {
        /// gas units
        needed: u64,
        /// gas units
        cap: u64,
    },
    /// The switch is more bytes than nodes pass on.
    #[error("the switch needs a transaction of {needed} bytes, nodes pass on {cap}: split the upgrade")]
    SwitchTooLong {
        /// bytes
        needed: usize,
        /// bytes
        cap: usize,
    },
    /// A deployment does not fit into a transaction.
    #[error("deploying `{name}` needs {needed} gas, a transaction may have {cap}")]
    DeployTooLarge {
        /// of what
        name: String,
        /// gas units
        needed: u64,
        /// gas units
        cap: u64,
    },
    /// A deployment is more bytes than nodes pass on.
    #[error("deploying `{name}` needs a transaction of {needed} bytes, nodes pass on {cap}")]
    DeployTooLong {
        /// of what
        name: String,
        /// bytes
        needed: usize,
        /// bytes
        cap: usize,
    },
    /// The payment strategy gives no price.
    #[error("the payment strategy gives no price for {gas} gas at {base_fee} wei")]
    NoPrice {
        /// gas units
        gas: U256,
        /// wei per gas
        base_fee: U256,
    },
    /// The manager would not approve.
    #[error("a budget of {budget} wei is too low: the manager wants {needed} wei at the present basefee")]
    BudgetTooLow {
        /// wei
        budget: U256,
        /// wei
        needed: U256,
    },
    /// A number is larger than the manager stores.
    #[error("the header's {field} is too large")]
    TooLarge {
        /// of the header
        field: &'static str,
    },
    /// Executors would pay for data themselves.
    #[error(
        "the chain takes a fee for data outside the gas price, and the payment strategy does not cover it"
    )]
    DataFeeNotCovered,
}

/// Makes the bundle of `planned`, whose gas was measured.
pub fn bundle(
    site: Site,
    planned: &[Planned],
    measured: &[Measured],
    rules: &GasRules,
    terms: &Terms<'_>,
    price: Price<'_>,
) -> Result<Bundle, BundleError> {
    if terms.chain_takes_data_fee && !terms.covers_data_fee {
        return Err(BundleError::DataFeeNotCovered);
    }
    let names: Vec<String> = planned.iter().map(|planned| planned.name.clone()).collect();
    let committed = batch::committed(&names, measured, terms.caps.gas_margin_percent)?;
    let actions: Vec<Action> = planned
        .iter()
        .zip(&committed)
        .map(|(planned, gas)| planned.step.to_action(planned.target, *gas))
        .collect();
    let totals = Totals::of(&actions)?;
    let tree = Tree::of(&actions).ok_or(TotalsError::NoActions)?;
    let loads = batch::loads(&actions, measured, &tree);
    let batches = batch::batches(&loads, totals.deploys, rules, &names)?;
    let max_txs = terms.caps.max_txs.map_or(2 * batches.len() as u64, u64::from);
    let costs = costs(&totals, max_txs, rules, terms, price)?;
    let header = BundleHeader {
        actionRoot: totals.root,
        deployCount: U256::from(totals.deploys),
        switchCount: U256::from(totals.switch),
        totalGas: U256::from(totals.gas),
        maxTxs: U256::from(max_txs),
        maxBaseFee: terms.caps.max_base_fee,
        callValue: totals.call_value,
        budget: costs.budget,
        ess: site.ess,
        eps: site.eps,
        uri: terms.uri.to_owned(),
    };
    require_fit(&header)?;
    let id = bundle_id(site.chain_id, site.manager, terms.nonce, &header);
    Ok(Bundle { site, nonce: terms.nonce, id, header, actions, names, tree, batches, costs })
}

fn costs(
    totals: &Totals,
    max_txs: u64,
    rules: &GasRules,
    terms: &Terms<'_>,
    price: Price<'_>,
) -> Result<Costs, BundleError> {
    let overhead = U256::from(max_txs).saturating_mul(U256::from(rules.tx_overhead));
    let gas = U256::from(totals.gas).saturating_add(overhead);
    let at = |base_fee: U256| price(gas, base_fee).ok_or(BundleError::NoPrice { gas, base_fee });
    let cap = terms.caps.max_base_fee;
    let worst = if cap == U256::MAX { None } else { Some(at(cap)?) };
    let least_budget = at(cap.min(terms.base_fee.saturating_mul(U256::from(2))))?;
    let budget = terms.caps.budget.or(worst).unwrap_or(least_budget);
    if budget < least_budget {
        return Err(BundleError::BudgetTooLow { budget, needed: least_budget });
    }
    let call_value = totals.call_value;
    let deposit = terms.user_bond.saturating_add(budget).saturating_add(call_value);
    Ok(Costs { worst, least_budget, budget, user_bond: terms.user_bond, call_value, deposit })
}

/// The widths that the manager stores.
fn require_fit(header: &BundleHeader) -> Result<(), BundleError> {
    let widths = [
        ("totalGas", header.totalGas, 48),
        ("maxTxs", header.maxTxs, 32),
        ("callValue", header.callValue, 88),
        ("budget", header.budget, 88),
    ];
    match widths.into_iter().find(|(_, value, bits)| value.bit_len() > *bits) {
        Some((field, ..)) => Err(BundleError::TooLarge { field }),
        None => Ok(()),
    }
}

impl Bundle {
    /// The call data of a batch, for the manager.
    pub fn call_data(&self, batch: &Batch) -> Vec<u8> {
        call_data(self.id, &self.actions, &self.tree, batch.first, batch.count)
    }
}
