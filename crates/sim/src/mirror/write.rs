//! How cells come into being and change.

use super::{AccountCell, AccountId, Applied, Mirror, SlotCell, SlotId};
use crate::changes::{AccountChange, Changes};
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use errand_types::{AccountState, AccountWrite, Slot, WriteSet};
use revm::{
    bytecode::Bytecode,
    state::{AccountId as RevmAccountId, AccountInfo},
};
use rustc_hash::FxHashMap;

impl Mirror {
    pub(super) fn intern_account(&mut self, address: Address) -> AccountId {
        if let Some(id) = self.account_id(address) {
            return id;
        }
        let cell = AccountCell { address, info: None, slots: FxHashMap::default() };
        let id = match self.free_accounts.pop() {
            Some(id) => id,
            None => AccountId(u32::try_from(self.accounts.len()).unwrap_or(u32::MAX)),
        };
        place(&mut self.accounts, id.index(), cell);
        self.ids.insert(address, id);
        id
    }

    pub(super) fn intern_slot(&mut self, slot: Slot) -> SlotId {
        let account = self.intern_account(slot.address);
        if let Some(id) = self.slot_id_in(account, slot.key) {
            return id;
        }
        let id = match self.free_slots.pop() {
            Some(id) => id,
            None => SlotId(u32::try_from(self.slots.len()).unwrap_or(u32::MAX)),
        };
        place(&mut self.slots, id.index(), SlotCell { account, key: slot.key, value: None });
        if let Some(cell) = self.accounts.get_mut(account.index()) {
            cell.slots.insert(slot.key, id);
        }
        id
    }

    pub(super) fn account_info(&mut self, id: AccountId, state: AccountState) -> AccountInfo {
        let (code_hash, code) = self.code(state.code);
        AccountInfo {
            balance: state.balance,
            nonce: state.nonce,
            code_hash,
            account_id: RevmAccountId::new(id.index()),
            code: Some(code),
        }
    }

    /// The analysed form of a code, made once per different code.
    fn code(&mut self, code: Bytes) -> (B256, Bytecode) {
        let hash = keccak256(&code);
        let analysed = self.codes.entry(hash).or_insert_with(|| {
            // What looks like a delegation but is none is ordinary code, that starts with a missing opcode.
            Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code))
        });
        (hash, analysed.clone())
    }

    pub(super) fn write_account(
        &mut self,
        id: AccountId,
        write: &AccountWrite,
        step: &mut Applied,
        changes: &mut Changes,
    ) {
        let code = write.code.clone().map(|code| self.code(code));
        let Some(info) = self.accounts.get_mut(id.index()).and_then(|cell| cell.info.as_mut()) else {
            return;
        };
        let before = info.clone();
        info.balance = write.balance.unwrap_or(info.balance);
        info.nonce = write.nonce.unwrap_or(info.nonce);
        if let Some((hash, code)) = code {
            info.code_hash = hash;
            info.code = Some(code);
        }
        if before != *info {
            changes.add_account(id, difference(&before, info));
            step.accounts.push((id, before));
        }
    }

    pub(super) fn clear_storage(
        &mut self,
        id: AccountId,
        address: Address,
        writes: &WriteSet,
        step: &mut Applied,
        changes: &mut Changes,
    ) {
        let Some(cell) = self.accounts.get(id.index()) else { return };
        let unlisted: Vec<_> = cell
            .slots
            .iter()
            .filter(|(key, _)| !writes.slots.contains_key(&Slot { address, key: **key }))
            .map(|(_, slot)| *slot)
            .collect();
        for slot in unlisted {
            self.write_slot(slot, U256::ZERO, step, changes);
        }
    }

    pub(super) fn write_slot(&mut self, id: SlotId, value: U256, step: &mut Applied, changes: &mut Changes) {
        let Some(known) = self.slots.get_mut(id.index()).and_then(|cell| cell.value.as_mut()) else { return };
        if *known != value {
            step.slots.push((id, std::mem::replace(known, value)));
            changes.add_slot(id);
        }
    }
}

/// Puts a cell in the place of an evicted one, or behind all others.
fn place<T>(cells: &mut Vec<T>, index: usize, cell: T) {
    match cells.get_mut(index) {
        Some(evicted) => *evicted = cell,
        None => cells.push(cell),
    }
}

pub(super) fn difference(before: &AccountInfo, after: &AccountInfo) -> AccountChange {
    AccountChange {
        balance: before.balance != after.balance,
        nonce: before.nonce != after.nonce,
        code: before.code_hash != after.code_hash || before.is_empty() != after.is_empty(),
    }
}
