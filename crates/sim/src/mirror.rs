//! The state that runs read, at the head of the chain.

mod evict;
mod write;

use crate::{
    changes::{AccountChange, Changes},
    reads::{AccountRead, AccountUse, Dependencies, ReadSet},
};
use alloy::primitives::{Address, B256, U256};
use errand_types::{AccountState, BlockHead, LoadedState, Slot, StateKeys, WriteSet};
use revm::{
    bytecode::Bytecode,
    state::{AccountId as RevmAccountId, AccountInfo},
};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use write::difference;

/// Names an account of one mirror. Ids are dense; one that was evicted ([`Mirror::keep_only`]) is given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(u32);

/// Names a slot of one mirror. Ids are dense; one that was evicted ([`Mirror::keep_only`]) is given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(u32);

impl AccountId {
    /// The machine carries ids of its own type along, which saves it a lookup per slot.
    pub(crate) fn from_revm(id: RevmAccountId) -> Option<Self> {
        u32::try_from(id.get()).ok().map(Self)
    }

    /// The id as an index into a table that has a row per account.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl SlotId {
    /// The id as an index into a table that has a row per slot.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// State was loaded at another block than the mirror's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("state of block {loaded} was offered to a mirror of block {head}")]
pub struct InsertError {
    /// The block it was loaded at.
    pub loaded: B256,
    /// The mirror's head.
    pub head: B256,
}

/// A block does not build on the mirror's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {offered} builds on {parent}, but the mirror is at {head}")]
pub struct NotTheNextBlock {
    /// The block that was offered.
    pub offered: B256,
    /// Its parent.
    pub parent: B256,
    /// The mirror's head.
    pub head: B256,
}

/// Why a block cannot be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UndoError {
    /// It is not the mirror's head.
    #[error("block {offered} cannot be undone: the mirror is at {head}")]
    NotTheHead {
        /// The block that was to be undone.
        offered: B256,
        /// The mirror's head.
        head: B256,
    },
    /// What was there before it is not kept any more. A new mirror has to be built.
    #[error("the reorganisation is deeper than the {} blocks that are kept", Mirror::DEPTH)]
    DeeperThanHistory,
}

/// How much a mirror holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MirrorSize {
    /// Accounts whose state is known.
    pub accounts: usize,
    /// Slots whose value is known.
    pub slots: usize,
    /// Different codes.
    pub codes: usize,
}

#[derive(Debug)]
struct AccountCell {
    address: Address,
    /// `None`: not known. Code is shared between accounts that have the same.
    info: Option<AccountInfo>,
    /// Kept per account, so that a contract that chooses colliding keys slows down only itself.
    slots: FxHashMap<U256, SlotId>,
}

#[derive(Debug)]
struct SlotCell {
    account: AccountId,
    key: U256,
    /// `None`: not known.
    value: Option<U256>,
}

/// What is needed to take the head back.
#[derive(Debug)]
struct Applied {
    parent: BlockHead,
    /// Values before the block, of what it changed.
    accounts: Vec<(AccountId, AccountInfo)>,
    slots: Vec<(SlotId, U256)>,
    /// What was loaded while the block was the head. Its value before the block is not known.
    loaded_accounts: Vec<AccountId>,
    loaded_slots: Vec<SlotId>,
}

/// A copy of the part of the state that runs have read, at one block.
///
/// Two phases alternate: [`insert`](Self::insert), [`apply`](Self::apply) and [`undo`](Self::undo) need it
/// exclusively; any number of [`Runner`](crate::Runner)s share it in between. Its owner decides which block it
/// is at: while state is being loaded for it, the next block waits.
///
/// What is in it is *tracked*: it follows the chain as far as the write sets are complete. What is not in it is
/// unknown, not zero.
#[derive(Debug)]
pub struct Mirror {
    head: BlockHead,
    ids: FxHashMap<Address, AccountId>,
    accounts: Vec<AccountCell>,
    slots: Vec<SlotCell>,
    /// Ids that name nothing.
    free_accounts: Vec<AccountId>,
    free_slots: Vec<SlotId>,
    codes: FxHashMap<B256, Bytecode>,
    /// The last blocks, oldest first; the last is the head.
    history: VecDeque<Applied>,
    /// Hashes of blocks from before the history, by height.
    old_hashes: FxHashMap<u64, B256>,
}

impl Mirror {
    /// How many blocks can be undone.
    pub const DEPTH: usize = 64;

    /// An empty mirror at a block.
    pub fn new(head: BlockHead) -> Self {
        Self {
            head,
            ids: FxHashMap::default(),
            accounts: Vec::new(),
            slots: Vec::new(),
            free_accounts: Vec::new(),
            free_slots: Vec::new(),
            codes: FxHashMap::default(),
            history: VecDeque::with_capacity(Self::DEPTH),
            old_hashes: FxHashMap::default(),
        }
    }

    /// The block it is at.
    pub const fn head(&self) -> &BlockHead {
        &self.head
    }

    /// Takes in state that was read at the block with hash `at`, which has to be the head.
    ///
    /// What it did not know becomes tracked. The result names what it knew differently: then a write set was
    /// incomplete, outcomes that depend on it are void, and the loaded value counts.
    pub fn insert(&mut self, at: B256, loaded: LoadedState) -> Result<Changes, InsertError> {
        if at != self.head.hash {
            return Err(InsertError { loaded: at, head: self.head.hash });
        }
        let mut changes = Changes::default();
        let (mut fresh_accounts, mut fresh_slots) = (Vec::new(), Vec::new());
        for (address, state) in loaded.accounts {
            let id = self.intern_account(address);
            let info = self.account_info(id, state);
            let Some(cell) = self.accounts.get_mut(id.index()) else { continue };
            match &cell.info {
                Some(known) if *known == info => continue,
                Some(known) => changes.add_account(id, difference(known, &info)),
                None => {}
            }
            cell.info = Some(info);
            fresh_accounts.push(id);
        }
        for (slot, value) in loaded.slots {
            let id = self.intern_slot(slot);
            let Some(cell) = self.slots.get_mut(id.index()) else { continue };
            match cell.value {
                Some(known) if known == value => continue,
                Some(_) => changes.add_slot(id),
                None => {}
            }
            cell.value = Some(value);
            fresh_slots.push(id);
        }
        if let Some(last) = self.history.back_mut() {
            last.loaded_accounts.append(&mut fresh_accounts);
            last.loaded_slots.append(&mut fresh_slots);
        }
        Ok(changes)
    }

    /// Moves to the next block. The result names what is tracked and has another value now; writes to what is
    /// not tracked are ignored.
    pub fn apply(&mut self, head: BlockHead, writes: &WriteSet) -> Result<Changes, NotTheNextBlock> {
        if head.parent_hash != self.head.hash {
            return Err(NotTheNextBlock {
                offered: head.hash,
                parent: head.parent_hash,
                head: self.head.hash,
            });
        }
        let mut step = Applied {
            parent: std::mem::replace(&mut self.head, head),
            accounts: Vec::new(),
            slots: Vec::new(),
            loaded_accounts: Vec::new(),
            loaded_slots: Vec::new(),
        };
        let mut changes = Changes::default();
        for (address, write) in &writes.accounts {
            let Some(id) = self.account_id(*address) else { continue };
            self.write_account(id, write, &mut step, &mut changes);
            if write.storage_cleared {
                self.clear_storage(id, *address, writes, &mut step, &mut changes);
            }
        }
        for (slot, value) in &writes.slots {
            if let Some(id) = self.slot_id(slot) {
                self.write_slot(id, *value, &mut step, &mut changes);
            }
        }
        if self.history.len() == Self::DEPTH {
            self.history.pop_front();
        }
        self.history.push_back(step);
        Ok(changes)
    }

    /// Moves back to the block before `head`, which has to be the head. What the block changed gets its value
    /// from before; what was loaded since is forgotten, because its value before is not known. The result names
    /// both. An error changes nothing.
    pub fn undo(&mut self, head: B256) -> Result<Changes, UndoError> {
        if head != self.head.hash {
            return Err(UndoError::NotTheHead { offered: head, head: self.head.hash });
        }
        let step = self.history.pop_back().ok_or(UndoError::DeeperThanHistory)?;
        let undone = std::mem::replace(&mut self.head, step.parent).number;
        self.old_hashes.retain(|number, _| *number < undone);
        let mut changes = Changes::default();
        for (id, before) in step.accounts {
            // A forgotten value stays forgotten: what was loaded later may have contradicted it.
            if let Some(info) = self.accounts.get_mut(id.index()).and_then(|cell| cell.info.as_mut()) {
                changes.add_account(id, difference(info, &before));
                *info = before;
            }
        }
        for (id, before) in step.slots {
            if let Some(value) = self.slots.get_mut(id.index()).and_then(|cell| cell.value.as_mut()) {
                changes.add_slot(id);
                *value = before;
            }
        }
        for id in step.loaded_accounts {
            if let Some(cell) = self.accounts.get_mut(id.index()) {
                cell.info = None;
                changes.add_account(id, AccountChange::ALL);
            }
        }
        for id in step.loaded_slots {
            if let Some(cell) = self.slots.get_mut(id.index()) {
                cell.value = None;
                changes.add_slot(id);
            }
        }
        Ok(changes)
    }

    /// Everything whose value is known: what a re-read has to ask for.
    pub fn tracked(&self) -> StateKeys {
        StateKeys {
            accounts: self
                .accounts
                .iter()
                .filter(|cell| cell.info.is_some())
                .map(|cell| cell.address)
                .collect(),
            slots: self
                .slots
                .iter()
                .filter(|cell| cell.value.is_some())
                .filter_map(|cell| self.slot_of_cell(cell))
                .collect(),
        }
    }

    /// The slots of an account whose value is known.
    pub fn slots_of(&self, address: Address) -> impl Iterator<Item = Slot> {
        let cell = self.account_id(address).and_then(|id| self.accounts.get(id.index()));
        let slots = cell.into_iter().flat_map(|cell| &cell.slots);
        slots.filter(|(_, id)| self.value(**id).is_some()).map(move |(key, _)| Slot { address, key: *key })
    }

    /// How much it holds.
    pub fn size(&self) -> MirrorSize {
        MirrorSize {
            accounts: self.accounts.iter().filter(|cell| cell.info.is_some()).count(),
            slots: self.slots.iter().filter(|cell| cell.value.is_some()).count(),
            codes: self.codes.len(),
        }
    }

    /// What is known of an account.
    pub fn account(&self, address: Address) -> Option<AccountState> {
        let info = self.info(self.account_id(address)?)?;
        let code = info.code.as_ref().map(Bytecode::original_bytes).unwrap_or_default();
        Some(AccountState { balance: info.balance, nonce: info.nonce, code })
    }

    /// The value of a slot, if it is known.
    pub fn slot(&self, slot: &Slot) -> Option<U256> {
        self.value(self.slot_id(slot)?)
    }

    /// The id of an account that is or was tracked.
    pub fn account_id(&self, address: Address) -> Option<AccountId> {
        self.ids.get(&address).copied()
    }

    /// The id of a slot that is or was tracked.
    pub fn slot_id(&self, slot: &Slot) -> Option<SlotId> {
        self.slot_id_in(self.account_id(slot.address)?, slot.key)
    }

    /// The account that an id names.
    pub fn address_of(&self, id: AccountId) -> Option<Address> {
        self.accounts.get(id.index()).map(|cell| cell.address)
    }

    /// The slot that an id names.
    pub fn slot_of(&self, id: SlotId) -> Option<Slot> {
        self.slot_of_cell(self.slots.get(id.index())?)
    }

    /// Writes a read set out.
    pub fn dependencies(&self, reads: &ReadSet) -> Dependencies {
        let account = |(id, used): &(AccountId, AccountUse)| {
            Some(AccountRead {
                address: self.address_of(*id)?,
                balance: used.intersects(AccountUse::BALANCE),
                nonce: used.intersects(AccountUse::NONCE),
                entered: used.intersects(AccountUse::ENTERED),
            })
        };
        Dependencies {
            accounts: reads.accounts().iter().filter_map(account).collect(),
            slots: reads
                .slots()
                .iter()
                .filter_map(|id| Some((self.slot_of(*id)?, self.value(*id))))
                .collect(),
            environment: reads.env().names().map(str::to_owned).collect(),
        }
    }

    pub(crate) fn info(&self, id: AccountId) -> Option<&AccountInfo> {
        self.accounts.get(id.index())?.info.as_ref()
    }

    pub(crate) fn value(&self, id: SlotId) -> Option<U256> {
        self.slots.get(id.index())?.value
    }

    pub(crate) fn slot_id_in(&self, account: AccountId, key: U256) -> Option<SlotId> {
        self.accounts.get(account.index())?.slots.get(&key).copied()
    }

    /// Takes in the hash of an ancestor of the head, for runs that end as
    /// [`Unknown::BlockHash`](crate::Unknown::BlockHash).
    pub fn insert_block_hash(&mut self, number: u64, hash: B256) {
        self.old_hashes.insert(number, hash);
    }

    pub(crate) fn block_hash(&self, number: u64) -> Option<B256> {
        std::iter::once(&self.head)
            .chain(self.history.iter().rev().map(|step| &step.parent))
            .find(|head| head.number == number)
            .map(|head| head.hash)
            .or_else(|| self.old_hashes.get(&number).copied())
    }

    fn slot_of_cell(&self, cell: &SlotCell) -> Option<Slot> {
        Some(Slot { address: self.address_of(cell.account)?, key: cell.key })
    }
}
