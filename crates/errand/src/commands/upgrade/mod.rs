//! `errand upgrade`: bundles, which executors carry out.

mod market;
mod order;
mod plan;
mod project;
mod setup;

use crate::cli::Global;
use clap::Subcommand;
use eyre::Result;

/// A project's upgrade is a bundle: an ordered list of actions that its owner approves and executors carry out,
/// paid out of a budget that the approval locks. What it does stands in an `upgrade.toml`.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: what bonds and fees of a bundle are good for:
  errand upgrade simulate-market --svg market.svg")]
pub(crate) enum Command {
    /// Create a project's manager, or tell its address
    Register(setup::Register),
    /// Put a proxy that exists under the project
    Adopt(setup::Adopt),
    /// Hand a proxy over to somebody else
    Release(setup::Release),
    /// Who else may propose bundles
    #[command(subcommand)]
    Proposer(setup::Proposer),
    Plan(plan::Plan),
    /// Play the game between executors and owners
    SimulateMarket(market::SimulateMarket),
}

impl Command {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        match self {
            Self::Register(command) => command.run(global).await,
            Self::Adopt(command) => command.run(global).await,
            Self::Release(command) => command.run(global).await,
            Self::Proposer(command) => command.run(global).await,
            Self::Plan(command) => command.run(global).await,
            Self::SimulateMarket(command) => command.run(global),
        }
    }
}
