//! `errand upgrade propose`, `fund` and `approve`.

use super::{
    content,
    order::{Order, Placing, bundle_id},
    project::{Project, Proposal, cap_text},
    terms::{Money, header_json, header_text, require_budget, warn_of_strangers},
};
use crate::{
    amount::eth_text,
    cli::Global,
    commands::sent_text,
    output::{note, pairs, warn},
    problem::Problem,
    send::Step,
    session::{Asking, Session},
};
use alloy::primitives::B256;
use clap::{ArgGroup, Args};
use errand_bindings::IChugSplashManager::{self, Status};
use errand_bundle::{file::Published, header::check_deploy_targets};
use errand_keeper::bundles::bound::{bound_header, status_name};
use errand_types::Eth;
use eyre::Result;
use serde_json::json;
use std::path::PathBuf;

/// Commit a planned bundle for the owner to approve
///
/// Nothing is locked and nothing is executed. The
/// owner and whom it has named with `proposer add` may propose. Publish the file at its `uri` before you approve:
/// executors find the actions there.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand upgrade plan upgrade.toml
  errand upgrade propose upgrade.bundle.json --account alice")]
pub(crate) struct Propose {
    /// The file that `errand upgrade plan` wrote
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    #[command(flatten)]
    placing: Placing,
}

impl Propose {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let published = content::read_file(&self.bundle, content::Origin::Planned)?;
        let session = Session::open(global).await?;
        require_chain(&session, &published)?;
        let account = self.placing.account(&session)?;
        let project = Project::open(&session, published.manager).await?;
        if let Some(account) = &account {
            project.require_proposer(account.address()).await?;
        }
        require_fresh(&project, &published).await?;
        if published.header.uri.is_empty() {
            warn(
                "the bundle does not say where its actions are published: no keeper is going to find them. Set project.uri and plan again",
            );
        }
        let header = bound_header(&published.header);
        warn_of_strangers(&session, &header);
        note(header_text(&session, published.id, &header));
        let call = IChugSplashManager::proposeCall { header };
        let purpose = format!("propose the bundle {}", published.id);
        let step = Step::call(purpose, project.address, &call);
        let Some(sent) = self.placing.place(&project, account.as_ref(), &step).await? else { return Ok(()) };
        let next = format!("errand upgrade quote {} --manager {}", published.id, project.address);
        let value = json!({
            "bundleId": published.id,
            "manager": project.address,
            "header": header_json(&call.header),
            "transactions": [&sent],
        });
        session.format.print(&value, || {
            format!("{}\n\nbundle  {}\nnext    {next}", sent_text(std::slice::from_ref(&sent)), published.id)
        })
    }
}

fn require_chain(session: &Session, published: &Published) -> Result<()> {
    let chain = session.endpoint.chain_id();
    if chain == published.chain_id {
        return Ok(());
    }
    Err(Problem::new(format!("the bundle is for chain {}, the node is on chain {chain}", published.chain_id))
        .hint("point --rpc at a node of that chain")
        .into())
}

/// Refuses a bundle whose id the manager would not give.
async fn require_fresh(project: &Project<'_>, published: &Published) -> Result<()> {
    let next = project.manager.nextNonce().call().await.asking("the next nonce")?;
    if next != published.nonce {
        let what = if project.status(published.id).await? == Status::EMPTY {
            format!(
                "the bundle was planned as number {} of the manager, and now {next} is next",
                published.nonce
            )
        } else {
            format!("the bundle {} was proposed already", published.id)
        };
        return Err(Problem::new(what)
            .hint(
                "plan again, so that it gets an id of its own; `errand upgrade list` shows what was proposed",
            )
            .into());
    }
    let actor = project.manager.actor().call().await.asking("the actor")?;
    check_deploy_targets(actor, &published.actions).map_err(|error| {
        Problem::new(format!("the bundle is of another project: {error}"))
            .hint("plan again with this project's owner and salt")
            .into()
    })
}

/// Send ETH to a project
///
/// Anybody may. While a bundle is APPROVED or STALLED it goes to the bundle's budget; else it is free, and an
/// approval locks of it the user bond, the budget and what calls send along. What is left comes free again when the
/// bundle ends, and the owner can withdraw it.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("how_much").required(true).args(["amount", "for_bundle"]))]
#[command(after_help = "Examples:
  errand upgrade fund 0.5ether --manager 0x5FbD… --account alice
  errand upgrade fund --for-bundle 0xbe12… --manager 0x5FbD… --account alice")]
pub(crate) struct Fund {
    /// How much, such as 0.5ether
    amount: Option<Eth>,
    /// As much as the approval of this bundle lacks
    #[arg(long, value_name = "ID", env = "ERRAND_FOR_BUNDLE", value_parser = bundle_id)]
    for_bundle: Option<B256>,
    #[command(flatten)]
    order: Order,
}

impl Fund {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let session = Session::open(global).await?;
        let project = Project::open(&session, self.order.manager.manager).await?;
        let amount = match (self.amount, self.for_bundle) {
            (Some(Eth(amount)), _) => amount,
            (None, Some(id)) => {
                project.require_status(id, &[Status::PROPOSED]).await?;
                // It would go to the active bundle, and not be there for this one's approval.
                project.require_none_active().await?;
                let money = Money::of(&project, &project.proposal(id).await?).await?;
                if money.missing.is_zero() {
                    let text = format!("nothing is missing: {} are free", eth_text(money.free));
                    return session.format.print(&json!({ "transactions": [] }), || text);
                }
                money.missing
            }
            (None, None) => return Err(Problem::usage("how much? Give an amount, such as 0.5ether").into()),
        };
        if amount.is_zero() {
            return Err(Problem::usage("an amount of 0 funds nothing")
                .hint("say how much, such as 0.5ether")
                .into());
        }
        let active = project.manager.activeBundleId().call().await.asking("the active bundle")?;
        note(if active.is_zero() {
            "no bundle is active: it is going to be free".to_owned()
        } else if project.status(active).await? == Status::PAUSED {
            format!("bundle {active} is PAUSED: it is going to be free, and `resume` locks the budget of it")
        } else {
            format!("bundle {active} is active: it goes to the budget for executors")
        });
        let account = self.order.placing.account(&session)?;
        let mut step = Step::call(
            format!("fund {}", project.address),
            project.address,
            &IChugSplashManager::depositCall {},
        );
        step.value = amount;
        self.order.placing.carry_out(&project, account.as_ref(), &step, "").await
    }
}

/// Let executors carry a proposed bundle out
///
/// It locks the user bond, the budget and what calls send along; strategies
/// are fixed until the bundle has ended. What is approved is shown before: header, costs, every action. The actions are
/// read from the proposal's `uri`, or from the file that you looked at, and anything else than what was proposed is
/// refused.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand upgrade verify 0xbe12… upgrade.toml
  errand upgrade approve 0xbe12… --manager 0x5FbD… \\
      --bundle upgrade.bundle.json --account alice
  errand upgrade approve 0xbe12… --manager 0x5FbD… --calldata   # for a Safe")]
pub(crate) struct Approve {
    /// The bundle's id
    #[arg(value_name = "ID", value_parser = bundle_id)]
    id: B256,
    /// The file with the actions that you looked at. Default: what is published at the proposal's uri
    #[arg(long, value_name = "FILE", env = "ERRAND_BUNDLE")]
    bundle: Option<PathBuf>,
    #[command(flatten)]
    order: Order,
}

impl Approve {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let session = Session::open(global).await?;
        let project = Project::open(&session, self.order.manager.manager).await?;
        let account = self.order.placing.account(&session)?;
        project.require_owner(account.as_ref()).await?;
        project.require_status(self.id, &[Status::PROPOSED]).await?;
        project.require_none_active().await?;
        let proposal = project.proposal(self.id).await?;
        let published = content::of_proposal(&proposal, self.bundle.as_deref()).await?;
        let money = Money::of(&project, &proposal).await?;
        money.require_funded(&project, self.id)?;
        require_budget(&project, &proposal).await?;
        warn_of_strangers(&session, &proposal.header);
        warn_of_later(&project, self.id).await?;
        show(&session, &proposal, &published, &money);
        let call = IChugSplashManager::approveCall { bundleId: self.id, header: proposal.header.clone() };
        let step = Step::call(format!("approve the bundle {}", self.id), project.address, &call);
        let next = format!("errand upgrade watch {} --manager {}", self.id, project.address);
        self.order.placing.carry_out(&project, account.as_ref(), &step, &format!("next    {next}")).await
    }
}

fn show(session: &Session, proposal: &Proposal, published: &Published, money: &Money) {
    note(header_text(session, proposal.id, &proposal.header));
    for (index, (action, name)) in published.actions.iter().zip(&published.names).enumerate() {
        note(format!("  {index:>3}  {:<18} {} {name}", action.kind.name(), action.target));
    }
    note(pairs([
        ("locks", eth_text(money.needed)),
        ("of it user bond", eth_text(money.user_bond)),
        ("stays free", eth_text(money.free.saturating_sub(money.needed))),
        ("basefee cap", cap_text(proposal.header.maxBaseFee)),
    ]));
}

/// A later proposal may be the one that is meant.
async fn warn_of_later(project: &Project<'_>, id: B256) -> Result<()> {
    let proposed = project.announcements(None).await?;
    let last = proposed.iter().rev().find(|found| found.header.is_some() && found.status == Status::PROPOSED);
    if let Some(last) = last.filter(|last| last.id != id) {
        warn(format!(
            "this is not the last proposal: {} was made in block {} and is {}",
            last.id,
            last.block,
            status_name(project.status(last.id).await?)
        ));
    }
    Ok(())
}
