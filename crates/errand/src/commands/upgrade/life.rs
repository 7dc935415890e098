//! What the owner does with a bundle that is active, and with what is left of it.

use super::{
    order::{Order, Placing},
    project::{Project, is_over},
};
use crate::{
    amount::eth_text,
    calldata::address,
    cli::Global,
    commands::duration_text,
    output::{note, pairs, warn},
    problem::Problem,
    send::{Account, Step},
    session::{Asking, Session},
};
use alloy::primitives::{Address, B256, U256};
use clap::{ArgGroup, Args, builder::BoolishValueParser};
use errand_bindings::{
    IChugSplashManager::{self, Readiness, Status},
    IExecutorSelectionStrategy, IProjectActor,
};
use errand_keeper::bundles::bound::status_name;
use errand_types::{ANYONE, Eth};
use eyre::Result;

/// An owner's command about the bundle that is active.
struct Active<'a> {
    order: &'a Order,
    session: Session,
}

impl<'a> Active<'a> {
    async fn open(order: &'a Order, global: &Global) -> Result<Self> {
        Ok(Self { order, session: Session::open(global).await? })
    }

    /// The project and its active bundle, of one of these statuses.
    async fn bundle(&self, allowed: &[Status]) -> Result<(Project<'_>, Option<Account<'_>>, B256, Status)> {
        let account = self.order.placing.account(&self.session)?;
        let project = Project::open(&self.session, self.order.manager.manager).await?;
        project.require_owner(account.as_ref()).await?;
        let id = project.active().await?;
        let status = project.require_status(id, allowed).await?;
        Ok((project, account, id, status))
    }
}

impl Placing {
    async fn call(
        &self,
        project: &Project<'_>,
        account: Option<&Account<'_>>,
        purpose: String,
        call: &impl alloy::sol_types::SolCall,
        afterwards: &str,
    ) -> Result<()> {
        self.carry_out(project, account, &Step::call(purpose, project.address, call), afterwards).await
    }
}

/// Stop the active bundle for a while
///
/// Stops the active bundle for a while. New claims are refused at once. The pause is in force at once where nobody is
/// selected or the basefee is above the cap, else after the manager's delay, in which the selected executor may go on.
/// While paused, the budget can be withdrawn; the user bond stays locked.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand upgrade pause --manager 0x5FbD… --account alice")]
pub(crate) struct Pause {
    #[command(flatten)]
    order: Order,
}

impl Pause {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let active = Active::open(&self.order, global).await?;
        let (project, account, id, _) = active.bundle(&[Status::APPROVED]).await?;
        let selected = project.manager.selected().call().await.ok();
        // Where anybody may execute, nobody has to be waited for.
        if let Some(selected) = selected.filter(|found| !found.executor.is_zero() && found.executor != ANYONE)
        {
            let delay = project.manager.pauseDelay().call().await.asking("the delay of a pause")?;
            note(format!(
                "{} is selected: unless the basefee is above the cap, the pause is in force after {}",
                selected.executor,
                duration_text(u64::try_from(delay).unwrap_or(u64::MAX))
            ));
        }
        let call = IChugSplashManager::requestPauseCall {};
        let next = format!("next    errand upgrade resume --manager {}", project.address);
        self.order
            .placing
            .call(&project, account.as_ref(), format!("pause the bundle {id}"), &call, &next)
            .await
    }
}

/// Let a paused bundle go on
///
/// Lets a paused bundle go on, or takes a pause back that is not in force yet. The budget is locked again: what was
/// withdrawn of it has to be there.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand upgrade resume --manager 0x5FbD… --account alice")]
pub(crate) struct Resume {
    #[command(flatten)]
    order: Order,
}

impl Resume {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let active = Active::open(&self.order, global).await?;
        let (project, account, id, status) = active.bundle(&[Status::PAUSED, Status::APPROVED]).await?;
        let requested = project.info(id).await?.pauseAt;
        if status == Status::APPROVED && requested.is_zero() {
            return Err(Problem::new(format!("bundle {id} is neither paused nor going to be"))
                .hint("there is nothing to resume: executors may go on")
                .into());
        }
        let call = IChugSplashManager::resumeCall {};
        self.order
            .placing
            .call(&project, account.as_ref(), format!("let the bundle {id} go on"), &call, "")
            .await
    }
}

/// Let the action that failed be tried again
///
/// Lets executors try the action again at which a bundle stalled. Mend what made it fail first: every attempt is paid.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand upgrade status 0xbe12… --manager 0x5FbD…   # which action, and why
  errand upgrade retry --manager 0x5FbD… --account alice")]
pub(crate) struct Retry {
    #[command(flatten)]
    order: Order,
}

impl Retry {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let active = Active::open(&self.order, global).await?;
        let (project, account, id, _) = active.bundle(&[Status::STALLED]).await?;
        let index = project.info(id).await?.stalledIndex;
        let purpose = format!("let action {index} of the bundle {id} be tried again");
        self.order
            .placing
            .call(&project, account.as_ref(), purpose, &IChugSplashManager::retryCall {}, "")
            .await
    }
}

/// Give a stalled bundle up
///
/// Gives a stalled bundle up: it has FAILED, user bond and budget are free. What was deployed stays; proxies are as they
/// were.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand upgrade close --manager 0x5FbD… --account alice")]
pub(crate) struct Close {
    #[command(flatten)]
    order: Order,
}

impl Close {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let active = Active::open(&self.order, global).await?;
        let (project, account, id, _) = active.bundle(&[Status::STALLED]).await?;
        let next = format!("next    errand upgrade withdraw --all --manager {}", project.address);
        let call = IChugSplashManager::closeCall {};
        self.order
            .placing
            .call(&project, account.as_ref(), format!("give the bundle {id} up"), &call, &next)
            .await
    }
}

/// End the active bundle for good
///
/// Ends the active bundle for good. The user bond goes to the selected executor if it did work or was selected some time
/// ago, else to the last one that did work, else it comes free: docs/chugsplash.md says when. A bond
/// comes back unless its lock has expired. What was deployed stays; proxies are as they were.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand upgrade cancel --manager 0x5FbD… --account alice")]
pub(crate) struct Cancel {
    #[command(flatten)]
    order: Order,
}

impl Cancel {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let active = Active::open(&self.order, global).await?;
        let allowed = [Status::APPROVED, Status::PAUSED, Status::STALLED];
        let (project, account, id, status) = active.bundle(&allowed).await?;
        let bond = eth_text(project.accounts().await?.userBond);
        match heirs(&project, id, status).await? {
            None => note(format!("the user bond of {bond} comes free")),
            Some(text) => warn(format!("the user bond of {bond} {text}")),
        }
        let next = format!("next    errand upgrade withdraw --all --manager {}", project.address);
        let call = IChugSplashManager::cancelCall {};
        self.order
            .placing
            .call(&project, account.as_ref(), format!("cancel the bundle {id}"), &call, &next)
            .await
    }
}

/// Who gets the user bond of a bundle that is cancelled, in words; `None`: it comes free. The rules are
/// `IChugSplashManager.cancel`'s.
async fn heirs(project: &Project<'_>, id: B256, status: Status) -> Result<Option<String>> {
    let info = project.info(id).await?;
    let worker = Some(info.lastExecutor).filter(|worker| !worker.is_zero());
    let by_work = worker.map(|worker| format!("goes to {worker}, the last to execute an action"));
    if status != Status::APPROVED {
        return Ok(by_work);
    }
    let terms = project.manager.selectionTerms(id).call().await.asking("the terms of selection")?;
    let strategy = IExecutorSelectionStrategy::new(terms.ess, project.session.provider.clone());
    let selected = strategy.getSelectedExecutor(project.address, id).call().await.ok();
    let (Some(selected), false) = (selected, terms.readiness == Readiness::UNSOUND) else {
        // Strategies that do not do their duty leave nothing to be executed.
        return Ok(None);
    };
    let holder = selected.executor;
    if holder.is_zero() || holder == ANYONE || Some(holder) == worker {
        return Ok(by_work);
    }
    let manager = &project.manager;
    let least = manager.cancelMinSeconds().call().await.asking("since when a selection counts")?;
    let most = manager.cancelMaxSeconds().call().await.asking("until when a selection counts")?;
    let since = selected.selectedAt.max(info.approvedAt);
    let age = U256::from(project.session.head().await?.timestamp).saturating_sub(since);
    if age > most {
        return Ok(by_work);
    }
    let text = |seconds: U256| duration_text(u64::try_from(seconds).unwrap_or(u64::MAX));
    Ok(Some(format!(
        "goes to {holder}, who is selected since {}, if this is mined {} to {} after that; else it {}",
        text(age),
        text(least),
        text(most),
        by_work.as_deref().unwrap_or("comes free")
    )))
}

/// Give proxies the implementation that they had before
///
/// Gives every proxy the implementation that it had before the last bundle that set any, in one transaction. Storage and
/// calls are not undone: storage goes back by the bundle that `errand upgrade plan --inverse` writes, calls never.
/// Proxies that were new in that bundle stay. Not while a bundle is active.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand upgrade rollback --manager 0x5FbD… --account alice")]
pub(crate) struct Rollback {
    #[command(flatten)]
    order: Order,
}

impl Rollback {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let session = Session::open(global).await?;
        let account = self.order.placing.account(&session)?;
        let project = Project::open(&session, self.order.manager.manager).await?;
        project.require_owner(account.as_ref()).await?;
        project.require_none_active().await?;
        let actor = project.manager.actor().call().await.asking("the actor")?;
        let actor = IProjectActor::new(actor, session.provider.clone());
        let found = actor.rollbackOf().call().await.asking("what a rollback changes")?;
        if found.proxies.is_empty() {
            return Err(Problem::new(
                "there is nothing to roll back: no bundle replaced an implementation, or it was rolled back",
            )
            .hint("plan a bundle that sets what you want")
            .into());
        }
        for (proxy, implementation) in found.proxies.iter().zip(&found.implementations) {
            note(format!("{proxy} goes back to {implementation}"));
        }
        let purpose = format!("roll {} proxies back", found.proxies.len());
        let call = IChugSplashManager::rollbackCall {};
        self.order.placing.call(&project, account.as_ref(), purpose, &call, "").await
    }
}

/// Take ETH out of a project
///
/// Takes ETH out of a project: what is free, not what a bundle has locked. Not while a bundle is APPROVED or STALLED.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("how_much").required(true).args(["amount", "all"]))]
#[command(after_help = "Examples:
  errand upgrade withdraw --all --manager 0x5FbD… --account alice
  errand upgrade withdraw 0.2ether --to 0x7099… --manager 0x5FbD… \\
      --account alice")]
pub(crate) struct Withdraw {
    /// How much, such as 0.2ether
    amount: Option<Eth>,
    /// All that is free
    #[arg(long, env = "ERRAND_ALL", value_parser = BoolishValueParser::new())]
    all: bool,
    /// Who gets it. Default: the owner
    #[arg(long, value_name = "ADDRESS", env = "ERRAND_TO", value_parser = address)]
    to: Option<Address>,
    #[command(flatten)]
    order: Order,
}

impl Withdraw {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let session = Session::open(global).await?;
        let account = self.order.placing.account(&session)?;
        let project = Project::open(&session, self.order.manager.manager).await?;
        project.require_owner(account.as_ref()).await?;
        let accounts = project.accounts().await?;
        let id = project.manager.activeBundleId().call().await.asking("the active bundle")?;
        if !id.is_zero() {
            let status = project.status(id).await?;
            if !is_over(status) && status != Status::PAUSED {
                return Err(Problem::new(format!(
                    "bundle {id} is {}: nothing can be withdrawn meanwhile",
                    status_name(status)
                ))
                .hint("wait for its end; or pause, close or cancel it")
                .into());
            }
        }
        let free = accounts.free;
        let amount = match self.amount {
            Some(Eth(amount)) => amount,
            None => free,
        };
        note(pairs([
            ("free", eth_text(free)),
            ("locked", eth_text(accounts.userBond.saturating_add(accounts.callValue))),
            ("owed to executors", eth_text(accounts.owed)),
        ]));
        if amount.is_zero() || amount > free {
            return Err(Problem::new(format!(
                "{} has {} free, and {} are to be withdrawn",
                project.address,
                eth_text(free),
                eth_text(amount)
            ))
            .hint("`errand upgrade status` tells what is free and what is locked")
            .into());
        }
        let to = match self.to {
            Some(to) => to,
            None => project.owner().await?,
        };
        if to.is_zero() {
            return Err(Problem::usage("--to is the zero address: the ETH would be lost").into());
        }
        let call = IChugSplashManager::withdrawCall { to, amount };
        let purpose = format!("withdraw {} to {to}", eth_text(amount));
        self.order.placing.call(&project, account.as_ref(), purpose, &call, "").await
    }
}
