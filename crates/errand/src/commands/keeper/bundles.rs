//! What an operator asks of bundles, and how they are shown.

use crate::{
    amount::eth_text,
    output::table,
    preview::simulator,
    session::{Session, rpc_problem},
};
use alloy::primitives::Address;
use clap::{Args, builder::BoolishValueParser};
use errand_journal::Journal;
use errand_keeper::{
    Policy,
    bundles::{
        BundleContracts, BundlePolicy, BundleReport, Bundles,
        sync::{past_times, sync_bundles},
        takes_data_fee,
    },
};
use errand_sim::Fork;
use errand_types::Eth;
use eyre::{Result, WrapErr};
use std::time::Duration;

/// How long one look waits for the actions of bundles.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an operator asks of ChugSplash bundles.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Bundles")]
pub(super) struct BundleArgs {
    /// Leave projects' bundles alone
    #[arg(long, env = "ERRAND_NO_BUNDLES", value_parser = BoolishValueParser::new())]
    no_bundles: bool,
    /// Bonds that may be at risk at once
    #[arg(long, value_name = "AMOUNT", env = "ERRAND_MAX_BOND", default_value = "1ether")]
    max_bond: Eth,
    /// Trust this selection or payment strategy, although it is none of the deployment's. Can be repeated
    #[arg(long = "allow-strategy", value_name = "ADDRESS", env = "ERRAND_ALLOW_STRATEGY", value_delimiter = ',', value_parser = crate::calldata::address)]
    allow_strategies: Vec<Address>,
    /// Claim bundles whose actions depend on others' state, too: who changes it makes them fail after the claim.
    /// That costs the claim's gas, not the bond
    #[arg(long, env = "ERRAND_ALLOW_FOREIGN_STATE", value_parser = BoolishValueParser::new())]
    allow_foreign_state: bool,
    /// The manager of a project of yours: its bundles are carried out although they lose. The fee of a small one
    /// does not pay the claim, so nobody else does. Can be repeated
    #[arg(long = "own-project", value_name = "ADDRESS", env = "ERRAND_OWN_PROJECT", value_delimiter = ',', value_parser = crate::calldata::address)]
    own_projects: Vec<Address>,
}

impl BundleArgs {
    /// The contracts and the operator's policy; `None` where bundles are left alone, or there are none.
    pub(super) async fn setup(&self, session: &Session) -> Result<Option<(BundleContracts, BundlePolicy)>> {
        let contracts = BundleContracts::of(&session.deployment).filter(|_| !self.no_bundles);
        let Some(contracts) = contracts else { return Ok(None) };
        let Eth(max_bond) = self.max_bond;
        let policy = BundlePolicy {
            max_bond,
            allowed_strategies: self.allow_strategies.clone(),
            allow_foreign_state: self.allow_foreign_state,
            own_projects: self.own_projects.clone(),
            takes_data_fee: takes_data_fee(&session.endpoint)
                .await
                .map_err(|error| rpc_problem("code", &error))?,
        };
        Ok(Some((contracts, policy)))
    }
}

/// What a keeper would do now about each bundle; `None` where it would leave them alone.
pub(super) async fn survey(
    session: &Session,
    setup: Option<(BundleContracts, BundlePolicy)>,
    policy: &Policy,
    fork: Fork,
    journal: Journal,
) -> Result<Option<Vec<BundleReport>>> {
    let Some((contracts, bundles)) = setup else { return Ok(None) };
    let mut simulator = simulator(session, fork).await?;
    let head = *simulator.head();
    let book = sync_bundles(&session.endpoint, &contracts, None, &head, &mut ())
        .await
        .wrap_err("the bundles cannot be read")?;
    let past = past_times(&session.endpoint, &head).await.wrap_err("the node does not tell blocks")?;
    let mut source = Bundles::new(session.endpoint.chain_id(), contracts, bundles, journal, book, head, past);
    let reports = source.survey(&mut simulator, policy, head.timestamp + 1, PATIENCE).await;
    Ok(Some(reports.wrap_err("the bundles cannot be simulated")?))
}

/// One line about a bundle.
pub(super) fn verdict(report: &BundleReport) -> String {
    match (&report.step, &report.hindrance) {
        (Some(step), _) => {
            let balance = report.balance.map(|balance| {
                format!(": it earns {} and costs {}", eth_text(balance.income), eth_text(balance.cost))
            });
            format!("{step}{}", balance.unwrap_or_default())
        }
        (None, Some(hindrance)) => format!("not now: {hindrance}"),
        (None, None) => "nothing".to_owned(),
    }
}

/// All of them, for people.
pub(super) fn listing(reports: &[BundleReport]) -> String {
    let rows =
        reports.iter().map(|report| [report.id.to_string(), report.manager.to_string(), verdict(report)]);
    table(["bundle", "project", "would do"], rows)
}
