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
    output::{Progress, pairs, warn},
    preview::simulator,
    problem::Problem,
    revert::revert_text,
    session::{Asking, Session},
};
use alloy::primitives::{Address, U256};
use clap::Args;
use errand_chain::{StateLoader, WriteSets};
use errand_journal::{Journal, JournalError};
use errand_keeper::{Simulator, Terms, Turn, bundles::BundleReport, clock::TOLERANCE, turn::turn};
use errand_types::{RequestId, WriteSource};
use eyre::{Result, WrapErr};
use serde_json::json;
use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

/// Check that a keeper could run: node, contracts, account, journal, right to execute
///
/// It asks the live chain, and exits with 1 and the reason when it could not.
/// That it is not the account's turn right now is told and is no failure.
/// While a keeper runs, what its journal holds is left out.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand keeper check --account worker --rpc ws://127.0.0.1:8545
  errand keeper check --executor 0x7099…              without a key")]
pub(crate) struct Check {
    #[command(flatten)]
    judgement: Judgement,
    #[command(flatten)]
    bundles: BundleArgs,
    #[command(flatten)]
    journal: JournalArgs,
    /// The account to check, without its key
    #[arg(long, value_name = "ADDRESS", env = "ERRAND_EXECUTOR", value_parser = crate::calldata::address)]
    executor: Option<Address>,
    #[command(flatten)]
    key: KeyArgs,
}

/// What is known of the journal.
enum Records {
    /// There is none yet.
    None,
    /// So many of its transactions are in flight.
    InFlight(usize),
    /// A keeper runs with it: the process, where it is known.
    InUse(Option<u32>),
}

/// What was found.
struct Findings<'a> {
    session: &'a Session,
    executor: Address,
    balance: U256,
    journal: PathBuf,
    records: Records,
    source: WriteSource,
    terms: Terms,
    turn: Turn,
    registered: u64,
    /// Seconds that the host's clock is ahead of the head.
    head_age: i64,
    /// `None`: bundles are left alone.
    bundles: Option<Vec<BundleReport>>,
}

impl Check {
    pub(super) async fn run(&self, global: &Global) -> Result<()> {
        let executor = match self.executor {
            Some(executor) => executor,
            None => self.key.load_or("name the account to check: --executor ADDRESS")?.address(),
        };
        let session = Session::open(global).await?;
        let balance = session.balance(executor).await?;
        if balance.is_zero() {
            return Err(Problem::new(format!("the executor {executor} has no ETH to buy gas with"))
                .hint("send ETH to the account")
                .into());
        }
        let (journal, records) = self.journal(&session, executor).await?;
        let progress = Progress::spinner("asking the node");
        let loader =
            StateLoader::probe(&session.endpoint).await.wrap_err("the node cannot serve simulations")?;
        let writes = WriteSets::probe(loader).await.wrap_err("the node does not tell what blocks change")?;
        let mut simulator = simulator(&session, self.judgement.fork).await?;
        let head_age = seconds_ahead(simulator.head().timestamp, SystemTime::now());
        let (terms, turn) = terms_and_turn(&session, &mut simulator, executor).await?;
        let setup = self.bundles.setup(&session).await?;
        let (policy, fork) = (self.judgement.policy(executor), self.judgement.fork);
        let unwritten = Journal::in_memory(identity(&session, executor).await?)
            .map_err(|error| journal_problem(&error))?;
        let bundles = survey(&session, setup, &policy, fork, unwritten).await?;
        let registered =
            session.registry().getHashedReqsLen().call().await.asking("the number of Requests")?;
        drop(progress);
        let findings = Findings {
            session: &session,
            executor,
            balance,
            journal,
            records,
            source: writes.source(),
            terms,
            turn,
            registered: registered.saturating_to(),
            head_age,
            bundles,
        };
        findings.print()
    }

    /// Where the journal is, and what it says. Looking leaves no trace: a journal is made by the keeper that uses it.
    async fn journal(&self, session: &Session, executor: Address) -> Result<(PathBuf, Records)> {
        let path = self.journal.path(session.endpoint.chain_id(), executor)?;
        if !path.exists() {
            JournalArgs::check_place(&path)?;
            return Ok((path, Records::None));
        }
        let in_flight = match self.journal.attempt(session, executor).await? {
            Ok(journal) => journal.unsettled().map(|unsettled| unsettled.len()),
            Err(JournalError::InUse { pid, .. }) => return Ok((path, Records::InUse(pid))),
            Err(error) => Err(error),
        };
        Ok((path, Records::InFlight(in_flight.map_err(|error| journal_problem(&error))?)))
    }
}

/// Reads the Registry's terms and asks its gate.
async fn terms_and_turn(
    session: &Session,
    simulator: &mut Simulator,
    executor: Address,
) -> Result<(Terms, Turn)> {
    let next = simulator.next_block(simulator.head().timestamp + 1);
    let terms = Terms::read(simulator, &next, session.contracts.registry)
        .await
        .wrap_err("the Registry cannot be simulated")?
        .ok_or_else(|| {
            Problem::new("the contract does not answer as a Registry").hint("check --deployment")
        })?;
    let turn = turn(simulator, &next, &session.contracts, terms.gate, executor, &[RequestId(0)])
        .await
        .wrap_err("the gate cannot be simulated")?;
    match &turn {
        Turn::Granted { .. } | Turn::Refused => Ok((terms, turn)),
        Turn::Failed { reason } => {
            Err(Problem::new(format!("the gate reverts, so nobody may execute: {}", revert_text(reason)))
                .hint("`errand status` shows gate and epoch")
                .into())
        }
        Turn::Unknown { reason } => {
            Err(Problem::new(format!("the gate cannot be simulated: {reason}")).hint("check --fork").into())
        }
    }
}

/// Seconds that the host's clock is ahead of a block.
fn seconds_ahead(timestamp: u64, now: SystemTime) -> i64 {
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    now.cast_signed().saturating_sub(timestamp.cast_signed())
}

/// What is wrong with the host's clock, when it is so much ahead of the head.
fn clock_warning(head_age: i64) -> Option<String> {
    let seconds = head_age.unsigned_abs();
    (seconds > TOLERANCE).then(|| match head_age {
        0.. => format!(
            "the last block is {seconds} s old: either the chain stands still, or this host's clock is ahead and \
             makes timers look due that are not"
        ),
        _ => format!(
            "the last block is {seconds} s in the future: this host's clock is behind, or the chain's is ahead"
        ),
    })
}

impl Records {
    /// What could not be looked at.
    fn warning(&self) -> Option<String> {
        let Self::InUse(pid) = self else { return None };
        let process = pid.map(|pid| format!(" (process {pid})")).unwrap_or_default();
        Some(format!(
            "a keeper{process} runs with the journal: what it has in flight, and whether the file is sound and of this \
             chain, is not checked"
        ))
    }
}

impl Findings<'_> {
    fn print(&self) -> Result<()> {
        let warnings: Vec<_> =
            clock_warning(self.head_age).into_iter().chain(self.records.warning()).collect();
        warnings.iter().for_each(warn);
        let in_flight = match self.records {
            Records::InFlight(in_flight) => Some(in_flight),
            Records::None | Records::InUse(_) => None,
        };
        let value = json!({
            "node": self.session.endpoint.url(),
            "chainId": self.session.endpoint.chain_id(),
            "executor": self.executor,
            "balanceWei": self.balance.to_string(),
            "journal": self.journal,
            "inFlight": in_flight,
            "isJournalInUse": matches!(self.records, Records::InUse(_)),
            "writeSource": self.source,
            "gate": self.terms.gate,
            "turn": self.turn.as_str(),
            "autoPerEthBase": self.terms.auto_per_eth.map(|price| price.to_string()),
            "registered": self.registered,
            "bundles": self.bundles,
            "headAgeSeconds": self.head_age,
            "warnings": warnings,
        });
        self.session.format.print(&value, || match self.bundles.as_deref() {
            None | Some([]) => pairs(self.rows()),
            Some(bundles) => format!("{}\n\n{}", pairs(self.rows()), listing(bundles)),
        })
    }

    fn rows(&self) -> [(&'static str, String); 8] {
        let Self { session, executor, .. } = self;
        let (url, chain) = (session.endpoint.url(), session.endpoint.chain_id());
        let (deployment, journal) = (&session.deployment, self.journal.display());
        let contracts = deployment.contracts().len();
        [
            ("node", format!("{url}, chain {chain}")),
            ("contracts", format!("{contracts} of {}, all as recorded", deployment.path().display())),
            ("executor", format!("{executor} with {}", eth_text(self.balance))),
            (
                "journal",
                match self.records {
                    Records::InFlight(in_flight) => {
                        format!("{journal}, {in_flight} transaction(s) in flight")
                    }
                    Records::InUse(_) => format!("{journal}, in use by a keeper that runs"),
                    Records::None => format!("{journal}, made by the first run"),
                },
            ),
            ("changes", format!("told by {}", self.source)),
            (
                "may execute",
                match &self.turn {
                    Turn::Granted { until, .. } => format!("yes, through block {until}"),
                    _ => "not now: it is somebody else's turn".to_owned(),
                },
            ),
            ("registered", format!("{} Requests", self.registered)),
            (
                "bundles",
                match &self.bundles {
                    Some(bundles) => format!("{} approved", bundles.len()),
                    None => "left alone".to_owned(),
                },
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_clock_that_is_wrong_is_warned_of() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(seconds_ahead(1_000, at(1_400)), 400);
        assert_eq!(seconds_ahead(1_000, at(600)), -400);
        assert_eq!((clock_warning(30), clock_warning(-30)), (None, None));
        assert!(clock_warning(3_600).unwrap().contains("3600 s old"));
        assert!(clock_warning(-3_600).unwrap().contains("3600 s in the future"));
    }
}
