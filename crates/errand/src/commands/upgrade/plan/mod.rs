//! `errand upgrade plan`: what an upgrade would do and cost, before anybody signs.

pub(super) mod artifacts;
pub(super) mod home;
mod layouts;
mod rehearse;
mod report;
mod too_early;

use super::{
    inverse::{self, InverseOf},
    source::{Source, SourceArgs},
};
use crate::{
    amount::eth_text,
    cli::Global,
    output::{Progress, warn},
    preview::simulator,
    problem::Problem,
    session::{Session, connect},
};
use artifacts::Artifacts;
use clap::Args;
use errand_bindings::chug_splash_proxy_code;
use errand_bundle::{
    Step,
    bundle::Bundle,
    file,
    plan::{self, PlanError},
};
use errand_keeper::bundles::rehearsal::Rehearsed;
use errand_sim::Fork;
use eyre::{Report, Result, WrapErr};
use home::{Home, Known};
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
/// With --inverse, the bundle takes another one back that was carried out: storage and implementations go back to what
/// they were in the block before that bundle's last one, as far as they are not. What it deployed stays, and calls
/// cannot be undone.
///
/// Written are the bundle, beside the file, to be published at the bundle's `uri`, and the storage layouts of what
/// it deploys, with which the next plan compares: keep these under version control.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  forge build && errand upgrade plan
  errand upgrade plan vault-2.toml --uri https://example.org/vault-2.json
  errand upgrade plan --previous ../vault-1/out    layouts are not recorded yet
  errand upgrade plan --inverse 0xbe12… --uri https://example.org/back.json

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
    /// Take this bundle back, instead of doing what the file says: its file, or its id
    #[arg(long, value_name = "BUNDLE", env = "ERRAND_INVERSE", conflicts_with_all = ["previous", "unchecked_storage"])]
    inverse: Option<InverseOf>,
    /// The bundle's file. Default: FILE with the ending .bundle.json, or .inverse.json
    #[arg(long, short, value_name = "PATH", env = "ERRAND_OUTPUT")]
    output: Option<PathBuf>,
    /// Rules of the chain's next block: cancun, prague or osaka
    #[arg(long, value_name = "FORK", env = "ERRAND_FORK", default_value = "osaka")]
    fork: Fork,
}

impl Plan {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let source = Source::read(&self.source)?;
        // Before a deployment is looked for, which would be that of another chain.
        source.require_network(connect(global).await?.chain_id())?;
        let session = Session::open(global).await?;
        let (file, config, artifacts) = (&source.path, &source.config, &source.artifacts);
        let home = Home::find(&session, file, config).await?;
        let project = source.project(home.site)?;

        let progress = Progress::spinner("asking what is on the chain");
        let mut simulator = simulator(&session, self.fork).await?;
        let uri = self.uri.as_deref().unwrap_or(&config.project.uri);
        let (plan, kept) = match &self.inverse {
            None => {
                let known = Known::ask(&session, simulator.head(), &plan::questions(&project)).await?;
                home.require_ours(&session, &project, &known).await?;
                let code = chug_splash_proxy_code(home.site.actor)?;
                (plan::plan(&project, &code, &known).map_err(|error| plan_problem(&error))?, Vec::new())
            }
            Some(of) => {
                let back = inverse::take_back(&session, home.site.manager, of, simulator.head()).await?;
                require_own_place(uri, &back.uri)?;
                (back.plan, back.kept)
            }
        };
        drop(progress);

        let previous =
            self.previous.as_deref().map(|folder| Artifacts::open(Some(folder), file)).transpose()?;
        // An inverse deploys nothing, and has no layouts to check: those that it goes back to are known to fit.
        let layouts = self.inverse.is_none().then_some(Layouts {
            session: &session,
            config,
            project: &project,
            artifacts,
            previous: previous.as_ref(),
            unchecked: &self.unchecked_storage,
            file,
        });
        let compared = match &layouts {
            Some(layouts) => layouts.check(&plan.checks).await?,
            None => Vec::new(),
        };
        let names: Vec<&str> = config.contracts.iter().map(|contract| contract.artifact.as_str()).collect();
        let stage = Stage { home: &home, plan: &plan, artifacts, names };
        let (bundle, measured) = stage.bundle(&mut simulator, &config.caps, uri).await?;
        if let Some(warning) = budget_warning(&bundle) {
            warn(warning);
        }
        let rehearsed = stage.rehearse(&mut simulator, &bundle).await?;
        for warning in owner_warnings(&plan, &rehearsed) {
            warn(warning);
        }

        let ending = if self.inverse.is_some() { "inverse.json" } else { "bundle.json" };
        let output = self.output.clone().unwrap_or_else(|| file.with_extension(ending));
        let written = file::write(&bundle).wrap_err("the bundle cannot be written")?;
        fs::write(&output, format!("{written}\n"))
            .wrap_err_with(|| Problem::new(format!("{} cannot be written", output.display())))?;
        let planning = Planning {
            head: *simulator.head(),
            home: &home,
            plan: &plan,
            kept: &kept,
            measured: &measured,
            bundle: &bundle,
            rehearsed: &rehearsed,
            compared: &compared,
            output: &output,
            layouts: layouts.map(|layouts| layouts.record()).transpose()?.flatten(),
        };
        session.format.print(&planning.json(), || planning.text())
    }
}

/// Constructors that ask who makes them, and get an answer that is not the project's.
fn owner_warnings(plan: &plan::Plan, rehearsed: &Rehearsed) -> Vec<String> {
    let mut warnings = Vec::new();
    for action in plan.actions.iter().filter(|action| matches!(action.step, Step::Deploy { .. })) {
        let asked = rehearsed.asked.get(&action.target).copied().unwrap_or_default();
        if asked.caller {
            warnings.push(format!(
                "the constructor of `{}` asks for msg.sender: that is the one-time deployer of CREATE3, and what it \
                 owns nobody does. Name the owner in args",
                action.name
            ));
        }
        if asked.origin {
            warnings.push(format!(
                "the constructor of `{}` asks for tx.origin: that is whoever executes the bundle, a stranger. Name \
                 the owner in args",
                action.name
            ));
        }
    }
    warnings
}

/// What a budget does not pay.
fn budget_warning(bundle: &Bundle) -> Option<String> {
    let (budget, worst) = (bundle.costs.budget, bundle.costs.worst?);
    (budget < worst).then(|| {
        format!(
            "the budget of {} does not pay the worst cost at the basefee cap, {}: where basefees come near the cap, \
             the bundle ends as underfunded",
            eth_text(budget),
            eth_text(worst)
        )
    })
}

/// Refuses to publish a bundle where the one is that it takes back.
fn require_own_place(uri: &str, taken: &str) -> Result<()> {
    if uri.is_empty() || uri != taken {
        return Ok(());
    }
    Err(Problem::new(format!("{uri:?} is where the bundle is published that is to be taken back"))
        .hint("say with --uri where the inverse is going to be published")
        .into())
}

fn plan_problem(error: &PlanError) -> Report {
    let problem = Problem::new(error.to_string());
    match error {
        PlanError::ProxyMissing { .. } => {
            problem.hint("check the address, and that --rpc is a node of the right chain")
        }
        PlanError::InitCodeTooLarge { .. } => problem.hint("split the contract, or move code into libraries"),
        PlanError::NothingToDo => problem.hint("after a change to the sources, build first: `forge build`"),
        PlanError::NothingToTakeBack | PlanError::Unknown { .. } => problem,
    }
    .into()
}
