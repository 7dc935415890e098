//! Why a Request is, or is not, executed: what `errand request why` shows.

use crate::{
    book::Outstanding,
    check::{Check, Checker, Verdict},
    contracts::Contracts,
    engine::{EngineError, Policy},
    planner::BatchLimits,
    pricing::Balance,
    quarantine::Quarantine,
    quote::{Quoted, Quoter},
    simulator::Simulator,
    turn::{self, Terms, Turn},
};
use alloy::primitives::{Address, Bytes, U256};
use errand_sim::Dependencies;
use errand_types::{BlockHead, NextBlock, RequestId, TX_GAS_CAP};
use serde::Serialize;

/// What a quote of the whole transaction says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "result")]
pub enum QuoteExplanation {
    /// It executes.
    Executes {
        /// Gas of a transaction with this Request alone.
        gas: u64,
        /// Gas units that the user is charged.
        charged_gas: u64,
        /// What it earns and costs, in wei.
        balance: Balance,
        /// Whether that satisfies the profit rule.
        pays: bool,
    },
    /// It fails; the Registry's error.
    Fails {
        /// Revert data.
        reason: Bytes,
    },
    /// It could not be run.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl QuoteExplanation {
    fn new(quoted: Quoted, min_profit: U256) -> Self {
        match quoted {
            Quoted::Executes(quote) => Self::Executes {
                gas: quote.gas,
                charged_gas: quote.expected_gas,
                balance: quote.balance,
                pays: quote.balance.satisfies(min_profit),
            },
            Quoted::Fails(reason) => Self::Fails { reason },
            Quoted::Unknown(reason) => Self::Unknown { reason },
        }
    }
}

/// Why a Request is, or is not, executed in the block after `head`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The Request.
    pub id: RequestId,
    /// The block whose state it is about.
    pub head: BlockHead,
    /// The environment that was assumed.
    pub next: NextBlock,
    /// Whether the call would succeed.
    pub verdict: Verdict,
    /// What the outcome depends on.
    pub reads: Dependencies,
    /// What the gate says about the executor.
    pub turn: Turn,
    /// The gate.
    pub gate: Address,
    /// The price per gas that the Registry pays, in wei.
    pub gas_price: u128,
    /// AUTO base units per ETH, times 1e18, where the oracle answers.
    pub auto_per_eth: Option<U256>,
    /// Gas of the quote that is the executor's own cost and not counted: opening the turn, its first AUTO.
    pub own_gas: u64,
    /// The whole transaction, from an executor whose turn it is. Only where the check leaves it open or says
    /// that the call succeeds, and only while the gate allows it: what the gate refuses cannot be quoted.
    pub quote: Option<QuoteExplanation>,
}

/// Explains one Request on the simulator's state, at Unix time `now`.
pub async fn explain(
    simulator: &mut Simulator,
    contracts: &Contracts,
    policy: &Policy,
    entry: &Outstanding,
    now: u64,
) -> Result<Explanation, EngineError> {
    let head = *simulator.head();
    let next = simulator.next_block(now);
    let terms = Terms::read(simulator, &next, contracts.registry)
        .await?
        .ok_or(EngineError::NoRegistry(contracts.registry))?;
    let gas_price = u128::from(next.base_fee) + policy.tip;
    let executor = policy.executor;
    let checker = Checker { contracts, terms: &terms, executor, gas_price };
    let Check { run, verdict, .. } = checker.check(simulator, &next, entry).await?;
    let turn = turn::turn(simulator, &next, contracts, terms.gate, executor, &[entry.id]).await?;
    let mut own_gas = 0;
    let quote = if verdict.may_execute() && turn.covers(next.number) {
        let gas = policy.max_batch_gas.min(TX_GAS_CAP).min(next.gas_limit);
        let paid_in_auto = entry.request.payWithAUTO;
        let limit = policy.max_opening_gas;
        let own = turn::own_gas(simulator, &next, contracts, executor, &turn, paid_in_auto, limit).await?;
        own_gas = own.of(paid_in_auto);
        let limits = BatchLimits { gas, entries: 1 };
        let quarantine = &Quarantine::default();
        let rule = &policy.rule;
        let quoter = Quoter { contracts, terms: &terms, executor, rule, limits, gas_price, own, quarantine };
        let quoted = quoter.each(simulator, &next, &[(entry.clone(), None)]).await?.pop();
        quoted.map(|answer| QuoteExplanation::new(answer.quoted(), policy.rule.min_profit))
    } else {
        None
    };
    Ok(Explanation {
        id: entry.id,
        head,
        next,
        verdict,
        reads: simulator.mirror().dependencies(&run.reads),
        turn,
        gate: terms.gate,
        gas_price: terms.paid_gas_price(&next, gas_price),
        auto_per_eth: terms.auto_per_eth,
        own_gas,
        quote,
    })
}
