//! The actions of a bundle, as they are published: not believed, but compared with what the chain knows.

use super::project::Proposal;
use crate::problem::Problem;
use alloy::primitives::B256;
use errand_bundle::{
    file::{self, DEFAULT_MAX_BYTES, Published},
    header::Totals,
};
use errand_keeper::bundles::{bound::plain_header, fetch};
use eyre::Result;
use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

/// Where a file comes from, and so what to do when it is missing or another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is about to be proposed.
    Planned,
    /// It is named beside a proposal.
    Given,
    /// It is where a proposal says.
    Published,
}

impl Origin {
    const fn missing(self) -> &'static str {
        match self {
            Self::Planned | Self::Given => "`errand upgrade plan` writes it",
            Self::Published => {
                "publish the file that `errand upgrade plan` wrote there, or give it with --bundle FILE"
            }
        }
    }

    const fn changed(self) -> &'static str {
        match self {
            Self::Planned => {
                "the file is not as `errand upgrade plan` wrote it, or has been changed since: plan again"
            }
            Self::Given => "do not trust that file: give the one that `errand upgrade plan` wrote",
            Self::Published => {
                "do not trust that file: publish the one that `errand upgrade plan` wrote, or give it with --bundle FILE"
            }
        }
    }
}

/// Reads a bundle's file from the disk.
///
/// # Errors
/// A [`Problem`] where there is none, or it contradicts itself.
pub(crate) fn read_file(path: &Path, origin: Origin) -> Result<Published> {
    let shown = path.display();
    let problem = |why: String| Problem::new(format!("{shown}: {why}"));
    // What is no plain file might never end.
    let about = fs::metadata(path).map_err(|error| problem(error.to_string()).hint(origin.missing()))?;
    if !about.is_file() {
        return Err(problem("it is no file".to_owned()).hint(origin.missing()).into());
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit()).read_to_end(&mut bytes));
    read.map_err(|error| problem(error.to_string()))?;
    file::read(&bytes, DEFAULT_MAX_BYTES)
        .map_err(|error| problem(error.to_string()).hint(origin.changed()).into())
}

fn limit() -> u64 {
    u64::try_from(DEFAULT_MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1)
}

/// The actions of a proposal: out of `given`, or from where its header says that they are published.
///
/// # Errors
/// A [`Problem`] where they are not to be had, or are others.
pub(crate) async fn of_proposal(proposal: &Proposal, given: Option<&Path>) -> Result<Published> {
    let published = match given {
        Some(path) => read_file(path, Origin::Given)?,
        None => read_uri(&proposal.header.uri).await?,
    };
    require_same(proposal, &published)?;
    Ok(published)
}

/// Refuses a file of another bundle than the one proposed.
pub(crate) fn require_same(proposal: &Proposal, published: &Published) -> Result<()> {
    let header = plain_header(&proposal.header);
    if published.id != proposal.id || published.header != header {
        return Err(other(proposal.id, published.id));
    }
    let totals = Totals::of(&published.actions).and_then(|totals| totals.check(&header));
    totals.map_err(|error| {
        Problem::new(format!("the published actions are not those proposed: {error}")).into()
    })
}

fn other(proposed: B256, found: B256) -> eyre::Report {
    Problem::new(format!(
        "the file is of bundle {found}, not of {proposed}: the proposal is not the one shown"
    ))
    .hint("look at what was proposed with `errand upgrade verify`, and approve nothing you have not seen")
    .into()
}

/// Reads what is at `uri`: http(s), `file://` or the path of a file.
async fn read_uri(uri: &str) -> Result<Published> {
    // A stranger's text: quoted, so that it controls no terminal.
    let problem = |why: String| Problem::new(format!("the actions cannot be read from {uri:?}: {why}"));
    if uri.is_empty() {
        return Err(Problem::new("the proposal does not say where its actions are published")
            .hint("give the file with --bundle FILE")
            .into());
    }
    let bytes = fetch(uri, DEFAULT_MAX_BYTES).await;
    let bytes = bytes.map_err(|why| problem(why).hint(Origin::Published.missing()))?;
    file::read(&bytes, DEFAULT_MAX_BYTES)
        .map_err(|error| problem(error.to_string()).hint(Origin::Published.changed()).into())
}
