//! `errand keeper check`

use super::{
    Judgement,
    bundles::{BundleArgs, listing, survey},
    journal::{JournalArgs, identity, journal_problem},
};
use crate::{
    amount::eth_text,
    cli::Global,
    keys::KeyArgs,
    output::{Progress, pairs},
    preview::simulator,
    problem::Problem,
    revert::revert_text,
    session::{Asking, Session},
};
use clap::Args;
use errand_chain::{StateLoader, WriteSets};
use errand_journal::Journal;
use errand_keeper::{Terms, Turn, turn::turn};
use errand_types::RequestId;
use eyre::{Result, WrapErr};
use serde_json::json;

/// Checks against the live chain that a keeper could run, and exits with 1 and the reason when it could not.
/// That it is not the account's turn right now is told and is no failure.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand keeper check --account worker --rpc ws://127.0.0.1:8545")]
pub(crate) struct Check {
    #[command(flatten)]
    judgement: Judgement,
    #[command(flatten)]
    bundles: BundleArgs,
    #[command(flatten)]
    journal: JournalArgs,
    #[command(flatten)]
    key: KeyArgs,
}

impl Check {
    pub(super) async fn run(&self, global: &Global) -> Result<()> {
        let executor = self.key.load()?.address();
        let session = Session::open(global).await?;
        let balance = session.balance(executor).await?;
        if balance.is_zero() {
            return Err(Problem::new(format!("the executor {executor} has no ETH to buy gas with"))
                .hint("send ETH to the account")
                .into());
        }
        let path = self.journal.path(session.endpoint.chain_id(), executor)?;
        // Looking leaves no trace: a journal is made by the keeper that uses it.
        let in_flight = if path.exists() {
            let journal = self.journal.open(&session, executor).await?;
            Some(journal.unsettled().map_err(|error| journal_problem(&error))?.len())
        } else {
            JournalArgs::check_place(&path)?;
            None
        };

        let progress = Progress::spinner("asking the node");
        let loader =
            StateLoader::probe(&session.endpoint).await.wrap_err("the node cannot serve simulations")?;
        let writes = WriteSets::probe(loader).await.wrap_err("the node does not tell what blocks change")?;
        let mut simulator = simulator(&session, self.judgement.fork).await?;
        let next = simulator.next_block(simulator.head().timestamp + 1);
        let terms = Terms::read(&mut simulator, &next, session.contracts.registry)
            .await
            .wrap_err("the Registry cannot be simulated")?
            .ok_or_else(|| {
                Problem::new("the contract does not answer as a Registry").hint("check --deployment")
            })?;
        let first = [RequestId(0)];
        let turn = turn(&mut simulator, &next, &session.contracts, terms.gate, executor, &first)
            .await
            .wrap_err("the gate cannot be simulated")?;
        let turn_text = match &turn {
            Turn::Granted { until, .. } => format!("yes, through block {until}"),
            Turn::Refused => "not now: it is somebody else's turn".to_owned(),
            Turn::Failed { reason } => {
                return Err(Problem::new(format!(
                    "the gate reverts, so nobody may execute: {}",
                    revert_text(reason)
                ))
                .hint("`errand status` shows gate and epoch")
                .into());
            }
            Turn::Unknown { reason } => {
                return Err(Problem::new(format!("the gate cannot be simulated: {reason}"))
                    .hint("check --fork")
                    .into());
            }
        };
        let setup = self.bundles.setup(&session).await?;
        let (policy, fork) = (self.judgement.policy(executor), self.judgement.fork);
        let unwritten = Journal::in_memory(identity(&session, executor).await?)
            .map_err(|error| journal_problem(&error))?;
        let bundles = survey(&session, setup, &policy, fork, unwritten).await?;
        let registered =
            session.registry().getHashedReqsLen().call().await.asking("the number of Requests")?;
        drop(progress);
        let value = json!({
            "node": session.endpoint.url(),
            "chainId": session.endpoint.chain_id(),
            "executor": executor,
            "balanceWei": balance.to_string(),
            "journal": path,
            "inFlight": in_flight,
            "writeSource": writes.source(),
            "gate": terms.gate,
            "turn": turn.as_str(),
            "autoPerEthBase": terms.auto_per_eth.map(|price| price.to_string()),
            "registered": registered.saturating_to::<u64>(),
            "bundles": bundles,
        });
        session.format.print(&value, || {
            let about = pairs([
                ("node", format!("{}, chain {}", session.endpoint.url(), session.endpoint.chain_id())),
                (
                    "contracts",
                    format!(
                        "{} of {}, all as recorded",
                        session.deployment.contracts().len(),
                        session.deployment.path().display()
                    ),
                ),
                ("executor", format!("{executor} with {}", eth_text(balance))),
                (
                    "journal",
                    match in_flight {
                        Some(in_flight) => {
                            format!("{}, {in_flight} transaction(s) in flight", path.display())
                        }
                        None => format!("{}, made by the first run", path.display()),
                    },
                ),
                ("changes", format!("told by {}", writes.source())),
                ("may execute", turn_text),
                ("registered", format!("{registered} Requests")),
                (
                    "bundles",
                    match &bundles {
                        Some(bundles) => format!("{} approved", bundles.len()),
                        None => "left alone".to_owned(),
                    },
                ),
            ]);
            match bundles.as_deref() {
                None | Some([]) => about,
                Some(bundles) => format!("{about}\n\n{}", listing(bundles)),
            }
        })
    }
}
