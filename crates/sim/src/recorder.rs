//! The machine's view of a mirror, which writes down what is read.

use crate::{
    mirror::{AccountId, Mirror, SlotId},
    outcome::Unknown,
    reads::{AccountUse, EnvSeen, ReadSet},
    stage::Asked,
};
use alloy::primitives::{Address, B256, U256, address};
use errand_types::{Slot, StateKeys};
use revm::{
    Database,
    bytecode::Bytecode,
    state::{AccountId as RevmAccountId, AccountInfo},
};
use std::{collections::BTreeMap, convert::Infallible};

/// Stands for the account that gets the tips of the next block: nobody knows it yet, and it must not be
/// mistaken for an account that a run touches. The first bytes of keccak256("errand: coinbase of a block to come").
pub(crate) const UNKNOWN_COINBASE: Address = address!("23df03b3d7f4fc895e58594204bb5ed19ab73acc");

/// Reads a mirror for the machine, which asks for every key once per run and keeps what it got. So what is
/// asked here is exactly what a run depends on, frames that reverted included.
#[derive(Debug)]
pub(crate) struct Recorder<'m> {
    mirror: &'m Mirror,
    foreign_precompiles: Box<[Address]>,
    accounts: Vec<(AccountId, AccountUse)>,
    slots: Vec<SlotId>,
    env: EnvSeen,
    asked: BTreeMap<Address, Asked>,
    missing: StateKeys,
    /// The first thing that makes the outcome unknown, other than missing keys.
    unknown: Option<Unknown>,
}

impl<'m> Recorder<'m> {
    pub(crate) fn new(mirror: &'m Mirror, foreign_precompiles: &[Address]) -> Self {
        Self {
            mirror,
            foreign_precompiles: foreign_precompiles.into(),
            accounts: Vec::new(),
            slots: Vec::new(),
            env: EnvSeen::NONE,
            asked: BTreeMap::new(),
            missing: StateKeys::default(),
            unknown: None,
        }
    }

    pub(crate) fn see(&mut self, seen: EnvSeen) {
        self.env |= seen;
    }

    /// What the constructor of `contract` asked for.
    pub(crate) fn asked(&mut self, contract: Address) -> &mut Asked {
        self.asked.entry(contract).or_default()
    }

    /// What constructors asked for since this was taken last.
    pub(crate) fn take_asked(&mut self) -> BTreeMap<Address, Asked> {
        std::mem::take(&mut self.asked)
    }

    /// Notes how an account is used. It is asked for as well, before or after: an account without an id is
    /// missing, and then the run counts for nothing.
    pub(crate) fn note(&mut self, address: Address, used: AccountUse) {
        if let Some(id) = self.mirror.account_id(address) {
            self.accounts.push((id, used));
        }
    }

    pub(crate) fn give_up(&mut self, why: Unknown) {
        self.unknown.get_or_insert(why);
    }

    pub(crate) fn enter_code(&mut self, code: Address) {
        if self.foreign_precompiles.contains(&code) {
            self.give_up(Unknown::ForeignPrecompile(code));
        }
    }

    /// Why the outcome is unknown, if it is.
    pub(crate) fn unknown(&self) -> Option<Unknown> {
        if self.missing.is_empty() {
            self.unknown.clone()
        } else {
            Some(Unknown::Missing(self.missing.clone()))
        }
    }

    /// What was read since the last [`forget`](Self::forget).
    pub(crate) fn reads(&mut self) -> ReadSet {
        ReadSet::new(&mut self.accounts, &self.slots, self.env)
    }

    pub(crate) fn forget(&mut self) {
        self.accounts.clear();
        self.slots.clear();
        self.env = EnvSeen::NONE;
        self.asked.clear();
        self.missing = StateKeys::default();
        self.unknown = None;
    }

    fn read_slot(&mut self, address: Address, account: Option<AccountId>, key: U256) -> U256 {
        let found = account.and_then(|account| {
            let id = self.mirror.slot_id_in(account, key)?;
            Some((id, self.mirror.value(id)?))
        });
        match found {
            Some((id, value)) => {
                self.slots.push(id);
                value
            }
            None => {
                self.missing.slots.push(Slot { address, key });
                U256::ZERO
            }
        }
    }
}

impl Database for Recorder<'_> {
    type Error = Infallible;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        if address == UNKNOWN_COINBASE {
            // It exists: whoever builds blocks has been paid before.
            return Ok(Some(AccountInfo::from_balance(U256::ONE)));
        }
        let found = self.mirror.account_id(address).and_then(|id| Some((id, self.mirror.info(id)?)));
        match found {
            Some((id, info)) => {
                self.accounts.push((id, AccountUse::TOUCHED));
                Ok(Some(info.clone()))
            }
            None => {
                self.missing.accounts.push(address);
                Ok(None)
            }
        }
    }

    fn code_by_hash(&mut self, _hash: B256) -> Result<Bytecode, Infallible> {
        // Accounts come with their code; only one without code is ever asked again.
        Ok(Bytecode::default())
    }

    fn storage(&mut self, address: Address, key: U256) -> Result<U256, Infallible> {
        Ok(self.read_slot(address, self.mirror.account_id(address), key))
    }

    fn storage_by_account_id(
        &mut self,
        address: Address,
        account: RevmAccountId,
        key: U256,
    ) -> Result<U256, Infallible> {
        Ok(self.read_slot(address, AccountId::from_revm(account), key))
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Infallible> {
        Ok(self.mirror.block_hash(number).unwrap_or_else(|| {
            self.give_up(Unknown::BlockHash(number));
            B256::ZERO
        }))
    }
}
