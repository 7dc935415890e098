//! What a rehearsal came to.

use super::RehearsalError;
use alloy::{
    primitives::{Address, Bytes, Log, U256},
    sol_types::{SolCall, SolError, SolEvent},
};
use errand_bindings::{IChugSplashManager, IProjectActor};
use errand_bundle::bundle::{Batch, Measured};
use errand_sim::{Asked, HaltReason, Outcome, Played, ReadSet};
use std::collections::BTreeMap;

/// How the executor came to be selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// It is selected already, or everybody is.
    Held,
    /// It claimed the bundle.
    Claimed {
        /// Gas that this took.
        gas: u64,
        /// Wei that were posted.
        bond: U256,
    },
    /// The strategy's answer was made up.
    Assumed,
}

/// A transaction that executed actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Index of the first action.
    pub first: usize,
    /// So many were executed.
    pub count: usize,
    /// Gas that the receipt would say.
    pub gas_used: u64,
    /// Gas that was paid for.
    pub gas_paid: U256,
    /// Wei that were paid.
    pub payment: U256,
    /// The events, in order.
    pub logs: Vec<Log>,
}

/// Why an action, or a transaction that begins with it, fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The action's index.
    pub index: usize,
    /// What it reverted with; of a DEPLOY, what its constructor did.
    pub reason: Bytes,
    /// Why it was stopped, if it was the whole transaction that was.
    pub halt: Option<HaltReason>,
    /// The accounts that it used, as far as it was measured: one that has no code yet may be what it lacks.
    pub touched: Vec<Address>,
    /// What the next action would cost at most, in wei, where the budget is short of it.
    pub needed: Option<U256>,
}

/// What executing would come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    /// How the executor came to be selected.
    pub selection: Selection,
    /// What succeeded, and of a bundle that stalls also what it stalls in.
    pub transactions: Vec<Transaction>,
    /// Index of an action and the gas that its frame used, for all that ran. A DEPLOY of what is there takes none.
    pub actions: Vec<(usize, u64)>,
    /// Why it does not go on.
    pub failure: Option<Failure>,
    /// The proxies among those asked for that the actor could not upgrade once more, with the reason.
    pub not_upgradeable: Vec<(Address, Bytes)>,
    /// What constructors asked for, by the address of what they made.
    pub asked: BTreeMap<Address, Asked>,
    /// What all of it depends on.
    pub reads: ReadSet,
}

impl Rehearsed {
    /// Gas of all transactions.
    pub fn gas_used(&self) -> u64 {
        self.transactions.iter().fold(0, |sum, transaction| sum.saturating_add(transaction.gas_used))
    }

    /// Wei that they are paid.
    pub fn payment(&self) -> U256 {
        self.transactions.iter().fold(U256::ZERO, |sum, transaction| sum.saturating_add(transaction.payment))
    }
}

/// What measuring came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measuring {
    /// Every action succeeds, and takes this.
    Measured(Vec<Measured>),
    /// One does not.
    Fails(Failure),
}

/// Reads what batches came to, up to the first failure.
pub(super) fn read(
    selection: Selection,
    batches: &[Batch],
    played: &[Played],
) -> Result<Rehearsed, RehearsalError> {
    let (transactions, actions) = (Vec::with_capacity(batches.len()), Vec::new());
    let (not_upgradeable, asked) = (Vec::new(), BTreeMap::new());
    let reads = played.last().map(|played| played.run.reads.clone()).unwrap_or_default();
    let mut rehearsed =
        Rehearsed { selection, transactions, actions, failure: None, not_upgradeable, asked, reads };
    for (batch, played) in batches.iter().zip(played) {
        rehearsed.failure = failure(batch.first, played)?;
        rehearsed.asked.extend(&played.asked);
        if let Outcome::Success { gas_used, logs, .. } = &played.run.outcome {
            let mut skipped = Vec::new();
            let mut transaction = Transaction {
                first: batch.first,
                count: 0,
                gas_used: *gas_used,
                gas_paid: U256::ZERO,
                payment: U256::ZERO,
                logs: logs.clone(),
            };
            for log in logs {
                if let Ok(event) = IChugSplashManager::DeploySkipped::decode_log(log) {
                    skipped.push(event.index.saturating_to::<usize>());
                }
                if let Ok(event) = IChugSplashManager::ActionsExecuted::decode_log(log) {
                    transaction.count = event.count.saturating_to();
                    (transaction.gas_paid, transaction.payment) = (event.gasUsed, event.payment);
                }
            }
            let mut gas = frames(played);
            for index in batch.first..batch.first.saturating_add(transaction.count) {
                let used = if skipped.contains(&index) { Some(0) } else { gas.next() };
                rehearsed.actions.extend(used.map(|used| (index, used)));
            }
            rehearsed.transactions.push(transaction);
        }
        if rehearsed.failure.is_some() {
            break;
        }
    }
    Ok(rehearsed)
}

/// Gas of the actions' frames, in their order.
pub(super) fn frames(played: &Played) -> impl Iterator<Item = u64> {
    let of_actions = [IProjectActor::deployCall::SELECTOR, IProjectActor::performCall::SELECTOR];
    played.watched.iter().filter(move |call| of_actions.contains(&call.selector.0)).map(|call| call.used)
}

/// Why a transaction that begins with `first` does not do all that it should.
pub(super) fn failure(first: usize, played: &Played) -> Result<Option<Failure>, RehearsalError> {
    let failure = |index, reason| Failure { index, reason, halt: None, touched: Vec::new(), needed: None };
    let refusal =
        played.watched.iter().rev().find(|call| !call.succeeded).and_then(|call| call.refusal.clone());
    Ok(match &played.run.outcome {
        Outcome::Success { logs, .. } => logs.iter().find_map(|log| {
            if let Ok(event) = IChugSplashManager::BundleStalled::decode_log(log) {
                let reason = refusal.clone().unwrap_or_else(|| event.reason.clone());
                return Some(failure(event.index.saturating_to(), reason));
            }
            let event = IChugSplashManager::BudgetExhausted::decode_log(log).ok()?;
            Some(Failure { needed: Some(event.needed), ..failure(first, Bytes::new()) })
        }),
        Outcome::Revert { output, .. } => Some(match IProjectActor::ActionFailed::abi_decode(output) {
            Ok(error) => failure(error.index.saturating_to(), error.reason),
            Err(_) => failure(first, output.clone()),
        }),
        Outcome::Halt { reason, .. } => Some(Failure { halt: Some(*reason), ..failure(first, Bytes::new()) }),
        Outcome::Unknown(unknown) => return Err(RehearsalError::Unknown(unknown.to_string())),
    })
}
