//! `errand status`: the chain, its contracts and what is outstanding.

use crate::{
    amount::{auto_text, gas_price_text},
    cli::Global,
    commands::stake::Epoch,
    history,
    output::{Progress, pairs, table},
    session::{Asking, Session, deployment_problem},
};
use alloy::primitives::{Address, U256, keccak256};
use clap::Args;
use errand_bindings::{IPriceOracle, IRegistry};
use errand_chain::DeployedContract;
use errand_keeper::bundles::{BundleContracts, book::BundleBook, bound::status_name, sync::sync_bundles};
use errand_types::BlockHead;
use eyre::{Result, WrapErr};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Show the chain, its contracts and what is outstanding
///
/// Shows what is on the node's chain: every contract of the deployment with its code compared to the record,
/// the outstanding Requests, who may execute now, and what executions cost.
///
/// It fails when a contract is not the recorded one.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand status
  errand status --rpc ws://127.0.0.1:8545 --json")]
pub(crate) struct Status {}

/// Whether a contract is what the deployment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Code {
    Recorded,
    Missing,
    Other,
}

impl Code {
    fn of(contract: &DeployedContract, code: &[u8]) -> Self {
        match code {
            [] => Self::Missing,
            code if keccak256(code) == contract.code_hash => Self::Recorded,
            _ => Self::Other,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Recorded => "as recorded",
            Self::Missing => "NO CODE",
            Self::Other => "OTHER CODE",
        }
    }
}

/// A contract of the deployment, and whether it is the recorded one.
struct Found<'a> {
    name: &'a str,
    contract: &'a DeployedContract,
    code: Code,
}

/// What the chain says.
struct State {
    head: BlockHead,
    outstanding: usize,
    registered: u64,
    gate: Address,
    grant: IRegistry::grantReturn,
    fees: IRegistry::FeeSettings,
    oracle: Address,
    /// AUTO base units per ETH; `None`: the oracle has no answer.
    price: Option<U256>,
    epoch: Option<Epoch>,
    /// `None`: the deployment has no ChugSplashRegistry.
    bundles: Option<BundleBook>,
}

impl Status {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let progress = Progress::spinner("asking the node");
        let session = Session::open_unverified(global).await?;
        let contracts = found(&session).await?;
        drop(progress);
        if contracts.iter().any(|found| found.code != Code::Recorded) {
            let value = json!({
                "chainId": session.endpoint.chain_id(),
                "contracts": contracts_json(&contracts),
            });
            session.format.print(&value, || contracts_text(&contracts))?;
            // The same question again, for the same words as in every other command.
            session.deployment.verify(&session.endpoint).await.map_err(deployment_problem)?;
        }
        let state = State::read(&session).await?;
        let value = state.json(&session, &contracts)?;
        session
            .format
            .print(&value, || format!("{}\n\n{}", pairs(state.rows(&session)), contracts_text(&contracts)))
    }
}

async fn found(session: &Session) -> Result<Vec<Found<'_>>> {
    let codes = session.deployment.codes(&session.endpoint).await.map_err(deployment_problem)?;
    let contracts = session.deployment.contracts().iter().zip(codes);
    Ok(contracts
        .map(|((name, contract), code)| Found { name, contract, code: Code::of(contract, &code) })
        .collect())
}

fn contracts_json(contracts: &[Found<'_>]) -> Value {
    let contracts = contracts.iter().map(|Found { name, contract, code }| {
        json!({ "name": name, "address": contract.address, "block": contract.block, "code": code })
    });
    contracts.collect()
}

fn contracts_text(contracts: &[Found<'_>]) -> String {
    let rows = contracts.iter().map(|Found { name, contract, code }| {
        [(*name).to_owned(), contract.address.to_string(), contract.block.to_string(), code.text().to_owned()]
    });
    table(["contract", "address", "block", "code"], rows)
}

impl State {
    async fn read(session: &Session) -> Result<Self> {
        let head = session.head().await?;
        let synced = history::outstanding(session).await?;
        let bundles = match BundleContracts::of(&session.deployment) {
            Some(contracts) => {
                let book = sync_bundles(&session.endpoint, &contracts, None, &head, &mut ()).await;
                Some(book.wrap_err("the bundles cannot be read")?)
            }
            None => None,
        };
        let _progress = Progress::spinner("asking the node");
        let registry = session.registry();
        let registered = registry.getHashedReqsLen().call().await.asking("the number of Requests")?;
        let gate = registry.gate().call().await.asking("the gate")?;
        let grant = registry.grant().call().await.asking("the grant")?;
        let fees = registry.feeSettings().call().await.asking("the fee settings")?;
        let oracle = registry.priceOracle().call().await.asking("the price oracle")?;
        let price = IPriceOracle::new(oracle, session.provider.clone()).autoPerEth().call().await.ok();
        let epoch = match session.stake_manager() {
            Ok(manager) if *manager.address() == gate => Some(Epoch::read(session, &manager).await?),
            _ => None,
        };
        Ok(Self {
            head,
            outstanding: synced.book.len(),
            registered: registered.saturating_to(),
            gate,
            grant,
            bundles,
            fees,
            oracle,
            price,
            epoch,
        })
    }

    fn tip_cap(&self) -> u128 {
        self.fees.tipCapWei.to()
    }

    fn json(&self, session: &Session, contracts: &[Found<'_>]) -> Result<Value> {
        let Self { head, grant, .. } = self;
        let mut fee_settings =
            serde_json::to_value(&self.fees).wrap_err("the fee settings cannot be written as JSON")?;
        // Like every amount, and unlike how the type writes itself.
        if let Some(tip) = fee_settings.get_mut("tipCapWei") {
            *tip = json!(self.tip_cap().to_string());
        }
        Ok(json!({
            "node": session.endpoint.url(),
            "chainId": session.endpoint.chain_id(),
            "head": { "number": head.number, "hash": head.hash, "timestamp": head.timestamp,
                "baseFeeWei": head.base_fee.to_string() },
            "deployment": session.deployment.path(),
            "contracts": contracts_json(contracts),
            "requests": { "registered": self.registered, "outstanding": self.outstanding },
            "bundles": self.bundles.as_ref().map(|book| book.iter().map(|entry| json!({ "id": entry.id,
                "manager": entry.manager, "status": status_name(entry.status) })).collect::<Vec<_>>()),
            "gate": self.gate,
            "grant": { "executor": grant.executor, "untilBlock": grant.untilBlock.saturating_to::<u64>() },
            "epoch": self.epoch.as_ref().map(Epoch::json),
            "priceOracle": self.oracle,
            "autoPerEthBase": self.price.map(|price| price.to_string()),
            "feeSettings": fee_settings,
        }))
    }

    fn rows(&self, session: &Session) -> Vec<(&'static str, String)> {
        let Self { head, grant, outstanding, registered, .. } = self;
        let base_fee = gas_price_text(head.base_fee.into());
        let grants = if grant.untilBlock > U256::from(head.number) {
            format!("{} through block {}", grant.executor, grant.untilBlock)
        } else {
            "none remembered".to_owned()
        };
        let oracle = session.address_text(self.oracle);
        let price = match self.price {
            Some(price) => format!("{} per ETH, by {oracle}", auto_text(price)),
            None => format!("not known: {oracle} has no answer"),
        };
        let tip_cap = gas_price_text(self.tip_cap());
        let mut rows = vec![
            ("node", session.endpoint.url()),
            ("chain", session.endpoint.chain_id().to_string()),
            ("head", format!("block {} at base fee {base_fee}", head.number)),
            ("deployment", session.deployment.path().display().to_string()),
            ("requests", format!("{outstanding} outstanding of {registered} registered")),
            ("bundles", self.bundles.as_ref().map_or_else(|| "no ChugSplashRegistry".to_owned(), counted)),
            ("gate", session.address_text(self.gate)),
            ("grant", grants),
        ];
        rows.extend(self.epoch.iter().flat_map(Epoch::rows));
        rows.push(("price", price));
        rows.push(("fee", format!("gas x (base fee + tip up to {tip_cap}) + 30 % in ETH, + 10 % in AUTO")));
        rows
    }
}

/// How many bundles were approved, by where they are now.
fn counted(book: &BundleBook) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for entry in book.iter() {
        *counts.entry(status_name(entry.status)).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
    if counts.is_empty() { "none was approved".to_owned() } else { counts.join(", ") }
}
