//! `errand upgrade verify`

use super::{
    content,
    effects::{Effect, Finding},
    inverse::{self, InverseOf},
    order::bundle_id,
    project::{Project, Proposal, cap_text},
    source::{Source, SourceArgs},
    terms::header_text,
};
use crate::{
    cli::Global,
    output::{Progress, note, table},
    problem::Problem,
    session::Session,
};
use alloy::primitives::{B256, U256};
use clap::Args;
use errand_bindings::IChugSplashManager::BundleHeader;
use errand_bundle::{
    Action, Tree,
    config::Config,
    diff::{Difference, LeafDiff, diff},
    file::Published,
    plan::Plan,
    project::Site,
};
use errand_keeper::bundles::bound::status_name;
use eyre::Result;
use serde_json::json;
use std::path::PathBuf;

/// Compare a proposal with its source, and the chain with the proposal
///
/// Computes every action of a proposal again, from upgrade.toml, your own artifacts and the chain, and compares it with
/// what was proposed, byte by byte; then what was executed already with what is on the chain: code that was deployed,
/// storage, implementations. It fails when anything differs.
///
/// Committed gas is measured, not computed: it is taken as published, and bounded by the header's total and the budget.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  forge build
  errand upgrade verify 0xbe12… upgrade.toml
  errand upgrade verify 0xd3a0… upgrade.toml --inverse 0xbe12…")]
pub(crate) struct Verify {
    /// The bundle's id
    #[arg(value_name = "ID", value_parser = bundle_id)]
    id: B256,
    #[command(flatten)]
    source: SourceArgs,
    /// The file with the actions. Default: what is published at the proposal's uri
    #[arg(long, value_name = "FILE", env = "ERRAND_BUNDLE")]
    bundle: Option<PathBuf>,
    /// The proposal takes this bundle back: its file, or its id
    #[arg(long, value_name = "BUNDLE", env = "ERRAND_INVERSE")]
    inverse: Option<InverseOf>,
}

/// All that was compared.
struct Compared {
    root: Option<B256>,
    header: Vec<String>,
    computed: Vec<Action>,
    names: Vec<String>,
    leaves: Vec<LeafDiff>,
    effects: Vec<Finding>,
}

impl Verify {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let mut source = Source::read(&self.source)?;
        if self.inverse.is_some() {
            // That of the bundle that is taken back.
            source.config.project.uri.clear();
        }
        let session = Session::open(global).await?;
        let site = source.site(&session).await?;
        let resolved = source.project(site)?;
        let project = Project::open(&session, site.manager).await?;
        let proposal = project.proposal(self.id).await?;
        let published = content::of_proposal(&proposal, self.bundle.as_deref()).await?;
        let info = project.info(proposal.id).await?;
        let status = project.status(proposal.id).await?;
        // What was executed has changed the chain: then the plan is made as of the proposal.
        let at = match info.nextIndex.is_zero() {
            true => session.head().await?,
            false => session.block_head(proposal.block).await?,
        };
        let progress = Progress::spinner("computing the actions");
        let plan = match &self.inverse {
            None => source.plan(&session, &resolved, &at).await?,
            Some(of) => inverse::take_back(&session, site.manager, of, &at).await?.plan,
        };
        let mut compared = compare(&source.config, &site, &proposal, &published, plan);
        let done = usize::try_from(info.nextIndex).unwrap_or(usize::MAX);
        compared.effects =
            super::effects::check(&project, site.actor, status, &published.actions, done).await?;
        drop(progress);
        self.tell(&session, &proposal, &published, &compared)?;
        compared.verdict(&proposal)?;
        note(format!("{} is what the source says; it is {}", proposal.id, status_name(status)));
        Ok(())
    }

    fn tell(
        &self,
        session: &Session,
        proposal: &Proposal,
        published: &Published,
        found: &Compared,
    ) -> Result<()> {
        let effect = |index: usize| found.effects.iter().find(|finding| finding.index == index);
        let leaves = found.leaves.iter().map(|leaf| {
            let action = published.actions.get(leaf.index).or_else(|| found.computed.get(leaf.index));
            let index = u64::try_from(leaf.index).unwrap_or(u64::MAX);
            json!({
                "index": leaf.index,
                "kind": action.map(|action| action.kind.name()),
                "target": action.map(|action| action.target),
                "gas": action.map(|action| action.gas),
                "name": found.names.get(leaf.index),
                "leaf": published.actions.get(leaf.index).map(|action| action.leaf(index)),
                "isSame": leaf.difference == Difference::Same,
                "difference": leaf.difference.to_string(),
                "onChain": effect(leaf.index).map(|finding| finding.effect.to_string()),
            })
        });
        let value = json!({
            "bundleId": proposal.id,
            "actionRoot": proposal.header.actionRoot,
            "computedRoot": found.root,
            "headerDifferences": found.header,
            "leaves": leaves.collect::<Vec<_>>(),
            "isSame": found.is_same(proposal) && !found.effects.iter().any(|finding| finding.effect.is_wrong()),
        });
        session.format.print(&value, || {
            let rows = found.leaves.iter().map(|leaf| {
                let action = published.actions.get(leaf.index).or_else(|| found.computed.get(leaf.index));
                [
                    leaf.index.to_string(),
                    action.map_or("", |action| action.kind.name()).to_owned(),
                    action.map(|action| session.short_text(action.target)).unwrap_or_default(),
                    action.map(|action| action.gas.to_string()).unwrap_or_default(),
                    found.names.get(leaf.index).cloned().unwrap_or_default(),
                    leaf.difference.to_string(),
                    effect(leaf.index).map(|finding| finding.effect.to_string()).unwrap_or_default(),
                ]
            });
            let header = ["", "kind", "target", "gas", "of the source", "published", "on chain"];
            let root = found.root.map_or_else(|| "none".to_owned(), |root| root.to_string());
            format!(
                "{}\n\n{}\n\nroot of the source  {root}",
                header_text(session, proposal.id, &proposal.header),
                table(header, rows)
            )
        })
    }
}

fn compare(config: &Config, site: &Site, proposal: &Proposal, published: &Published, plan: Plan) -> Compared {
    let computed: Vec<_> = plan
        .actions
        .iter()
        .enumerate()
        .map(|(index, planned)| {
            let gas = published.actions.get(index).map_or(0, |action| action.gas);
            planned.step.to_action(planned.target, gas)
        })
        .collect();
    Compared {
        root: Tree::of(&computed).map(|tree| tree.root()),
        header: header_differences(config, site, &proposal.header),
        leaves: diff(&computed, &published.actions),
        names: plan.actions.into_iter().map(|planned| planned.name).collect(),
        computed,
        effects: Vec::new(),
    }
}

/// Where the header says something else than the file.
fn header_differences(config: &Config, site: &Site, h: &BundleHeader) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, proposed: String, source: String| {
        if proposed != source {
            found.push(format!("{what}: {proposed} was proposed, the source says {source}"));
        }
    };
    compare("selection strategy", h.ess.to_string(), site.ess.to_string());
    compare("payment strategy", h.eps.to_string(), site.eps.to_string());
    compare("basefee cap", cap_text(h.maxBaseFee), cap_text(config.caps.max_base_fee));
    if let Some(budget) = config.caps.budget {
        compare("budget in wei", h.budget.to_string(), budget.to_string());
    }
    if let Some(max_txs) = config.caps.max_txs {
        compare("paid transactions", h.maxTxs.to_string(), U256::from(max_txs).to_string());
    }
    if !config.project.uri.is_empty() {
        compare("uri", format!("{:?}", h.uri), format!("{:?}", config.project.uri));
    }
    found
}

impl Compared {
    fn is_same(&self, proposal: &Proposal) -> bool {
        self.header.is_empty()
            && self.root == Some(proposal.header.actionRoot)
            && self.leaves.iter().all(|leaf| leaf.difference == Difference::Same)
    }

    fn verdict(&self, proposal: &Proposal) -> Result<()> {
        let mut wrong = self.header.clone();
        for leaf in &self.leaves {
            if leaf.difference != Difference::Same {
                let name = self.names.get(leaf.index).map(|name| format!(" ({name})")).unwrap_or_default();
                wrong.push(format!("action {}{name} {}", leaf.index, leaf.difference));
            }
        }
        if wrong.is_empty() && !self.is_same(proposal) {
            wrong.push("the action root is another one".to_owned());
        }
        if !wrong.is_empty() {
            return Err(Problem::new(format!(
                "{} is NOT what the source says: {}",
                proposal.id,
                wrong.join("; ")
            ))
            .hint("do not approve it; compile with the same settings as the proposer before you accuse him")
            .into());
        }
        let wrong: Vec<_> = self
            .effects
            .iter()
            .filter(|finding| finding.effect.is_wrong())
            .map(|finding| {
                let name = self.names.get(finding.index).map(String::as_str).unwrap_or_default();
                format!("action {} ({name}): {}", finding.index, finding.effect)
            })
            .collect();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Problem::new(format!("the chain is NOT as the bundle left it: {}", wrong.join("; ")))
            .hint("storage and implementations may have been changed since, by calls or by a later bundle")
            .into())
    }
}

impl Effect {
    /// Whether it contradicts the bundle.
    const fn is_wrong(&self) -> bool {
        matches!(self, Self::OtherCode | Self::NoCode | Self::Other(_))
    }
}
