//! `errand stake`: the right to execute, by stake.

use crate::{
    amount::auto_text,
    cli::{Global, Signing},
    commands::{duration_text, sent_json, sent_text},
    keys::KeyArgs,
    output::{Progress, note, pairs},
    problem::Problem,
    revert::{revert_data, revert_text},
    send::{Account, Step},
    session::{Asking, Session},
};
use alloy::{
    primitives::{Address, U256},
    providers::DynProvider,
};
use clap::{Args, Subcommand};
use errand_bindings::{IAutoToken, IStakeManager, IStakeManager::IStakeManagerInstance};
use errand_types::Auto;
use eyre::Result;
use serde_json::json;

/// Stake AUTO for the right to execute
///
/// Time is divided into epochs of a fixed number of blocks. In each, one staker is drawn in proportion to its
/// stake, and its worker alone may execute. With 50 of 150 staked AUTO you hold a third of all epochs.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: stake with the cold key, execute with a hot one:
  errand stake add 100auto --account cold
  errand stake worker 0x7099… --account cold
  errand keeper run --account hot")]
pub(crate) enum Command {
    Add(Add),
    Remove(Remove),
    Claim(Claim),
    Worker(Worker),
    Status(Status),
}

impl Command {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        match self {
            Self::Add(command) => command.run(global).await,
            Self::Remove(command) => command.run(global).await,
            Self::Claim(command) => command.run(global).await,
            Self::Worker(command) => command.run(global).await,
            Self::Status(command) => command.run(global).await,
        }
    }
}

/// Stake AUTO
///
/// Adds to your stake. It weighs from the next epoch on. Where the StakeManager's allowance is too small, an
/// approval of exactly this amount goes first; both are shown before you consent. In an epoch's last blocks,
/// while the next draw may be foreseeable, stakes cannot change: try again when the epoch is over.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand stake add 100auto --account cold")]
pub(crate) struct Add {
    /// Such as 100auto
    amount: Auto,
    #[command(flatten)]
    signing: Signing,
}

impl Add {
    async fn run(&self, global: &Global) -> Result<()> {
        let Auto(amount) = self.amount;
        let session = Session::open(global).await?;
        let account = Account::load(&session, &self.signing)?;
        let manager = session.stake_manager()?;
        let token = session.auto_token();
        let balance = token.balanceOf(account.address()).call().await.asking("the AUTO balance")?;
        if balance < amount {
            return Err(Problem::new(format!(
                "{} has {}, and {} are to be staked",
                account.address(),
                auto_text(balance),
                auto_text(amount)
            ))
            .hint("get AUTO first, or stake less")
            .into());
        }
        let allowance =
            token.allowance(account.address(), *manager.address()).call().await.asking("the allowance")?;
        let mut steps = Vec::new();
        if allowance < amount {
            let approve = IAutoToken::approveCall { spender: *manager.address(), value: amount };
            let purpose = format!("let the StakeManager take {}", auto_text(amount));
            steps.push(Step::call(purpose, *token.address(), &approve));
        }
        let purpose = format!("stake {}", auto_text(amount));
        steps.push(Step::call(purpose, *manager.address(), &IStakeManager::stakeCall { amount }));
        let sent = account.send(&steps).await?;
        session.format.print(&sent_json(&sent), || {
            format!(
                "{}\n\nIt weighs from the next epoch on: `errand stake status` shows when.",
                sent_text(&sent)
            )
        })
    }
}

/// Unstake AUTO
///
/// Takes AUTO out of your stake. The weight falls from the next epoch on; if you are this epoch's executor you
/// stay it. The tokens can be claimed after one full epoch.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand stake remove 40auto --account cold
  errand stake claim --account cold            an epoch later")]
pub(crate) struct Remove {
    /// Such as 40auto
    amount: Auto,
    #[command(flatten)]
    signing: Signing,
}

impl Remove {
    async fn run(&self, global: &Global) -> Result<()> {
        let Auto(amount) = self.amount;
        let session = Session::open(global).await?;
        let account = Account::load(&session, &self.signing)?;
        let manager = session.stake_manager()?;
        let unstake = IStakeManager::unstakeCall { amount };
        let step = Step::call(format!("unstake {}", auto_text(amount)), *manager.address(), &unstake);
        let sent = account.send(&[step]).await?;
        let unstaking = manager.unstakingOf(account.address()).call().await.asking("what is unstaked")?;
        let value = json!({
            "transactions": sent,
            "unstakingAutoBase": unstaking.amount.to_string(),
            "claimableFromEpoch": unstaking.claimableFrom.saturating_to::<u64>(),
        });
        session.format.print(&value, || {
            format!(
                "{}\n\n{} can be claimed from epoch {} on: `errand stake claim`.",
                sent_text(&sent),
                auto_text(unstaking.amount),
                unstaking.claimableFrom
            )
        })
    }
}

/// Take unstaked AUTO back
///
/// Sends what you unstaked, and may take by now, to you or to an address that you name.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand stake claim --account cold
  errand stake claim --to 0x7099… --account cold")]
pub(crate) struct Claim {
    /// Who gets the tokens. Default: the staker
    #[arg(long, value_name = "ADDRESS", env = "ERRAND_TO", value_parser = crate::calldata::address)]
    to: Option<Address>,
    #[command(flatten)]
    signing: Signing,
}

impl Claim {
    async fn run(&self, global: &Global) -> Result<()> {
        let session = Session::open(global).await?;
        let account = Account::load(&session, &self.signing)?;
        let manager = session.stake_manager()?;
        let to = self.to.unwrap_or(account.address());
        let claimable = manager.claimableOf(account.address()).call().await.asking("what can be claimed")?;
        if claimable.is_zero() {
            let unstaking = manager.unstakingOf(account.address()).call().await.asking("what is unstaked")?;
            let epoch = manager.currentEpoch().call().await.asking("the epoch")?;
            let problem = Problem::new(format!("{} can claim nothing now", account.address()));
            return Err(match unstaking.amount.is_zero() {
                true => problem.hint("nothing is unstaked: `errand stake remove AMOUNT` comes first"),
                false => problem.hint(format!(
                    "{} can be claimed from epoch {} on, now is epoch {epoch}",
                    auto_text(unstaking.amount),
                    unstaking.claimableFrom
                )),
            }
            .into());
        }
        let purpose = format!("claim {} for {to}", auto_text(claimable));
        let sent = account
            .send(&[Step::call(purpose, *manager.address(), &IStakeManager::claimCall { to })])
            .await?;
        let value = json!({ "transactions": sent, "claimedAutoBase": claimable.to_string(), "to": to });
        session.format.print(&value, || sent_text(&sent))
    }
}

/// Name the key that executes for your stake
///
/// Names the key that executes for your stake, from the next epoch on, so that the stake's own key can stay
/// cold. The worker is paid. One worker may serve several stakes.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand stake worker 0x7099… --account cold")]
pub(crate) struct Worker {
    /// Address of the key that runs the keeper
    #[arg(value_parser = crate::calldata::address)]
    worker: Address,
    #[command(flatten)]
    signing: Signing,
}

impl Worker {
    async fn run(&self, global: &Global) -> Result<()> {
        let session = Session::open(global).await?;
        let account = Account::load(&session, &self.signing)?;
        let manager = session.stake_manager()?;
        let call = IStakeManager::setWorkerCall { worker: self.worker };
        let purpose = format!("let {} execute for your stake from the next epoch on", self.worker);
        let sent = account.send(&[Step::call(purpose, *manager.address(), &call)]).await?;
        session.format.print(&sent_json(&sent), || sent_text(&sent))
    }
}

/// Show a stake, and whose epoch it is
///
/// Shows a stake with its share of all epochs, its worker, what can be claimed, and whose epoch it is now.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand stake status                          the epoch, if no key is named
  errand stake status 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
  errand stake status --account cold --json")]
pub(crate) struct Status {
    /// The staker. Default: the key's account
    #[arg(value_parser = crate::calldata::address)]
    address: Option<Address>,
    #[command(flatten)]
    key: KeyArgs,
}

impl Status {
    async fn run(&self, global: &Global) -> Result<()> {
        let staker = match self.address {
            Some(address) => Some(address),
            None if self.key.is_given() => Some(self.key.load()?.address()),
            None => None,
        };
        let session = Session::open(global).await?;
        let manager = session.stake_manager()?;
        let gate = session.registry().gate().call().await.asking("the gate")?;
        if gate != *manager.address() {
            note(format!(
                "warning: the Registry asks another gate, {gate}: this stake gives no right to execute there"
            ));
        }
        let progress = Progress::spinner("asking the node");
        let epoch = Epoch::read(&session, &manager).await?;
        let stake = match staker {
            Some(staker) => Some(Stake::read(&manager, staker, &epoch).await?),
            None => None,
        };
        drop(progress);
        let mut value = json!({ "epoch": epoch.json() });
        if let (Some(stake), Some(object)) = (&stake, value.as_object_mut()) {
            object.insert("stake".to_owned(), stake.json());
        }
        session.format.print(&value, || {
            let mut rows = stake.as_ref().map(|stake| stake.rows(&epoch)).unwrap_or_default();
            rows.extend(epoch.rows());
            pairs(rows)
        })
    }
}

/// Whose turn it is by stake.
#[derive(Clone, Debug)]
pub(crate) struct Epoch {
    number: U256,
    blocks: U256,
    last_block: U256,
    blocks_left: u64,
    seconds_left: u64,
    total: U256,
    total_weight: U256,
    /// Staker and worker; the reason where nobody is known.
    selected: Result<(Address, Address), String>,
}

impl Epoch {
    pub(crate) async fn read(
        session: &Session,
        manager: &IStakeManagerInstance<DynProvider>,
    ) -> Result<Self> {
        let number = manager.currentEpoch().call().await.asking("the epoch")?;
        let blocks = manager.epochBlocks().call().await.asking("the length of an epoch")?;
        let block_seconds = manager.blockSeconds().call().await.asking("the seconds between blocks")?;
        let last_block = (number + U256::from(1)).saturating_mul(blocks).saturating_sub(U256::from(1));
        let head = session.head().await?;
        let blocks_left = last_block.saturating_sub(U256::from(head.number)).saturating_to::<u64>();
        let selected = match manager.selected().call().await {
            Ok(selected) => Ok((selected.staker, selected.worker)),
            // A seed that is not proven yet is a state of the epoch and no failure.
            Err(alloy::contract::Error::TransportError(error)) if revert_data(&error).is_some() => {
                Err(revert_text(&revert_data(&error).unwrap_or_default()))
            }
            Err(error) => Err(error).asking("the executor of the epoch")?,
        };
        Ok(Self {
            number,
            blocks,
            last_block,
            blocks_left,
            seconds_left: blocks_left.saturating_mul(block_seconds.saturating_to()),
            total: manager.totalStaked().call().await.asking("all stakes")?,
            total_weight: manager.totalWeight().call().await.asking("all weights")?,
            selected,
        })
    }

    fn first_block(&self) -> u64 {
        self.number.saturating_mul(self.blocks).saturating_to()
    }

    fn executor_text(&self) -> String {
        match &self.selected {
            Ok((staker, _)) if staker.is_zero() => {
                "open to all: nobody was staked when it was drawn".to_owned()
            }
            Ok((staker, worker)) if staker == worker => worker.to_string(),
            Ok((staker, worker)) => format!("{worker}, worker of {staker}"),
            Err(reason) => format!("not known: {reason}"),
        }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        let (staker, worker) = match &self.selected {
            Ok((staker, worker)) => (Some(*staker), Some(*worker)),
            Err(_) => (None, None),
        };
        json!({
            "number": self.number.saturating_to::<u64>(),
            "epochBlocks": self.blocks.saturating_to::<u64>(),
            "lastBlock": self.last_block.saturating_to::<u64>(),
            "blocksLeft": self.blocks_left,
            "secondsLeft": self.seconds_left,
            "isOpen": staker.is_some_and(|staker| staker.is_zero()),
            "staker": staker,
            "worker": worker,
            "unknownReason": self.selected.as_ref().err(),
            "totalStakedAutoBase": self.total.to_string(),
            "totalWeight": self.total_weight.to_string(),
        })
    }

    pub(crate) fn rows(&self) -> Vec<(&'static str, String)> {
        vec![
            ("epoch", format!("{} ({} blocks each)", self.number, self.blocks)),
            ("executor", self.executor_text()),
            (
                "ends",
                format!(
                    "after block {}, in {} blocks (about {})",
                    self.last_block,
                    self.blocks_left,
                    duration_text(self.seconds_left)
                ),
            ),
            ("all stakes", auto_text(self.total)),
        ]
    }
}

/// One account's stake.
struct Stake {
    staker: Address,
    amount: U256,
    weight: U256,
    worker: Address,
    /// Who executes from the next epoch on, where that is somebody else.
    next_worker: Option<Address>,
    unstaking: U256,
    claimable_from: U256,
    claimable: U256,
}

impl Stake {
    async fn read(
        manager: &IStakeManagerInstance<DynProvider>,
        staker: Address,
        epoch: &Epoch,
    ) -> Result<Self> {
        let worker = manager.workerOf(staker).call().await.asking("the worker")?;
        // What was named in this epoch counts from the next one on, and only the log tells it until then.
        let named = manager
            .WorkerSet_filter()
            .topic1(staker)
            .from_block(epoch.first_block())
            .query()
            .await
            .asking("the workers named in this epoch")?;
        let next_worker = named.last().map(|(event, _)| event.worker).filter(|next| *next != worker);
        let unstaking = manager.unstakingOf(staker).call().await.asking("what is unstaked")?;
        Ok(Self {
            staker,
            amount: manager.stakeOf(staker).call().await.asking("the stake")?,
            weight: manager.weightOf(staker).call().await.asking("the weight")?,
            worker,
            next_worker,
            unstaking: unstaking.amount,
            claimable_from: unstaking.claimableFrom,
            claimable: manager.claimableOf(staker).call().await.asking("what can be claimed")?,
        })
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "staker": self.staker,
            "stakeAutoBase": self.amount.to_string(),
            "weight": self.weight.to_string(),
            "worker": self.worker,
            "nextWorker": self.next_worker,
            "unstakingAutoBase": self.unstaking.to_string(),
            "claimableFromEpoch": self.claimable_from.saturating_to::<u64>(),
            "claimableAutoBase": self.claimable.to_string(),
        })
    }

    fn rows(&self, epoch: &Epoch) -> Vec<(&'static str, String)> {
        let mut rows = vec![
            ("staker", self.staker.to_string()),
            ("stake", auto_text(self.amount)),
            ("share", share_text(self.weight, epoch.total_weight)),
            ("worker", self.worker.to_string()),
        ];
        if let Some(next) = self.next_worker {
            rows.push((
                "next",
                format!("{next} is the worker from epoch {} on", epoch.number + U256::from(1)),
            ));
        }
        if !self.unstaking.is_zero() {
            rows.push((
                "unstaked",
                format!("{}, all of it from epoch {}", auto_text(self.unstaking), self.claimable_from),
            ));
        }
        rows.push(("can claim", auto_text(self.claimable)));
        rows
    }
}

/// A weight as a share of all, with two decimals, rounded down.
fn share_text(weight: U256, total: U256) -> String {
    match weight.saturating_mul(U256::from(10_000)).checked_div(total) {
        Some(basis_points) => {
            let basis_points = basis_points.saturating_to::<u64>();
            format!("{}.{:02} % of all epochs, as stakes are now", basis_points / 100, basis_points % 100)
        }
        None => "nobody is staked".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_down() {
        assert!(share_text(U256::from(50), U256::from(150)).starts_with("33.33 %"));
        assert!(share_text(U256::from(150), U256::from(150)).starts_with("100.00 %"));
        assert!(share_text(U256::ZERO, U256::from(1)).starts_with("0.00 %"));
        assert_eq!(share_text(U256::ZERO, U256::ZERO), "nobody is staked");
    }
}
