//! What a block changed of the state that is mirrored.

use crate::mirror::{AccountId, SlotId};
use rustc_hash::{FxHashMap, FxHashSet};

/// Which parts of an account have another value than before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// Its balance.
    pub balance: bool,
    /// Its nonce.
    pub nonce: bool,
    /// Its code, the account it delegates to, or whether it exists (EIP-161: it has code, nonce or balance).
    pub code: bool,
}

impl AccountChange {
    pub(crate) const ALL: Self = Self { balance: true, nonce: true, code: true };

    const fn is_none(self) -> bool {
        !(self.balance || self.nonce || self.code)
    }
}

/// The keys of a mirror whose values are other than before: by a block, by its removal, or because they are
/// not known any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    accounts: FxHashMap<AccountId, AccountChange>,
    slots: FxHashSet<SlotId>,
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.slots.is_empty()
    }

    /// The number of accounts and slots that changed.
    pub fn len(&self) -> usize {
        self.accounts.len() + self.slots.len()
    }

    /// The accounts that changed.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, AccountChange)> {
        self.accounts.iter().map(|(id, change)| (*id, *change))
    }

    /// The slots that changed.
    pub fn slots(&self) -> impl Iterator<Item = SlotId> {
        self.slots.iter().copied()
    }

    /// What changed of one account.
    pub fn account(&self, id: AccountId) -> AccountChange {
        self.accounts.get(&id).copied().unwrap_or_default()
    }

    /// Whether a slot changed.
    pub fn has_slot(&self, id: SlotId) -> bool {
        self.slots.contains(&id)
    }

    /// Adds what a later step changed. A value that changed and changed back stays in.
    pub fn extend(&mut self, later: &Self) {
        for (id, change) in later.accounts() {
            self.add_account(id, change);
        }
        self.slots.extend(&later.slots);
    }

    pub(crate) fn add_account(&mut self, id: AccountId, change: AccountChange) {
        if change.is_none() {
            return;
        }
        let entry = self.accounts.entry(id).or_default();
        entry.balance |= change.balance;
        entry.nonce |= change.nonce;
        entry.code |= change.code;
    }

    pub(crate) fn add_slot(&mut self, id: SlotId) {
        self.slots.insert(id);
    }
}
