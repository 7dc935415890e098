//! `errand keeper run`

use super::{
    Judgement,
    bundles::{BundleArgs, verdict},
    journal::{JournalArgs, identity, journal_problem},
};
use crate::{
    amount::eth_text, cli::Global, keys::KeyArgs, logging::LogFormat, output::Progress, problem::Problem,
    session::Session,
};
use alloy::{eips::BlockNumberOrTag, network::EthereumWallet, primitives::Address, providers::Provider};
use clap::{Args, builder::BoolishValueParser};
use errand_journal::Journal;
use errand_keeper::{BlockReport, Keeper, KeeperError, Observer, Sender};
use errand_sim::SimConfig;
use errand_submit::{SubmitConfig, SubmitError};
use eyre::{Report, Result, WrapErr, eyre};
use serde_json::{Value, json};
use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Follow the chain and execute what pays
///
/// It begins at the head. The first start reads the Registry's logs; later
/// ones only what is new, from the journal.
///
/// Ctrl-C or SIGTERM ends it: what is in flight stays recorded, and the next start goes on with it. Standard
/// error tells what it does.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand keeper run --account worker --rpc ws://127.0.0.1:8545
  errand keeper run --account worker --password-file pw --log-format json
  errand keeper run --dry-run --executor 0x7099…    rehearse without a key")]
pub(crate) struct Run {
    #[command(flatten)]
    judgement: Judgement,
    #[command(flatten)]
    bundles: BundleArgs,
    /// Tell with each block what is done about every bundle, and why not more, with the numbers
    #[arg(long, env = "ERRAND_EXPLAIN", value_parser = BoolishValueParser::new(), help_heading = "Bundles")]
    explain: bool,
    #[command(flatten)]
    journal: JournalArgs,
    /// Read logs only so far back on the first start, such as 30d. Default: from the Registry's deployment on
    #[arg(long, value_name = "DURATION", env = "ERRAND_SINCE", value_parser = humantime::parse_duration)]
    since: Option<Duration>,
    /// Append one JSON line per block to this file
    #[arg(long, value_name = "PATH", env = "ERRAND_STATS", help_heading = "Records")]
    stats: Option<PathBuf>,
    /// Do everything but send, and tell the profit it would have made
    #[arg(long, env = "ERRAND_DRY_RUN", value_parser = BoolishValueParser::new())]
    dry_run: bool,
    /// With --dry-run and without a key: the account to decide for
    #[arg(long, value_name = "ADDRESS", env = "ERRAND_EXECUTOR", value_parser = crate::calldata::address, requires = "dry_run")]
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
    pub(super) async fn run(&self, global: &Global) -> Result<()> {
        let signer = match self.executor {
            Some(_) if !self.key.is_given() => None,
            _ if self.dry_run => {
                Some(self.key.load_or("name the account to decide for: --executor ADDRESS")?)
            }
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
            Journal::in_memory(identity(&session, executor).await?)
                .map_err(|error| journal_problem(&error))?
        } else {
            self.journal.open(&session, executor).await?
        };
        let sender = signer.filter(|_| !self.dry_run).map(|signer| Sender {
            wallet: EthereumWallet::from(signer),
            config: SubmitConfig {
                confirmations: self.confirmations,
                // Without a limit of the operator's the default one holds: it bounds what a lying node can cost.
                max_gas_price: policy.rule.max_gas_price.unwrap_or(SubmitConfig::default().max_gas_price),
                ..SubmitConfig::default()
            },
        });
        let mut recorder = Recorder::open(self.stats.as_deref(), self.dry_run, self.explain)?;
        let bundles = self.bundles.setup(&session).await?;
        let first_block = self.first_block(&session).await?;
        let head = session.head().await?;
        let keeper = Keeper {
            endpoint: session.endpoint.clone(),
            contracts: session.contracts,
            policy,
            bundles,
            sim: SimConfig::new(session.endpoint.chain_id(), self.judgement.fork),
            journal,
            sender,
            first_block,
        };
        let stop = CancellationToken::new();
        stop_on_signal(stop.clone())?;
        if keeper.sender.is_some() && session.balance(executor).await?.is_zero() {
            tracing::warn!(%executor, "the executor has no ETH to buy gas with: nothing is executed until it gets some");
        }
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
    explain: bool,
}

impl Recorder {
    fn open(path: Option<&Path>, dry_run: bool, explain: bool) -> Result<Self> {
        let file = path
            .map(|path| {
                OpenOptions::new().create(true).append(true).open(path).wrap_err_with(|| {
                    Problem::new(format!("the file {} cannot be written", path.display()))
                        .hint("name another with --stats PATH")
                })
            })
            .transpose()?;
        Ok(Self { file, dry_run, explain })
    }

    fn write(&mut self, line: &Value) {
        let Some(file) = &mut self.file else { return };
        // A full disk must not stop the keeper for the sake of its statistics.
        // In one piece, so that who reads along sees no half line.
        if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
            tracing::warn!(%error, "statistics are not written any more");
            self.file = None;
        }
    }
}

impl Observer for Recorder {
    fn synced(&mut self, number: u64, outstanding: usize, outside: usize) {
        self.write(&json!({ "synced": number, "outstanding": outstanding, "outside": outside }));
    }

    fn block(&mut self, report: &BlockReport) {
        // What is really sent is logged by the keeper itself.
        for sent in report.sent.iter().filter(|_| self.dry_run) {
            let profit = eth_text(sent.balance.profit().unwrap_or_default());
            tracing::info!(block = report.number, requests = %errand_types::listed(&sent.requests), gas = sent.gas, profit, "would send");
        }
        for told in report.bundles.iter().filter(|told| self.explain || (self.dry_run && told.step.is_some()))
        {
            let (block, verdict) = (report.number, verdict(told));
            tracing::info!(block, bundle = %told.id, manager = %told.manager, "{verdict}");
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
