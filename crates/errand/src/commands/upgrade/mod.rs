//! `errand upgrade`: bundles, which executors carry out.

mod artifacts;
mod content;
mod effects;
mod inverse;
mod life;
mod market;
mod order;
mod plan;
mod project;
mod propose;
mod setup;
mod source;
mod state;
mod terms;
mod verify;
mod view;

use crate::cli::Global;
use clap::Subcommand;
use eyre::Result;

/// Upgrade a project by a bundle that executors carry out
///
/// A project's upgrade is a bundle: an ordered list of actions that its owner approves and executors carry out,
/// paid out of a budget that the approval locks. What it does stands in an `upgrade.toml`.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: what bonds and fees of a bundle are good for:
  errand upgrade simulate-market --svg market.svg")]
pub(crate) enum Command {
    Register(setup::Register),
    Adopt(setup::Adopt),
    Release(setup::Release),
    #[command(subcommand)]
    Proposer(setup::Proposer),
    Plan(plan::Plan),
    Propose(propose::Propose),
    Fund(propose::Fund),
    Approve(propose::Approve),
    Quote(terms::Quote),
    Status(view::Status),
    List(view::List),
    Watch(view::Watch),
    Pause(life::Pause),
    Resume(life::Resume),
    Retry(life::Retry),
    Close(life::Close),
    Cancel(life::Cancel),
    Rollback(life::Rollback),
    Withdraw(life::Withdraw),
    Verify(verify::Verify),
    Artifacts(artifacts::Artifacts),
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
            Self::Propose(command) => command.run(global).await,
            Self::Fund(command) => command.run(global).await,
            Self::Approve(command) => command.run(global).await,
            Self::Quote(command) => command.run(global).await,
            Self::Status(command) => command.run(global).await,
            Self::List(command) => command.run(global).await,
            Self::Watch(command) => command.run(global).await,
            Self::Pause(command) => command.run(global).await,
            Self::Resume(command) => command.run(global).await,
            Self::Retry(command) => command.run(global).await,
            Self::Close(command) => command.run(global).await,
            Self::Cancel(command) => command.run(global).await,
            Self::Rollback(command) => command.run(global).await,
            Self::Withdraw(command) => command.run(global).await,
            Self::Verify(command) => command.run(global).await,
            Self::Artifacts(command) => command.run(global).await,
            Self::SimulateMarket(command) => command.run(global),
        }
    }
}
