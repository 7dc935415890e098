//! A plan with gas and money, rehearsed.

use super::{artifacts::Artifacts, home::Home, too_early::lacking};
use crate::{output::Progress, preview::halt_text, problem::Problem};
use alloy::primitives::{Address, Bytes, U256, address};
use errand_bindings::IExecutorPaymentTerms;
use errand_bundle::{
    Step,
    bundle::{Bundle, BundleError, GasRules, Measured, Terms, bundle},
    config::Caps,
    plan::{Check, Plan},
};
use errand_keeper::{
    Simulator,
    bundles::rehearsal::{Failure, Measuring, Rehearsal, RehearsalError, Rehearsed},
};
use eyre::{Report, Result};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

/// Who executes in rehearsals: somebody who has nothing.
const EXECUTOR: Address = address!("00000000000000000000000000000000e44a4d00");
/// Prices that a bundle asks for at most: at the cap and at the present basefee.
const PRICES: usize = 8;

/// What is rehearsed, and whose errors are known.
pub(super) struct Stage<'a> {
    pub(super) home: &'a Home,
    pub(super) plan: &'a Plan,
    pub(super) artifacts: &'a Artifacts,
    /// The artifacts of the file.
    pub(super) names: Vec<&'a str>,
}

impl Stage<'_> {
    /// Measures the actions and makes the bundle.
    pub(super) async fn bundle(
        &self,
        simulator: &mut Simulator,
        caps: &Caps,
        uri: &str,
    ) -> Result<(Bundle, Vec<Measured>)> {
        let _progress = Progress::spinner(format!("measuring {} actions", self.plan.actions.len()));
        let rehearsal = self.rehearsal(simulator, caps.max_base_fee);
        let overhead = self.home.tx_overhead;
        let measuring = rehearsal.measure(simulator, &self.home.project, &self.plan.actions, overhead).await;
        let measured = match measuring.map_err(|error| self.rehearsal_problem(error))? {
            Measuring::Measured(measured) => measured,
            Measuring::Fails(failure) => {
                let early = self.too_early(simulator, &rehearsal, &failure).await?;
                return Err(early.unwrap_or_else(|| self.failure_problem(&failure)));
            }
        };
        let ethereum = GasRules::ethereum(overhead);
        let rules = GasRules { tx_gas_cap: ethereum.tx_gas_cap.min(simulator.head().gas_limit), ..ethereum };
        let terms = Terms {
            nonce: self.home.project.nonce,
            caps,
            uri,
            user_bond: self.home.project.user_bond,
            base_fee: U256::from(simulator.next_block(now()).base_fee),
            chain_takes_data_fee: self.home.takes_data_fee,
            covers_data_fee: self.home.covers_data_fee,
        };
        // Which prices are wanted is known only when the bundle is made: what is missing is asked for, and it is made
        // again.
        let mut prices = BTreeMap::<(U256, U256), Option<U256>>::new();
        for _ in 0..PRICES {
            let wanted = RefCell::new(None);
            let price = |gas: U256, base_fee: U256| {
                let known = prices.get(&(gas, base_fee)).copied();
                if known.is_none() {
                    wanted.replace(Some((gas, base_fee)));
                }
                known.flatten()
            };
            let made = bundle(self.home.site, &self.plan.actions, &measured, &rules, &terms, &price);
            let Some((gas, base_fee)) = wanted.take() else {
                return Ok((made.map_err(|error| bundle_problem(&error))?, measured));
            };
            let ask = IExecutorPaymentTerms::maxPaymentCall { totalGas: gas, maxGasPrice: base_fee };
            let answer = simulator.view(&rehearsal.block, self.home.site.eps, ask).await?;
            prices.insert((gas, base_fee), answer);
        }
        Err(Problem::new("the payment strategy does not come to a price").into())
    }

    /// Rehearses the whole.
    pub(super) async fn rehearse(&self, simulator: &mut Simulator, bundle: &Bundle) -> Result<Rehearsed> {
        let _progress = Progress::spinner(format!("rehearsing {} transactions", bundle.batches.len()));
        let rehearsal = self.rehearsal(simulator, bundle.header.maxBaseFee);
        let probes: Vec<_> = self
            .plan
            .checks
            .iter()
            .filter_map(|check| match check {
                Check::StillUpgradeable { proxy, implementation, .. } => Some((*proxy, *implementation)),
                _ => None,
            })
            .collect();
        let rehearsed = rehearsal.whole(simulator, &self.home.project, bundle, &probes).await;
        let rehearsed = rehearsed.map_err(|error| self.rehearsal_problem(error))?;
        if let Some(failure) = &rehearsed.failure {
            return Err(self.failure_problem(failure));
        }
        if let Some((proxy, reason)) = rehearsed.not_upgradeable.first() {
            let contract = self.plan.checks.iter().find_map(|check| match check {
                Check::StillUpgradeable { contract, proxy: of, .. } if of == proxy => Some(contract.as_str()),
                _ => None,
            });
            return Err(Problem::new(format!(
                "`{}`: after this upgrade the actor could not upgrade the proxy {proxy} any more: {}",
                contract.unwrap_or_default(),
                self.reason(reason)
            ))
            .hint("the new implementation must let the actor upgrade it, as UUPSUpgradeable's _authorizeUpgrade does")
            .into());
        }
        Ok(rehearsed)
    }

    /// In the next block, at a basefee that the cap allows: above it nothing is executed.
    fn rehearsal(&self, simulator: &Simulator, cap: U256) -> Rehearsal {
        let mut block = simulator.next_block(now());
        block.base_fee = block.base_fee.min(cap.saturating_to());
        let gas_price = block.base_fee.into();
        Rehearsal { site: self.home.site, executor: EXECUTOR, gas_price, block }
    }

    fn reason(&self, data: &Bytes) -> String {
        self.artifacts.reason(&self.names, data)
    }

    fn name(&self, index: usize) -> &str {
        self.plan.actions.get(index).map_or("", |action| action.name.as_str())
    }

    fn failure_problem(&self, failure: &Failure) -> Report {
        let (index, name) = (failure.index, self.name(failure.index));
        if let Some(needed) = failure.needed {
            return Problem::new(format!(
                "the budget does not pay action {index}, `{name}`: {needed} wei are needed"
            ))
            .hint("raise caps.budget or caps.maxTxs")
            .into();
        }
        let reason = match failure.halt {
            Some(halt) => halt_text(halt).to_owned(),
            None => self.reason(&failure.reason),
        };
        Problem::new(format!("action {index}, `{name}`, fails: {reason}"))
            .hint("the rehearsal ran it on the chain's present state, after the actions before it")
            .into()
    }

    /// A constructor that fails for want of what a later action brings.
    async fn too_early(
        &self,
        simulator: &mut Simulator,
        rehearsal: &Rehearsal,
        failure: &Failure,
    ) -> Result<Option<Report>> {
        let actions = &self.plan.actions;
        let failed = actions.get(failure.index);
        let (Some(Step::Deploy { .. }), None) = (failed.map(|action| &action.step), failure.needed) else {
            return Ok(None);
        };
        let (project, reason) = (&self.home.project, &failure.reason);
        let lacking = lacking(rehearsal, simulator, project, actions, failure.index, reason).await?;
        let Some((at, needed)) = lacking.and_then(|at| Some((at, actions.get(at)?))) else { return Ok(None) };
        let what = match needed.step {
            Step::Deploy { .. } => "which is not deployed before",
            _ => "whose proxy has no implementation before",
        };
        let problem = Problem::new(format!(
            "action {}: the constructor of `{}` uses `{}`, {what} action {at}: {}",
            failure.index,
            self.name(failure.index),
            needed.name,
            self.reason(reason)
        ));
        let hint = "let the constructor only keep the address, and make the call in a function that [[calls]] has called";
        Ok(Some(problem.hint(hint).into()))
    }

    fn rehearsal_problem(&self, error: RehearsalError) -> Report {
        match error {
            RehearsalError::Setup { step, reason } => {
                Problem::new(format!("the bundle could not begin: {step} fails: {}", self.reason(&reason)))
                    .hint("check the strategies and the caps")
                    .into()
            }
            RehearsalError::Unknown(reason) => {
                Problem::new(format!("the bundle cannot be simulated: {reason}"))
                    .hint("check --fork: the rules that the chain's next block goes by")
                    .into()
            }
            other => Report::new(other),
        }
    }
}

fn bundle_problem(error: &BundleError) -> Report {
    let problem = Problem::new(error.to_string());
    match error {
        BundleError::SwitchTooLarge { .. } | BundleError::SwitchTooLong { .. } => {
            problem.hint("move contracts, storage or calls into a second upgrade.toml")
        }
        BundleError::DeployTooLarge { .. } | BundleError::DeployTooLong { .. } => {
            problem.hint("split the contract, or move code into libraries")
        }
        BundleError::BudgetTooLow { .. } => problem.hint("raise caps.budget, or leave it out"),
        BundleError::NoPrice { .. } => problem.hint("check strategies.eps"),
        BundleError::DataFeeNotCovered => problem.hint("name a payment strategy that covers it"),
        _ => problem,
    }
    .into()
}

/// Unix time.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
