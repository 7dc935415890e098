//! Whose turn it is: the gate's answer, evaluated in the next block's environment.

use crate::{
    contracts::Contracts,
    pricing::{FIRST_AUTO_GAS, OwnGas, Prices},
    simulator::{Job, Simulator, SimulatorError},
};
use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::SolCall,
};
use errand_bindings::{IAutoToken, IExecutorGate, IRegistry};
use errand_sim::{Outcome, Run};
use errand_types::{CallSpec, NextBlock, RequestId};
use serde::Serialize;

/// Gas that the Registry gives its gate.
const AUTHORIZE_GAS: u64 = 500_000;
/// Requests about which a gate that refuses is asked in one block.
const ASKED: usize = 8;
/// What of the gate's gas is charged to the Requests at most.
const AUTHORIZE_CHARGED: u64 = 10_000;
/// Remembering a grant: a slot that was read is written, for the first time ever or over another grant.
const FIRST_GRANT_GAS: u64 = 20_000;
const NEXT_GRANT_GAS: u64 = 2_900;

/// What the gate says about the executor in the next block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "turn")]
pub enum Turn {
    /// It may execute.
    Granted {
        /// The last block for which the grant holds.
        until: u64,
        /// Gas of the turn's first transaction that no Request is charged: the draw, and remembering the grant.
        /// 0 when the Registry remembers it already.
        opening_gas: u64,
    },
    /// It may not.
    Refused,
    /// The gate reverted: nobody may execute now.
    Failed {
        /// Its revert data.
        reason: Bytes,
    },
    /// The gate could not be evaluated.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl Turn {
    /// Whether a transaction that is included in block `number` would be allowed.
    pub const fn covers(&self, number: u64) -> bool {
        matches!(self, Self::Granted { until, .. } if *until >= number)
    }

    /// Gas that opening the turn costs beyond what is charged.
    pub const fn opening_gas(&self) -> u64 {
        match self {
            Self::Granted { opening_gas, .. } => *opening_gas,
            _ => 0,
        }
    }

    /// The name of the answer.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Granted { .. } => "granted",
            Self::Refused => "refused",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// Evaluates the gate for `executor` on the simulator's state. Its answer may depend on the Request: when it does not
/// grant one of `ids`, it is asked about some others, each block about others.
pub async fn turn(
    simulator: &mut Simulator,
    next: &NextBlock,
    contracts: &Contracts,
    gate: Address,
    executor: Address,
    ids: &[RequestId],
) -> Result<Turn, SimulatorError> {
    let first = ids.get(..1).unwrap_or_default();
    let turn = answer(simulator, next, contracts, gate, executor, first).await?;
    let others = ids.get(1..).unwrap_or_default();
    let from = usize::try_from(next.number).unwrap_or_default().wrapping_mul(ASKED);
    for offset in 0..others.len().min(ASKED) {
        if !matches!(turn, Turn::Refused | Turn::Failed { .. }) {
            break;
        }
        let Some(id) = others.get(from.wrapping_add(offset) % others.len()) else { break };
        let other = answer(simulator, next, contracts, gate, executor, &[*id]).await?;
        if matches!(other, Turn::Granted { .. }) {
            return Ok(other);
        }
    }
    Ok(turn)
}

/// What the gate says of `ids`.
async fn answer(
    simulator: &mut Simulator,
    next: &NextBlock,
    contracts: &Contracts,
    gate: Address,
    executor: Address,
    ids: &[RequestId],
) -> Result<Turn, SimulatorError> {
    let ids = ids.iter().map(|id| U256::from(id.0)).collect();
    let call = CallSpec {
        origin: executor,
        caller: contracts.registry,
        to: gate,
        data: IExecutorGate::authorizeCall { executor, ids }.abi_encode().into(),
        value: U256::ZERO,
        gas_limit: AUTHORIZE_GAS,
        gas_price: u128::from(next.base_fee),
    };
    let run = simulator.run_one(next, Job::Frame { call, transient: Vec::new() }).await?;
    let Some(grant) = simulator.view(next, contracts.registry, IRegistry::grantCall {}).await? else {
        return Ok(Turn::Unknown { reason: "the Registry does not say what grant it remembers".to_owned() });
    };
    let (turn, gas_used) = read(&run, next);
    let Turn::Granted { until, .. } = turn else { return Ok(turn) };
    let is_remembered = grant.executor == executor && grant.untilBlock >= U256::from(next.number);
    // A grant for this block alone is asked for every time: that is no opening, but a cost of each transaction.
    let opening_gas = if is_remembered || until <= next.number {
        0
    } else {
        let remembering = if grant.executor.is_zero() { FIRST_GRANT_GAS } else { NEXT_GRANT_GAS };
        gas_used.saturating_sub(AUTHORIZE_CHARGED) + remembering
    };
    Ok(Turn::Granted { until, opening_gas })
}

/// The gate's answer and the gas it used, before asking whether the Registry remembers a grant.
fn read(run: &Run, next: &NextBlock) -> (Turn, u64) {
    match &run.outcome {
        Outcome::Success { output, gas_used, .. } => {
            let turn = match IExecutorGate::authorizeCall::abi_decode_returns(output) {
                Ok(answer) => {
                    let until = answer.grantedUntil.to::<u64>();
                    if until >= next.number { Turn::Granted { until, opening_gas: 0 } } else { Turn::Refused }
                }
                Err(_) => Turn::Failed { reason: output.clone() },
            };
            (turn, *gas_used)
        }
        Outcome::Revert { output, gas_used } => (Turn::Failed { reason: output.clone() }, *gas_used),
        Outcome::Halt { gas_used, .. } => (Turn::Failed { reason: Bytes::new() }, *gas_used),
        Outcome::Unknown(unknown) => (Turn::Unknown { reason: unknown.to_string() }, 0),
    }
}

/// What of the executor's gas is its own cost, within `limit`. `paid_in_auto`: fees in AUTO are in question.
pub async fn own_gas(
    simulator: &mut Simulator,
    next: &NextBlock,
    contracts: &Contracts,
    executor: Address,
    turn: &Turn,
    paid_in_auto: bool,
    limit: u64,
) -> Result<OwnGas, SimulatorError> {
    let mut own = OwnGas { turn: turn.opening_gas(), first_auto: 0, limit };
    if paid_in_auto {
        let balance = IAutoToken::balanceOfCall { account: executor };
        let balance = simulator.view(next, contracts.auto_token, balance).await?;
        if balance.is_some_and(|balance| balance.is_zero()) {
            own.first_auto = FIRST_AUTO_GAS;
        }
    }
    Ok(own)
}

/// What the Registry goes by, read from its state: who is asked, what is charged, what AUTO is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// The gate.
    pub gate: Address,
    /// What fees are computed from.
    pub fees: IRegistry::FeeSettings,
    /// AUTO base units per ETH, times 1e18; `None` when the oracle has no answer.
    pub auto_per_eth: Option<U256>,
}

impl Terms {
    /// Reads the terms on the simulator's state; `None` when the Registry does not answer as one should.
    pub async fn read(
        simulator: &mut Simulator,
        next: &NextBlock,
        registry: Address,
    ) -> Result<Option<Self>, SimulatorError> {
        let Some(gate) = simulator.view(next, registry, IRegistry::gateCall {}).await? else {
            return Ok(None);
        };
        let Some(fees) = simulator.view(next, registry, IRegistry::feeSettingsCall {}).await? else {
            return Ok(None);
        };
        let Some(oracle) = simulator.view(next, registry, IRegistry::priceOracleCall {}).await? else {
            return Ok(None);
        };
        let price = simulator.view(next, oracle, errand_bindings::IPriceOracle::autoPerEthCall {}).await?;
        Ok(Some(Self { gate, fees, auto_per_eth: price.filter(|price| !price.is_zero()) }))
    }

    /// The price per gas that the Registry pays for a transaction that offers `gas_price`.
    pub fn paid_gas_price(&self, next: &NextBlock, gas_price: u128) -> u128 {
        self.prices(next, gas_price).paid
    }

    /// What a transaction that offers `gas_price` spends and is paid per gas.
    pub fn prices(&self, next: &NextBlock, gas_price: u128) -> Prices {
        let tip_cap = self.fees.tipCapWei.to::<u128>();
        Prices { spent: gas_price, paid: gas_price.min(u128::from(next.base_fee) + tip_cap), tip_cap }
    }
}
