//! How a bundle stands, read by views on the state at the head.

use super::book::Entry;
use crate::simulator::{Simulator, SimulatorError};
use alloy::primitives::{Address, U256};
use errand_bindings::{
    IChugSplashManager::{self, BundleInfo, SelectionTerms, Status},
    IExecutorSelectionStrategy, ISimpleLockESS,
};
use errand_types::{ANYONE, NextBlock};

/// Who may execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// This executor, or everybody.
    Ours,
    /// Another one.
    Other(Address),
    /// Nobody.
    Nobody,
}

/// A strategy with locks that are claimed with a bond, as it stands with one bundle.
#[derive(Clone, Debug)]
pub struct Lock {
    /// What a claim posts, in wei.
    pub bond: U256,
    /// How long a lock lasts.
    pub seconds: u64,
    /// The last lock that is not settled; of nobody: there is none.
    pub last: ISimpleLockESS::Lock,
    /// Whether it is over.
    pub over: bool,
    /// Whether its bond is given back.
    pub excused: bool,
    /// The second up to which this executor must not claim again.
    pub cooling: u64,
    /// What it can withdraw.
    pub owed: U256,
}

impl Lock {
    /// Whether the last lock is `executor`'s.
    pub fn is_of(&self, executor: Address) -> bool {
        self.last.executor == executor
    }

    /// Its last second.
    pub fn until(&self) -> u64 {
        self.last.until.saturating_to()
    }
}

/// How a bundle stands.
#[derive(Clone, Debug)]
pub struct Facts {
    /// How far it is.
    pub info: BundleInfo,
    /// Whether it can be claimed.
    pub terms: SelectionTerms,
    /// What is locked for executors, in wei.
    pub budget: U256,
    /// What this executor was credited by the project.
    pub owed: U256,
    /// Deploys, owns the proxies.
    pub actor: Address,
    /// The manager's `txOverhead`.
    pub tx_overhead: u64,
    /// Who may execute.
    pub holder: Holder,
    /// Where there are locks.
    pub lock: Option<Lock>,
}

impl Facts {
    /// Reads them; `None` where the contracts do not answer as such should, or state cannot be read now.
    pub async fn read(
        simulator: &mut Simulator,
        next: &NextBlock,
        entry: &Entry,
        executor: Address,
    ) -> Result<Option<Self>, SimulatorError> {
        let (manager, bundle_id, ess) = (entry.manager, entry.id, entry.header.ess);
        let unread = simulator.unread();
        macro_rules! ask {
            ($to:expr, $call:expr) => {
                match simulator.view(next, $to, $call).await? {
                    Some(answer) => answer,
                    None => return Ok(None),
                }
            };
        }
        let info = ask!(manager, IChugSplashManager::bundleCall { bundleId: bundle_id });
        let terms = ask!(manager, IChugSplashManager::selectionTermsCall { bundleId: bundle_id });
        let accounts = ask!(manager, IChugSplashManager::accountsCall {});
        let owed = ask!(manager, IChugSplashManager::owedToCall { account: executor });
        let actor = ask!(manager, IChugSplashManager::actorCall {});
        let overhead = ask!(manager, IChugSplashManager::txOverheadCall {});
        // Outside of an APPROVED bundle an answer counts for nothing.
        let question =
            IExecutorSelectionStrategy::getSelectedExecutorCall { project: manager, bundleId: bundle_id };
        let answer = simulator.view(next, ess, question).await?;
        let holder = match answer {
            Some(answer) if info.status == Status::APPROVED => match answer.executor {
                selected if selected == executor || selected == ANYONE => Holder::Ours,
                Address::ZERO => Holder::Nobody,
                other => Holder::Other(other),
            },
            _ => Holder::Nobody,
        };
        let lock = Self::lock(simulator, next, entry, executor).await?;
        // What the node does not tell is not what the contracts do not have: a lock, above all.
        if simulator.is_troubled() || simulator.unread() != unread {
            return Ok(None);
        }
        let budget = accounts.budget;
        let tx_overhead = overhead.saturating_to();
        Ok(Some(Self { info, terms, budget, owed, actor, tx_overhead, holder, lock }))
    }

    /// Whether money of `executor`'s is in it.
    pub fn concern(&self, executor: Address) -> bool {
        !self.owed.is_zero() || self.lock.as_ref().is_some_and(|lock| lock.is_of(executor))
    }

    /// What `executor` can take out of it, in wei.
    pub fn owed_to(&self, executor: Address) -> U256 {
        let of_lock = self.lock.as_ref().map_or(U256::ZERO, |lock| {
            let is_free = lock.is_of(executor) && lock.over && lock.excused;
            lock.owed.saturating_add(if is_free { lock.bond } else { U256::ZERO })
        });
        self.owed.saturating_add(of_lock)
    }

    /// The lock, where the strategy has such.
    async fn lock(
        simulator: &mut Simulator,
        next: &NextBlock,
        entry: &Entry,
        executor: Address,
    ) -> Result<Option<Lock>, SimulatorError> {
        let (project, bundle_id, ess) = (entry.manager, entry.id, entry.header.ess);
        macro_rules! ask {
            ($call:expr) => {
                match simulator.view(next, ess, $call).await? {
                    Some(answer) => answer,
                    None => return Ok(None),
                }
            };
        }
        let bond = ask!(ISimpleLockESS::bondAmountCall {});
        let seconds = ask!(ISimpleLockESS::lockSecondsCall {}).saturating_to();
        let last = ask!(ISimpleLockESS::lockOfCall { project, bundleId: bundle_id });
        let cooling = ask!(ISimpleLockESS::coolingUntilCall { project, bundleId: bundle_id, executor });
        let owed = ask!(ISimpleLockESS::owedToCall { account: executor });
        let (mut over, mut excused) = (true, false);
        if !last.executor.is_zero() {
            let outcome = ask!(ISimpleLockESS::outcomeOfCall { project, bundleId: bundle_id });
            (over, excused) = (outcome.over, outcome.excused);
        }
        Ok(Some(Lock { bond, seconds, last, over, excused, cooling: cooling.saturating_to(), owed }))
    }
}
