//! A project's source: `upgrade.toml`, forge's artifacts, and what of them is on the chain.

use super::project::{IMPLEMENTATION_SLOT, Project as Manager, registry};
use crate::{
    problem::Problem,
    session::{Asking, Session, rpc_problem},
};
use alloy::{
    eips::BlockId,
    primitives::{Address, B256, Bytes, U256, hex},
    providers::Provider,
    sol_types::SolValue,
};
use clap::Args;
use errand_bundle::{
    artifact::Artifact,
    config::{Config, ConfigError, ManagerOf, Named},
    plan::{self, Existing, Plan, questions},
    project::{Project, Site},
};
use eyre::Result;
use futures::{StreamExt, TryStreamExt, stream};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Creation code of the ChugSplashProxy, without its argument.
const PROXY_CODE: &str = include_str!("../../../../../abi/ChugSplashProxy.bin");
/// Questions to a node at once.
const QUESTIONS: usize = 16;

/// Where a project's source is.
#[derive(Args, Clone, Debug)]
pub(crate) struct SourceArgs {
    /// What the upgrade is to be
    #[arg(value_name = "UPGRADE.TOML")]
    pub(crate) toml: PathBuf,
    /// Forge's artifacts. Default: the folder `out` beside the file
    #[arg(long, value_name = "FOLDER", env = "ERRAND_OUT")]
    pub(crate) out: Option<PathBuf>,
}

/// The source, read.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    path: PathBuf,
    out: PathBuf,
    pub(crate) config: Config,
}

impl Source {
    /// Reads `upgrade.toml`.
    ///
    /// # Errors
    /// A [`Problem`] with line and column where it is not understood.
    pub(crate) fn read(args: &SourceArgs) -> Result<Self> {
        let path = args.toml.clone();
        let text = fs::read_to_string(&path).map_err(|error| {
            Problem::new(format!("{}: {error}", path.display()))
                .hint("name the upgrade.toml of the project; docs/upgrade-toml.md describes it")
        })?;
        let config = Config::parse(&text).map_err(|error| config_problem(&path, &error))?;
        let beside = path.parent().unwrap_or_else(|| Path::new("")).join("out");
        Ok(Self { out: args.out.clone().unwrap_or(beside), path, config })
    }

    /// The same file with artifacts of another build.
    pub(crate) fn with_out(&self, out: &Path) -> Self {
        Self { out: out.to_path_buf(), ..self.clone() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn out(&self) -> &Path {
        &self.out
    }

    /// Finds manager, actor and strategies on the chain.
    pub(crate) async fn site(&self, session: &Session) -> Result<Site> {
        let chain_id = session.endpoint.chain_id();
        self.config.require_network(chain_id).map_err(|error| self.problem(&error))?;
        let registry = registry(session)?;
        let manager = match self.config.project.manager {
            ManagerOf::Address(manager) => manager,
            ManagerOf::Registered { owner, salt } => {
                let found = registry.addressesOf(owner, salt).call().await;
                found.asking("the manager's address")?.manager
            }
        };
        let project = Manager::open(session, manager).await?;
        let actor = project.manager.actor().call().await.asking("the actor")?;
        let strategies = &self.config.strategies;
        Ok(Site {
            chain_id,
            manager,
            actor,
            registry: *registry.address(),
            ess: self.strategy(session, &strategies.ess)?,
            eps: self.strategy(session, &strategies.eps)?,
        })
    }

    pub(crate) fn strategy(&self, session: &Session, named: &Named) -> Result<Address> {
        match named {
            Named::Address(address) => Ok(*address),
            Named::Name(name, at) => match session.deployment.contract(name) {
                Ok(contract) => Ok(contract.address),
                Err(_) => Err(Problem::new(format!(
                    "{}: {at}: no strategy is named `{name}` in {}",
                    self.path.display(),
                    session.deployment.path().display()
                ))
                .hint("name one of that file, or give its address")
                .into()),
            },
        }
    }

    /// Everything resolved, for that site.
    pub(crate) fn project(&self, site: Site) -> Result<Project> {
        Project::new(&self.config, site, &|name| self.artifact_text(name))
            .map_err(|error| self.problem(&error))
    }

    /// The JSON of an artifact, by the name that the file uses: `Name`, `File.sol:Name` or `src/File.sol:Name`.
    pub(crate) fn artifact_text(&self, name: &str) -> Option<String> {
        let (file, contract) = match name.rsplit_once(':') {
            Some((file, contract)) => (Some(Path::new(file)), contract),
            None => (None, name),
        };
        let json = format!("{contract}.json");
        // Forge keeps part of the folder's path where two files share a name.
        let Some(file) = file else { return self.only_artifact(&json) };
        let full = self.out.join(file).join(&json);
        let short = self.out.join(file.file_name()?).join(&json);
        [full, short].iter().find_map(|path| {
            let text = fs::read_to_string(path).ok()?;
            let source = Artifact::parse(&text).ok().and_then(|artifact| artifact.source);
            let fits = source.is_none_or(|source| {
                source.rsplit_once(':').is_some_and(|(source, _)| Path::new(source).ends_with(file))
            });
            fits.then_some(text)
        })
    }

    /// The one artifact of that file name; of several the one in the source file of the same name.
    fn only_artifact(&self, json: &str) -> Option<String> {
        let own = self.out.join(json.replace(".json", ".sol")).join(json);
        if let Ok(text) = fs::read_to_string(own) {
            return Some(text);
        }
        let folders = fs::read_dir(&self.out).ok()?;
        let mut found =
            folders.flatten().map(|folder| folder.path().join(json)).filter(|path| path.is_file());
        let first = found.next()?;
        if found.next().is_some() { None } else { fs::read_to_string(first).ok() }
    }

    /// What is to be done, given what was there at a block.
    pub(crate) async fn plan(&self, session: &Session, project: &Project, at: BlockId) -> Result<Plan> {
        self.planned(project, &Known::read(session, project, at).await?)
    }

    /// What is to be done, given what is known.
    pub(crate) fn planned(&self, project: &Project, known: &Known) -> Result<Plan> {
        plan::plan(project, &proxy_init_code(project.site.actor)?, known).map_err(|error| {
            Problem::new(format!("{}: {error}", self.path.display()))
                .hint(match error {
                    plan::PlanError::NothingToDo => "nothing has to be upgraded",
                    plan::PlanError::ProxyMissing { .. } => "deploy the proxy first, or correct its address",
                    _ => "see docs/upgrade-toml.md",
                })
                .into()
        })
    }

    /// An error of the file, with its place.
    pub(crate) fn problem(&self, error: &ConfigError) -> eyre::Report {
        config_problem(&self.path, error)
    }
}

fn config_problem(path: &Path, error: &ConfigError) -> eyre::Report {
    use errand_bundle::config::Problem as Wrong;
    let hint = match &error.problem {
        Wrong::WrongNetwork { .. } => "point --rpc at a node of that chain, or use that network's file",
        Wrong::MissingArtifact { .. } => {
            "run `forge build`, or name the artifact as File.sol:Name; --out says where artifacts are"
        }
        _ => "docs/upgrade-toml.md describes the file",
    };
    Problem::new(format!("{}: {error}", path.display())).hint(hint).into()
}

/// The creation code of a ChugSplashProxy of that actor.
pub(crate) fn proxy_init_code(actor: Address) -> Result<Bytes> {
    let mut code = hex::decode(PROXY_CODE.trim())?;
    code.extend(actor.abi_encode());
    Ok(code.into())
}

/// What a plan has to know, read from a node.
#[derive(Debug, Default)]
pub(crate) struct Known {
    codes: BTreeMap<Address, bool>,
    slots: BTreeMap<(Address, B256), B256>,
}

impl Known {
    /// Asks all that a plan of `project` may ask.
    pub(crate) async fn read(session: &Session, project: &Project, at: BlockId) -> Result<Self> {
        let questions = questions(project);
        let proxies = questions.proxies.iter().map(|proxy| (*proxy, IMPLEMENTATION_SLOT));
        let slots: Vec<_> = questions.slots.iter().copied().chain(proxies).collect();
        let codes = stream::iter(questions.accounts)
            .map(|account| async move {
                let code = session.provider.get_code_at(account).block_id(at).await;
                code.map(|code| (account, !code.is_empty()))
            })
            .buffered(QUESTIONS)
            .try_collect()
            .await
            .map_err(|error| state_problem(at, &error))?;
        let slots = stream::iter(slots)
            .map(|(account, slot)| async move {
                let key = U256::from_be_bytes(slot.0);
                let word = session.provider.get_storage_at(account, key).block_id(at).await;
                word.map(|word| ((account, slot), B256::from(word)))
            })
            .buffered(QUESTIONS)
            .try_collect()
            .await
            .map_err(|error| state_problem(at, &error))?;
        Ok(Self { codes, slots })
    }
}

impl Existing for Known {
    fn has_code(&self, account: Address) -> Option<bool> {
        self.codes.get(&account).copied()
    }

    fn implementation(&self, proxy: Address) -> Option<Address> {
        self.slots.get(&(proxy, IMPLEMENTATION_SLOT)).map(|word| Address::from_word(*word))
    }

    fn slot(&self, account: Address, slot: B256) -> Option<B256> {
        self.slots.get(&(account, slot)).copied()
    }
}

/// A node that does not know the state of a block.
fn state_problem(at: BlockId, error: &alloy::transports::TransportError) -> eyre::Report {
    match at {
        BlockId::Number(number) if number.is_number() => Problem::new(format!(
            "the node does not tell the state of block {}, in which the bundle was proposed: {error}",
            number.as_number().unwrap_or_default()
        ))
        .hint("ask a node that keeps old states (an archive node)")
        .into(),
        _ => rpc_problem("what is on the chain", error),
    }
}
