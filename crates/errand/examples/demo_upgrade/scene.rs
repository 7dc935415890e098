//! The stage: a node, the contracts for bundles, a project, and its owner's commands.

use crate::project::Project;
use alloy::{
    primitives::{Address, U256, hex, keccak256},
    providers::DynProvider,
    rpc::types::{TransactionReceipt, TransactionRequest},
    sol_types::SolCall,
};
use errand_bindings::{
    IChugSplashManager::IChugSplashManagerInstance, IChugSplashRegistry,
    ISimpleLockESS::ISimpleLockESSInstance,
};
use errand_testkit::{Anvil, Deployment};
use eyre::{Result, ensure};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The chain's id: its parameters are in `script/config/31338.json`.
pub(crate) const CHAIN_ID: u64 = 31_338;
/// Seconds per block.
pub(crate) const BLOCK_SECONDS: u64 = 1;
/// Accounts of the node beside the deployer.
pub(crate) const EXECUTORS: [u32; 2] = [1, 2];
const OWNER: u32 = 3;
const USER: u32 = 4;
/// As in `upgrade.toml`.
const SALT: &str = "demo";

/// The node and everything on it.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) anvil: Anvil,
    pub(crate) deployment: Deployment,
    pub(crate) project: Project,
    pub(crate) user: Address,
    pub(crate) manager: IChugSplashManagerInstance<DynProvider>,
    pub(crate) actor: Address,
    pub(crate) lock: ISimpleLockESSInstance<DynProvider>,
    binary: PathBuf,
}

impl Scene {
    /// Starts a node that mines at once, and deploys with the scripts that users run.
    pub(crate) async fn set(binary: &Path, folder: &Path) -> Result<Self> {
        println!("· starting anvil");
        let anvil = Anvil::builder().chain_id(CHAIN_ID).spawn().await?;
        println!("· deploying with script/Deploy.s.sol and script/DeployChugSplash.s.sol");
        let mut deployment = Deployment::run(&anvil).await?;
        deployment.script(&anvil, "script/DeployChugSplash.s.sol").await?;
        println!("· the project deploys its token and its price feed, as it did before it knew of bundles");
        let project = Project::set(folder, &anvil, OWNER)?;
        let provider = anvil.provider().clone();
        let registry = IChugSplashRegistry::new(deployment.address("ChugSplashRegistry")?, provider.clone());
        let addresses = registry.addressesOf(project.owner, keccak256(SALT)).call().await?;
        Ok(Self {
            user: anvil.account(USER)?,
            manager: IChugSplashManagerInstance::new(addresses.manager, provider.clone()),
            actor: addresses.actor,
            lock: ISimpleLockESSInstance::new(deployment.address("SimpleLockESS")?, provider),
            binary: binary.to_owned(),
            anvil,
            deployment,
            project,
        })
    }

    pub(crate) const fn provider(&self) -> &DynProvider {
        self.anvil.provider()
    }

    /// The owner's command line, in the project's folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Result<Command> {
        println!("\n$ errand {}", arguments.join(" "));
        let key = hex::encode_prefixed(self.anvil.signer(OWNER)?.to_bytes());
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .current_dir(&self.project.folder)
            .env("ERRAND_RPC", self.anvil.ws_url())
            .env("ERRAND_DEPLOYMENT", self.deployment.path())
            .env("ERRAND_MANAGER", self.manager.address().to_string())
            .env("ERRAND_PRIVATE_KEY", key)
            .env("ERRAND_YES", "true")
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Runs a command of the owner's; what it prints is shown.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<()> {
        let mut command = self.command(arguments)?;
        let status = tokio::task::spawn_blocking(move || command.status()).await??;
        ensure!(status.success(), "errand {} ended with {status}", arguments.join(" "));
        Ok(())
    }

    /// Calls a contract from one of the node's accounts, and waits until it is mined.
    pub(crate) async fn send(
        &self,
        from: Address,
        to: Address,
        value: U256,
        call: impl SolCall,
    ) -> Result<TransactionReceipt> {
        let input = call.abi_encode().into();
        let transaction = TransactionRequest::default().from(from).to(to).value(value).input(input);
        let receipt = self.anvil.send(transaction).await?;
        ensure!(receipt.status(), "{} of {to} failed", receipt.transaction_hash);
        Ok(receipt)
    }

    /// Reads a contract at the head.
    pub(crate) async fn read<C: SolCall>(&self, to: Address, call: C) -> Result<C::Return> {
        use alloy::providers::Provider;
        let request = TransactionRequest::default().to(to).input(call.abi_encode().into());
        let answer = self.provider().call(request).await?;
        Ok(C::abi_decode_returns(&answer)?)
    }
}
