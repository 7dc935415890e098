//! What the demo leaves behind: `report.json`, and a table.

use crate::chain::Bundle;
use alloy::primitives::utils::format_ether;
use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use eyre::{OptionExt, Result};
use serde::Serialize;
use std::{fs, path::Path};

/// The first bundle, the later ones, and what every block showed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    #[serde(flatten)]
    first: Bundle,
    later_bundles: Vec<Bundle>,
    /// of all blocks since before the first bundle
    blocks_with_mixed_implementations: usize,
    /// what did not come as it should
    pub(crate) faults: Vec<String>,
}

impl Report {
    pub(crate) fn make(mut bundles: Vec<Bundle>, mixed: usize, mut faults: Vec<String>) -> Result<Self> {
        if mixed > 0 {
            faults.push(format!("{mixed} blocks show a part of an upgrade"));
        }
        let later_bundles = bundles.split_off(1.min(bundles.len()));
        let first = bundles.pop().ok_or_eyre("no bundle was carried out")?;
        Ok(Self { first, later_bundles, blocks_with_mixed_implementations: mixed, faults })
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(())
    }

    pub(crate) fn print(&self) {
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY);
        table.set_header([
            "bundle",
            "executor",
            "actions",
            "gas",
            "paid ETH",
            "cost ETH",
            "paid/cost",
            "bond",
        ]);
        for bundle in std::iter::once(&self.first).chain(&self.later_bundles) {
            for executor in &bundle.executors {
                let (paid, cost) = (f64::from(executor.paid_wei), f64::from(executor.cost_wei));
                table.add_row([
                    bundle.name.clone(),
                    executor.address.to_string(),
                    executor.actions.to_string(),
                    executor.gas_used.to_string(),
                    format_ether(executor.paid_wei),
                    format_ether(executor.cost_wei),
                    if cost > 0.0 { format!("{:.4}", paid / cost) } else { "-".to_owned() },
                    format!("{:?}", executor.bond).to_lowercase(),
                ]);
            }
        }
        println!("\n{table}");
        println!("blocks that show a part of an upgrade: {}", self.blocks_with_mixed_implementations);
    }
}
