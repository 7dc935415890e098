//! Bundles as work of a keeper: everything that the session needs, in one place.

mod flights;

use super::{
    book::{BundleBook, Entry},
    contracts::{BundleContracts, BundlePolicy},
    facts::{Facts, Holder},
    hindrance::Hindrance,
    judge::{Finding, Judge, Moment, Plan, Step},
    leaves::{Content, Library},
    sync,
};
use crate::{
    book::{BookError, UNDO_DEPTH},
    engine::Policy,
    simulator::{Simulator, SimulatorError},
};
use alloy::primitives::{Address, B256, U256, keccak256, map::HashMap};
use errand_bindings::IChugSplashManager::Status;
use errand_journal::{Batch as Records, IntentId, Journal};
use errand_sim::EnvSeen;
use errand_types::{BlockDelta, BlockHead, WorkId};
use flights::Flight;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Notify;

/// Heads that are known: as far as the book goes back, and the one before. The time between blocks is reckoned by them.
const HEADS: usize = UNDO_DEPTH + 1;
/// Seconds between blocks, until enough of them were seen.
const DEFAULT_INTERVAL: u64 = 12;
/// Blocks after which a bundle that was rehearsed and refused is looked at again, though nothing about it changed.
const LOOK_AGAIN: u64 = 10;
/// Blocks for which a bundle is left alone after a failure on chain; doubled with each further one.
const FIRST_PAUSE: u64 = 4;
const MAX_DOUBLINGS: u32 = 11;
/// Bundles, besides those that money of ours is in, whose state is read in a look: strangers decide how many there are.
const READ_AT_ONCE: usize = 64;
/// Looks after which no claim waits any more for a bundle that cannot be read.
const PATIENCE: u32 = 8;
/// The longest wait before a claim.
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// What is told about a bundle.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleReport {
    /// Its id.
    pub id: B256,
    /// The project.
    pub manager: Address,
    /// What is done about it, if anything is.
    pub step: Option<Step>,
    /// Why nothing is.
    pub hindrance: Option<Hindrance>,
    /// The transaction that was sent.
    pub tx: Option<B256>,
    /// What that earns and costs; of a claim, the whole bundle.
    pub balance: Option<crate::pricing::Balance>,
}

/// Why a bundle was refused, and as of when.
#[derive(Clone, Debug)]
struct Refusal {
    hindrance: Hindrance,
    block: u64,
    /// What it went by.
    state: (U256, U256, U256),
}

/// What is to be sent, and what is not to be mined any more.
#[derive(Debug, Default)]
pub struct Decided {
    /// Transactions to be sent.
    pub plans: Vec<Plan>,
    /// Transactions that would fail now.
    pub cancels: Vec<IntentId>,
    /// What was found about each bundle that it concerns.
    pub reports: Vec<BundleReport>,
}

/// The bundles of one ChugSplashRegistry, and what this executor does about them.
#[derive(Debug)]
pub struct Bundles {
    chain_id: u64,
    contracts: BundleContracts,
    settings: BundlePolicy,
    journal: Journal,
    book: BundleBook,
    library: Library,
    flights: BTreeMap<IntentId, Flight>,
    refusals: HashMap<B256, Refusal>,
    failures: HashMap<B256, (u32, u64)>,
    heads: VecDeque<BlockHead>,
    /// Unix times of the blocks before those.
    past: Vec<u64>,
    /// Work of mined transactions that may be given free.
    releases: Vec<(IntentId, WorkId)>,
    changed: BTreeSet<B256>,
    seen: HashMap<B256, Seen>,
    look: u64,
}

/// What was found about a bundle last.
#[derive(Clone, Debug)]
struct Seen {
    look: u64,
    stake: Stake,
    step: Option<Step>,
    hindrance: Option<Hindrance>,
}

/// What of ours is in a bundle, as of when it could be read last.
#[derive(Clone, Copy, Debug, Default)]
struct Stake {
    /// Whether money of ours is in it.
    is_ours: bool,
    /// The bond that is at risk, in wei.
    bond: U256,
    /// Looks since, in which it could not be read although others could.
    unread: u32,
    was_read: bool,
}

impl Bundles {
    /// The work source for a book at `head`, before which there were blocks at such times.
    pub fn new(
        chain_id: u64,
        contracts: BundleContracts,
        settings: BundlePolicy,
        journal: Journal,
        mut book: BundleBook,
        head: BlockHead,
        past: Vec<u64>,
    ) -> Self {
        let changed = book.take_changed();
        Self {
            chain_id,
            contracts,
            settings,
            journal,
            book,
            library: Library::default(),
            flights: BTreeMap::new(),
            refusals: HashMap::default(),
            failures: HashMap::default(),
            heads: VecDeque::from([head]),
            past,
            releases: Vec::new(),
            changed,
            seen: HashMap::default(),
            look: 0,
        }
    }

    /// The bundles.
    pub const fn book(&self) -> &BundleBook {
        &self.book
    }

    /// Is told when the actions of a bundle came.
    pub fn arrivals(&self) -> Arc<Notify> {
        self.library.arrivals()
    }

    /// Takes a step of the chain.
    pub fn apply(&mut self, delta: &BlockDelta) -> Result<(), BookError> {
        match delta {
            BlockDelta::Added { head, logs, .. } => {
                self.heads.push_back(*head);
                if self.heads.len() > HEADS {
                    self.heads.pop_front();
                    self.past.clear();
                }
                self.book.apply(head, logs)?;
            }
            BlockDelta::Removed { head } => {
                self.heads.pop_back();
                self.book.undo(head)?;
            }
        }
        let changed = self.book.take_changed();
        for id in &changed {
            self.refusals.remove(id);
        }
        self.changed.extend(changed);
        Ok(())
    }

    /// How long this executor waits before it claims: a part of the time between blocks that depends on executor and
    /// bundle. So of several that find the same bundle in the same block most see that another came first.
    pub fn claim_delay(&self, id: B256, executor: Address) -> Duration {
        let [first, second, ..] = keccak256([id.as_slice(), executor.as_slice()].concat()).0;
        let most = (Duration::from_secs(self.interval()) / 4).min(LONGEST_DELAY);
        most.mul_f64(f64::from(u16::from_be_bytes([first, second])) / f64::from(u16::MAX))
    }

    /// Seconds between blocks: the median, which a pause of the chain does not move.
    fn interval(&self) -> u64 {
        let times: Vec<_> =
            self.past.iter().copied().chain(self.heads.iter().map(|head| head.timestamp)).collect();
        let pairs = times.iter().zip(times.iter().skip(1));
        let mut intervals: Vec<_> = pairs.map(|(before, after)| after.saturating_sub(*before)).collect();
        intervals.sort_unstable();
        match intervals.get(intervals.len() / 2) {
            Some(median) if intervals.len() > 2 => (*median).max(1),
            _ => DEFAULT_INTERVAL,
        }
    }

    /// Decides about bundles on the state at the head. Without `may_claim` it only goes on with what it holds. Of
    /// bundles that it holds nothing of it looks at so many, by turns.
    pub async fn decide(
        &mut self,
        simulator: &mut Simulator,
        policy: &Policy,
        now: u64,
        may_claim: bool,
    ) -> Result<Decided, SimulatorError> {
        let mut decided = Decided::default();
        let head = *simulator.head();
        let interval = self.interval();
        let next = simulator.next_block(now.max(head.timestamp + 1));
        decided.cancels = self.failing(simulator, &next, policy).await?;
        // Bonds of locks that are live, and of claims under way.
        let mut at_risk =
            self.flights.values().filter(|f| f.is_pending).fold(U256::ZERO, |sum, f| sum + f.bond);
        let entries = self.due();
        let mut known = Vec::with_capacity(entries.len());
        for entry in entries {
            let moment = Moment { next, interval, at_risk };
            let read = match self.judge(policy, moment).trusts(simulator, &entry).await? {
                Ok(()) => Facts::read(simulator, &next, &entry, policy.executor)
                    .await?
                    .ok_or_else(|| Hindrance::Unknown { why: "its state cannot be read".to_owned() }),
                Err(hindrance) => Err(hindrance),
            };
            let stake = self.stake(&entry, &read, policy.executor, simulator.is_troubled());
            at_risk = at_risk.saturating_add(stake.bond);
            known.push((entry, read, stake));
        }
        // What was not read yet may hold bonds.
        let knows_all = self.knows_all(known.iter().map(|(entry, _, stake)| (entry.id, stake)));
        for (entry, read, stake) in known {
            let moment = Moment { next, interval, at_risk };
            let finding = match read {
                Ok(facts) => self.find(simulator, policy, moment, &entry, &facts).await?,
                // Nothing may be forgotten that was not read.
                Err(hindrance @ Hindrance::Unknown { .. }) => Finding::Wait(hindrance),
                // What it announced is true of every project, whatever its strategies are.
                Err(hindrance) if entry.status == Status::APPROVED => Finding::Wait(hindrance),
                // A bond of ours may be in it, for whoever trusts its strategies again.
                Err(hindrance) if entry.is_claimed => Finding::Wait(hindrance),
                Err(_) => Finding::of_status(entry.status),
            };
            let (mut step, mut hindrance, mut balance) = (None, None, None);
            match finding {
                Finding::Done => {
                    // What is under way may still be undone.
                    if self.flights.values().any(|flight| flight.concerns(&entry)) {
                        let seen = Seen { look: self.look, stake, step: None, hindrance: None };
                        self.seen.insert(entry.id, seen);
                    } else {
                        self.forget(&entry.id);
                    }
                    continue;
                }
                Finding::Wait(found) => hindrance = Some(found),
                Finding::Act(plan) if plan.step == Step::Claim && !may_claim => {
                    hindrance = Some(Hindrance::LossBudget);
                }
                Finding::Act(plan) if plan.step == Step::Claim && !knows_all => {
                    hindrance = Some(Hindrance::Unread);
                }
                Finding::Act(plan) if decided.plans.iter().any(|other| other.work == plan.work) => {
                    hindrance = Some(Hindrance::InFlight);
                }
                Finding::Act(plan) => {
                    at_risk = at_risk.saturating_add(plan.bond);
                    (step, balance) = (Some(plan.step), Some(plan.balance));
                    decided.plans.push(*plan);
                }
            }
            let (id, manager) = (entry.id, entry.manager);
            let before = self.seen.get(&id);
            if before.is_none_or(|seen| (seen.step, &seen.hindrance) != (step, &hindrance))
                && let Some(hindrance) = &hindrance
            {
                tracing::info!(bundle = %id, %manager, "not taken: {hindrance}");
            }
            self.seen.insert(id, Seen { look: self.look, stake, step, hindrance: hindrance.clone() });
            decided.reports.push(BundleReport { id, manager, step, hindrance, tx: None, balance });
        }
        Ok(decided)
    }

    /// The bundles to look at: those that money of ours is in, and of the others those that were not looked at for the
    /// longest time.
    fn due(&mut self) -> Vec<Entry> {
        self.look += 1;
        let is_ours = |entry: &&Entry| {
            self.seen.get(&entry.id).is_some_and(|seen| seen.stake.is_ours)
                || self.flights.values().any(|flight| flight.concerns(entry))
        };
        let (ours, mut others): (Vec<&Entry>, Vec<&Entry>) = self.book.iter().partition(is_ours);
        others.sort_by_key(|entry| self.seen.get(&entry.id).map_or(0, |seen| seen.look));
        others.truncate(READ_AT_ONCE);
        let mut due: Vec<Entry> = ours.into_iter().chain(others).cloned().collect();
        due.sort_by_key(|entry| entry.id);
        due
    }

    /// What of ours is in a bundle. What could not be read is as it was. `is_troubled`: of the node nothing can be read.
    fn stake(
        &self,
        entry: &Entry,
        read: &Result<Facts, Hindrance>,
        executor: Address,
        is_troubled: bool,
    ) -> Stake {
        match read {
            Ok(facts) => {
                let live =
                    facts.lock.as_ref().filter(|lock| lock.is_of(executor) && !lock.over && !lock.excused);
                let bond = live.map_or(U256::ZERO, |lock| lock.bond);
                Stake { is_ours: facts.concern(executor), bond, unread: 0, was_read: true }
            }
            Err(Hindrance::Unknown { .. }) => {
                let last = self.seen.get(&entry.id).map(|seen| seen.stake).unwrap_or_default();
                Stake { unread: last.unread.saturating_add(u32::from(!is_troubled)), ..last }
            }
            // What a strategy that is not trusted says of bonds is not asked.
            Err(_) => Stake { was_read: true, ..Stake::default() },
        }
    }

    /// Whether of every bundle it is known what of ours is in it, counting `these`. For one that can never be read
    /// nothing is held up for ever.
    fn knows_all<'a>(&self, these: impl Iterator<Item = (B256, &'a Stake)>) -> bool {
        let is_known = |stake: &Stake| stake.was_read || stake.unread >= PATIENCE;
        let these: BTreeMap<B256, bool> = these.map(|(id, stake)| (id, is_known(stake))).collect();
        self.book.iter().all(|entry| {
            let before = || self.seen.get(&entry.id).is_some_and(|seen| is_known(&seen.stake));
            these.get(&entry.id).copied().unwrap_or_else(before)
        })
    }

    /// Nothing is left to do about a bundle.
    fn forget(&mut self, id: &B256) {
        self.book.forget(id);
        self.library.forget(id);
        self.refusals.remove(id);
        self.failures.remove(id);
        self.seen.remove(id);
        self.changed.extend(self.book.take_changed());
    }

    /// Decides once, and sends nothing: waits for the actions of bundles to come, but not longer than `patience`.
    pub async fn survey(
        &mut self,
        simulator: &mut Simulator,
        policy: &Policy,
        now: u64,
        patience: Duration,
    ) -> Result<Vec<BundleReport>, SimulatorError> {
        let deadline = tokio::time::Instant::now() + patience;
        let arrivals = self.arrivals();
        let mut reports = BTreeMap::new();
        loop {
            let found = self.decide(simulator, policy, now, true).await?.reports;
            reports.extend(found.into_iter().map(|report| (report.id, report)));
            if self.book.iter().any(|entry| !self.seen.contains_key(&entry.id)) {
                continue;
            }
            let is_awaited = |report: &BundleReport| {
                matches!(report.hindrance, Some(Hindrance::NoContent { problem: None } | Hindrance::Unread))
            };
            if !reports.values().any(is_awaited) || tokio::time::Instant::now() >= deadline {
                return Ok(reports.into_values().collect());
            }
            // A problem is told without a notice.
            let _ = tokio::time::timeout(Duration::from_millis(200), arrivals.notified()).await;
        }
    }

    async fn find(
        &mut self,
        simulator: &mut Simulator,
        policy: &Policy,
        moment: Moment,
        entry: &Entry,
        facts: &Facts,
    ) -> Result<Finding, SimulatorError> {
        let number = moment.next.number;
        let state = (facts.info.nextIndex, facts.info.selectionRound, facts.budget);
        let is_ours = facts.holder == Holder::Ours && facts.lock.is_some();
        if !is_ours && let Some(refusal) = self.refusals.get(&entry.id) {
            // Only what has money of ours is looked at with every block.
            let has_money =
                facts.lock.as_ref().is_some_and(|lock| !lock.owed.is_zero() || lock.is_of(policy.executor));
            if !has_money && refusal.state == state && number < refusal.block + LOOK_AGAIN {
                return Ok(Finding::Wait(refusal.hindrance.clone()));
            }
        }
        let content = match facts.info.status {
            Status::APPROVED => self.library.content(entry, &self.journal),
            _ => Content::Awaited(None),
        };
        let judge = self.judge(policy, moment);
        let finding = judge.find(simulator, entry, facts, &content).await?;
        if let Finding::Wait(hindrance) = &finding {
            // What took a rehearsal to find, and what no block changes.
            let is_lasting = matches!(
                hindrance,
                Hindrance::Fails { .. }
                    | Hindrance::ForeignState { .. }
                    | Hindrance::Unprofitable { .. }
                    | Hindrance::TooLarge { .. }
                    | Hindrance::TooSlow { .. }
                    | Hindrance::Unknown { .. }
            );
            if is_lasting && !simulator.is_troubled() {
                let refusal = Refusal { hindrance: hindrance.clone(), block: number, state };
                self.refusals.insert(entry.id, refusal);
            }
        }
        let Finding::Act(plan) = &finding else { return Ok(finding) };
        if self.holds(&plan.work) {
            return Ok(Finding::Wait(Hindrance::InFlight));
        }
        // What saves a bond does not wait.
        let may_wait = !matches!(plan.step, Step::NoteCongestion | Step::NoteUnsound);
        match self.failures.get(&plan.work.id) {
            Some((_, until)) if may_wait && number < *until => {
                Ok(Finding::Wait(Hindrance::Quarantined { until: *until }))
            }
            _ => Ok(finding),
        }
    }

    const fn judge<'a>(&'a self, policy: &'a Policy, moment: Moment) -> Judge<'a> {
        let (contracts, bundles) = (&self.contracts, &self.settings);
        Judge { chain_id: self.chain_id, contracts, bundles, policy, moment }
    }

    /// Transactions under way that would fail in the next block.
    async fn failing(
        &self,
        simulator: &mut Simulator,
        next: &errand_types::NextBlock,
        policy: &Policy,
    ) -> Result<Vec<IntentId>, SimulatorError> {
        let under_way = self.flights.iter().filter(|(_, flight)| flight.is_pending && !flight.is_given_up);
        let under_way =
            under_way.filter_map(|(id, flight)| Some((*id, flight.call.clone()?, flight.max_gas_price)));
        let failing = simulator.failing(next, policy.tip, EnvSeen::UNFORESEEABLE, under_way).await?;
        Ok(failing.into_iter().map(|(intent, _)| intent).collect())
    }
}

/// What the journal keeps.
impl Bundles {
    /// Whether the journal lacks something.
    pub fn is_unkept(&self) -> bool {
        !self.changed.is_empty() || self.library.has_unkept()
    }

    /// Adds what changed to a batch, or all.
    pub fn record(&self, records: &mut Records, whole: bool) {
        let Some(head) = self.heads.back() else { return };
        sync::record(records, head, &self.book, (!whole).then_some(&self.changed));
        self.library.record(records, &self.book);
    }

    /// That batch is in the journal.
    pub fn recorded(&mut self) {
        self.changed.clear();
        self.library.recorded();
    }
}
