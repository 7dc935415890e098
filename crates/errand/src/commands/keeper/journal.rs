//! Where a keeper records what it does.

use crate::{problem::Problem, session::Session};
use alloy::primitives::Address;
use clap::Args;
use errand_journal::{Identity, Journal, JournalError};
use eyre::{Report, Result, WrapErr};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where a keeper records what it does.
#[derive(Args, Clone, Debug)]
pub(super) struct JournalArgs {
    /// File that records what was sent, so that nothing is sent twice after a crash. One journal has one keeper.
    /// Default: ~/.errand/<chainId>-<account>.sqlite
    #[arg(long, value_name = "PATH", env = "ERRAND_JOURNAL", help_heading = "Records")]
    journal: Option<PathBuf>,
}

impl JournalArgs {
    /// The file, whether it is there or not.
    pub(super) fn path(&self, chain_id: u64, account: Address) -> Result<PathBuf> {
        if let Some(path) = &self.journal {
            return Ok(path.clone());
        }
        let home = dirs::home_dir().ok_or_else(|| {
            Problem::usage("the home directory is not known, so there is no place for the journal")
                .hint("name a file with --journal PATH")
        })?;
        Ok(home.join(".errand").join(format!("{chain_id}-{account}.sqlite")))
    }

    /// Whether a journal could be made there, without making one: a file is made and removed in the folder, or,
    /// where there is none yet, in the one that it would be made in. Permissions alone do not tell it.
    pub(super) fn check_place(path: &Path) -> Result<()> {
        let absolute = std::path::absolute(path).wrap_err("the working directory is gone")?;
        let folder = absolute.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(&absolute);
        let probe = folder.join(format!(".errand-{}", std::process::id()));
        fs::File::create_new(&probe).and_then(|_| fs::remove_file(&probe)).wrap_err_with(|| {
            Problem::new(format!("no journal can be made in {}", folder.display()))
                .hint("name another file with --journal PATH")
        })
    }

    /// Opens the file, or makes it.
    pub(super) async fn open(&self, session: &Session, account: Address) -> Result<Journal> {
        self.attempt(session, account).await?.map_err(|error| journal_problem(&error))
    }

    /// Opens the file, or makes it; the inner error is the journal's own.
    pub(super) async fn attempt(
        &self,
        session: &Session,
        account: Address,
    ) -> Result<Result<Journal, JournalError>> {
        let identity = identity(session, account).await?;
        let path = self.path(identity.chain_id, account)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).wrap_err_with(|| {
                Problem::new(format!("the folder {} cannot be made", folder.display()))
                    .hint("name another file with --journal PATH")
            })?;
        }
        Ok(Journal::open(&path, identity))
    }
}

/// What a journal of this account on this chain is for.
pub(super) async fn identity(session: &Session, account: Address) -> Result<Identity> {
    Ok(Identity {
        chain_id: session.endpoint.chain_id(),
        genesis: session.block_head(0).await?.hash,
        registry: session.contracts.registry,
        account,
    })
}

/// What to do about a journal that cannot be used.
pub(super) fn journal_problem(error: &JournalError) -> Report {
    let hint = match error {
        JournalError::InUse { .. } => {
            "stop the other keeper, or give this one a key and a journal of its own"
        }
        JournalError::OtherIdentity { found, expected, .. }
            if (Identity { genesis: expected.genesis, ..**found }) == **expected =>
        {
            "the chain was begun anew since, and what this journal knows is gone: remove the file, or name another \
             one with --journal PATH"
        }
        JournalError::OtherIdentity { .. } => "name another file with --journal PATH",
        JournalError::Newer { .. } => "use the newer program",
        _ => "look at the file and at the disk it is on",
    };
    Problem::new(error.to_string()).hint(hint).into()
}
