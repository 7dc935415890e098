//! The bundle that takes another one back.

use super::{content, plan::home::Known, project::Project};
use crate::{output::warn, problem::Problem, session::Session};
use alloy::primitives::{Address, B256};
use errand_bindings::IChugSplashManager::Status;
use errand_bundle::{
    Step,
    plan::{Check, Inverse, Kept, Plan, Planned, inverse, inverse_questions},
};
use errand_types::BlockHead;
use eyre::{OptionExt, Result};
use std::{convert::Infallible, path::PathBuf, str::FromStr};

/// The bundle that is taken back.
#[derive(Clone, Debug)]
pub(crate) enum InverseOf {
    /// As it is published at the proposal's uri.
    Id(B256),
    File(PathBuf),
}

impl FromStr for InverseOf {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse().map_or_else(|_| Self::File(text.into()), Self::Id))
    }
}

/// What is left to take back.
#[derive(Debug)]
pub(crate) struct TakenBack {
    pub(crate) plan: Plan,
    /// What stays.
    pub(crate) kept: Vec<(String, Kept)>,
    /// Where the bundle that is taken back is published.
    pub(crate) uri: String,
}

/// What takes a bundle back: to what was there in the block before the one that completed it, from what is there `at`.
///
/// # Errors
/// A [`Problem`] where the bundle is not COMPLETED, the file is of another one, the node does not know the old
/// state, or there is nothing to take back.
pub(crate) async fn take_back(
    session: &Session,
    manager: Address,
    of: &InverseOf,
    at: &BlockHead,
) -> Result<TakenBack> {
    let project = Project::open(session, manager).await?;
    let (id, file) = match of {
        InverseOf::Id(id) => (*id, None),
        InverseOf::File(path) => {
            let published = content::read_file(path, content::Origin::Given)?;
            (published.id, Some(published))
        }
    };
    project.require_status(id, &[Status::COMPLETED]).await?;
    let proposal = project.proposal(id).await?;
    let published = match file {
        Some(published) => {
            content::require_same(&proposal, &published)?;
            published
        }
        None => content::of_proposal(&proposal, None).await?,
    };
    let history = project.announcements(Some(id)).await?;
    let completed = history.iter().find(|step| step.status == Status::COMPLETED);
    let completed = completed.ok_or_eyre("the node has no log of the bundle's end")?.block;

    let actions = published.actions.iter().zip(&published.names).map(|(action, name)| {
        Ok(Planned { name: name.clone(), target: action.target, step: action.step()? })
    });
    let actions = actions.collect::<Result<Vec<_>>>()?;
    let questions = inverse_questions(&actions);
    let before = session.block_head(completed.saturating_sub(1)).await?;
    let before = Known::ask(session, &before, &questions).await?;
    let now = Known::ask(session, at, &questions).await?;
    let Inverse { actions, kept, changed_since } = inverse(&actions, &before, &now).map_err(|error| {
        Problem::new(format!("bundle {id}: {error}")).hint("calls, and what was deployed, do not go back")
    })?;
    for name in changed_since {
        warn(format!("`{name}` has been changed since that bundle: that change is taken back as well"));
    }
    let checks = actions.iter().filter_map(|action| match action.step {
        Step::SetImplementation { implementation } => Some(Check::StillUpgradeable {
            contract: action.name.clone(),
            proxy: action.target,
            implementation,
        }),
        _ => None,
    });
    let checks = checks.collect();
    let plan = Plan { actions, unchanged: Vec::new(), checks };
    Ok(TakenBack { plan, kept, uri: proposal.header.uri })
}
