//! Why a bundle is not executed now.

use alloy::{
    primitives::{Address, Bytes, U256},
    serde::displayfromstr,
};
use serde::Serialize;

/// Why nothing is done about a bundle now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "reason")]
pub enum Hindrance {
    /// It is not to be executed in its status.
    #[error("its status is {status}")]
    Status {
        /// The status.
        status: &'static str,
    },
    /// Its owner has asked for a pause.
    #[error("its owner has asked for a pause, in force from Unix time {at} on")]
    PauseRequested {
        /// Unix seconds.
        at: u64,
    },
    /// The base fee is above its cap.
    #[error("the base fee of {base_fee} wei is above its cap of {cap} wei")]
    Congested {
        /// Wei per gas.
        #[serde(rename = "baseFeeWei", serialize_with = "displayfromstr::serialize")]
        base_fee: u64,
        /// Wei per gas.
        #[serde(rename = "capWei", serialize_with = "displayfromstr::serialize")]
        cap: U256,
    },
    /// There is no room for a tip below its cap.
    #[error("gas at {gas_price} wei, with the tip, leaves no room below the limit of {cap} wei")]
    NearCap {
        /// Wei per gas.
        #[serde(rename = "gasPriceWei", serialize_with = "displayfromstr::serialize")]
        gas_price: u128,
        /// Its cap, or the operator's; wei per gas.
        #[serde(rename = "capWei", serialize_with = "displayfromstr::serialize")]
        cap: u128,
    },
    /// It is over, and what its project and its selection strategy owe cannot be had now: gas is too dear for it, or it
    /// was not seen to succeed.
    #[error("its project and strategy owe {owed} wei, which cannot be taken at a profit now")]
    Owed {
        /// In wei.
        #[serde(rename = "owedWei", serialize_with = "displayfromstr::serialize")]
        owed: U256,
    },
    /// Others may hold bonds, and were not read yet.
    #[error("all other bundles are read before a bond is posted")]
    Unread,
    /// Reverted transactions have cost what the operator gives for them: nothing is claimed.
    #[error("the loss budget is used up, so no bond is posted")]
    LossBudget,
    /// Its budget does not pay what is left.
    #[error("its budget of {budget} wei does not pay what is left at the present base fee")]
    Underfunded {
        /// Wei.
        #[serde(rename = "budgetWei", serialize_with = "displayfromstr::serialize")]
        budget: U256,
    },
    /// One of its strategies changed, or gives no price.
    #[error("a strategy of it changed since the approval, or gives no price")]
    Unsound,
    /// Its selection or payment strategy is not known.
    #[error(
        "the code of its {role} strategy {strategy} is none of the deployment's; --allow-strategy trusts it"
    )]
    UnknownStrategy {
        /// `selection` or `payment`.
        role: &'static str,
        /// The strategy.
        strategy: Address,
    },
    /// The chain takes a fee for data that its payment does not cover.
    #[error(
        "the chain takes a fee for data outside the gas price, and its payment strategy does not cover it"
    )]
    DataFee,
    /// Another executor has the lock.
    #[error("{executor} has its lock until Unix time {until}")]
    HeldBy {
        /// The executor.
        executor: Address,
        /// The last second of the lock.
        until: u64,
    },
    /// It is another executor's turn.
    #[error("its strategy has selected {executor}")]
    NotSelected {
        /// Who is selected; zero: nobody.
        executor: Address,
    },
    /// The executor was excused by congestion and has to wait.
    #[error("it can be claimed again after Unix time {until}, because of the congestion before")]
    Cooling {
        /// Unix seconds.
        until: u64,
    },
    /// Its actions are not there yet.
    #[error("its actions are being fetched{}", problem.as_ref().map_or(String::new(), |p| format!(": {p}")))]
    NoContent {
        /// What was wrong with the last answer.
        problem: Option<String>,
    },
    /// The bond is more than may be at risk.
    #[error("its bond of {bond} wei is above the {left} wei that may be at risk; --max-bond sets the limit")]
    BondTooHigh {
        /// Wei.
        #[serde(rename = "bondWei", serialize_with = "displayfromstr::serialize")]
        bond: U256,
        /// Wei.
        #[serde(rename = "leftWei", serialize_with = "displayfromstr::serialize")]
        left: U256,
    },
    /// The account cannot pay for it.
    #[error("the account has {balance} wei, bond and gas need {needed} wei")]
    OutOfFunds {
        /// Wei.
        #[serde(rename = "balanceWei", serialize_with = "displayfromstr::serialize")]
        balance: U256,
        /// Wei.
        #[serde(rename = "neededWei", serialize_with = "displayfromstr::serialize")]
        needed: U256,
    },
    /// It cannot be finished in time.
    #[error("it takes about {needed} s in {batches} transactions, the lock lasts {lock} s")]
    TooSlow {
        /// Seconds.
        needed: u64,
        /// Seconds.
        lock: u64,
        /// Transactions.
        batches: usize,
    },
    /// It does not fit into transactions.
    #[error("{problem}; --max-batch-gas sets the limit")]
    TooLarge {
        /// Why.
        problem: String,
    },
    /// An action fails.
    #[error("action {index} fails: {}", if output.is_empty() { "no reason given".to_owned() } else { output.to_string() })]
    Fails {
        /// Its index.
        index: usize,
        /// Revert data.
        output: Bytes,
    },
    /// What it does depends on what others can change, or on what nobody knows beforehand.
    #[error("what it does depends on {what}; --allow-foreign-state takes the risk")]
    ForeignState {
        /// On what.
        what: String,
    },
    /// It does not pay.
    #[error("it earns {income} wei and costs {cost} wei")]
    Unprofitable {
        /// Wei.
        #[serde(rename = "incomeWei", serialize_with = "displayfromstr::serialize")]
        income: U256,
        /// Wei.
        #[serde(rename = "costWei", serialize_with = "displayfromstr::serialize")]
        cost: U256,
    },
    /// Gas is dearer than the operator's limit.
    #[error("gas costs {gas_price} wei, above the limit")]
    GasTooDear {
        /// Wei per gas.
        #[serde(rename = "gasPriceWei", serialize_with = "displayfromstr::serialize")]
        gas_price: u128,
    },
    /// It failed on chain and is left alone.
    #[error("it failed on chain and is left alone until block {until}")]
    Quarantined {
        /// The block.
        until: u64,
    },
    /// The lock ends before a transaction could be included.
    #[error("its lock ends at Unix time {until}, too early for another transaction")]
    LockEnds {
        /// Unix seconds.
        until: u64,
    },
    /// A transaction is under way.
    #[error("a transaction of it is under way")]
    InFlight,
    /// It cannot be known now.
    #[error("it cannot be simulated now: {why}")]
    Unknown {
        /// Why.
        why: String,
    },
}
