//! What transactions changed, one after the other.

use alloy::primitives::{Address, B256, Bytes, U256};
use errand_types::{AccountWrite, Slot, WriteSet};
use std::collections::BTreeSet;

/// What the transactions so far changed.
#[derive(Debug, Default)]
pub(super) struct Diff {
    pub(super) writes: WriteSet,
    /// Accounts whose code may have changed without the source saying so.
    pub(super) maybe_recoded: BTreeSet<Address>,
    /// Accounts that may have been destroyed, with their storage, without the source saying so.
    pub(super) maybe_destroyed: BTreeSet<Address>,
}

impl Diff {
    pub(super) fn set_balance(&mut self, address: Address, balance: U256) {
        self.account(address).balance = Some(balance);
    }

    pub(super) fn set_nonce(&mut self, address: Address, nonce: u64) {
        self.account(address).nonce = Some(nonce);
    }

    pub(super) fn set_code(&mut self, address: Address, code: Bytes) {
        self.account(address).code = Some(code);
    }

    pub(super) fn set_slot(&mut self, address: Address, key: B256, value: B256) {
        self.writes.slots.insert(Slot { address, key: key.into() }, value.into());
    }

    /// Forgets what was written to the account's storage, which is gone.
    pub(super) fn clear_storage(&mut self, address: Address) {
        self.writes.slots.retain(|slot, _| slot.address != address);
        self.account(address).storage_cleared = true;
    }

    fn account(&mut self, address: Address) -> &mut AccountWrite {
        self.writes.accounts.entry(address).or_default()
    }
}

/// Checks that the traces are those of the block's transactions, all of them and in order. A trace may lack its
/// hash; then the number has to do.
pub(super) fn check_transactions(
    traced: impl ExactSizeIterator<Item = Option<B256>>,
    expected: &[B256],
) -> Result<(), String> {
    if traced.len() != expected.len() {
        return Err(format!("{} traces for {} transactions", traced.len(), expected.len()));
    }
    match traced.zip(expected).find(|(traced, expected)| traced.is_some_and(|hash| hash != **expected)) {
        Some((_, expected)) => Err(format!("another trace where that of {expected} should be")),
        None => Ok(()),
    }
}
