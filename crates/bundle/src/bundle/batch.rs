//! Which actions go into which transaction.

use super::BundleError;
use crate::{Action, Tree, action::executeCall};
use alloy::{
    primitives::{B256, U256},
    sol_types::SolCall,
};

pub use errand_types::TX_GAS_CAP;

/// Gas of any transaction, and per token of call data at least (EIP-7623).
const TX_BASE: u64 = 21_000;
const FLOOR_TOKEN_GAS: u64 = 10;
/// Gas per word of all copies and hashes of an action; per hash of a proof; and of an action's turn.
const COPY_GAS: u64 = 60;
const HASH_GAS: u64 = 300;
const ACTION_GAS: u64 = 8_000;
/// What has to be left for the payment strategy after the last action (`StrategyRead.EPS_GAS`, the call, and the 64th
/// that stays behind), though it hardly uses it.
const PRICE_GAS: u64 = 104_400;
/// Bytes of a transaction besides its call data: fields, signature, lengths.
const ENVELOPE: usize = 256;
/// Bytes of a batch's call data besides its actions: selector, four heads, two lengths.
const HEAD: usize = 4 + 6 * 32;

/// What transactions may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GasRules {
    /// gas units of a transaction; [`TX_GAS_CAP`]
    pub tx_gas_cap: u64,
    /// the manager's `txOverhead`: gas units beyond the actions' that a transaction is paid at most, and, here, that
    /// it needs at most
    pub tx_overhead: u64,
    /// bytes of a transaction that nodes pass on; 128 KiB
    pub max_tx_bytes: usize,
}

impl GasRules {
    /// Ethereum's, with the manager's overhead.
    pub const fn ethereum(tx_overhead: u64) -> Self {
        Self { tx_gas_cap: TX_GAS_CAP, tx_overhead, max_tx_bytes: 128 * 1024 }
    }
}

/// Gas of an action, measured cold in a transaction of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// gas units that were used of what was forwarded to it
    pub frame: u64,
    /// gas units altogether without the fixed part of a transaction: the frame, call data, proof
    pub share: u64,
}

/// A transaction's part of the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// index of its first action
    pub first: usize,
    /// so many
    pub count: usize,
    /// gas units with which it cannot run short, whatever the actions burn
    pub gas: u64,
    /// bytes of the whole transaction, about
    pub bytes: usize,
}

/// What an action adds to its transaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// forwarded
    committed: u64,
    /// used besides
    outside: u64,
    bytes: usize,
    tokens: u64,
}

/// Committed gas: what was measured altogether, and the margin.
pub(super) fn committed(
    names: &[String],
    measured: &[Measured],
    margin: u32,
) -> Result<Vec<u64>, BundleError> {
    if names.len() != measured.len() {
        return Err(BundleError::NotMeasured { actions: names.len(), measured: measured.len() });
    }
    let each = names.iter().zip(measured).map(|(name, found)| {
        if found.frame > found.share {
            let (frame, share) = (found.frame, found.share);
            return Err(BundleError::BadMeasurement { name: name.clone(), frame, share });
        }
        let with_margin = u128::from(found.share) * u128::from(100 + margin);
        u64::try_from(with_margin.div_ceil(100)).map_err(|_| BundleError::TooLarge { field: "totalGas" })
    });
    each.collect()
}

pub(super) fn loads(actions: &[Action], measured: &[Measured], tree: &Tree) -> Vec<Load> {
    let pairs = actions.iter().zip(measured).enumerate();
    pairs
        .map(|(index, (action, measured))| {
            let proof = tree.proof(index).map_or(0, |proof| proof.len());
            let outside = measured.share - measured.frame;
            Load {
                committed: action.gas,
                outside,
                bytes: bytes(action, proof),
                tokens: tokens(action, proof),
            }
        })
        .collect()
}

/// Words of an action besides its data: offset, three words, offset and length of data; of a proof: offset and length.
const fn words(proof: usize) -> usize {
    8 + proof
}

fn bytes(action: &Action, proof: usize) -> usize {
    (words(proof) + action.data.len().div_ceil(32)) * 32
}

/// Tokens of call data (EIP-7623).
fn tokens(action: &Action, proof: usize) -> u64 {
    let tokens: u64 = action.data.iter().map(|byte| if *byte == 0 { 1 } else { 4 }).sum();
    tokens + 32 + 4 * 32 * words(proof) as u64
}

/// Gas that an action costs its transaction outside its frame, at most: its call data and proof of so many hashes, their
/// hashing, and the copies that are made on the way through clones to the actor.
pub fn outside_gas(action: &Action, proof: usize) -> u64 {
    let words = (bytes(action, proof) / 32) as u64;
    let memory = COPY_GAS * words + words * words / 512;
    4 * tokens(action, proof) + memory + HASH_GAS * proof as u64 + ACTION_GAS
}

/// Gas and bytes of a transaction.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    gas: u64,
    bytes: usize,
}

/// Gas that must be there for so much to be forwarded: one 64th of what is left stays behind (EIP-150).
const fn forwarding(gas: u64) -> u64 {
    gas.saturating_add(gas / 63 + 1)
}

/// What a transaction of these deploys and this switch needs.
fn size(deploys: &[Load], switch: &[Load], rules: &GasRules) -> Size {
    let sum = |loads: &[Load]| {
        loads.iter().fold(0u64, |sum, load| sum.saturating_add(load.committed).saturating_add(load.outside))
    };
    let slack = |loads: &[Load]| loads.iter().map(|load| load.committed / 63 + 1).max().unwrap_or(0);
    let mut work = sum(deploys).saturating_add(slack(deploys));
    if !switch.is_empty() {
        // The switch is a call of the actor, which is a clone; its actions are calls in that.
        work = work.saturating_add(forwarding(forwarding(sum(switch).saturating_add(slack(switch)))));
    }
    // The manager is a clone, too.
    let gas = forwarding(rules.tx_overhead.saturating_add(work).saturating_add(PRICE_GAS));
    let all = || deploys.iter().chain(switch);
    let tokens = all().fold(4 * HEAD as u64, |sum, load| sum.saturating_add(load.tokens));
    let floor = TX_BASE.saturating_add(FLOOR_TOKEN_GAS.saturating_mul(tokens));
    Size { gas: gas.max(floor), bytes: all().fold(HEAD + ENVELOPE, |sum, load| sum + load.bytes) }
}

/// The largest batches that fit: deploys, and with the last of them, or alone, the switch.
pub(super) fn batches(
    loads: &[Load],
    deploy_count: usize,
    rules: &GasRules,
    names: &[String],
) -> Result<Vec<Batch>, BundleError> {
    let fits = |size: Size| size.gas <= rules.tx_gas_cap && size.bytes <= rules.max_tx_bytes;
    let (deploys, switch) = loads.split_at(deploy_count.min(loads.len()));
    let alone = size(&[], switch, rules);
    if !switch.is_empty() && alone.gas > rules.tx_gas_cap {
        return Err(BundleError::SwitchTooLarge { needed: alone.gas, cap: rules.tx_gas_cap });
    }
    if !switch.is_empty() && alone.bytes > rules.max_tx_bytes {
        return Err(BundleError::SwitchTooLong { needed: alone.bytes, cap: rules.max_tx_bytes });
    }
    let mut batches = Vec::new();
    let (mut first, mut rest) = (0, deploys);
    while !rest.is_empty() {
        let single = size(rest.get(..1).unwrap_or_default(), &[], rules);
        let name = || names.get(first).cloned().unwrap_or_default();
        if single.gas > rules.tx_gas_cap {
            let (needed, cap) = (single.gas, rules.tx_gas_cap);
            return Err(BundleError::DeployTooLarge { name: name(), needed, cap });
        }
        if single.bytes > rules.max_tx_bytes {
            let (needed, cap) = (single.bytes, rules.max_tx_bytes);
            return Err(BundleError::DeployTooLong { name: name(), needed, cap });
        }
        let whole = size(rest, switch, rules);
        if fits(whole) {
            batches.push(Batch {
                first,
                count: rest.len() + switch.len(),
                gas: whole.gas,
                bytes: whole.bytes,
            });
            return Ok(batches);
        }
        let mut count = 1;
        while count < rest.len() && fits(size(rest.get(..=count).unwrap_or_default(), &[], rules)) {
            count += 1;
        }
        let (batch, after) = rest.split_at(count);
        let Size { gas, bytes } = size(batch, &[], rules);
        batches.push(Batch { first, count, gas, bytes });
        (first, rest) = (first + count, after);
    }
    if !switch.is_empty() {
        batches.push(Batch { first, count: switch.len(), gas: alone.gas, bytes: alone.bytes });
    }
    Ok(batches)
}

/// The call data that execute so many actions from `first` on, for the manager.
pub fn call_data(id: B256, actions: &[Action], tree: &Tree, first: usize, count: usize) -> Vec<u8> {
    let range = first..first.saturating_add(count);
    let proofs = range.clone().filter_map(|index| tree.proof(index)).collect();
    let actions = actions.get(range).unwrap_or_default().to_vec();
    let call = executeCall { bundleId: id, firstIndex: U256::from(first), actions, proofs };
    call.abi_encode()
}

/// The largest batches that execute what is left from action `next` on, by committed gas alone.
pub fn rest_batches(
    actions: &[Action],
    tree: &Tree,
    deploys: usize,
    next: usize,
    rules: &GasRules,
) -> Result<Vec<Batch>, BundleError> {
    let proof = |index| tree.proof(index).map_or(0, |proof| proof.len());
    let outside = actions.iter().enumerate().map(|(index, action)| outside_gas(action, proof(index)));
    let measured: Vec<_> = outside.map(|share| Measured { frame: 0, share }).collect();
    let names: Vec<_> = (0..actions.len()).map(|index| format!("action {index}")).collect();
    let loads = loads(actions, &measured, tree);
    let rest = loads.get(next..).unwrap_or_default();
    let mut batches =
        batches(rest, deploys.saturating_sub(next), rules, names.get(next..).unwrap_or_default())?;
    batches.iter_mut().for_each(|batch| batch.first += next);
    Ok(batches)
}
