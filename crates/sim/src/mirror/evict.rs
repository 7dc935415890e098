//! Eviction: what no outcome depends on makes room.

use super::{AccountId, Mirror, SlotId};
use crate::reads::ReadSet;
use rustc_hash::FxHashSet;

/// How far back BLOCKHASH sees.
const BLOCK_HASHES: u64 = 256;

impl Mirror {
    /// Accounts and slots that take up memory, whether or not their value is known.
    pub const fn held(&self) -> usize {
        self.accounts.len() + self.slots.len() - self.free_accounts.len() - self.free_slots.len()
    }

    /// Evicts what none of `reads` names, so that what was read once does not stay for ever. The ids of what is
    /// evicted name something else later: a read set that is not among `reads` is void.
    pub fn keep_only<'a>(&mut self, reads: impl IntoIterator<Item = &'a ReadSet>) {
        let (mut accounts, mut slots) = (vec![false; self.accounts.len()], vec![false; self.slots.len()]);
        for reads in reads {
            for (id, _) in reads.accounts() {
                mark(&mut accounts, id.index());
            }
            for id in reads.slots() {
                mark(&mut slots, id.index());
                if let Some(cell) = self.slots.get(id.index()) {
                    mark(&mut accounts, cell.account.index());
                }
            }
        }
        let has_account = |id: AccountId| accounts.get(id.index()) == Some(&true);
        let has_slot = |id: SlotId| slots.get(id.index()) == Some(&true);
        self.ids.retain(|_, id| has_account(*id));
        self.ids.shrink_to_fit();
        for (cell, kept) in self.accounts.iter_mut().zip(&accounts) {
            cell.slots.retain(|_, id| *kept && has_slot(*id));
            cell.slots.shrink_to_fit();
            cell.info.take_if(|_| !kept);
        }
        for (cell, kept) in self.slots.iter_mut().zip(&slots) {
            cell.value.take_if(|_| !kept);
        }
        for step in &mut self.history {
            step.accounts.retain(|(id, _)| has_account(*id));
            step.slots.retain(|(id, _)| has_slot(*id));
            step.loaded_accounts.retain(|id| has_account(*id));
            step.loaded_slots.retain(|id| has_slot(*id));
        }
        self.free_accounts =
            (0..).map(AccountId).take(accounts.len()).filter(|id| !has_account(*id)).collect();
        self.free_slots = (0..).map(SlotId).take(slots.len()).filter(|id| !has_slot(*id)).collect();
        let used: FxHashSet<_> =
            self.accounts.iter().filter_map(|cell| Some(cell.info.as_ref()?.code_hash)).collect();
        self.codes.retain(|hash, _| used.contains(hash));
        let oldest = self.head.number.saturating_sub(BLOCK_HASHES);
        self.old_hashes.retain(|number, _| *number >= oldest);
    }
}

fn mark(marks: &mut [bool], index: usize) {
    if let Some(mark) = marks.get_mut(index) {
        *mark = true;
    }
}
