//! A project's source: `upgrade.toml`, forge's artifacts, and what of them is on the chain.

use super::{
    plan::{
        artifacts::Artifacts,
        home::{Known, strategy},
    },
    project::{Project as Manager, registry},
};
use crate::{
    problem::Problem,
    session::{Asking, Session},
};
use clap::Args;
use errand_bindings::chug_splash_proxy_code;
use errand_bundle::{
    config::{Config, ConfigError, ManagerOf},
    plan::{self, Plan, questions},
    project::{Project, Site},
};
use errand_types::BlockHead;
use eyre::{Report, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where a project's source is.
#[derive(Args, Clone, Debug)]
pub(crate) struct SourceArgs {
    /// What the upgrade is to do
    #[arg(value_name = "FILE", default_value = "upgrade.toml")]
    pub(crate) file: PathBuf,
    /// forge's output. Default: `out` beside the nearest foundry.toml above the file
    #[arg(long, value_name = "DIR", env = "ERRAND_ARTIFACTS")]
    pub(crate) artifacts: Option<PathBuf>,
}

/// The source, read.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) config: Config,
    pub(crate) artifacts: Artifacts,
}

impl Source {
    /// Reads `upgrade.toml`, and where artifacts are.
    ///
    /// # Errors
    /// A [`Problem`] with line and column where it is not understood.
    pub(crate) fn read(args: &SourceArgs) -> Result<Self> {
        let path = args.file.clone();
        let text = fs::read_to_string(&path).map_err(|error| {
            Problem::new(format!("{} cannot be read: {error}", path.display()))
                .hint("name the file; docs/upgrade-toml.md has a complete example")
        })?;
        let config = Config::parse(&text).map_err(|error| problem(&path, &error))?;
        let artifacts = Artifacts::open(args.artifacts.as_deref(), &path)?;
        Ok(Self { path, config, artifacts })
    }

    /// Finds manager, actor and strategies on the chain.
    pub(crate) async fn site(&self, session: &Session) -> Result<Site> {
        let chain_id = session.endpoint.chain_id();
        self.require_network(chain_id)?;
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
            ess: strategy(session, &self.path, &strategies.ess)?,
            eps: strategy(session, &self.path, &strategies.eps)?,
        })
    }

    /// Refuses every chain but the file's.
    pub(crate) fn require_network(&self, chain_id: u64) -> Result<()> {
        self.config.require_network(chain_id).map_err(|error| problem(&self.path, &error))
    }

    /// Everything resolved, for that site.
    pub(crate) fn project(&self, site: Site) -> Result<Project> {
        let project = Project::new(&self.config, site, &|name| self.artifacts.json(name));
        self.artifacts.require_clear()?;
        project.map_err(|error| problem(&self.path, &error))
    }

    /// What is to be done, given what was there at a block.
    ///
    /// # Errors
    /// A [`Problem`] where the node does not know the state of that block.
    pub(crate) async fn plan(&self, session: &Session, project: &Project, at: &BlockHead) -> Result<Plan> {
        let known = Known::ask(session, at, &questions(project)).await?;
        plan::plan(project, &chug_splash_proxy_code(project.site.actor)?, &known).map_err(|error| {
            Problem::new(format!("{}: {error}", self.path.display()))
                .hint("the proposal is of another source, or of other artifacts: build with `forge build`")
                .into()
        })
    }
}

fn problem(path: &Path, error: &ConfigError) -> Report {
    use errand_bundle::config::Problem as Wrong;
    let hint = match &error.problem {
        Wrong::WrongNetwork { .. } => "point --rpc at a node of that chain, or use that network's file",
        Wrong::MissingArtifact { .. } => {
            "run `forge build`, or name the artifact as File.sol:Name; --artifacts says where they are"
        }
        _ => "docs/upgrade-toml.md says what the file may say",
    };
    Problem::new(format!("{}, {error}", path.display())).hint(hint).into()
}
