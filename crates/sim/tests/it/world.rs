//! A state that tests load mirrors from, as a node would answer.

use crate::asm::asm;
use alloy::primitives::{Address, B256, Bytes, U256};
use errand_sim::{Environment, Fork, Mirror, Run, Runner, SimConfig};
use errand_types::{AccountState, BlockHead, CallSpec, LoadedState, NextBlock, Slot, StateKeys, WriteSet};
use std::collections::BTreeMap;

pub(crate) const ORIGIN: Address = Address::repeat_byte(0xe0);
pub(crate) const CALLER: Address = Address::repeat_byte(0xca);
pub(crate) const TARGET: Address = Address::repeat_byte(0x7a);
pub(crate) const OTHER: Address = Address::repeat_byte(0x0b);
pub(crate) const ETHER: u128 = 1_000_000_000_000_000_000;

/// A whole state. What is not in it is zero.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) accounts: BTreeMap<Address, AccountState>,
    pub(crate) slots: BTreeMap<Slot, U256>,
}

impl World {
    /// A world with a rich origin and a target that runs `code`.
    pub(crate) fn with_target(code: Bytes) -> Self {
        let mut world = Self::default();
        world.accounts.entry(ORIGIN).or_default().balance = U256::from(ETHER);
        world.code(TARGET, code)
    }

    pub(crate) fn code(mut self, address: Address, code: Bytes) -> Self {
        self.accounts.insert(address, AccountState { nonce: 1, code, ..AccountState::default() });
        self
    }

    pub(crate) fn balance(mut self, address: Address, wei: u128) -> Self {
        self.accounts.entry(address).or_default().balance = U256::from(wei);
        self
    }

    pub(crate) fn slot(mut self, address: Address, key: u64, value: u64) -> Self {
        self.slots.insert(slot(address, key), U256::from(value));
        self
    }

    /// What a node answers.
    pub(crate) fn load(&self, keys: &StateKeys) -> LoadedState {
        LoadedState {
            accounts: keys
                .accounts
                .iter()
                .map(|address| (*address, self.accounts.get(address).cloned().unwrap_or_default()))
                .collect(),
            slots: keys
                .slots
                .iter()
                .map(|slot| (*slot, self.slots.get(slot).copied().unwrap_or_default()))
                .collect(),
        }
    }

    /// The state after a block.
    pub(crate) fn write(&mut self, writes: &WriteSet) {
        for (address, write) in &writes.accounts {
            let account = self.accounts.entry(*address).or_default();
            account.balance = write.balance.unwrap_or(account.balance);
            account.nonce = write.nonce.unwrap_or(account.nonce);
            if let Some(code) = &write.code {
                account.code = code.clone();
            }
            if write.storage_cleared {
                self.slots.retain(|slot, _| slot.address != *address);
            }
        }
        self.slots.extend(writes.slots.iter().map(|(slot, value)| (*slot, *value)));
    }

    /// Loads what `run` misses until it misses nothing, and says how often that was necessary.
    pub(crate) fn settle<R>(
        &self,
        mirror: &mut Mirror,
        mut run: impl FnMut(&Mirror) -> R,
        missing: impl Fn(&R) -> StateKeys,
    ) -> (R, usize) {
        for round in 0..100 {
            let result = run(mirror);
            let keys = missing(&result);
            if keys.is_empty() {
                return (result, round);
            }
            mirror.insert(mirror.head().hash, self.load(&keys)).unwrap();
        }
        panic!("a run keeps missing keys");
    }

    /// Runs a call on a new mirror of this world.
    pub(crate) fn call(&self, spec: &CallSpec) -> (Run, Mirror) {
        let mut mirror = Mirror::new(head(100));
        let (run, _) = self.call_on(&mut mirror, spec);
        (run, mirror)
    }

    pub(crate) fn call_on(&self, mirror: &mut Mirror, spec: &CallSpec) -> (Run, usize) {
        self.settle(mirror, |mirror| runner(mirror).run_call(spec, &[]), missing)
    }

    /// Runs a transaction on a new mirror of this world.
    pub(crate) fn transaction(&self, spec: &CallSpec) -> (Run, Mirror) {
        let mut mirror = Mirror::new(head(100));
        let (run, _) = self.settle(&mut mirror, |mirror| runner(mirror).run_transaction(spec), missing);
        (run, mirror)
    }
}

pub(crate) fn missing(run: &Run) -> StateKeys {
    run.outcome.missing().cloned().unwrap_or_default()
}

pub(crate) fn slot(address: Address, key: u64) -> Slot {
    Slot { address, key: U256::from(key) }
}

pub(crate) fn config() -> SimConfig {
    SimConfig::new(31337, Fork::Osaka)
}

pub(crate) fn runner(mirror: &Mirror) -> Runner<'_> {
    Runner::new(&config(), mirror, &next().block)
}

/// The environment that [`runner`] runs in, with the gas price of [`call`].
pub(crate) fn next() -> Environment {
    Environment {
        block: NextBlock { number: 101, timestamp: 1_700_000_012, base_fee: 7, gas_limit: 30_000_000 },
        gas_price: 1_000_000_000,
    }
}

/// A head whose hash says its number.
pub(crate) fn head(number: u64) -> BlockHead {
    fork_head(number, B256::with_last_byte(u8::try_from(number - 1).unwrap_or_default()), 0)
}

/// A head of a branch: its hash says number and branch.
pub(crate) fn fork_head(number: u64, parent_hash: B256, branch: u8) -> BlockHead {
    let mut hash = B256::from(U256::from(number));
    hash.0[0] = branch;
    BlockHead {
        number,
        hash,
        parent_hash,
        timestamp: 1_700_000_000,
        base_fee: 7,
        gas_limit: 30_000_000,
        gas_used: 15_000_000,
        prev_randao: B256::repeat_byte(1),
        beneficiary: Address::repeat_byte(0xbe),
    }
}

/// A call of the target without data or value.
pub(crate) fn call() -> CallSpec {
    CallSpec {
        origin: ORIGIN,
        caller: CALLER,
        to: TARGET,
        data: Bytes::new(),
        value: U256::ZERO,
        gas_limit: 1_000_000,
        gas_price: 1_000_000_000,
    }
}

/// A program that returns the word on top of the stack, after `text`.
pub(crate) fn returning(text: &str) -> Bytes {
    asm(&format!("{text} 0 MSTORE 32 0 RETURN"))
}
