//! How a bundle stands: what `status` shows once and `watch` again and again.

use super::{
    project::{Project, Proposal, action_count, is_over},
    terms::gwei,
};
use crate::{
    amount::eth_text,
    commands::duration_text,
    session::{Asking, Session},
};
use alloy::{
    eips::BlockId,
    primitives::{Address, U256},
};
use errand_bindings::{
    IChugSplashManager::{Accounts, BundleInfo, Readiness, Status},
    ISimpleLockESS,
};
use errand_keeper::bundles::bound::status_name;
use errand_types::ANYONE;
use eyre::Result;
use serde_json::{Value, json};

/// A bundle at one block.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) block: u64,
    pub(crate) time: u64,
    pub(crate) basefee: U256,
    pub(crate) status: Status,
    pub(crate) info: BundleInfo,
    pub(crate) accounts: Accounts,
    /// Whether its money is what the accounts hold.
    pub(crate) is_active: bool,
    /// What executors were paid for it, in wei, once it was approved. `None`: it was not, or the node has no logs.
    pub(crate) paid: Option<U256>,
    pub(crate) actions: U256,
    pub(crate) cap: U256,
    /// `None`: nobody, or the strategy does not answer.
    pub(crate) executor: Option<Address>,
    /// Unix time at which a lock ends.
    pub(crate) locked_until: Option<u64>,
    pub(crate) readiness: Option<Readiness>,
}

impl State {
    /// Asks for everything as of the head.
    pub(crate) async fn read(project: &Project<'_>, proposal: &Proposal) -> Result<Self> {
        let head = project.session.head().await?;
        let (at, id, manager) = (BlockId::number(head.number), proposal.id, &project.manager);
        let status = manager.statusOf(id).block(at).call().await.asking("the status of the bundle")?;
        let info = manager.bundle(id).block(at).call().await.asking("the bundle")?;
        let accounts = manager.accounts().block(at).call().await.asking("the manager's accounts")?;
        let active = manager.activeBundleId().block(at).call().await.asking("the active bundle")?;
        let is_active = active == id;
        let (mut executor, mut locked_until, mut readiness) = (None, None, None);
        if is_active {
            // A strategy that fails is the project's choice, and no reason not to show the rest.
            let selected = manager.selected().block(at).call().await.ok();
            executor = selected.map(|selected| selected.executor).filter(|executor| !executor.is_zero());
            let terms = manager.selectionTerms(id).block(at).call().await.ok();
            readiness = terms.map(|terms| terms.readiness);
            if executor.is_some_and(|executor| executor != ANYONE) {
                locked_until = lock_end(project.session, proposal, project.address, at).await;
            }
        }
        let paid = if is_active {
            Some(accounts.paid)
        } else if is_over(status) {
            project.paid(proposal).await.ok()
        } else {
            None
        };
        Ok(Self {
            block: head.number,
            time: head.timestamp,
            basefee: U256::from(head.base_fee),
            status,
            info,
            accounts,
            is_active,
            paid,
            actions: action_count(&proposal.header),
            cap: proposal.header.maxBaseFee,
            executor,
            locked_until,
            readiness,
        })
    }

    /// What is left of the lock, in seconds.
    pub(crate) fn lock_left(&self) -> Option<u64> {
        Some(self.locked_until?.saturating_sub(self.time))
    }

    /// For machines.
    pub(crate) fn json(&self) -> Value {
        json!({
            "block": self.block,
            "time": self.time,
            "status": status_name(self.status),
            "nextIndex": self.info.nextIndex.to_string(),
            "actionCount": self.actions.to_string(),
            "stalledIndex": (self.status == Status::STALLED).then(|| self.info.stalledIndex.to_string()),
            "transactionCount": self.info.txCount.to_string(),
            "pauseAt": (!self.info.pauseAt.is_zero()).then(|| self.info.pauseAt.to_string()),
            "executor": self.executor,
            "lockSecondsLeft": self.lock_left(),
            "readiness": self.readiness.map(readiness_name),
            "baseFeeWei": self.basefee.to_string(),
            "maxBaseFeeWei": self.cap.to_string(),
            "paidWei": self.paid.map(|paid| paid.to_string()),
            "budgetWei": self.is_active.then(|| self.accounts.budget.to_string()),
        })
    }

    /// What changes when something happens to the bundle, unlike clock and basefee.
    pub(crate) fn mark(&self) -> String {
        let info = &self.info;
        let readiness = self.readiness.map(readiness_name);
        format!(
            "{} {} {} {} {} {:?} {:?} {} {readiness:?}",
            status_name(self.status),
            info.nextIndex,
            info.txCount,
            info.pauseAt,
            info.selectionRound,
            self.executor,
            self.locked_until,
            self.accounts.budget
        )
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let mut parts = vec![
            format!("block {}", self.block),
            status_name(self.status).to_owned(),
            format!("{} of {} actions", self.info.nextIndex, self.actions),
        ];
        if self.is_active {
            parts.push(self.executor_text());
            parts.push(format!("basefee {}", self.basefee_text()));
        }
        if let Some(paid) = self.paid {
            parts.push(format!("{} paid", eth_text(paid)));
        }
        if self.is_active {
            parts.push(format!("{} left", eth_text(self.accounts.budget)));
        }
        if let Some(why) = self.hindrance() {
            parts.push(why.to_owned());
        }
        parts.join(" · ")
    }

    pub(crate) fn executor_text(&self) -> String {
        match (self.executor, self.lock_left()) {
            (None, _) => "nobody selected".to_owned(),
            (Some(ANYONE), _) => "anybody may execute".to_owned(),
            (Some(executor), Some(left)) => format!("{executor}, lock for {}", duration_text(left)),
            (Some(executor), None) => executor.to_string(),
        }
    }

    pub(crate) fn basefee_text(&self) -> String {
        if self.cap == U256::MAX {
            return format!("{}, no cap", gwei(self.basefee));
        }
        let side = if self.basefee > self.cap { "ABOVE" } else { "below" };
        format!("{}, {side} the cap of {}", gwei(self.basefee), gwei(self.cap))
    }

    /// Why nothing happens, where something else than an executor is waited for.
    pub(crate) fn hindrance(&self) -> Option<&'static str> {
        match (self.status, self.readiness) {
            (Status::PROPOSED, _) => Some("waits for the owner's approval"),
            (Status::PAUSED, _) => Some("waits for the owner to resume it"),
            (Status::STALLED, _) => Some("an action failed: waits for the owner to retry or close"),
            (Status::APPROVED, Some(Readiness::PAUSE_REQUESTED)) => Some("a pause is requested"),
            (Status::APPROVED, Some(Readiness::CONGESTED)) => Some("waits for a lower basefee"),
            (Status::APPROVED, Some(Readiness::UNDERFUNDED)) => Some("the budget is too low: fund it"),
            (Status::APPROVED, Some(Readiness::UNSOUND)) => {
                Some("a strategy changed or gives no price: cancel")
            }
            _ => None,
        }
    }
}

async fn lock_end(session: &Session, proposal: &Proposal, project: Address, at: BlockId) -> Option<u64> {
    let lock = ISimpleLockESS::new(proposal.header.ess, session.provider.clone());
    // Another strategy has no locks.
    let lock = lock.lockOf(project, proposal.id).block(at).call().await.ok()?;
    u64::try_from(lock.until).ok()
}

const fn readiness_name(readiness: Readiness) -> &'static str {
    match readiness {
        Readiness::READY => "READY",
        Readiness::NOT_APPROVED => "NOT_APPROVED",
        Readiness::PAUSE_REQUESTED => "PAUSE_REQUESTED",
        Readiness::CONGESTED => "CONGESTED",
        Readiness::UNDERFUNDED => "UNDERFUNDED",
        Readiness::UNSOUND => "UNSOUND",
        Readiness::__Invalid => "INVALID",
    }
}
