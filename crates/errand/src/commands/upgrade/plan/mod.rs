//! `errand upgrade plan`: what an upgrade would do and cost, before anybody signs.

mod compiled;
mod home;
mod layouts;
mod rehearse;
mod report;

use super::source::{Known, Source, SourceArgs};
use crate::{
    cli::Global,
    output::Progress,
    preview::simulator,
    problem::Problem,
    session::{Session, connect},
};
use clap::Args;
use errand_bundle::file;
use errand_sim::Fork;
use eyre::{Result, WrapErr};
use home::Home;
use layouts::Layouts;
use rehearse::Stage;
use report::Planning;
use std::{fs, path::PathBuf};

/// Plan an upgrade: what it does, whether it succeeds, what it costs
///
/// Reads upgrade.toml and forge's artifacts, asks the chain what is there already, and plans what is left to do:
/// first all deployments, then the switch, which writes storage, sets implementations and makes calls, all in one
/// transaction. The whole bundle is rehearsed on the chain's present state by the manager's own code, from its
/// proposal to its last action. Nothing is sent, no key is needed.
///
/// Refused are, with the reason: an action that fails, a constructor that uses what is not there yet, a new
/// implementation that moves the variables of the old one, a proxy that the project cannot upgrade, a switch that
/// does not fit into a transaction.
///
/// Written are the bundle, beside the file, to be published at the bundle's `uri`, and the storage layouts of what
/// it deploys, with which the next plan compares: keep these under version control.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  forge build && errand upgrade plan upgrade.toml
  errand upgrade plan upgrades/vault-2.toml --uri https://example.org/vault-2.json
  errand upgrade plan upgrade.toml --previous ../vault-1/out
                                          storage layouts are not recorded yet

What the file may say: docs/upgrade-toml.md. The next steps: publish the bundle,
errand upgrade propose, fund, approve.")]
pub(crate) struct Plan {
    #[command(flatten)]
    source: SourceArgs,
    /// forge's output of the version that is on the chain, for the storage layouts of what no plan recorded
    #[arg(long, value_name = "DIR", env = "ERRAND_PREVIOUS")]
    previous: Option<PathBuf>,
    /// Do not compare this contract's storage layout: what breaks is yours. Several, separated by commas
    #[arg(long, value_name = "NAME", env = "ERRAND_UNCHECKED_STORAGE", value_delimiter = ',')]
    unchecked_storage: Vec<String>,
    /// Where the bundle is going to be published, instead of the file's `uri`
    #[arg(long, value_name = "URI", env = "ERRAND_URI")]
    uri: Option<String>,
    /// The file that the bundle is written to. Default: UPGRADE.TOML with the ending .bundle.json
    #[arg(long, value_name = "PATH", env = "ERRAND_BUNDLE")]
    bundle: Option<PathBuf>,
    /// Rules of the chain's next block: cancun, prague or osaka
    #[arg(long, value_name = "FORK", env = "ERRAND_FORK", default_value = "osaka")]
    fork: Fork,
}

impl Plan {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let source = Source::read(&self.source)?;
        // Before a deployment is looked for, which would be that of another chain.
        let chain_id = connect(global).await?.chain_id();
        source.config.require_network(chain_id).map_err(|error| source.problem(&error))?;
        let session = Session::open(global).await?;
        let previous = self.previous.as_deref().map(|out| source.with_out(out));

        let home = Home::find(&session, &source).await?;
        let project = source.project(home.site)?;
        let progress = Progress::spinner("asking what is on the chain");
        let mut simulator = simulator(&session, self.fork).await?;
        let at = simulator.head().hash.into();
        let known = Known::read(&session, &project, at).await?;
        home.require_ours(&session, &project, &known).await?;
        let plan = source.planned(&project, &known)?;
        drop(progress);

        let layouts = Layouts {
            session: &session,
            source: &source,
            project: &project,
            previous: previous.as_ref(),
            unchecked: &self.unchecked_storage,
        };
        let compared = layouts.check(&plan.checks).await?;
        let stage = Stage { home: &home, plan: &plan, source: &source };
        let config = &source.config;
        let uri = self.uri.as_deref().unwrap_or(&config.project.uri);
        let (bundle, measured) = stage.bundle(&mut simulator, &config.caps, uri).await?;
        let rehearsed = stage.rehearse(&mut simulator, &bundle).await?;

        let output = self.bundle.clone();
        let output = output.unwrap_or_else(|| source.path().with_extension("bundle.json"));
        let written = file::write(&bundle).wrap_err("the bundle cannot be written")?;
        fs::write(&output, format!("{written}\n"))
            .wrap_err_with(|| Problem::new(format!("{} cannot be written", output.display())))?;
        let planning = Planning {
            head: *simulator.head(),
            home: &home,
            plan: &plan,
            measured: &measured,
            bundle: &bundle,
            rehearsed: &rehearsed,
            compared: &compared,
            output: &output,
            layouts: layouts.record()?,
        };
        session.format.print(&planning.json(), || planning.text())
    }
}
