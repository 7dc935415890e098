//! `errand keeper`: execute others' calls and be paid.

mod bundles;
mod check;
mod journal;
mod run;

pub(crate) use run::Run;

use crate::cli::Global;
use alloy::primitives::Address;
use check::Check;
use clap::{Args, Subcommand};
use errand_keeper::{AutoValue, Policy, ProfitRule};
use errand_sim::Fork;
use errand_types::{Auto, Eth, GasPrice};
use eyre::Result;
use std::str::FromStr;

/// Execute others' calls and be paid
///
/// A keeper follows the chain, finds Requests whose call succeeds and whose fee pays, and executes them while
/// the gate lets its account. Where there is a ChugSplashRegistry it also claims and executes projects' bundles.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: look first, rehearse, then run:
  errand keeper check --account worker
  errand keeper run --account worker --dry-run
  errand keeper run --account worker --min-profit 0.0001ether

Example: execute bundles, and tell why each that is not taken is not:
  errand keeper run --account worker --tip 0gwei --max-bond 0.5ether --explain")]
pub(crate) enum Command {
    Run(Box<Run>),
    Check(Box<Check>),
}

impl Command {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        match self {
            Self::Run(command) => command.run(global).await,
            Self::Check(command) => command.run(global).await,
        }
    }
}

/// What an operator asks of work.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Decisions")]
pub(crate) struct Judgement {
    /// Least profit of a transaction, such as 0.0001ether
    #[arg(long, value_name = "AMOUNT", env = "ERRAND_MIN_PROFIT", default_value = "0")]
    min_profit: Eth,
    /// Buy no gas above this price, such as 50gwei
    #[arg(long, value_name = "PRICE", env = "ERRAND_MAX_GAS_PRICE")]
    max_gas_price: Option<GasPrice>,
    /// What AUTO is worth to you: `oracle`, `none`, or how much of it buys 1 ETH, as in 1000auto
    #[arg(long, value_name = "VALUE", env = "ERRAND_AUTO_VALUE", default_value = "oracle")]
    auto_value: AutoValueArg,
    /// Tip per gas to offer. The Registry pays its premium on tips, too, up to its cap
    #[arg(long, value_name = "PRICE", env = "ERRAND_TIP", default_value = "1gwei")]
    tip: GasPrice,
    /// Gas of one transaction at most
    #[arg(long, value_name = "GAS", env = "ERRAND_MAX_BATCH_GAS", default_value_t = 10_000_000)]
    max_batch_gas: u64,
    /// Gas to spend, uncharged, on what is yours to pay: drawing a turn's executor, and the first AUTO you hold
    #[arg(long, value_name = "GAS", env = "ERRAND_MAX_OPENING_GAS", default_value_t = 150_000)]
    max_opening_gas: u64,
    /// Send nothing more when reverted and cancelled transactions have cost this much in 24 hours, such as
    /// 0.05ether
    #[arg(long, value_name = "AMOUNT", env = "ERRAND_LOSS_BUDGET")]
    loss_budget: Option<Eth>,
    /// Requests in one transaction at most
    #[arg(long, value_name = "N", env = "ERRAND_MAX_BATCH", default_value_t = 100)]
    max_batch: usize,
    /// Rules of the chain's next block: cancun, prague or osaka
    #[arg(long, value_name = "FORK", env = "ERRAND_FORK", default_value = "osaka")]
    pub(crate) fork: Fork,
}

impl Judgement {
    /// How a keeper with this account would decide.
    pub(crate) fn policy(&self, executor: Address) -> Policy {
        let (Eth(min_profit), GasPrice(tip)) = (self.min_profit, self.tip);
        Policy {
            executor,
            rule: ProfitRule {
                min_profit,
                max_gas_price: self.max_gas_price.map(|GasPrice(price)| price),
                auto_value: self.auto_value.0,
            },
            max_batch_gas: self.max_batch_gas,
            max_batch_entries: self.max_batch,
            tip,
            max_opening_gas: self.max_opening_gas,
            loss_budget: self.loss_budget.map(|Eth(budget)| budget),
            inclusion_blocks: 1,
        }
    }
}

/// What AUTO is worth, as it is written on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct AutoValueArg(AutoValue);

impl FromStr for AutoValueArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "oracle" => Ok(Self(AutoValue::Oracle)),
            "none" => Ok(Self(AutoValue::Nothing)),
            _ => match text.parse() {
                Ok(Auto(amount)) if amount.is_zero() => Err(
                    "no AUTO for 1 ETH would make it worth everything: write `none` if it is worth nothing"
                        .to_owned(),
                ),
                Ok(Auto(amount)) => Ok(Self(AutoValue::Fixed(amount))),
                Err(error) => Err(format!("{error}; or write `oracle` or `none`")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::U256;

    #[test]
    fn the_worth_of_auto_has_three_forms() {
        assert_eq!("oracle".parse(), Ok(AutoValueArg(AutoValue::Oracle)));
        assert_eq!("none".parse(), Ok(AutoValueArg(AutoValue::Nothing)));
        let thousand = U256::from(1_000) * U256::from(10).pow(U256::from(18));
        assert_eq!("1000auto".parse(), Ok(AutoValueArg(AutoValue::Fixed(thousand))));
        for wrong in ["1000", "0", "1ether", "cheap"] {
            assert!(wrong.parse::<AutoValueArg>().is_err(), "{wrong}");
        }
    }
}
