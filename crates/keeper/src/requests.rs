//! A Request as calls: the target's frame that a check starts, and the batch that executes it.

use crate::{book::Outstanding, contracts::Contracts, pricing};
use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::SolCall,
};
use errand_bindings::IRegistry;
use errand_types::{CallSpec, Slot};

/// Gas that a check's frame gets. A target that needs more cannot be executed in a batch with others.
pub const CHECK_GAS: u64 = 8_000_000;

/// Where the fee is written into the call: behind the selector, and behind the user where he is first.
const fn fee_index(verify_user: bool) -> usize {
    if verify_user { 36 } else { 4 }
}

/// The input with which a Request reaches its target: the fee inserted, the user appended.
pub fn target_input(entry: &Outstanding, fee: U256) -> Bytes {
    let request = &entry.request;
    let mut input = request.callData.to_vec();
    if request.insertFeeAmount {
        let index = fee_index(request.verifyUser);
        // The Registry refuses call data without room for the word when the Request is made.
        if let Some(word) = input.get_mut(index..index + 32) {
            word.copy_from_slice(&fee.to_be_bytes::<32>());
        }
    }
    if request.verifyUser {
        input.extend_from_slice(request.user.as_slice());
    }
    input.into()
}

/// The fee that is inserted for `expected_gas`; `auto_per_eth` where it is in AUTO.
pub fn inserted_fee(
    entry: &Outstanding,
    expected_gas: u64,
    gas_price: u128,
    auto_per_eth: Option<U256>,
) -> U256 {
    let gas = U256::from(expected_gas);
    match auto_per_eth.filter(|_| entry.request.payWithAUTO) {
        Some(per_eth) => pricing::auto_fee(gas, gas_price, per_eth),
        None => pricing::eth_fee(gas, gas_price),
    }
}

/// What the Registry's guard word holds while a target runs: it takes ETH then, and refuses to be entered. It
/// is the first transient slot of `RegistryBook`, and 3 is its `CALLING`.
pub const fn calling(contracts: &Contracts) -> (Slot, U256) {
    (Slot { address: contracts.registry, key: U256::ZERO }, U256::from_limbs([3, 0, 0, 0]))
}

/// The target's frame, as the Forwarder starts it.
pub fn check_call(
    entry: &Outstanding,
    contracts: &Contracts,
    executor: Address,
    gas_price: u128,
    fee: U256,
) -> CallSpec {
    let request = &entry.request;
    CallSpec {
        origin: executor,
        caller: contracts.forwarder(request.verifyUser, request.insertFeeAmount),
        to: request.target,
        data: target_input(entry, fee),
        value: U256::from(request.ethForCall),
        gas_limit: CHECK_GAS,
        gas_price,
    }
}

/// One Request in a batch that is to be executed.
#[derive(Clone, Debug)]
pub struct BatchEntry {
    /// The Request.
    pub entry: Outstanding,
    /// Gas units that will be charged; matters where the fee is inserted.
    pub expected_gas: u64,
    /// Gas that its frame gets.
    pub gas_limit: u64,
}

/// The transaction that executes a batch.
pub fn batch_call(
    entries: &[BatchEntry],
    contracts: &Contracts,
    executor: Address,
    gas_limit: u64,
    gas_price: u128,
) -> CallSpec {
    let executions = entries
        .iter()
        .map(|entry| IRegistry::Execution {
            id: entry.entry.id.into(),
            request: entry.entry.request.clone(),
            expectedGas: U256::from(entry.expected_gas),
            gasLimit: U256::from(entry.gas_limit),
        })
        .collect();
    CallSpec {
        origin: executor,
        caller: executor,
        to: contracts.registry,
        data: IRegistry::executeHashedReqsCall { executions }.abi_encode().into(),
        value: U256::ZERO,
        gas_limit,
        gas_price,
    }
}
