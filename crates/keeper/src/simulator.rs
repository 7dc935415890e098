//! Simulations on the state at the head: the mirror, and what is loaded into it when a run misses something.

use alloy::primitives::{Address, U256};
use errand_chain::{LoadError, StateLoader, Tracked};
use errand_sim::{
    BaseFeeRule, Changes, InsertError, Mirror, NotTheNextBlock, Run, Runner, SimConfig, UndoError,
};
use errand_types::{BlockHead, CallSpec, NextBlock, Slot, StateKeys, WriteSet};
use std::collections::BTreeSet;

/// How often missing state is loaded and the run repeated before it counts as unknown. Each round finds at
/// least the next step of a chain of pointers.
const LOAD_ROUNDS: usize = 24;

/// Why nothing can be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The state could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What was loaded is not of the block that the mirror is at.
    #[error(transparent)]
    Insert(#[from] InsertError),
    /// A block does not follow the mirror's.
    #[error(transparent)]
    Apply(#[from] NotTheNextBlock),
    /// A job without a transaction.
    #[error("there is nothing to run")]
    NothingToRun,
    /// A block cannot be taken back.
    #[error(transparent)]
    Undo(#[from] UndoError),
}

/// What is to be run.
#[derive(Clone, Debug)]
pub enum Job {
    /// A single frame, as a target's check.
    Frame {
        /// The call.
        call: CallSpec,
        /// What transient slots hold when it starts.
        transient: Vec<(Slot, U256)>,
    },
    /// Whole transactions, one after the other, of which the last one counts.
    Transactions(Vec<CallSpec>),
}

/// Runs calls on the state after one block, with the environment of the next.
#[derive(Debug)]
pub struct Simulator {
    mirror: Mirror,
    config: SimConfig,
    loader: StateLoader,
}

impl Simulator {
    /// An empty mirror of the state after `head`.
    pub fn new(loader: StateLoader, config: SimConfig, head: BlockHead) -> Self {
        Self { mirror: Mirror::new(head), config, loader }
    }

    /// The block whose state it is.
    pub const fn head(&self) -> &BlockHead {
        self.mirror.head()
    }

    /// What is mirrored.
    pub const fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// The environment of the next block, when its Unix time is `timestamp`.
    pub fn next_block(&self, timestamp: u64) -> NextBlock {
        errand_sim::next_block(self.head(), BaseFeeRule::ETHEREUM, timestamp)
    }

    /// A block became the head.
    pub fn apply(&mut self, head: &BlockHead, writes: &WriteSet) -> Result<Changes, SimulatorError> {
        Ok(self.mirror.apply(*head, writes)?)
    }

    /// The head is not canonical any more.
    pub fn undo(&mut self, head: &BlockHead) -> Result<Changes, SimulatorError> {
        Ok(self.mirror.undo(head.hash)?)
    }

    /// Runs every job. What a run misses is loaded at the head, for all of them together, and the run is
    /// repeated; a run that still misses something is unknown.
    pub async fn run_all(&mut self, next: &NextBlock, jobs: &[Job]) -> Result<Vec<Run>, SimulatorError> {
        let mut runs: Vec<Option<Run>> = vec![None; jobs.len()];
        for _ in 0..LOAD_ROUNDS {
            let missing = self.run_missing(next, jobs, &mut runs);
            let Some(keys) = missing.keys() else { break };
            let head = self.head().hash;
            let state = self.loader.load(head, &keys).await?;
            self.mirror.insert(head, state)?;
        }
        Ok(runs.into_iter().flatten().collect())
    }

    /// Runs one job.
    pub async fn run_one(&mut self, next: &NextBlock, job: Job) -> Result<Run, SimulatorError> {
        self.run_all(next, &[job]).await?.pop().ok_or(SimulatorError::NothingToRun)
    }

    /// Runs the jobs that have not been run, or that missed something when they were.
    fn run_missing(&self, next: &NextBlock, jobs: &[Job], runs: &mut [Option<Run>]) -> Missing {
        let mut runner = Runner::new(&self.config, &self.mirror, next);
        let mut missing = Missing::default();
        for (job, done) in jobs.iter().zip(runs) {
            if done.as_ref().is_some_and(|run| run.outcome.missing().is_none()) {
                continue;
            }
            *done = match job {
                Job::Frame { call, transient } => Some(runner.run_call(call, transient)),
                Job::Transactions(calls) => runner.run_transactions(calls).pop(),
            };
            if let Some(keys) = done.as_ref().and_then(|run| run.outcome.missing()) {
                missing.add(keys);
            }
        }
        missing
    }
}

impl Tracked for Simulator {
    fn all(&self) -> StateKeys {
        self.mirror.tracked()
    }

    fn has_account(&self, address: Address) -> bool {
        self.mirror.account(address).is_some()
    }

    fn slots_of(&self, address: Address) -> Vec<Slot> {
        self.mirror.tracked().slots.into_iter().filter(|slot| slot.address == address).collect()
    }
}

/// Keys without doubles.
#[derive(Default)]
struct Missing {
    accounts: BTreeSet<Address>,
    slots: BTreeSet<Slot>,
}

impl Missing {
    fn add(&mut self, keys: &StateKeys) {
        self.accounts.extend(&keys.accounts);
        self.slots.extend(&keys.slots);
    }

    fn keys(self) -> Option<StateKeys> {
        let keys = StateKeys {
            accounts: self.accounts.into_iter().collect(),
            slots: self.slots.into_iter().collect(),
        };
        (!keys.is_empty()).then_some(keys)
    }
}
