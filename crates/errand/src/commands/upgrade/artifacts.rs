//! `errand upgrade artifacts`

use super::source::{Source, SourceArgs};
use crate::{
    cli::Global,
    output::{pairs, warn},
    problem::Problem,
    session::{Session, rpc_problem},
};
use alloy::{
    primitives::{Address, hex, keccak256},
    providers::Provider,
};
use clap::Args;
use errand_bundle::{
    artifact::Artifact,
    config::Kind,
    project::{Contract, Project},
};
use eyre::{Result, WrapErr};
use serde_json::{Map, Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Write addresses and compiler inputs for explorers
///
/// Writes what explorers need to show the source of what a bundle deployed: `addresses.json`, and for each contract the
/// compiler's standard JSON input, `NAME.input.json`. Sources are read from the project and compared with the hashes that
/// the compiler noted.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand upgrade artifacts upgrade.toml --output verification")]
pub(crate) struct Artifacts {
    #[command(flatten)]
    source: SourceArgs,
    /// Where sources are. Default: the folder that forge's output is in
    #[arg(long, value_name = "DIR", env = "ERRAND_ROOT")]
    root: Option<PathBuf>,
    /// Where to write
    #[arg(long, short, value_name = "DIR", env = "ERRAND_OUTPUT")]
    output: PathBuf,
}

impl Artifacts {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let source = Source::read(&self.source)?;
        let session = Session::open(global).await?;
        let project = source.project(source.site(&session).await?)?;
        let beside = source.artifacts.folder().parent().unwrap_or_else(|| Path::new("")).to_owned();
        let root = self.root.clone().unwrap_or(beside);
        fs::create_dir_all(&self.output)
            .wrap_err_with(|| Problem::new(format!("{} cannot be made", self.output.display())))?;
        let mut addresses = Map::new();
        let mut rows = Vec::new();
        for contract in &project.contracts {
            if !is_deployed(&session, contract.code_at).await? {
                return Err(Problem::new(format!("`{}` is not deployed: {} has no code", contract.name, contract.code_at))
                    .hint("wait until the bundle is completed (`errand upgrade watch`), and use the source that it was planned from")
                    .into());
            }
            let name =
                source.config.contracts.iter().find(|c| c.name == contract.name).map(|c| c.artifact.as_str());
            let text = source.artifacts.json(name.unwrap_or(&contract.name)).unwrap_or_default();
            addresses.insert(contract.name.clone(), entry(contract, &text)?);
            let file = format!("{}.input.json", contract.name);
            match input(&text, &root, &project) {
                Ok(input) => write(&self.output.join(&file), &input)?,
                Err(why) => warn(format!("no {file}: {why}")),
            }
            rows.push(format!("{}  {}", contract.name, contract.address()));
        }
        let addresses = json!({ "chainId": project.site.chain_id, "contracts": addresses });
        write(&self.output.join("addresses.json"), &addresses)?;
        session.format.print(&addresses, || {
            format!("{}\n\n{}", rows.join("\n"), pairs([("written to", self.output.display().to_string())]))
        })
    }
}

async fn is_deployed(session: &Session, address: Address) -> Result<bool> {
    let code = session.provider.get_code_at(address).await;
    Ok(!code.map_err(|error| rpc_problem("the code of a contract", &error))?.is_empty())
}

/// What is said of a contract. Its constructor's arguments stand behind the creation code.
fn entry(contract: &Contract, artifact: &str) -> Result<Value> {
    let code = Artifact::parse(artifact)?.link(|_| Some(Address::ZERO)).unwrap_or_default();
    let arguments = contract.init_code.get(code.len()..).unwrap_or_default();
    let kind = match contract.kind {
        Kind::Plain => "plain",
        Kind::ChugSplash { .. } => "chugsplash",
        Kind::Transparent { .. } => "transparent",
        Kind::Uups { .. } => "uups",
    };
    Ok(json!({
        "kind": kind,
        "address": contract.address(),
        "implementation": contract.proxy.map(|_| contract.code_at),
        "source": contract.source,
        "constructorArguments": hex::encode_prefixed(arguments),
    }))
}

/// The compiler's input that gives the artifact again.
fn input(text: &str, root: &Path, project: &Project) -> Result<Value, String> {
    let artifact: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let metadata = artifact.get("metadata").ok_or("the artifact has no metadata")?;
    let noted = metadata.get("sources").and_then(Value::as_object).ok_or("its metadata name no sources")?;
    let mut sources = Map::new();
    for (path, about) in noted {
        let hash = about.get("keccak256").and_then(Value::as_str).unwrap_or_default();
        let content = match about.get("content").and_then(Value::as_str) {
            Some(content) => content.to_owned(),
            None => fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"))?,
        };
        if keccak256(&content).to_string() != hash {
            return Err(format!("{path} was changed since it was compiled: build again"));
        }
        sources.insert(path.clone(), json!({ "content": content }));
    }
    let mut settings = metadata.get("settings").cloned().ok_or("its metadata have no settings")?;
    if let Some(settings) = settings.as_object_mut() {
        // Of the output, not of the input.
        settings.remove("compilationTarget");
        let selection = json!({ "*": { "*": ["abi", "evm.bytecode", "evm.deployedBytecode", "metadata"] } });
        settings.insert("outputSelection".to_owned(), selection);
        settings.insert("libraries".to_owned(), libraries(text, project)?);
    }
    Ok(json!({ "language": "Solidity", "sources": sources, "settings": settings }))
}

/// Where the libraries are that the code is linked with: `{ file: { name: address } }`.
fn libraries(artifact: &str, project: &Project) -> Result<Value, String> {
    let artifact = Artifact::parse(artifact).map_err(|error| error.to_string())?;
    let mut files = Map::new();
    for library in artifact.libraries() {
        let found = project.contracts.iter().find(|contract| contract.source.as_deref() == Some(library));
        if let (Some(found), Some((file, name))) = (found, library.rsplit_once(':')) {
            let names = files.entry(file).or_insert_with(|| json!({}));
            if let Some(names) = names.as_object_mut() {
                names.insert(name.to_owned(), json!(found.code_at));
            }
        }
    }
    Ok(Value::Object(files))
}

fn write(path: &Path, value: &Value) -> Result<()> {
    fs::write(path, format!("{}\n", serde_json::to_string_pretty(value)?))
        .wrap_err_with(|| Problem::new(format!("{} cannot be written", path.display())))
}
