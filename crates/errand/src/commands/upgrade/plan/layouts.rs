//! Whether new implementations leave the variables of the old ones where they are: OpenZeppelin's upgrades-core says.
//!
//! The chain does not tell layouts. Each plan records those of its own implementations beside the file, by address;
//! of what was deployed otherwise the artifacts are needed, and have to have the code that is there.

use super::artifacts::Artifacts;
use crate::{
    output::{Progress, warn},
    problem::Problem,
    session::{Session, rpc_problem},
};
use alloy::{primitives::Address, providers::Provider};
use errand_bundle::{artifact::RuntimeCode, config::Config, plan::Check, project::Project};
use eyre::{Result, WrapErr};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const SCRIPT: &str = include_str!("../../../../../../tools/storage-layout");
/// The script's exit code where the library is missing.
const NOT_INSTALLED: i32 = 3;

/// Layouts by chain and implementation.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Record(BTreeMap<u64, BTreeMap<Address, Recorded>>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Recorded {
    contract: String,
    layout: Value,
}

/// Two layouts to be compared.
#[derive(Debug, Serialize)]
struct Pair {
    contract: String,
    from: Value,
    to: Value,
}

/// What the comparison came to.
#[derive(Debug, Deserialize)]
struct Verdict {
    contract: String,
    problems: Vec<Incompatible>,
}

#[derive(Debug, Deserialize)]
struct Incompatible {
    variable: String,
    problem: String,
}

/// Where layouts are recorded, and what of them.
#[derive(Debug)]
pub(crate) struct Layouts<'a> {
    pub(crate) session: &'a Session,
    pub(crate) config: &'a Config,
    pub(crate) project: &'a Project,
    pub(crate) artifacts: &'a Artifacts,
    /// Artifacts of what is on the chain.
    pub(crate) previous: Option<&'a Artifacts>,
    /// Contracts that are not compared.
    pub(crate) unchecked: &'a [String],
    /// upgrade.toml
    pub(crate) file: &'a Path,
}

impl Layouts<'_> {
    fn record_path(&self) -> PathBuf {
        self.file.with_extension("layouts.json")
    }

    /// Compares what has to be; the names of what was.
    pub(crate) async fn check(&self, checks: &[Check]) -> Result<Vec<String>> {
        for name in self.unchecked {
            if self.project.contract(name).is_none() {
                return Err(Problem::usage(format!(
                    "--unchecked-storage {name}: the file has no such contract"
                ))
                .into());
            }
        }
        let record = self.load()?;
        let mut pairs = Vec::new();
        for check in checks {
            let Check::StorageLayout { contract, from, .. } = check else { continue };
            if self.unchecked.contains(contract) {
                warn(format!("the storage layout of `{contract}` is not compared with that of {from}"));
                continue;
            }
            let to = self.layout(contract)?;
            let from = self.old_layout(&record, contract, *from).await?;
            pairs.push(Pair { contract: contract.clone(), from, to });
        }
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let _progress = Progress::spinner("comparing storage layouts");
        let verdicts = self.compare(&pairs)?;
        let problems: Vec<String> = verdicts
            .iter()
            .flat_map(|verdict| {
                let contract = &verdict.contract;
                verdict
                    .problems
                    .iter()
                    .map(move |found| format!("`{contract}.{}` {}", found.variable, found.problem))
            })
            .collect();
        if problems.is_empty() {
            return Ok(pairs.into_iter().map(|pair| pair.contract).collect());
        }
        Err(Problem::new(format!(
            "the storage layout does not fit what is behind the proxy: {}",
            problems.join("; ")
        ))
        .hint("keep all variables with their types in their order, and append new ones at the end or take them out of a gap")
        .into())
    }

    /// Records the layouts of this plan's implementations.
    pub(crate) fn record(&self) -> Result<Option<PathBuf>> {
        let mut record = self.load()?;
        let mut recorded = false;
        for contract in self.project.contracts.iter().filter(|contract| contract.proxy.is_some()) {
            let Some(layout) = self.layout_of(self.artifacts, &contract.name) else { continue };
            let found = Recorded { contract: contract.name.clone(), layout };
            record.0.entry(self.project.site.chain_id).or_default().insert(contract.code_at, found);
            recorded = true;
        }
        if !recorded {
            return Ok(None);
        }
        let path = self.record_path();
        fs::write(&path, format!("{}\n", serde_json::to_string_pretty(&record)?))
            .wrap_err_with(|| Problem::new(format!("{} cannot be written", path.display())))?;
        Ok(Some(path))
    }

    fn load(&self) -> Result<Record> {
        let path = self.record_path();
        if !path.exists() {
            return Ok(Record::default());
        }
        let text = fs::read_to_string(&path)
            .wrap_err_with(|| Problem::new(format!("{} cannot be read", path.display())))?;
        serde_json::from_str(&text).wrap_err_with(|| {
            Problem::new(format!("{} is no record of storage layouts", path.display()))
                .hint("restore it from version control, or remove it and give --previous DIR once")
        })
    }

    fn layout_of(&self, artifacts: &Artifacts, contract: &str) -> Option<Value> {
        let found = self.config.contracts.iter().find(|found| found.name == contract)?;
        artifacts.part(&found.artifact, "/storageLayout")
    }

    fn layout(&self, contract: &str) -> Result<Value> {
        self.layout_of(self.artifacts, contract).ok_or_else(|| no_layout(contract, self.artifacts))
    }

    /// The layout of what is behind the proxy now.
    async fn old_layout(&self, record: &Record, contract: &str, at: Address) -> Result<Value> {
        let chain = self.project.site.chain_id;
        if let Some(found) = record.0.get(&chain).and_then(|chain| chain.get(&at)) {
            return Ok(found.layout.clone());
        }
        let Some(previous) = self.previous else {
            return Err(Problem::new(format!(
                "the storage layout of `{contract}` cannot be compared: that of its implementation {at} is not in {}",
                self.record_path().display()
            ))
            .hint(format!(
                "copy the .layouts.json that the plan of that implementation left beside its file to {}, or give the artifacts of what is on the chain with --previous DIR, or see to it yourself and say --unchecked-storage NAME",
                self.record_path().display()
            ))
            .into());
        };
        let name = self.config.contracts.iter().find(|found| found.name == contract);
        let name = name.map_or(contract, |found| found.artifact.as_str());
        let code = self.session.provider.get_code_at(at).await;
        let code = code.map_err(|error| rpc_problem("code", &error))?;
        let deployed = previous.part(name, "/deployedBytecode").map(RuntimeCode::read).transpose();
        let deployed = deployed.map_err(|error| {
            Problem::new(format!(
                "the artifact `{name}` in {} is of no use: {error}",
                previous.folder().display()
            ))
            .hint("build the commit that was deployed, with its settings")
        })?;
        if !deployed.is_some_and(|deployed| deployed.is(&code)) {
            return Err(Problem::new(format!(
                "`{name}` in {} is not what is behind the proxy of `{contract}`: the code at {at} is another one",
                previous.folder().display()
            ))
            .hint("build the commit that was deployed, with its settings")
            .into());
        }
        self.layout_of(previous, contract).ok_or_else(|| no_layout(contract, previous))
    }

    /// Runs the script where the library is looked for: beside the file and above.
    fn compare(&self, pairs: &[Pair]) -> Result<Vec<Verdict>> {
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        let script = SCRIPT.split_once('\n').map_or(SCRIPT, |(_, script)| script);
        let started = Command::new("node")
            .args(["-e", script])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut node = started.map_err(|error| {
            Problem::new(format!("storage layouts cannot be compared: node does not start: {error}"))
                .hint("install Node.js, or see to the layouts yourself and say --unchecked-storage NAME")
        })?;
        if let Some(mut input) = node.stdin.take() {
            // A script that ended early says so itself.
            let _ = input.write_all(serde_json::to_string(pairs)?.as_bytes());
        }
        let output = node.wait_with_output().wrap_err("the comparison of storage layouts")?;
        if output.status.code() == Some(NOT_INSTALLED) {
            return Err(Problem::new(format!(
                "storage layouts cannot be compared: @openzeppelin/upgrades-core is not installed for {}",
                self.file.display()
            ))
            .hint("npm install --save-dev @openzeppelin/upgrades-core, beside upgrade.toml or above")
            .into());
        }
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let line = text.lines().find(|line| line.contains("Error")).unwrap_or("it gave no reason");
            return Err(Problem::new(format!("storage layouts cannot be compared: {line}"))
                .hint("the artifacts' storageLayout may be of another compiler's")
                .into());
        }
        serde_json::from_slice(&output.stdout).wrap_err("the comparison of storage layouts")
    }
}

fn no_layout(contract: &str, artifacts: &Artifacts) -> eyre::Report {
    Problem::new(format!(
        "the artifact of `{contract}` in {} has no storageLayout",
        artifacts.folder().display()
    ))
    .hint("add extra_output = [\"storageLayout\"] to foundry.toml and build again")
    .into()
}
