//! What an outcome depends on, and when it still holds.

use crate::{
    changes::Changes,
    env::Environment,
    mirror::{AccountId, SlotId},
};
use alloy::primitives::{Address, U256};
use errand_types::Slot;
use serde::{Deserialize, Serialize};
use std::ops::{BitOr, BitOrAssign};

/// What a run looked at outside the state: one bit per kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EnvSeen(u16);

impl EnvSeen {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// TIMESTAMP ran.
    pub const TIMESTAMP: Self = Self(1);
    /// NUMBER ran.
    pub const NUMBER: Self = Self(1 << 1);
    /// BASEFEE ran, or it is a transaction, whose price may not be lower.
    pub const BASE_FEE: Self = Self(1 << 2);
    /// GASLIMIT ran, or it is a transaction, which has to fit in.
    pub const GAS_LIMIT: Self = Self(1 << 3);
    /// GASPRICE ran, or it is a transaction, which the origin pays.
    pub const GAS_PRICE: Self = Self(1 << 4);
    /// ORIGIN ran. It does not change from block to block; but only the whole transaction has the real one.
    pub const ORIGIN: Self = Self(1 << 5);
    /// GAS ran other than directly before a call. There it is the call's gas operand, "all there is", and
    /// cannot be seen in any other way; everywhere else the program may compute with it. The gas limit of a
    /// call is fixed, so this does not change from block to block either; but only the whole transaction has
    /// the real one.
    pub const GAS: Self = Self(1 << 6);
    /// PREVRANDAO ran. Nobody knows it beforehand: the run went on with zero.
    pub const PREV_RANDAO: Self = Self(1 << 7);
    /// COINBASE ran. Nobody knows it beforehand: the run went on with an address of no account.
    pub const COINBASE: Self = Self(1 << 8);
    /// BLOCKHASH ran.
    pub const BLOCK_HASH: Self = Self(1 << 9);
    /// BLOBBASEFEE ran. It is not predicted: the run went on with 1 wei.
    pub const BLOB_BASE_FEE: Self = Self(1 << 10);
    /// The outcome is unknown, and so is what it depends on.
    pub(crate) const UNKNOWN: Self = Self(1 << 11);

    /// What the next block has and nobody but its builder knows: the run went on with stand-ins.
    pub const UNFORESEEABLE: Self = Self(Self::PREV_RANDAO.0 | Self::COINBASE.0 | Self::BLOB_BASE_FEE.0);
    /// What no later block can be known to repeat.
    const UNREPEATABLE: Self = Self(Self::UNFORESEEABLE.0 | Self::BLOCK_HASH.0 | Self::UNKNOWN.0);

    const NAMES: [(Self, &'static str); 12] = [
        (Self::TIMESTAMP, "timestamp"),
        (Self::NUMBER, "number"),
        (Self::BASE_FEE, "basefee"),
        (Self::GAS_LIMIT, "gaslimit"),
        (Self::GAS_PRICE, "gasprice"),
        (Self::ORIGIN, "origin"),
        (Self::GAS, "gas"),
        (Self::PREV_RANDAO, "prevrandao"),
        (Self::COINBASE, "coinbase"),
        (Self::BLOCK_HASH, "blockhash"),
        (Self::BLOB_BASE_FEE, "blobbasefee"),
        (Self::UNKNOWN, "unknown"),
    ];

    /// Whether any of `other` was seen.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The opcodes that were seen, in small letters.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(bit, _)| self.intersects(*bit)).map(|(_, name)| name)
    }

    /// Whether everything that was seen is the same in both environments.
    fn is_same(self, before: &Environment, after: &Environment) -> bool {
        let (old, new) = (&before.block, &after.block);
        let kept = |bit, same: bool| same || !self.intersects(bit);
        !self.intersects(Self::UNREPEATABLE)
            && kept(Self::TIMESTAMP, old.timestamp == new.timestamp)
            && kept(Self::NUMBER, old.number == new.number)
            && kept(Self::BASE_FEE, old.base_fee == new.base_fee)
            && kept(Self::GAS_LIMIT, old.gas_limit == new.gas_limit)
            && kept(Self::GAS_PRICE, before.gas_price == after.gas_price)
    }
}

impl BitOr for EnvSeen {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for EnvSeen {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// How a run used an account, beyond its code and whether it exists: these matter of every account that is
/// touched at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AccountUse(u8);

impl AccountUse {
    /// Code and existence only.
    pub const TOUCHED: Self = Self(0);
    /// Its balance mattered: BALANCE, SELFBALANCE, it paid a call or a creation with value, SELFDESTRUCT, or it
    /// is a transaction's origin.
    pub const BALANCE: Self = Self(1);
    /// Its nonce mattered: it created a contract, it is where one was created, or it is a transaction's origin.
    pub const NONCE: Self = Self(2);
    /// Its code ran, or would have if it had any: it was the target of a call, or its code was run by another.
    pub const ENTERED: Self = Self(4);

    /// Whether any of `other` is in it.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for AccountUse {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for AccountUse {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// What an outcome depends on: everything that was read, also by frames that reverted. Named by the ids of the
/// mirror it ran on; [`Mirror::dependencies`](crate::Mirror::dependencies) writes them out.
///
/// The account that only stands for the caller of a call, and the one that gets the tips, are not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadSet {
    accounts: Box<[(AccountId, AccountUse)]>,
    slots: Box<[SlotId]>,
    env: EnvSeen,
}

impl ReadSet {
    /// `accounts` may name an account several times; what is said of it is joined.
    pub(crate) fn new(accounts: &mut Vec<(AccountId, AccountUse)>, slots: &[SlotId], env: EnvSeen) -> Self {
        accounts.sort_unstable_by_key(|(id, _)| *id);
        accounts.dedup_by(|(id, used), (kept_id, kept)| {
            let same = id == kept_id;
            if same {
                *kept |= *used;
            }
            same
        });
        Self { accounts: accounts.as_slice().into(), slots: slots.into(), env }
    }

    pub(crate) fn unknown() -> Self {
        Self { env: EnvSeen::UNKNOWN, ..Self::default() }
    }

    /// The accounts that were touched, by ascending id, and how they were used.
    pub fn accounts(&self) -> &[(AccountId, AccountUse)] {
        &self.accounts
    }

    /// The slots that were read (or written, which reads them too), in the order of their first use.
    pub fn slots(&self) -> &[SlotId] {
        &self.slots
    }

    /// What was seen outside the state.
    pub const fn env(&self) -> EnvSeen {
        self.env
    }

    /// How an account was used; `None` if it was not touched.
    pub fn account(&self, id: AccountId) -> Option<AccountUse> {
        let at = self.accounts.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        self.accounts.get(at).map(|(_, used)| *used)
    }

    /// Whether the code of an account ran.
    pub fn entered(&self, id: AccountId) -> bool {
        self.account(id).is_some_and(|used| used.intersects(AccountUse::ENTERED))
    }

    /// Whether the outcome may hold for a later block at all.
    pub const fn is_cacheable(&self) -> bool {
        !self.env.intersects(EnvSeen::UNREPEATABLE)
    }

    /// Whether a run of the same call (same [`CallSpec`](errand_types::CallSpec) but for the gas price, same
    /// preset slots, same rules) would end the same after `changes`, with `before` the environment of the run
    /// and `after` that of the block in question. `true` is a promise; `false` only says "run it again".
    ///
    /// `changes` are all changes since the run, of the same mirror. It is the definition that any index has to
    /// agree with; it looks at everything that was read.
    pub fn is_valid(&self, changes: &Changes, before: &Environment, after: &Environment) -> bool {
        self.env.is_same(before, after)
            && !self.slots.iter().any(|slot| changes.has_slot(*slot))
            && !self.accounts.iter().any(|(id, used)| {
                let change = changes.account(*id);
                change.code
                    || change.balance && used.intersects(AccountUse::BALANCE)
                    || change.nonce && used.intersects(AccountUse::NONCE)
            })
    }
}

/// A [`ReadSet`] written out for people, with the values of now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependencies {
    /// Accounts.
    pub accounts: Vec<AccountRead>,
    /// Slots and their values; `None` when the value is not known any more.
    pub slots: Vec<(Slot, Option<U256>)>,
    /// What was seen outside the state, as [`EnvSeen::names`] calls it.
    pub environment: Vec<String>,
}

/// An account that a run touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRead {
    /// The account.
    pub address: Address,
    /// Whether its balance mattered.
    pub balance: bool,
    /// Whether its nonce mattered.
    pub nonce: bool,
    /// Whether its code ran.
    pub entered: bool,
}
