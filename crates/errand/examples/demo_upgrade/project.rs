//! The project whose upgrades are shown: a copy of `examples/upgrade`, which users would have of their own.

use crate::scene::CHAIN_ID;
use alloy::primitives::Address;
use errand_testkit::{Anvil, root, tool};
use eyre::{Result, WrapErr, ensure};
use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// forge's output of what was there before.
pub(crate) const BEFORE: &str = "out-before";

/// The project's folder, with the proxies that were there before.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    pub(crate) owner: Address,
    pub(crate) legacy: Legacy,
}

/// What `before/script/DeployBefore.s.sol` deployed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Legacy {
    pub(crate) token: Address,
    pub(crate) price_feed: Address,
}

impl Project {
    /// Copies the sources into `folder`, and deploys what the project had before it used bundles.
    pub(crate) fn set(folder: &Path, anvil: &Anvil, owner: u32) -> Result<Self> {
        let source = root()?.join("examples/upgrade");
        for part in ["foundry.toml", "node_modules", "before/src", "before/script"] {
            copy(&source.join(part), folder)?;
        }
        let signer = anvil.signer(owner)?;
        run(Command::new(tool("forge")?)
            .current_dir(folder)
            .args([
                "script",
                "script/DeployBefore.s.sol",
                "--broadcast",
                "--slow",
                "--rpc-url",
                &anvil.http_url(),
            ])
            .args(["--private-key", &alloy::primitives::hex::encode_prefixed(signer.to_bytes())]))?;
        let legacy = serde_json::from_slice(&fs::read(folder.join("before.json"))?)?;
        let project = Self { folder: folder.to_owned(), owner: signer.address(), legacy };
        project.build()?;
        // Storage layouts are compared with those of what is on the chain.
        fs::rename(folder.join("out"), folder.join(BEFORE))?;
        for part in ["src", "script"] {
            fs::remove_dir_all(folder.join(part))?;
        }
        copy(&source.join("src"), folder)?;
        project.build()?;
        project.configure(&source.join("upgrade.toml"), &project.published("1"))?;
        Ok(project)
    }

    /// Takes over what version 2 changes.
    pub(crate) fn change(&self) -> Result<()> {
        let version2 = root()?.join("examples/upgrade/version2");
        copy(&version2.join("src"), &self.folder)?;
        self.build()?;
        self.configure(&version2.join("upgrade.toml"), &self.published("2"))
    }

    /// A full build: the storage-layout check wants all sources in one build record.
    fn build(&self) -> Result<()> {
        run(Command::new(tool("forge")?)
            .current_dir(&self.folder)
            .args(["build", "--force", "--skip", "script"]))
    }

    /// Fills in the version's `upgrade.toml`. The bundle is going to be published at `published`.
    fn configure(&self, template: &Path, published: &Path) -> Result<()> {
        let text = fs::read_to_string(template).wrap_err_with(|| template.display().to_string())?;
        let text = [
            ("@CHAIN@", CHAIN_ID.to_string()),
            ("@OWNER@", self.owner.to_string()),
            ("@URI@", format!("file://{}", published.display())),
            ("@TOKEN@", self.legacy.token.to_string()),
            ("@PRICE_FEED@", self.legacy.price_feed.to_string()),
        ]
        .iter()
        .fold(text, |text, (name, value)| text.replace(name, value));
        fs::write(self.folder.join("upgrade.toml"), text)?;
        Ok(())
    }

    /// Where a bundle is published: executors read it there.
    pub(crate) fn published(&self, name: &str) -> PathBuf {
        self.folder.join(format!("bundle-{name}.json"))
    }
}

/// A folder or file into `folder`; links stay links.
fn copy(from: &Path, folder: &Path) -> Result<()> {
    run(Command::new("cp").arg("-RP").arg(from).arg(folder))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().wrap_err_with(|| format!("cannot start {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
