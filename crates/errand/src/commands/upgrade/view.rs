//! `errand upgrade status`, `list` and `watch`.

use super::{
    order::{BundleArg, ManagerArg, bundle_id},
    project::{Announcement, Project, is_over},
    state::State,
    terms::{header_json, header_text},
};
use crate::{
    amount::eth_text,
    cli::Global,
    output::{Format, note, pairs, table, warn},
    problem::{Problem, describe},
    session::{Asking, Session},
};
use alloy::primitives::B256;
use clap::Args;
use errand_bindings::IChugSplashManager::{Accounts, Status as BundleStatus};
use errand_keeper::bundles::bound::status_name;
use eyre::{Result, WrapErr};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// How often the head is asked for.
const POLL: Duration = Duration::from_secs(1);

/// Show a project and how one of its bundles stands
///
/// Shows a project, its money, and one of its bundles: how far it is, who executes it and why nothing happens.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand upgrade status --manager 0x5FbD…
  errand upgrade status 0xbe12… --manager 0x5FbD… --json")]
pub(crate) struct Status {
    /// The bundle's id. Default: the active one, else the one proposed last
    #[arg(value_name = "ID", value_parser = bundle_id)]
    id: Option<B256>,
    #[command(flatten)]
    manager: ManagerArg,
}

impl Status {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let session = Session::open(global).await?;
        let project = Project::open(&session, self.manager.manager).await?;
        let owner = project.owner().await?;
        let actor = project.manager.actor().call().await.asking("the actor")?;
        let accounts = project.accounts().await?;
        let mut value = json!({
            "manager": project.address, "owner": owner, "actor": actor,
            "accounts": accounts_json(&accounts), "bundle": null,
        });
        let mut text = pairs([
            ("manager", project.address.to_string()),
            ("owner", owner.to_string()),
            ("actor", actor.to_string()),
            ("free", eth_text(accounts.free)),
            ("budget left", eth_text(accounts.budget)),
            ("locked besides", eth_text(accounts.userBond.saturating_add(accounts.callValue))),
            ("owed", eth_text(accounts.owed)),
        ]);
        let Some(id) = self.bundle(&project).await? else {
            return session.format.print(&value, || format!("{text}\n\nno bundle was proposed"));
        };
        let proposal = project.proposal(id).await?;
        let state = State::read(&project, &proposal).await?;
        let reason = match state.status {
            BundleStatus::STALLED | BundleStatus::FAILED => project.stall_reason(&proposal).await?,
            _ => None,
        };
        let history = project.announcements(Some(id)).await?;
        if let Some(slot) = value.get_mut("bundle") {
            *slot = json!({
                "id": id, "header": header_json(&proposal.header), "state": state.json(),
                "stallReason": reason, "history": history.iter().map(step_json).collect::<Vec<_>>(),
            });
        }
        session.format.print(&value, || {
            text.push_str(&format!(
                "\n\n{}\n\n{}",
                header_text(&session, id, &proposal.header),
                state_text(&state)
            ));
            if let Some(reason) = &reason {
                text.push_str(&format!("\naction {} failed: {reason}", state.info.stalledIndex));
            }
            let steps =
                history.iter().map(|step| [step.block.to_string(), status_name(step.status).to_owned()]);
            text.push_str(&format!("\n\n{}", table(["block", "became"], steps)));
            text
        })
    }

    async fn bundle(&self, project: &Project<'_>) -> Result<Option<B256>> {
        if self.id.is_some() {
            return Ok(self.id);
        }
        let active = project.manager.activeBundleId().call().await.asking("the active bundle")?;
        if !active.is_zero() {
            return Ok(Some(active));
        }
        let found = project.announcements(None).await?;
        Ok(found.iter().rev().find(|step| step.status == BundleStatus::PROPOSED).map(|step| step.id))
    }
}

fn state_text(state: &State) -> String {
    let mut rows = vec![
        ("status", status_name(state.status).to_owned()),
        (
            "done",
            format!(
                "{} of {} actions, {} transactions",
                state.info.nextIndex, state.actions, state.info.txCount
            ),
        ),
    ];
    if state.is_active {
        rows.push(("executor", state.executor_text()));
        rows.push(("basefee", state.basefee_text()));
    }
    if let Some(paid) = state.paid {
        rows.push(("paid", eth_text(paid)));
    }
    if let Some(why) = state.hindrance() {
        rows.push(("now", why.to_owned()));
    }
    pairs(rows)
}

fn accounts_json(accounts: &Accounts) -> Value {
    json!({
        "freeWei": accounts.free.to_string(),
        "budgetWei": accounts.budget.to_string(),
        "callValueWei": accounts.callValue.to_string(),
        "userBondWei": accounts.userBond.to_string(),
        "owedWei": accounts.owed.to_string(),
        "paidWei": accounts.paid.to_string(),
    })
}

fn step_json(step: &Announcement) -> Value {
    json!({ "block": step.block, "status": status_name(step.status) })
}

/// List a project's bundles
///
/// Lists the bundles that were proposed to a project, in their order, with what became of them.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand upgrade list --manager 0x5FbD…")]
pub(crate) struct List {
    #[command(flatten)]
    manager: ManagerArg,
}

impl List {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let session = Session::open(global).await?;
        let project = Project::open(&session, self.manager.manager).await?;
        let mut bundles = Vec::new();
        for step in project.announcements(None).await? {
            // An approval announces the header once more.
            if let (Some(header), BundleStatus::PROPOSED) = (step.header, step.status) {
                bundles.push((step.id, step.block, header, project.status(step.id).await?));
            }
        }
        let value: Vec<_> = bundles
            .iter()
            .map(|(id, block, header, status)| {
                json!({ "id": id, "block": block, "status": status_name(*status), "header": header_json(header) })
            })
            .collect();
        session.format.print(&value, || {
            if bundles.is_empty() {
                return "no bundle was proposed".to_owned();
            }
            let rows = bundles.iter().map(|(id, block, header, status)| {
                [
                    id.to_string(),
                    block.to_string(),
                    status_name(*status).to_owned(),
                    super::project::action_count(header).to_string(),
                    eth_text(header.budget),
                ]
            });
            table(["bundle", "block", "status", "actions", "budget"], rows)
        })
    }
}

/// Follow a bundle until it has ended
///
/// Follows a bundle until it has ended: who executes it and how long the lock lasts, actions done, basefee against the
/// cap, what was paid. On a terminal one line moves; elsewhere, and with --json, a line is written whenever something
/// happens. Ends with 0 when the bundle is completed and with 1 when it ended otherwise.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand upgrade watch 0xbe12… --manager 0x5FbD…
  errand upgrade watch 0xbe12… --manager 0x5FbD… --json --timeout 30m")]
pub(crate) struct Watch {
    #[command(flatten)]
    bundle: BundleArg,
    /// Give up after so long, such as 30m
    #[arg(long, value_name = "TIME", env = "ERRAND_TIMEOUT", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
}

impl Watch {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let session = Session::open(global).await?;
        let project = Project::open(&session, self.bundle.manager.manager).await?;
        let proposal = project.proposal(self.bundle.id).await?;
        let started = Instant::now();
        let mut screen =
            Screen::new(session.format, u64::try_from(super::project::action_count(&proposal.header))?)?;
        let mut away = false;
        loop {
            match State::read(&project, &proposal).await {
                Ok(state) => {
                    away = false;
                    if !screen.show(&state)? {
                        return Ok(());
                    }
                    if is_over(state.status) {
                        drop(screen);
                        return self.end(&project, &state).await;
                    }
                }
                // A node that is away for a while is no end of the bundle.
                Err(error) => {
                    if !away {
                        warn(format!("{}; trying again", describe(&error)));
                    }
                    away = true;
                }
            }
            if self.timeout.is_some_and(|timeout| started.elapsed() >= timeout) {
                return Err(Problem::new(format!("bundle {} has not ended in time", proposal.id))
                    .hint("`errand upgrade status` tells what it waits for")
                    .into());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn end(&self, project: &Project<'_>, state: &State) -> Result<()> {
        if state.status == BundleStatus::COMPLETED {
            note(format!(
                "completed; what is left of budget and bond is free: `errand upgrade withdraw --all --manager {}`",
                project.address
            ));
            return Ok(());
        }
        let proposal = project.proposal(self.bundle.id).await?;
        let why = project.stall_reason(&proposal).await?;
        let why =
            why.map(|why| format!(", action {} failed: {why}", state.info.stalledIndex)).unwrap_or_default();
        Err(Problem::new(format!("bundle {} is {}{why}", proposal.id, status_name(state.status)))
            .hint("proxies are as they were; plan again when what failed is mended")
            .into())
    }
}

/// Where states are shown.
struct Screen {
    format: Format,
    bar: Option<ProgressBar>,
    last: Option<String>,
}

impl Screen {
    fn new(format: Format, actions: u64) -> Result<Self> {
        let is_live = format == Format::Human && io::stdout().is_terminal() && io::stderr().is_terminal();
        let bar = is_live.then(|| ProgressBar::new(actions));
        if let Some(bar) = &bar {
            bar.set_style(ProgressStyle::with_template("{spinner} {bar:20} {wide_msg}")?);
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Ok(Self { format, bar, last: None })
    }

    /// Shows it, if there is anything new. `false`: nobody reads any more.
    fn show(&mut self, state: &State) -> Result<bool> {
        if let Some(bar) = &self.bar {
            bar.set_position(state.info.nextIndex.saturating_to());
            bar.set_message(state.line());
        }
        let mark = state.mark();
        if self.last.as_ref() == Some(&mark) {
            return Ok(true);
        }
        self.last = Some(mark);
        let line = match self.format {
            Format::Human => state.line(),
            Format::Json => state.json().to_string(),
        };
        let write = || writeln!(io::stdout().lock(), "{line}");
        let written = match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            other => other.map(|()| true).wrap_err("the state cannot be written to standard output"),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
