//! Simulations on the state at the head: the mirror, and what is loaded into it when a run misses something.

use alloy::primitives::Address;
use errand_chain::{LoadError, StateLoader, Tracked};
use errand_sim::{Changes, Mirror, MirrorError, Outcome, Run, Runner, SimConfig, Unknown};
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
    /// The mirror and the chain do not fit together.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
}

/// What is to be run.
#[derive(Clone, Debug)]
pub enum Job {
    /// A single frame, as a target's check.
    Frame(CallSpec),
    /// Whole transactions, one after the other, of which the last one counts.
    Transactions(Vec<CallSpec>),
}

/// Runs calls on the state after one block, with the environment of the next.
#[derive(Debug)]
pub struct Simulator {
    mirror: Mirror,
    runner: Runner,
    loader: StateLoader,
    head: BlockHead,
}

impl Simulator {
    /// An empty mirror of the state after `head`.
    pub fn new(loader: StateLoader, config: SimConfig, head: BlockHead) -> Self {
        Self { mirror: Mirror::new(head), runner: Runner::new(config), loader, head }
    }

    /// The block whose state it is.
    pub const fn head(&self) -> &BlockHead {
        &self.head
    }

    /// What is mirrored.
    pub const fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// A block became the head.
    pub fn apply(&mut self, head: &BlockHead, writes: &WriteSet) -> Result<Changes, SimulatorError> {
        let changes = self.mirror.apply(head, writes)?;
        self.head = *head;
        Ok(changes)
    }

    /// The head is not canonical any more; `parent` is the head.
    pub fn undo(&mut self, head: &BlockHead, parent: &BlockHead) -> Result<Changes, SimulatorError> {
        let changes = self.mirror.undo(head)?;
        self.head = *parent;
        Ok(changes)
    }

    /// Runs every job. What a run misses is loaded at the head, for all of them together, and the run is
    /// repeated; a run that still misses something is unknown.
    pub async fn run_all(&mut self, next: &NextBlock, jobs: &[Job]) -> Result<Vec<Run>, SimulatorError> {
        let mut runs: Vec<Option<Run>> = vec![None; jobs.len()];
        for _ in 0..LOAD_ROUNDS {
            let mut missing = Missing::default();
            for (job, done) in jobs.iter().zip(&mut runs) {
                let repeat = match done {
                    None => true,
                    Some(run) => matches!(run.outcome, Outcome::Unknown(Unknown::Missing(_))),
                };
                if repeat {
                    let run = self.run(next, job);
                    if let Outcome::Unknown(Unknown::Missing(keys)) = &run.outcome {
                        missing.add(keys);
                    }
                    *done = Some(run);
                }
            }
            let Some(keys) = missing.keys() else { break };
            let state = self.loader.load(self.head.hash, &keys).await?;
            self.mirror.insert(self.head.number, state);
        }
        Ok(runs.into_iter().flatten().collect())
    }

    /// Runs one job.
    pub async fn run_one(&mut self, next: &NextBlock, job: Job) -> Result<Run, SimulatorError> {
        let runs = self.run_all(next, &[job]).await?;
        Ok(runs.into_iter().next().unwrap_or_else(|| Run::unknown("nothing was run")))
    }

    fn run(&mut self, next: &NextBlock, job: &Job) -> Run {
        match job {
            Job::Frame(call) => self.runner.run_call(&self.mirror, next, call),
            Job::Transactions(calls) => {
                let last = self.runner.run_transactions(&self.mirror, next, calls).pop();
                last.unwrap_or_else(|| Run::unknown("nothing was run"))
            }
        }
    }
}

impl Tracked for Simulator {
    fn all(&self) -> StateKeys {
        self.mirror.tracked()
    }

    fn has_account(&self, address: Address) -> bool {
        self.mirror.has_account(address)
    }

    fn slots_of(&self, address: Address) -> Vec<Slot> {
        self.mirror.slots_of(address)
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
