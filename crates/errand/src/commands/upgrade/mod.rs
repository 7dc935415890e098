//! `errand upgrade`: bundles, which executors carry out.

mod artifacts;
mod content;
mod effects;
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
    /// Commit a planned bundle for the owner to approve
    Propose(propose::Propose),
    /// Send ETH to a project
    Fund(propose::Fund),
    /// Let executors carry a proposed bundle out
    Approve(propose::Approve),
    /// Tell what a bundle costs, and what executors earn by it
    Quote(terms::Quote),
    /// Show a project and how one of its bundles stands
    Status(view::Status),
    /// List a project's bundles
    List(view::List),
    /// Follow a bundle until it has ended
    Watch(view::Watch),
    /// Stop the active bundle for a while
    Pause(life::Pause),
    /// Let a paused bundle go on
    Resume(life::Resume),
    /// Let the action that failed be tried again
    Retry(life::Retry),
    /// Give a stalled bundle up
    Close(life::Close),
    /// End the active bundle for good
    Cancel(life::Cancel),
    /// Give proxies the implementation that they had before
    Rollback(life::Rollback),
    /// Take ETH out of a project
    Withdraw(life::Withdraw),
    /// Compare a proposal with its source, and the chain with the proposal
    Verify(verify::Verify),
    /// Write addresses and compiler inputs for explorers
    Artifacts(artifacts::Artifacts),
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
