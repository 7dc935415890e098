//! `errand status`: the chain, its contracts and what is outstanding.

use crate::{
    amount::{auto_text, gas_price_text},
    cli::Global,
    commands::stake::Epoch,
    history,
    output::{Progress, pairs, table},
    session::{Asking, Session},
};
use alloy::primitives::keccak256;
use clap::Args;
use errand_chain::DeployedContract;
use errand_keeper::bundles::{BundleContracts, book::BundleBook, judge::status_name, sync::sync_bundles};
use eyre::{Result, WrapErr};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

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

impl Status {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let progress = Progress::spinner("asking the node");
        let session = Session::open_unverified(global).await?;
        let found =
            session.deployment.codes(&session.endpoint).await.map_err(crate::session::deployment_problem)?;
        let codes: Vec<_> = session
            .deployment
            .contracts()
            .iter()
            .zip(&found)
            .map(|((name, contract), code)| (name, contract, Code::of(contract, code)))
            .collect();
        drop(progress);
        let contracts = || {
            codes.iter().map(|(name, contract, code)| {
                [
                    (*name).clone(),
                    contract.address.to_string(),
                    contract.block.to_string(),
                    code.text().to_owned(),
                ]
            })
        };
        let contracts_json: Vec<_> = codes
            .iter()
            .map(|(name, contract, code)| {
                json!({ "name": name, "address": contract.address, "block": contract.block, "code": code })
            })
            .collect();
        let contracts_text = || table(["contract", "address", "block", "code"], contracts());
        if codes.iter().any(|(_, _, code)| *code != Code::Recorded) {
            let value = json!({ "chainId": session.endpoint.chain_id(), "contracts": contracts_json });
            session.format.print(&value, contracts_text)?;
            // The same question again, for the same words as in every other command.
            session.deployment.verify(&session.endpoint).await.map_err(crate::session::deployment_problem)?;
        }

        let head = session.head().await?;
        let synced = history::outstanding(&session).await?;
        let bundles = match BundleContracts::of(&session.deployment) {
            Some(contracts) => {
                let book = sync_bundles(&session.endpoint, &contracts, None, &head, &mut ()).await;
                Some(book.wrap_err("the bundles cannot be read")?)
            }
            None => None,
        };
        let progress = Progress::spinner("asking the node");
        let registry = session.registry();
        let registered = registry.getHashedReqsLen().call().await.asking("the number of Requests")?;
        let gate = registry.gate().call().await.asking("the gate")?;
        let grant = registry.grant().call().await.asking("the grant")?;
        let fees = registry.feeSettings().call().await.asking("the fee settings")?;
        let oracle = registry.priceOracle().call().await.asking("the price oracle")?;
        let price = errand_bindings::IPriceOracle::new(oracle, session.provider.clone())
            .autoPerEth()
            .call()
            .await
            .ok();
        let epoch = match session.stake_manager() {
            Ok(manager) if *manager.address() == gate => Some(Epoch::read(&session, &manager).await?),
            _ => None,
        };
        let tip_cap = fees.tipCapWei.to::<u128>();
        drop(progress);
        let mut fee_settings =
            serde_json::to_value(&fees).wrap_err("the fee settings cannot be written as JSON")?;
        // Like every amount, and unlike how the type writes itself.
        if let Some(tip) = fee_settings.get_mut("tipCapWei") {
            *tip = json!(tip_cap.to_string());
        }

        let value = json!({
            "node": session.endpoint.url(),
            "chainId": session.endpoint.chain_id(),
            "head": { "number": head.number, "hash": head.hash, "timestamp": head.timestamp,
                "baseFeeWei": head.base_fee.to_string() },
            "deployment": session.deployment.path(),
            "contracts": contracts_json,
            "requests": { "registered": registered.saturating_to::<u64>(), "outstanding": synced.book.len() },
            "bundles": bundles.as_ref().map(|book| book.iter().map(|entry| json!({ "id": entry.id,
                "manager": entry.manager, "status": status_name(entry.status) })).collect::<Vec<_>>()),
            "gate": gate,
            "grant": { "executor": grant.executor, "untilBlock": grant.untilBlock.saturating_to::<u64>() },
            "epoch": epoch.as_ref().map(Epoch::json),
            "priceOracle": oracle,
            "autoPerEthBase": price.map(|price| price.to_string()),
            "feeSettings": fee_settings,
        });
        session.format.print(&value, || {
            let grants = if grant.untilBlock > alloy::primitives::U256::from(head.number) {
                format!("{} through block {}", grant.executor, grant.untilBlock)
            } else {
                "none remembered".to_owned()
            };
            let mut rows = vec![
                ("node", session.endpoint.url()),
                ("chain", session.endpoint.chain_id().to_string()),
                (
                    "head",
                    format!("block {} at base fee {}", head.number, gas_price_text(head.base_fee.into())),
                ),
                ("deployment", session.deployment.path().display().to_string()),
                ("requests", format!("{} outstanding of {registered} registered", synced.book.len())),
                ("bundles", bundles.as_ref().map_or_else(|| "no ChugSplashRegistry".to_owned(), counted)),
                ("gate", session.address_text(gate)),
                ("grant", grants),
            ];
            rows.extend(epoch.iter().flat_map(Epoch::rows));
            rows.push((
                "price",
                match price {
                    Some(price) => {
                        format!("{} per ETH, by {}", auto_text(price), session.address_text(oracle))
                    }
                    None => format!("not known: {} has no answer", session.address_text(oracle)),
                },
            ));
            rows.push((
                "fee",
                format!(
                    "gas x (base fee + tip up to {}) + 30 % in ETH, + 10 % in AUTO",
                    gas_price_text(tip_cap)
                ),
            ));
            format!("{}\n\n{}", pairs(rows), contracts_text())
        })
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
