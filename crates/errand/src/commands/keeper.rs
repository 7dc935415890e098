//! `errand keeper`: execute others' calls and be paid.

use crate::{
    amount::{Auto, Eth, GasPrice, eth_text},
    cli::Global,
    keys::KeyArgs,
    logging::LogFormat,
    output::{Progress, pairs},
    preview::simulator,
    problem::Problem,
    revert::revert_text,
    session::{Asking, Session},
};
use alloy::{eips::BlockNumberOrTag, network::EthereumWallet, primitives::Address, providers::Provider};
use clap::{Args, Subcommand};
use errand_chain::{StateLoader, WriteSets};
use errand_journal::{Identity, Journal, JournalError};
use errand_keeper::{
    AutoValue, BlockReport, Keeper, KeeperError, Observer, Policy, ProfitRule, Sender, Terms, Turn,
    turn::turn,
};
use errand_sim::{Fork, SimConfig};
use errand_submit::{SubmitConfig, SubmitError};
use errand_types::RequestId;
use eyre::{Report, Result, WrapErr, eyre};
use serde_json::{Value, json};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// A keeper follows the chain, finds Requests whose call succeeds and whose fee pays, and executes them while
/// the gate lets its account.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: look first, rehearse, then run:
  errand keeper check --account worker
  errand keeper run --account worker --dry-run
  errand keeper run --account worker --min-profit 0.0001ether --stats keeper.jsonl")]
pub(crate) enum Command {
    /// Follow the chain and execute what pays
    Run(Box<Run>),
    /// Check that a keeper could run: node, contracts, account, journal, right to execute
    Check(Check),
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

/// Where a keeper records what it does.
#[derive(Args, Clone, Debug)]
struct JournalArgs {
    /// File that records what was sent, so that nothing is sent twice after a crash. One journal has one keeper.
    /// Default: ~/.errand/<chainId>-<account>.sqlite
    #[arg(long, value_name = "PATH", env = "ERRAND_JOURNAL", help_heading = "Records")]
    journal: Option<PathBuf>,
}

impl JournalArgs {
    fn path(&self, chain_id: u64, account: Address) -> Result<PathBuf> {
        if let Some(path) = &self.journal {
            return Ok(path.clone());
        }
        let home = dirs::home_dir().ok_or_else(|| {
            Problem::usage("the home directory is not known, so there is no place for the journal")
                .hint("name a file with --journal PATH")
        })?;
        Ok(home.join(".errand").join(format!("{chain_id}-{account}.sqlite")))
    }

    fn open(&self, session: &Session, account: Address) -> Result<(Journal, PathBuf)> {
        let identity =
            Identity { chain_id: session.endpoint.chain_id(), registry: session.contracts.registry, account };
        let path = self.path(identity.chain_id, account)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).wrap_err_with(|| {
                Problem::new(format!("the folder {} cannot be made", folder.display()))
                    .hint("name another file with --journal PATH")
            })?;
        }
        let journal = Journal::open(&path, identity).map_err(|error| journal_problem(&error))?;
        Ok((journal, path))
    }
}

fn journal_problem(error: &JournalError) -> Report {
    let hint = match error {
        JournalError::InUse { .. } => {
            "stop the other keeper, or give this one a key and a journal of its own"
        }
        JournalError::OtherIdentity { .. } => "name another file with --journal PATH",
        JournalError::Newer { .. } => "use the newer program",
        _ => "look at the file and at the disk it is on",
    };
    Problem::new(error.to_string()).hint(hint).into()
}

/// Follows the chain from the head on and executes what pays. The first start reads the Registry's logs; later
/// ones only what is new, from the journal.
///
/// Ctrl-C or SIGTERM ends it: what is in flight stays recorded, and the next start goes on with it. Standard
/// error tells what it does.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand keeper run --account worker --rpc ws://127.0.0.1:8545
  errand keeper run --account worker --password-file pw --min-profit 0.0001ether --log-format json
  errand keeper run --dry-run --executor 0x7099…    what it would do, without a key")]
pub(crate) struct Run {
    #[command(flatten)]
    judgement: Judgement,
    #[command(flatten)]
    journal: JournalArgs,
    /// Read logs only so far back on the first start, such as 30d. Default: from the Registry's deployment on
    #[arg(long, value_name = "DURATION", env = "ERRAND_SINCE", value_parser = humantime::parse_duration)]
    since: Option<Duration>,
    /// Append one JSON line per block to this file
    #[arg(long, value_name = "PATH", env = "ERRAND_STATS", help_heading = "Records")]
    stats: Option<PathBuf>,
    /// Do everything but send, and tell the profit it would have made
    #[arg(long, env = "ERRAND_DRY_RUN")]
    dry_run: bool,
    /// With --dry-run and without a key: the account to decide for
    #[arg(long, value_name = "ADDRESS", env = "ERRAND_EXECUTOR", requires = "dry_run")]
    executor: Option<Address>,
    /// Blocks after which a transaction counts as final
    #[arg(long, value_name = "N", env = "ERRAND_CONFIRMATIONS", default_value_t = 3)]
    confirmations: u64,
    /// How log lines look
    #[arg(
        long,
        value_name = "FORMAT",
        env = "ERRAND_LOG_FORMAT",
        default_value = "text",
        help_heading = "Records"
    )]
    pub(crate) log_format: LogFormat,
    #[command(flatten)]
    key: KeyArgs,
}

impl Run {
    async fn run(&self, global: &Global) -> Result<()> {
        let signer = match self.executor {
            Some(_) if !self.key.is_given() => None,
            _ => Some(self.key.load()?),
        };
        let session = Session::open(global).await?;
        let executor = match (self.executor, &signer) {
            (Some(executor), _) => executor,
            (None, Some(signer)) => signer.address(),
            (None, None) => return Err(eyre!("no account to execute with")),
        };
        let policy = self.judgement.policy(executor);
        let journal = if self.dry_run {
            // A rehearsal must not stand in the way of the real keeper.
            let identity = Identity {
                chain_id: session.endpoint.chain_id(),
                registry: session.contracts.registry,
                account: executor,
            };
            Journal::in_memory(identity).map_err(|error| journal_problem(&error))?
        } else {
            self.journal.open(&session, executor)?.0
        };
        let sender = signer.filter(|_| !self.dry_run).map(|signer| Sender {
            wallet: EthereumWallet::from(signer),
            config: SubmitConfig {
                confirmations: self.confirmations,
                max_gas_price: policy.rule.max_gas_price.unwrap_or(u128::MAX),
                ..SubmitConfig::default()
            },
        });
        let mut recorder = Recorder::open(self.stats.as_deref(), self.dry_run)?;
        let first_block = self.first_block(&session).await?;
        let head = session.head().await?;
        let keeper = Keeper {
            endpoint: session.endpoint.clone(),
            contracts: session.contracts,
            policy,
            sim: SimConfig::new(session.endpoint.chain_id(), self.judgement.fork),
            journal,
            sender,
            first_block,
        };
        let stop = CancellationToken::new();
        stop_on_signal(stop.clone())?;
        tracing::info!(%executor, chain = session.endpoint.chain_id(), dry_run = self.dry_run, "keeper starts");
        let mut progress = Progress::blocks(first_block, head.number);
        let result = keeper.run(stop, &mut progress, &mut recorder).await;
        tracing::info!("keeper stopped");
        result.map_err(keeper_problem)
    }

    /// The first block whose logs are read.
    async fn first_block(&self, session: &Session) -> Result<u64> {
        let deployed = session.contracts.registry_block;
        let Some(since) = self.since else { return Ok(deployed) };
        let head = session.head().await?;
        let wanted = head.timestamp.saturating_sub(since.as_secs());
        let (mut low, mut high) = (deployed, head.number);
        // The first block that is not older; timestamps never fall.
        while low < high {
            let middle = low + (high - low) / 2;
            if timestamp(session, middle).await? < wanted { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}

async fn timestamp(session: &Session, number: u64) -> Result<u64> {
    let block = session
        .provider
        .get_block_by_number(BlockNumberOrTag::Number(number))
        .await
        .wrap_err("the node does not tell blocks")?
        .ok_or_else(|| eyre!("the node has no block {number}"))?;
    Ok(block.header.timestamp)
}

fn keeper_problem(error: KeeperError) -> Report {
    let hint = match &error {
        KeeperError::Journal(error) | KeeperError::Submit(SubmitError::Journal(error)) => {
            return journal_problem(error);
        }
        KeeperError::Submit(SubmitError::InsufficientFunds { .. }) => "send ETH to the executor's account",
        _ => "`errand keeper check` looks at node, contracts and account one by one",
    };
    Problem::new(format!("the keeper stopped: {error}")).hint(hint).into()
}

/// Ends the keeper on Ctrl-C and SIGTERM; the second signal ends the process.
fn stop_on_signal(stop: CancellationToken) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).wrap_err("SIGTERM cannot be caught")?;
    let mut interrupt = signal(SignalKind::interrupt()).wrap_err("SIGINT cannot be caught")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping; once more to stop at once");
        stop.cancel();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // What is in flight is recorded before it is sent: the next start goes on with it.
        std::process::exit(i32::from(crate::problem::EXIT_FAILURE));
    });
    Ok(())
}

/// Writes what the keeper tells: log lines for people, JSON lines for machines.
struct Recorder {
    file: Option<File>,
    dry_run: bool,
}

impl Recorder {
    fn open(path: Option<&Path>, dry_run: bool) -> Result<Self> {
        let file = path
            .map(|path| {
                OpenOptions::new().create(true).append(true).open(path).wrap_err_with(|| {
                    Problem::new(format!("the file {} cannot be written", path.display()))
                        .hint("name another with --stats PATH")
                })
            })
            .transpose()?;
        Ok(Self { file, dry_run })
    }

    fn write(&mut self, line: &Value) {
        let Some(file) = &mut self.file else { return };
        // A full disk must not stop the keeper for the sake of its statistics.
        if let Err(error) = writeln!(file, "{line}") {
            tracing::warn!(%error, "statistics are not written any more");
            self.file = None;
        }
    }
}

impl Observer for Recorder {
    fn synced(&mut self, number: u64, outstanding: usize, outside: usize) {
        tracing::info!(block = number, outstanding, outside, "the book is complete");
        self.write(&json!({ "synced": number, "outstanding": outstanding, "outside": outside }));
    }

    fn block(&mut self, report: &BlockReport) {
        for sent in &report.sent {
            let profit = sent.balance.profit().unwrap_or_default();
            let what = if self.dry_run { "would send" } else { "sent" };
            tracing::info!(block = report.number, requests = ?sent.requests, gas = sent.gas, profit = eth_text(profit), "{what}");
        }
        for mined in &report.mined {
            let cost = eth_text(mined.cost_wei);
            tracing::info!(block = report.number, tx = %mined.tx, success = mined.success, gas = mined.gas_used, cost, "in a block");
        }
        match serde_json::to_value(report) {
            Ok(line) => self.write(&line),
            Err(error) => tracing::warn!(%error, "a block's statistics cannot be written"),
        }
    }
}

/// Checks against the live chain that a keeper could run, and exits with 1 and the reason when it could not.
/// That it is not the account's turn right now is told and is no failure.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand keeper check --account worker --rpc ws://127.0.0.1:8545")]
pub(crate) struct Check {
    #[command(flatten)]
    judgement: Judgement,
    #[command(flatten)]
    journal: JournalArgs,
    #[command(flatten)]
    key: KeyArgs,
}

impl Check {
    async fn run(&self, global: &Global) -> Result<()> {
        let executor = self.key.load()?.address();
        let session = Session::open(global).await?;
        let balance = session.balance(executor).await?;
        if balance.is_zero() {
            return Err(Problem::new(format!("the executor {executor} has no ETH to buy gas with"))
                .hint("send ETH to the account")
                .into());
        }
        let (journal, path) = self.journal.open(&session, executor)?;
        let in_flight = journal.unsettled().map_err(|error| journal_problem(&error))?.len();

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
            Turn::Granted { until } => format!("yes, through block {until}"),
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
        let registered =
            session.registry().getHashedReqsLen().call().await.asking("the number of Requests")?;
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
            "registered": registered.to_string(),
        });
        session.format.print(&value, || {
            pairs([
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
                ("journal", format!("{}, {in_flight} transaction(s) in flight", path.display())),
                ("changes", format!("told by {}", writes.source())),
                ("may execute", turn_text),
                ("registered", format!("{registered} Requests")),
            ])
        })
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
