//! The bundle that takes another one back, as far as that can be done.

use super::{Existing, PlanError, Planned, bytes_at, implementation_of, slot_of};
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

/// What takes `actions` back to what `before` says of the time before them.
pub fn inverse(actions: &[Planned], before: &dyn Existing) -> Result<Inverse, PlanError> {
    let new: BTreeSet<Address> = actions
        .iter()
        .filter(|planned| matches!(planned.step, Step::Deploy { .. }))
        .map(|planned| planned.target)
        .collect();
    let (mut storage, mut implementations, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for planned in actions.iter().rev() {
        let target = planned.target;
        let back = |step| Planned { name: planned.name.clone(), target, step };
        match &planned.step {
            Step::Deploy { .. } => kept.push((planned.name.clone(), Kept::Deployed)),
            Step::Call { .. } => kept.push((planned.name.clone(), Kept::Called)),
            _ if new.contains(&target) => kept.push((planned.name.clone(), Kept::NewProxy)),
            Step::SetStorage { slot, offset, value } => {
                let old = bytes_at(slot_of(before, target, *slot)?, *offset, value.len());
                if old != *value {
                    storage.push(back(Step::SetStorage { slot: *slot, offset: *offset, value: old }));
                }
            }
            Step::SetImplementation { implementation } => {
                let old = implementation_of(before, target)?;
                if old.is_zero() {
                    // It was there without an implementation; none cannot be set.
                    kept.push((planned.name.clone(), Kept::NewProxy));
                } else if old != *implementation {
                    implementations.push(back(Step::SetImplementation { implementation: old }));
                }
            }
        }
    }
    let actions: Vec<Planned> = storage.into_iter().chain(implementations).collect();
    if actions.is_empty() { Err(PlanError::NothingToDo) } else { Ok(Inverse { actions, kept }) }
}
