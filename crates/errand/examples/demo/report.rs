//! What came of it: read from the chain, checked against what was expected, written and printed.

use crate::{
    contracts::Payments,
    keepers::Stats,
    requests::{Expected, Kind, Registered},
    scene::{STAKES, Scene},
    verdict::{Payment, faults},
};
use alloy::{
    primitives::{Address, B256, U256, map::HashMap, utils::format_ether},
    providers::Provider,
    rpc::types::{Filter, Log},
    serde::displayfromstr,
    sol_types::SolEvent,
};
use comfy_table::{CellAlignment, Table, presets::UTF8_HORIZONTAL_ONLY};
use errand_bindings::{IPriceOracle, IRegistry};
use eyre::{OptionExt, Result};
use serde::Serialize;
use std::{collections::BTreeMap, fs, path::Path};

/// One execution.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Execution {
    id: u64,
    kind: Kind,
    executor: Address,
    block: u64,
    /// an equal share of the transaction's gas, as is what profit counts as cost
    gas_used: u64,
    /// what the user paid; AUTO at the oracle's price
    #[serde(with = "displayfromstr")]
    fee_wei: U256,
    profit_wei: String,
    tx: B256,
    #[serde(skip)]
    profit: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Requests {
    registered: usize,
    /// at least once; recurring ones are outstanding as well
    executed: usize,
    outstanding: usize,
    cancelled: usize,
    by_kind: BTreeMap<Kind, ByKind>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct ByKind {
    registered: usize,
    executed: usize,
    executions: usize,
}

/// The whole report, as `target/demo/report.json` has it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    requests: Requests,
    executions: Vec<Execution>,
    keepers: Vec<Stats>,
    /// what did not come as expected
    faults: Vec<String>,
}

/// How often each Request was executed so far, and which were cancelled.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) executed: HashMap<u64, u32>,
    pub(crate) cancelled: usize,
}

impl Progress {
    pub(crate) async fn read(scene: &Scene) -> Result<Self> {
        let mut progress = Self::default();
        for log in registry_logs(scene).await? {
            if let Ok(event) = IRegistry::HashedReqExecuted::decode_log(&log.inner) {
                *progress.executed.entry(event.id.to()).or_default() += 1;
            } else if IRegistry::HashedReqCancelled::decode_log(&log.inner).is_ok() {
                progress.cancelled += 1;
            }
        }
        Ok(progress)
    }

    /// How many of the expected executions there were, and how many there should be.
    pub(crate) fn expected(&self, all: &[Registered]) -> (u32, u32) {
        all.iter().fold((0, 0), |(done, due), entry| match entry.expected {
            Expected::Executed(times) => {
                (done + times.min(self.executed.get(&entry.id).copied().unwrap_or(0)), due + times)
            }
            _ => (done, due),
        })
    }
}

async fn registry_logs(scene: &Scene) -> Result<Vec<Log>> {
    Ok(scene.provider().get_logs(&Filter::new().address(scene.registry).from_block(0)).await?)
}

/// What the recurring Requests, and those once after a time, paid.
async fn payments(scene: &Scene) -> Result<Vec<Payment>> {
    let payments = scene.address("PeriodicPayments")?;
    let filter =
        Filter::new().address(payments).event_signature(Payments::Paid::SIGNATURE_HASH).from_block(0);
    let mut found = Vec::new();
    for log in scene.provider().get_logs(&filter).await? {
        let event = Payments::Paid::decode_log(&log.inner)?.data;
        let number = log.block_number.ok_or_eyre("block")?;
        let block = scene.provider().get_block_by_number(number.into()).await?.ok_or_eyre("no such block")?;
        found.push(Payment { schedule: event.id, due_at: event.dueAt.to(), paid_at: block.header.timestamp });
    }
    Ok(found)
}

impl Report {
    /// Reads what happened from the chain.
    pub(crate) async fn make(scene: &Scene, all: &[Registered], keepers: Vec<Stats>) -> Result<Self> {
        let kinds: HashMap<u64, &Registered> = all.iter().map(|entry| (entry.id, entry)).collect();
        let oracle = scene.address("FixedPriceOracle")?;
        let auto_per_eth = crate::market::read(scene, oracle, IPriceOracle::autoPerEthCall {}).await?;
        let progress = Progress::read(scene).await?;

        let mut by_transaction: BTreeMap<(u64, B256), Vec<IRegistry::HashedReqExecuted>> = BTreeMap::new();
        for log in registry_logs(scene).await? {
            let Ok(event) = IRegistry::HashedReqExecuted::decode_log(&log.inner) else { continue };
            let place = (log.block_number.ok_or_eyre("block")?, log.transaction_hash.ok_or_eyre("hash")?);
            by_transaction.entry(place).or_default().push(event.data);
        }
        let mut executions = Vec::new();
        for ((block, tx), events) in by_transaction {
            let receipt =
                scene.provider().get_transaction_receipt(tx).await?.ok_or_eyre("a receipt is missing")?;
            let gas_used = receipt.gas_used / events.len() as u64;
            let cost = gas_used as f64 * receipt.effective_gas_price as f64;
            for event in events {
                let id: u64 = event.id.to();
                let fee_wei = if event.paidInAUTO {
                    event.fee * U256::from(10).pow(U256::from(18)) / auto_per_eth
                } else {
                    event.fee
                };
                let profit = fee_wei.to_string().parse::<f64>()? - cost;
                executions.push(Execution {
                    id,
                    kind: kinds.get(&id).ok_or_eyre("a strange Request was executed")?.kind,
                    executor: event.executor,
                    block,
                    gas_used,
                    fee_wei,
                    profit_wei: format!("{profit:.0}"),
                    tx,
                    profit,
                });
            }
        }
        let mut by_kind: BTreeMap<Kind, ByKind> = BTreeMap::new();
        for entry in all {
            let times = progress.executed.get(&entry.id).copied().unwrap_or(0) as usize;
            let row = by_kind.entry(entry.kind).or_default();
            row.registered += 1;
            row.executed += usize::from(times > 0);
            row.executions += times;
        }
        let executed = progress.executed.len();
        let gone =
            all.iter().filter(|entry| !entry.request.isAlive && progress.executed.contains_key(&entry.id));
        let outstanding = all.len() - gone.count() - progress.cancelled;
        let requests =
            Requests { registered: all.len(), executed, outstanding, cancelled: progress.cancelled, by_kind };
        let payments = payments(scene).await?;
        let faults = faults(all, &progress, &payments, &keepers);
        Ok(Self { requests, executions, keepers, faults })
    }

    pub(crate) fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    pub(crate) fn faults(&self) -> &[String] {
        &self.faults
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(())
    }

    /// Prints it for people.
    pub(crate) fn print(&self, scene: &Scene) -> Result<()> {
        let executors = (0..STAKES.len()).map(|index| scene.executor(index)).collect::<Result<Vec<_>>>()?;
        let by: Vec<_> = executors.iter().map(|executor| format!("by {}", short(*executor))).collect();
        let mut header = vec!["Requests", "registered", "executed", "executions"];
        header.extend(by.iter().map(String::as_str));
        let mut kinds = table(&header);
        for kind in Kind::ALL {
            let Some(row) = self.requests.by_kind.get(&kind) else { continue };
            let figures = [row.registered, row.executed, row.executions].into_iter();
            let by = executors.iter().map(|executor| {
                self.executions.iter().filter(|each| (each.kind, each.executor) == (kind, *executor)).count()
            });
            let figures = figures.chain(by).map(|figure| figure.to_string());
            kinds.add_row([kind.name().to_owned()].into_iter().chain(figures));
        }
        println!("{}", right_aligned(kinds));

        let total = self.executions.len().max(1) as f64;
        let mut earned =
            table(&["executor", "stake", "executions", "share", "gas", "fees in ETH", "profit in ETH"]);
        for (address, stake) in executors.iter().zip(STAKES) {
            let mine: Vec<_> =
                self.executions.iter().filter(|execution| execution.executor == *address).collect();
            let fees: U256 = mine.iter().map(|execution| execution.fee_wei).sum();
            earned.add_row([
                address.to_string(),
                format!("{stake} %"),
                mine.len().to_string(),
                format!("{:.0} %", mine.len() as f64 / total * 100.0),
                mine.iter().map(|execution| execution.gas_used).sum::<u64>().to_string(),
                format!("{:.6}", format_ether(fees).parse::<f64>()?),
                format!("{:.6}", mine.iter().map(|execution| execution.profit).sum::<f64>() / 1e18),
            ]);
        }
        println!("{}", right_aligned(earned));

        let mut keepers =
            table(&["keeper", "blocks", "RPC calls per block", "p50 ms", "p99 ms", "sent", "reverted"]);
        for keeper in &self.keepers {
            let value = serde_json::to_value(keeper)?;
            keepers.add_row([
                value.get("address").and_then(|address| address.as_str()).unwrap_or_default().to_owned(),
                keeper.blocks.to_string(),
                format!("{:.1}", keeper.rpc_calls_per_block),
                format!("{:.1}", keeper.p50_block_ms),
                format!("{:.1}", keeper.p99_block_ms),
                keeper.sent.to_string(),
                keeper.reverted.to_string(),
            ]);
        }
        println!("{}", right_aligned(keepers));
        Ok(())
    }
}

/// As much of an address as tells it from the others.
fn short(address: Address) -> String {
    address.to_string().chars().take(8).collect::<String>() + "…"
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(header);
    table
}

fn right_aligned(mut table: Table) -> Table {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
