//! Simulations on the state at the head: the mirror, and what is loaded into it when a run misses something.

use alloy::{
    eips::BlockNumberOrTag,
    primitives::{Address, Bytes, U256},
    rpc::types::Block,
    sol_types::SolCall,
};
use errand_chain::{LoadError, StateLoader, Tracked};
use errand_sim::{
    Act, BaseFeeRule, Changes, EnvSeen, InsertError, Mirror, NotTheNextBlock, Outcome, Played, ReadSet, Run,
    Runner, SimConfig, Stage, UndoError, Unknown,
};
use errand_types::{BlockHead, CallSpec, NextBlock, Slot, StateKeys, WriteSet};
use std::collections::BTreeSet;

/// How often missing state is loaded and the run repeated before it counts as unknown. Each round finds at
/// least the next step of a chain of pointers.
const LOAD_ROUNDS: usize = 24;
/// Rounds that a run takes without counting as one that follows pointers.
const FREE_ROUNDS: usize = 8;
/// What loading a key counts as, in gas: roughly as long.
const KEY_EFFORT: u64 = 10_000;
/// Refusals after which the keys of a load are not split further.
const MAX_REFUSALS: usize = 24;
/// Rounds of a rehearsal at most: each waits for the node, and as many strangers' bundles as there are wait in a row.
const REHEARSAL_ROUNDS: usize = 32;
/// Gas that the rounds of a rehearsal after those may take together. Bundles of 300 actions take up to nine rounds.
const REHEARSAL_EFFORT: u64 = 1_000_000_000;
/// Failures to read state after which a patient simulator does not ask any more.
const MAX_FAILED_LOADS: u32 = 2;
/// Gas for reading a view.
const VIEW_GAS: u64 = 1_000_000;

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
    /// The node does not have a block that must be there.
    #[error("the node has no block {0}")]
    NoBlock(u64),
    /// A job without a transaction.
    #[error("there is nothing to run")]
    NothingToRun,
    /// A block cannot be taken back.
    #[error(transparent)]
    Undo(#[from] UndoError),
}

impl SimulatorError {
    /// Whether the node may answer when it is asked again: it did not answer, or it lags. What contradicts what is
    /// known does not pass.
    const fn may_pass(&self) -> bool {
        matches!(self, Self::Load(LoadError::Endpoint(_))) || self.is_refusal()
    }

    /// Whether the node answered, and has not what it was asked for.
    const fn is_refusal(&self) -> bool {
        matches!(self, Self::Load(LoadError::NoState { .. }) | Self::NoBlock(_))
    }
}

/// The revert data of a run that failed.
fn failure(run: &Run) -> Option<Bytes> {
    match &run.outcome {
        Outcome::Revert { output, .. } => Some(output.clone()),
        Outcome::Halt { .. } => Some(Bytes::new()),
        _ => None,
    }
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
    /// The same, whatever their origins own: each is given what its transaction can cost.
    Afforded(Vec<CallSpec>),
}

impl Job {
    fn gas_limit(&self) -> u64 {
        match self {
            Self::Frame { call, .. } => call.gas_limit,
            Self::Transactions(calls) | Self::Afforded(calls) => {
                calls.iter().map(|call| call.gas_limit).sum()
            }
        }
    }
}

/// Runs calls on the state after one block, with the environment of the next.
#[derive(Debug)]
pub struct Simulator {
    mirror: Mirror,
    config: SimConfig,
    loader: StateLoader,
    /// Whether state that cannot be read makes runs unknown instead of ending in an error.
    patient: bool,
    /// Why state could not be read.
    trouble: Option<SimulatorError>,
    /// How often it could not be read since the trouble was taken.
    failed_loads: u32,
    /// What the node refused since then, while it answered for other keys.
    refused: Missing,
    /// Where loaded state contradicted the mirror.
    contradicted: Changes,
    /// Views that could not be run.
    unread: u64,
}

impl Simulator {
    /// An empty mirror of the state after `head`.
    pub fn new(loader: StateLoader, config: SimConfig, head: BlockHead) -> Self {
        Self {
            mirror: Mirror::new(head),
            config,
            loader,
            patient: false,
            trouble: None,
            unread: 0,
            failed_loads: 0,
            refused: Missing::default(),
            contradicted: Changes::default(),
        }
    }

    /// From now on a node that does not tell state makes runs unknown, and is no error. It is not asked any more
    /// after it failed twice, until [`take_trouble`](Self::take_trouble) has been called: what else can be decided
    /// does not wait for it.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.patient = true;
        self
    }

    /// Whether runs may be unknown because state could not be read.
    pub const fn is_troubled(&self) -> bool {
        self.trouble.is_some()
    }

    /// Why state could not be read, once.
    pub fn take_trouble(&mut self) -> Option<SimulatorError> {
        self.failed_loads = 0;
        self.refused = Missing::default();
        self.trouble.take()
    }

    /// The block whose state it is.
    pub const fn head(&self) -> &BlockHead {
        self.mirror.head()
    }

    /// What is mirrored.
    pub const fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    /// What was loaded and contradicted what was mirrored, since this was asked last. Outcomes that depend on it
    /// are void.
    pub fn take_contradicted(&mut self) -> Changes {
        std::mem::take(&mut self.contradicted)
    }

    /// Forgets state that none of `reads` names; other read sets are void after it.
    pub fn keep_only<'a>(&mut self, reads: impl IntoIterator<Item = &'a ReadSet>) {
        self.mirror.keep_only(reads);
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
    /// repeated; a run that still misses something is unknown. Told with each run is what it took.
    ///
    /// # Errors
    /// State that cannot be read, unless the simulator is [`patient`](Self::patient); state that contradicts
    /// what is known.
    pub async fn measure(&mut self, next: &NextBlock, jobs: &[Job]) -> Result<Vec<Measured>, SimulatorError> {
        let mut runs: Vec<Option<Measured>> = vec![None; jobs.len()];
        for round in 0..LOAD_ROUNDS {
            let missing = self.run_missing(next, jobs, &mut runs, round >= FREE_ROUNDS);
            if !self.fetch(missing).await? {
                break;
            }
        }
        Ok(runs.into_iter().flatten().collect())
    }

    /// Runs one job.
    pub async fn run_one(&mut self, next: &NextBlock, job: Job) -> Result<Run, SimulatorError> {
        Ok(self.measure_one(next, job).await?.run)
    }

    /// Of an account's transactions, in the order of their nonces, those that would fail in the next block at that tip,
    /// each behind the ones before it, with their revert data. Told of each is what it offers at most, in wei per gas.
    /// What depends on something `unknown` is taken not to fail.
    pub async fn failing<K>(
        &mut self,
        next: &NextBlock,
        tip: u128,
        unknown: EnvSeen,
        under_way: impl IntoIterator<Item = (K, CallSpec, u128)>,
    ) -> Result<Vec<(K, Bytes)>, SimulatorError> {
        let base_fee = u128::from(next.base_fee);
        let (mut keys, mut acts) = (Vec::new(), Vec::new());
        for (key, call, max_gas_price) in under_way {
            let gas_price = (base_fee + tip).min(max_gas_price);
            // What is too cheap is not mined, nor is what comes behind it: it costs nothing.
            if gas_price < base_fee {
                break;
            }
            keys.push(key);
            acts.push(Act { call: CallSpec { gas_price, ..call }, block: *next, credit: U256::ZERO });
        }
        if acts.is_empty() {
            return Ok(Vec::new());
        }
        // Together they may have more gas than a block.
        let stage = Stage { is_unlimited: true, ..Stage::default() };
        let played = self.rehearse(&acts, &stage).await?;
        let mut failing = Vec::new();
        for ((key, act), Played { run, .. }) in keys.into_iter().zip(acts).zip(played) {
            let Some(output) = failure(&run) else { continue };
            // What those before it depend on, it depends on, too: then it has to fail without them as well.
            let is_certain = !run.reads.env().intersects(unknown) || {
                let alone = self.run_one(next, Job::Transactions(vec![act.call])).await?;
                !alone.reads.env().intersects(unknown) && failure(&alone).is_some()
            };
            if is_certain {
                failing.push((key, output));
            }
        }
        Ok(failing)
    }

    /// Runs one job, and tells what it took.
    pub async fn measure_one(&mut self, next: &NextBlock, job: Job) -> Result<Measured, SimulatorError> {
        self.measure(next, &[job]).await?.pop().ok_or(SimulatorError::NothingToRun)
    }

    /// Reads a view; `None` when it reverts, answers something else, or cannot be run.
    pub async fn view<C: SolCall>(
        &mut self,
        next: &NextBlock,
        to: Address,
        call: C,
    ) -> Result<Option<C::Return>, SimulatorError> {
        let call = CallSpec {
            origin: Address::ZERO,
            caller: Address::ZERO,
            to,
            data: call.abi_encode().into(),
            value: U256::ZERO,
            gas_limit: VIEW_GAS,
            gas_price: 0,
        };
        let run = self.run_one(next, Job::Frame { call, transient: Vec::new() }).await?;
        Ok(match &run.outcome {
            Outcome::Success { output, .. } => C::abi_decode_returns(output).ok(),
            Outcome::Unknown(_) => {
                self.unread += 1;
                None
            }
            _ => None,
        })
    }

    /// How many views could not be run so far, because the node does not tell what they read.
    pub const fn unread(&self) -> u64 {
        self.unread
    }

    /// Rehearses acts, each on what the ones before it left. What is missing is loaded at the head, and the whole is
    /// repeated until nothing is, or until it takes too much; then what is unknown stays so. The mirror does not change
    /// by it.
    pub async fn rehearse(&mut self, acts: &[Act], stage: &Stage) -> Result<Vec<Played>, SimulatorError> {
        let Some(first) = acts.first() else { return Err(SimulatorError::NothingToRun) };
        let (mut round, mut effort) = (0, 0u64);
        loop {
            let played = Runner::new(&self.config, &self.mirror, &first.block).rehearse(acts, stage);
            let mut missing = Missing::default();
            for (act, played) in acts.iter().zip(&played) {
                // What the first ones missed, all later ones miss.
                missing.extend(&played.run);
                if round >= FREE_ROUNDS {
                    let gas = played.run.outcome.gas_used().unwrap_or(act.call.gas_limit);
                    effort = effort.saturating_add(gas);
                }
            }
            round += 1;
            let is_enough = round == REHEARSAL_ROUNDS || effort > REHEARSAL_EFFORT;
            if is_enough || !self.fetch(missing).await? {
                return Ok(played);
            }
        }
    }

    /// Loads what runs missed, unless that is in vain. Returns whether running them again can tell more.
    async fn fetch(&mut self, mut missing: Missing) -> Result<bool, SimulatorError> {
        missing.forget(&self.refused);
        if missing.is_empty() || self.failed_loads >= MAX_FAILED_LOADS {
            return Ok(false);
        }
        match self.load(missing).await {
            Ok(()) => Ok(true),
            Err(error) if self.patient && error.may_pass() => {
                self.failed_loads += 1;
                self.trouble = Some(error);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Runs the jobs that have not been run, or that missed something when they were. `is_late`: most would be done
    /// by now, and what is not counts with all its gas each time.
    fn run_missing(
        &self,
        next: &NextBlock,
        jobs: &[Job],
        runs: &mut [Option<Measured>],
        is_late: bool,
    ) -> Missing {
        let mut runner = Runner::new(&self.config, &self.mirror, next);
        let mut missing = Missing::default();
        for (job, done) in jobs.iter().zip(runs) {
            if done.as_ref().is_some_and(|done| !Missing::is_why(&done.run)) {
                continue;
            }
            let run = match job {
                Job::Frame { call, transient } => Some(runner.run_call(call, transient)),
                Job::Transactions(calls) => runner.run_transactions(calls).pop(),
                Job::Afforded(calls) => {
                    let acts: Vec<_> = calls.iter().map(|call| Act::afforded(call.clone(), *next)).collect();
                    runner.rehearse(&acts, &Stage::default()).pop().map(|played| played.run)
                }
            };
            let Some(run) = run else { continue };
            missing.extend(&run);
            let keys = run.outcome.missing().map_or(0, |keys| KEY_EFFORT.saturating_mul(keys.len() as u64));
            let gas = run.outcome.gas_used().unwrap_or(if is_late { job.gas_limit() } else { 0 });
            let before = done.as_ref().map_or(0, |done| done.effort);
            *done = Some(Measured { run, effort: before.saturating_add(keys).saturating_add(gas) });
        }
        missing
    }

    /// Loads what runs missed into the mirror. Where the node refuses, a patient simulator finds out for which keys,
    /// loads the others and does not ask for these again.
    ///
    /// # Errors
    /// State that cannot be read; of a patient simulator only when the node has none of the head, or does not answer.
    async fn load(&mut self, missing: Missing) -> Result<(), SimulatorError> {
        let (mut parts, mut refused) = (vec![missing], Missing::default());
        let (mut refusals, mut has_state) = (0, false);
        while let Some(part) = parts.pop() {
            let error = match self.load_part(&part).await {
                Ok(()) => {
                    has_state = true;
                    continue;
                }
                Err(error) => error,
            };
            // A node that does not answer is not asked for less.
            if !self.patient || !error.is_refusal() {
                return Err(error);
            }
            // Nor is one that does not have the block.
            if !has_state {
                let anything = StateKeys { accounts: vec![Address::ZERO], slots: Vec::new() };
                self.loader.load(self.head().hash, &anything).await?;
                has_state = true;
            }
            refusals += 1;
            match part.split() {
                Some(halves) if refusals < MAX_REFUSALS => parts.extend(halves),
                _ => {
                    tracing::warn!(%error, keys = part.len(), "the node refuses state; what needs it is unknown");
                    refused.add(&part);
                }
            }
        }
        self.refused.add(&refused);
        Ok(())
    }

    async fn load_part(&mut self, missing: &Missing) -> Result<(), SimulatorError> {
        for number in &missing.block_hashes {
            let block: Option<Block> = self
                .loader
                .endpoint()
                .request("eth_getBlockByNumber", (BlockNumberOrTag::from(*number), false))
                .await
                .map_err(LoadError::from)?;
            let block = block.ok_or(SimulatorError::NoBlock(*number))?;
            self.mirror.insert_block_hash(*number, block.header.hash);
        }
        let keys = missing.keys();
        if !keys.is_empty() {
            let head = self.head().hash;
            let state = self.loader.load(head, &keys).await?;
            self.contradicted.extend(&self.mirror.insert(head, state)?);
        }
        Ok(())
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
        self.mirror.slots_of(address).collect()
    }
}

/// A run, and what it took.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The run.
    pub run: Run,
    /// The gas that was simulated for it, what was loaded for it included.
    pub effort: u64,
}

/// What runs missed, without doubles.
#[derive(Clone, Debug, Default)]
struct Missing {
    accounts: BTreeSet<Address>,
    slots: BTreeSet<Slot>,
    block_hashes: BTreeSet<u64>,
}

impl Missing {
    /// Whether a run is unknown because it missed something that can be loaded.
    const fn is_why(run: &Run) -> bool {
        matches!(run.outcome, Outcome::Unknown(Unknown::Missing(_) | Unknown::BlockHash(_)))
    }

    fn extend(&mut self, run: &Run) {
        match &run.outcome {
            Outcome::Unknown(Unknown::Missing(keys)) => {
                self.accounts.extend(&keys.accounts);
                self.slots.extend(&keys.slots);
            }
            Outcome::Unknown(Unknown::BlockHash(number)) => {
                self.block_hashes.insert(*number);
            }
            _ => {}
        }
    }

    fn add(&mut self, other: &Self) {
        self.accounts.extend(&other.accounts);
        self.slots.extend(&other.slots);
        self.block_hashes.extend(&other.block_hashes);
    }

    fn forget(&mut self, other: &Self) {
        self.accounts.retain(|address| !other.accounts.contains(address));
        self.slots.retain(|slot| !other.slots.contains(slot));
        self.block_hashes.retain(|number| !other.block_hashes.contains(number));
    }

    /// Two halves of it; `None` of a single key.
    fn split(&self) -> Option<[Self; 2]> {
        let half = self.len() / 2;
        let (mut first, mut second) = (Self::default(), Self::default());
        let mut count = 0;
        let mut is_first = || {
            count += 1;
            count <= half
        };
        for number in &self.block_hashes {
            let side = if is_first() { &mut first } else { &mut second };
            side.block_hashes.insert(*number);
        }
        for address in &self.accounts {
            let side = if is_first() { &mut first } else { &mut second };
            side.accounts.insert(*address);
        }
        for slot in &self.slots {
            let side = if is_first() { &mut first } else { &mut second };
            side.slots.insert(*slot);
        }
        (half > 0).then_some([second, first])
    }

    fn len(&self) -> usize {
        self.accounts.len() + self.slots.len() + self.block_hashes.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn keys(&self) -> StateKeys {
        StateKeys {
            accounts: self.accounts.iter().copied().collect(),
            slots: self.slots.iter().copied().collect(),
        }
    }
}
