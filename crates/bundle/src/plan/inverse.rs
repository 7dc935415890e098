//! The bundle that takes another one back, as far as that can be done.

use super::{Existing, PlanError, Planned, Questions, bytes_at, implementation_of, slot_of};
use crate::Step;
use alloy::primitives::Address;
use std::collections::BTreeSet;

/// What takes a plan back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inverse {
    /// SET_STORAGE and SET_IMPLEMENTATION, the last written first
    pub actions: Vec<Planned>,
    /// what stays as the plan made it
    pub kept: Vec<(String, Kept)>,
    /// what goes back although somebody has changed it since: that change goes too
    pub changed_since: Vec<String>,
}

/// Why something stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// code does not go away; nobody is led to it any more
    Deployed,
    /// the proxy was new in the plan: it had nothing before
    NewProxy,
    /// what a call did is not known
    Called,
}

/// All that [`inverse`] may ask, of the time before and of now.
pub fn inverse_questions(actions: &[Planned]) -> Questions {
    let mut questions = Questions { accounts: Vec::new(), proxies: Vec::new(), slots: Vec::new() };
    for planned in actions {
        match planned.step {
            Step::SetStorage { slot, .. } => questions.slots.push((planned.target, slot)),
            Step::SetImplementation { .. } => questions.proxies.push(planned.target),
            Step::Deploy { .. } | Step::Call { .. } => {}
        }
    }
    questions
}

/// What of `actions` is left to take back: from what is there `now` to what `before` says of the time before them.
///
/// # Errors
/// [`PlanError::NothingToTakeBack`], [`PlanError::Unknown`]
pub fn inverse(actions: &[Planned], before: &dyn Existing, now: &dyn Existing) -> Result<Inverse, PlanError> {
    let new: BTreeSet<Address> = actions
        .iter()
        .filter(|planned| matches!(planned.step, Step::Deploy { .. }))
        .map(|planned| planned.target)
        .collect();
    let (mut storage, mut implementations) = (Vec::new(), Vec::new());
    let (mut kept, mut changed_since) = (Vec::new(), Vec::new());
    for planned in actions.iter().rev() {
        let target = planned.target;
        let back = |step| Planned { name: planned.name.clone(), target, step };
        match &planned.step {
            Step::Deploy { .. } => kept.push((planned.name.clone(), Kept::Deployed)),
            Step::Call { .. } => kept.push((planned.name.clone(), Kept::Called)),
            _ if new.contains(&target) => kept.push((planned.name.clone(), Kept::NewProxy)),
            Step::SetStorage { slot, offset, value } => {
                let of = |word| bytes_at(word, *offset, value.len());
                let (old, new) = (of(slot_of(before, target, *slot)?), of(slot_of(now, target, *slot)?));
                if old != new {
                    if new != *value {
                        changed_since.push(planned.name.clone());
                    }
                    storage.push(back(Step::SetStorage { slot: *slot, offset: *offset, value: old }));
                }
            }
            Step::SetImplementation { implementation } => {
                let (old, new) = (implementation_of(before, target)?, implementation_of(now, target)?);
                if old.is_zero() {
                    // It was there without an implementation; none cannot be set.
                    kept.push((planned.name.clone(), Kept::NewProxy));
                } else if old != new {
                    if new != *implementation {
                        changed_since.push(planned.name.clone());
                    }
                    implementations.push(back(Step::SetImplementation { implementation: old }));
                }
            }
        }
    }
    let actions: Vec<Planned> = storage.into_iter().chain(implementations).collect();
    if actions.is_empty() {
        return Err(PlanError::NothingToTakeBack);
    }
    Ok(Inverse { actions, kept, changed_since })
}
