//! What a Request would do: in the state of now, and, if nothing but the clock moves, later.

use crate::{
    leftovers::left_behind,
    problem::Problem,
    revert::{revert_name, revert_text},
    session::{Asking, Session},
};
use alloy::{
    eips::BlockId,
    primitives::{Address, Bytes, U256, aliases::U112},
    sol_types::{SolCall, SolError},
};
use errand_bindings::{IExecutorGate, IRegistry};
use errand_chain::StateLoader;
use errand_keeper::{
    Outstanding, Simulator, Terms, Verdict,
    check::{Checker, FIRST_EXPECTED_GAS},
    pricing,
    quote::FEE_RUNS,
    requests::{BatchEntry, CHECK_GAS, batch_call},
    simulator::Job,
};
use errand_sim::{Fork, HaltReason, Outcome, SimConfig};
use errand_types::{ANYONE, BlockHead, CallSpec, NextBlock, RequestId};
use eyre::{Result, WrapErr};
use serde::Serialize;

/// When a call is tried: now, and so many seconds later.
const LATER: [(&str, u64); 4] =
    [("now", 0), ("in 1 hour", 3_600), ("in 1 day", 86_400), ("in 30 days", 30 * 86_400)];
/// Gas of the transactions around the call.
const AROUND_GAS: u64 = 1_000_000;
/// Gas that the deposit of a call covers whose payment is not what is tried.
const PREPAID_GAS: u64 = 2_000_000;

/// What the call would do at one time.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Glimpse {
    /// When, in words.
    pub(crate) when: &'static str,
    /// Seconds after the head.
    pub(crate) after_seconds: u64,
    /// `succeeds`, `reverts`, `halts`, `undecided` or `unknown`.
    pub(crate) outcome: &'static str,
    /// In words, where it does not succeed.
    pub(crate) reason: Option<String>,
}

impl Glimpse {
    fn new(when: &'static str, after_seconds: u64, verdict: &Verdict) -> Self {
        let (outcome, reason) = verdict_text(verdict);
        Self { when, after_seconds, outcome, reason }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{}: {reason}", self.outcome),
            None => self.outcome.to_owned(),
        }
    }
}

/// A verdict as its name and, where there is one, the reason.
pub(crate) fn verdict_text(verdict: &Verdict) -> (&'static str, Option<String>) {
    match verdict {
        Verdict::Succeeds => ("succeeds", None),
        Verdict::Waits { reason } => ("reverts", Some(revert_text(reason))),
        Verdict::Halts { reason } => ("halts", Some(halt_text(*reason).to_owned())),
        Verdict::Undecided => ("undecided", Some("it depends on the whole transaction".to_owned())),
        Verdict::Unknown { reason } => ("unknown", Some(reason.clone())),
    }
}

pub(crate) const fn halt_text(reason: HaltReason) -> &'static str {
    match reason {
        HaltReason::OutOfGas => "it runs out of gas",
        HaltReason::Invalid => {
            "it reaches an invalid opcode: an assertion of old, or data that are run as code"
        }
        HaltReason::StaticViolation => "it changes state inside a static call",
        HaltReason::Create => "a contract cannot be created",
        HaltReason::Precompile => "a precompile refuses its input",
        HaltReason::BadJump | HaltReason::Stack | HaltReason::OutOfBounds | HaltReason::Other => {
            "it does what the EVM forbids"
        }
    }
}

/// What an execution right after the registration would come to.
#[derive(Clone, Debug)]
pub(crate) enum Execution {
    Executes {
        /// Gas units that the user is charged.
        charged_gas: u64,
        /// What stays on the forwarder, in words.
        left_behind: Vec<String>,
    },
    Fails {
        name: Option<String>,
        text: String,
    },
    Unknown {
        reason: String,
    },
}

/// Whether a call succeeds twice in a row.
#[derive(Clone, Debug)]
pub(crate) enum Repeats {
    Never,
    /// At this time, in words.
    At(&'static str),
    /// At some times it could not be tried, at the others it does not.
    Unknown {
        reason: String,
    },
}

/// The state at the head, on which a Request that is not registered yet is tried.
#[derive(Debug)]
pub(crate) struct Preview<'a> {
    session: &'a Session,
    simulator: Simulator,
    terms: Terms,
    next: NextBlock,
    executor: Address,
    gas_price: u128,
}

impl<'a> Preview<'a> {
    /// Loads what is needed; `user` stands for the executor where everybody may execute.
    pub(crate) async fn open(session: &'a Session, fork: Fork, user: Address) -> Result<Self> {
        let mut simulator = simulator(session, fork).await?;
        let next = simulator.next_block(simulator.head().timestamp + 1);
        let terms = Terms::read(&mut simulator, &next, session.contracts.registry)
            .await
            .wrap_err("the Registry cannot be simulated")?
            .ok_or_else(|| {
                Problem::new(format!("{} does not answer as a Registry", session.contracts.registry))
                    .hint("check --deployment")
            })?;
        let at = BlockId::hash(simulator.head().hash);
        let executor = selected_executor(session, terms.gate, at).await?.unwrap_or(user);
        let gas_price = u128::from(next.base_fee) + terms.fees.tipCapWei.to::<u128>();
        Ok(Self { session, simulator, terms, next, executor, gas_price })
    }

    /// The number that the Registry gives the next Request in the state that is tried on. Asked at the head of
    /// now it would be another one whenever somebody registers meanwhile.
    pub(crate) async fn next_id(&self) -> Result<RequestId> {
        let at = BlockId::hash(self.simulator.head().hash);
        let registry = self.session.registry();
        let id = registry.getHashedReqsLen().block(at).call().await.asking("the number of Requests")?;
        Ok(RequestId(id.saturating_to()))
    }

    pub(crate) const fn terms(&self) -> &Terms {
        &self.terms
    }

    pub(crate) const fn next(&self) -> &NextBlock {
        &self.next
    }

    /// Tries the target's call at each of the times.
    pub(crate) async fn glimpses(&mut self, entry: &Outstanding) -> Result<Vec<Glimpse>> {
        let mut glimpses = Vec::new();
        for (when, after) in LATER {
            let timestamp = self.simulator.head().timestamp + after.max(1);
            let next = self.simulator.next_block(timestamp);
            let checker = Checker {
                contracts: &self.session.contracts,
                terms: &self.terms,
                executor: self.executor,
                gas_price: self.gas_price,
            };
            let check = checker
                .check(&mut self.simulator, &next, entry)
                .await
                .wrap_err("the call cannot be simulated")?;
            glimpses.push(Glimpse::new(when, after, &check.verdict));
        }
        Ok(glimpses)
    }

    /// Registers and executes in simulation.
    pub(crate) async fn execution(&mut self, entry: &Outstanding) -> Result<Execution> {
        let register = self.register(&entry.request);
        self.charged(&self.next.clone(), &entry.request, |preview, gas| {
            vec![register.clone(), preview.execute(entry, gas)]
        })
        .await
    }

    /// Makes the Request's call `times` times, one transaction after the other, as if each were paid out of a
    /// deposit: what the call itself does, whatever the user's AUTO allows.
    pub(crate) async fn prepaid(&mut self, entry: &Outstanding, times: u64) -> Result<Execution> {
        let next = self.next;
        self.prepaid_in(&next, entry, times).await
    }

    /// Whether the call succeeds twice in a row, and at which of the times first.
    pub(crate) async fn repeats(&mut self, entry: &Outstanding) -> Result<Repeats> {
        let mut found = Repeats::Never;
        for (when, after) in LATER {
            let timestamp = self.simulator.head().timestamp + after.max(1);
            let next = self.simulator.next_block(timestamp);
            match self.prepaid_in(&next, entry, 2).await? {
                Execution::Executes { .. } => return Ok(Repeats::At(when)),
                Execution::Fails { .. } => {}
                Execution::Unknown { reason } => found = Repeats::Unknown { reason },
            }
        }
        Ok(found)
    }

    async fn prepaid_in(&mut self, next: &NextBlock, entry: &Outstanding, times: u64) -> Result<Execution> {
        let mut copy = entry.clone();
        (copy.request.payWithAUTO, copy.request.isAlive) = (false, false);
        let fee = pricing::eth_fee(U256::from(PREPAID_GAS), self.gas_price);
        copy.request.initEthSent = U112::saturating_from(fee).saturating_add(copy.request.ethForCall);
        let register = self.register(&copy.request);
        self.charged(next, &copy.request, |preview, gas| {
            let executions = (0..times).map(|offset| {
                let id = RequestId(copy.id.0 + offset);
                preview.execute(&Outstanding { id, ..copy.clone() }, gas)
            });
            (0..times).map(|_| register.clone()).chain(executions).collect()
        })
        .await
    }

    /// Runs transactions of which the last one executes, given the gas that is expected to be charged, until
    /// what is expected is what is charged. Neither user nor executor needs the ETH for it.
    async fn charged(
        &mut self,
        next: &NextBlock,
        request: &IRegistry::Request,
        calls: impl Fn(&Self, u64) -> Vec<CallSpec>,
    ) -> Result<Execution> {
        let forwarder = self.session.contracts.forwarder(request.verifyUser, request.insertFeeAmount);
        let mut expected_gas = FIRST_EXPECTED_GAS;
        for _ in 0..FEE_RUNS {
            let calls = calls(self, expected_gas);
            let run = self
                .simulator
                .run_one(next, Job::Afforded(calls))
                .await
                .wrap_err("the execution cannot be simulated")?;
            match run.outcome {
                Outcome::Success { output, logs, .. } => {
                    return Ok(Execution::Executes {
                        charged_gas: charged_gas(&output).unwrap_or(expected_gas),
                        left_behind: left_behind(&logs, forwarder),
                    });
                }
                Outcome::Revert { output, .. } => match too_high(&output) {
                    Some(charged) => expected_gas = charged,
                    None => {
                        let (name, text) = innermost(&output);
                        return Ok(Execution::Fails { name, text });
                    }
                },
                Outcome::Halt { reason, .. } => {
                    return Ok(Execution::Fails { name: None, text: halt_text(reason).to_owned() });
                }
                Outcome::Unknown(unknown) => return Ok(Execution::Unknown { reason: unknown.to_string() }),
            }
        }
        Ok(Execution::Unknown { reason: "the inserted fee does not settle".to_owned() })
    }

    fn register(&self, request: &IRegistry::Request) -> CallSpec {
        CallSpec {
            origin: request.user,
            caller: request.user,
            to: self.session.contracts.registry,
            data: register_call(request),
            value: U256::from(request.initEthSent),
            gas_limit: AROUND_GAS,
            gas_price: self.gas_price,
        }
    }

    fn execute(&self, entry: &Outstanding, expected_gas: u64) -> CallSpec {
        let entries = [BatchEntry { entry: entry.clone(), expected_gas, gas_limit: CHECK_GAS }];
        let gas = CHECK_GAS + CHECK_GAS / 32 + AROUND_GAS;
        batch_call(&entries, &self.session.contracts, self.executor, gas, self.gas_price)
    }
}

/// The call that registers a Request.
pub(crate) fn register_call(request: &IRegistry::Request) -> Bytes {
    IRegistry::newReqPaySpecificCall {
        target: request.target,
        referer: request.referer,
        callData: request.callData.clone(),
        ethForCall: request.ethForCall,
        verifyUser: request.verifyUser,
        insertFeeAmount: request.insertFeeAmount,
        payWithAUTO: request.payWithAUTO,
        isAlive: request.isAlive,
    }
    .abi_encode()
    .into()
}

/// A simulator at the node's head.
pub(crate) async fn simulator(session: &Session, fork: Fork) -> Result<Simulator> {
    simulator_at(session, fork, session.head().await?).await
}

/// A simulator of the state after a block.
pub(crate) async fn simulator_at(session: &Session, fork: Fork, head: BlockHead) -> Result<Simulator> {
    let loader = StateLoader::probe(&session.endpoint).await.wrap_err_with(|| {
        Problem::new("the node cannot serve simulations").hint("use a full node with EIP-1898")
    })?;
    let config = SimConfig::new(session.endpoint.chain_id(), fork);
    Ok(Simulator::new(loader, config, head))
}

/// Who is selected at a block; `None` where everybody may execute or nobody is known.
pub(crate) async fn selected_executor(
    session: &Session,
    gate: Address,
    at: BlockId,
) -> Result<Option<Address>> {
    let gate = IExecutorGate::new(gate, session.provider.clone());
    let selected =
        gate.getSelectedExecutor(session.contracts.registry, Default::default()).block(at).call().await;
    match selected {
        Ok(answer) if answer.executor != ANYONE && !answer.executor.is_zero() => Ok(Some(answer.executor)),
        Ok(_) => Ok(None),
        // A seed that is not proven yet: nobody can execute now, and anybody stands for whoever will.
        Err(alloy::contract::Error::TransportError(error)) if error.is_error_resp() => Ok(None),
        Err(error) => Err(error).asking("the selected executor"),
    }
}

/// Gas that the first outcome of a batch says was charged.
fn charged_gas(output: &Bytes) -> Option<u64> {
    let outcomes = IRegistry::executeHashedReqsCall::abi_decode_returns(output).ok()?;
    outcomes.first().map(|outcome| outcome.gasCharged.saturating_to())
}

/// The gas that would have been charged, where a batch failed only because more was expected.
fn too_high(output: &[u8]) -> Option<u64> {
    let IRegistry::NoneSucceeded { reason } = IRegistry::NoneSucceeded::abi_decode(output).ok()?;
    let error = IRegistry::ExpectedGasTooHigh::abi_decode(&reason).ok()?;
    Some(error.gasCharged.saturating_to())
}

/// The reason within `NoneSucceeded`, which says nothing about a single Request.
fn innermost(output: &[u8]) -> (Option<String>, String) {
    let reason = IRegistry::NoneSucceeded::abi_decode(output).map(|error| error.reason);
    let data = reason.as_ref().map_or(output, |reason| reason.as_ref());
    (revert_name(data).map(str::to_owned), revert_text(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_lone_entry_is_told_without_its_wrapping() {
        let inner = IRegistry::InsufficientAuto { required: U256::from(2), available: U256::from(1) };
        let output = IRegistry::NoneSucceeded { reason: inner.abi_encode().into() }.abi_encode();
        let (name, text) = innermost(&output);
        assert_eq!(name.as_deref(), Some("InsufficientAuto"));
        assert_eq!(text, "InsufficientAuto(required: 2, available: 1)");
    }

    #[test]
    fn an_expectation_that_was_too_high_names_what_is_charged() {
        let inner = IRegistry::ExpectedGasTooHigh {
            expectedGas: U256::from(150_000),
            gasCharged: U256::from(90_000),
        };
        let output = IRegistry::NoneSucceeded { reason: inner.abi_encode().into() }.abi_encode();
        assert_eq!(too_high(&output), Some(90_000));
        assert_eq!(too_high(&IRegistry::EmptyBatch {}.abi_encode()), None);
    }
}
