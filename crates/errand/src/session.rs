//! The node and the contracts on its chain.

use crate::{
    cli::Global,
    output::{Format, Progress},
    problem::Problem,
    revert::{revert_data, revert_text},
};
use alloy::{
    primitives::{Address, U256},
    providers::{DynProvider, Provider},
};
use errand_bindings::{
    IAutoToken::{self, IAutoTokenInstance},
    IRegistry::{self, IRegistryInstance},
    IStakeManager::{self, IStakeManagerInstance},
};
use errand_chain::{Deployment, DeploymentError, Endpoint, EndpointError, EndpointOptions, NodeUrl};
use errand_keeper::Contracts;
use errand_types::BlockHead;
use eyre::{Report, Result, WrapErr};
use std::{
    env,
    path::{Path, PathBuf},
};

/// A chain that can be asked, with the contracts on it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) endpoint: Endpoint,
    pub(crate) provider: DynProvider,
    pub(crate) deployment: Deployment,
    pub(crate) contracts: Contracts,
    pub(crate) format: Format,
}

impl Session {
    /// Connects, finds the deployment and checks that it is on this chain.
    pub(crate) async fn open(global: &Global) -> Result<Self> {
        let _progress = Progress::spinner("asking the node");
        let session = Self::open_unverified(global).await?;
        session.deployment.verify(&session.endpoint).await.map_err(deployment_problem)?;
        Ok(session)
    }

    /// The same for whoever checks the contracts one by one.
    pub(crate) async fn open_unverified(global: &Global) -> Result<Self> {
        let endpoint = connect(global).await?;
        let deployment = match &global.deployment {
            Some(path) => Deployment::load(path),
            None => find_deployment(
                &env::current_dir().wrap_err("the working directory is gone")?,
                endpoint.chain_id(),
            )?,
        }
        .map_err(deployment_problem)?;
        deployment.verify_chain(endpoint.chain_id()).map_err(deployment_problem)?;
        let contracts = Contracts::of(&deployment).map_err(deployment_problem)?;
        let provider = endpoint.provider();
        Ok(Self { endpoint, provider, deployment, contracts, format: global.format() })
    }

    pub(crate) fn registry(&self) -> IRegistryInstance<DynProvider> {
        IRegistry::new(self.contracts.registry, self.provider.clone())
    }

    pub(crate) fn auto_token(&self) -> IAutoTokenInstance<DynProvider> {
        IAutoToken::new(self.contracts.auto_token, self.provider.clone())
    }

    /// The deployment's StakeManager.
    pub(crate) fn stake_manager(&self) -> Result<IStakeManagerInstance<DynProvider>> {
        let address = self.deployment.contract("StakeManager").map_err(deployment_problem)?.address;
        Ok(IStakeManager::new(address, self.provider.clone()))
    }

    /// The contract's name in the deployment, for people.
    pub(crate) fn name_of(&self, address: Address) -> Option<&str> {
        self.deployment
            .contracts()
            .iter()
            .find(|(_, contract)| contract.address == address)
            .map(|(name, _)| name.as_str())
    }

    /// An address, with its name in the deployment where it has one.
    pub(crate) fn address_text(&self, address: Address) -> String {
        match self.name_of(address) {
            Some(name) => format!("{address} ({name})"),
            None => address.to_string(),
        }
    }

    /// The contract's name, or enough of the address to know it again: for tables with many columns.
    pub(crate) fn short_text(&self, address: Address) -> String {
        match self.name_of(address) {
            Some(name) => name.to_owned(),
            None => {
                let text = address.to_string();
                format!("{}…{}", text.get(..6).unwrap_or_default(), text.get(38..).unwrap_or_default())
            }
        }
    }

    pub(crate) async fn head(&self) -> Result<BlockHead> {
        errand_submit::latest_head(&self.provider).await.wrap_err("the node does not tell its head")
    }

    /// A past block.
    ///
    /// # Errors
    /// A [`Problem`] where the node has none of that number.
    pub(crate) async fn block_head(&self, number: u64) -> Result<BlockHead> {
        let block = self.provider.get_block_by_number(number.into()).await;
        let block = block.map_err(|error| rpc_problem("a block", &error))?;
        let block = block.ok_or_else(|| Problem::new(format!("the node has no block {number}")))?;
        Ok(BlockHead::from(&block.header))
    }

    pub(crate) async fn balance(&self, address: Address) -> Result<U256> {
        self.provider.get_balance(address).await.map_err(|error| rpc_problem("a balance", &error))
    }
}

/// Connects to the first node that answers.
pub(crate) async fn connect(global: &Global) -> Result<Endpoint> {
    let urls = global
        .rpc
        .iter()
        .map(|text| {
            text.parse::<NodeUrl>().map_err(|error| {
                Problem::usage(format!("--rpc: {error}"))
                    .hint("for example --rpc http://127.0.0.1:8545")
                    .into()
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let options = EndpointOptions { chain_id: global.chain_id, retries: 2, ..EndpointOptions::default() };
    Endpoint::connect(&urls, options).await.map_err(|error| {
        let hint = match &error {
            EndpointError::WrongChain { .. } => "point --rpc at a node of that chain, or drop --chain-id",
            EndpointError::NoNode { .. } => {
                "check the address, its path and key, and how many calls it allows; or name another with --rpc URL"
            }
            _ => "start a node there, or name another one with --rpc URL or the variable ERRAND_RPC",
        };
        Problem::new(format!("no node to ask: {error}")).hint(hint).into()
    })
}

/// Looks for `deployments/<chainId>.json` from a folder upward, as git looks for its own.
fn find_deployment(from: &Path, chain_id: u64) -> Result<Result<Deployment, DeploymentError>> {
    let candidates = || from.ancestors().map(|folder| folder.join("deployments"));
    match candidates().find(|folder| folder.join(format!("{chain_id}.json")).is_file()) {
        Some(folder) => Ok(Deployment::of_chain(&folder, chain_id)),
        None => {
            let where_ = candidates().next().unwrap_or_else(|| PathBuf::from("deployments"));
            Err(Problem::new(format!(
                "chain {chain_id} has no deployment: there is no {} and none in the folders above",
                where_.join(format!("{chain_id}.json")).display()
            ))
            .hint("name the file with --deployment PATH, or deploy with `forge script script/Deploy.s.sol --rpc-url URL --broadcast --account NAME`")
            .into())
        }
    }
}

/// What to do about a deployment that does not fit.
pub(crate) fn deployment_problem(error: DeploymentError) -> Report {
    let hint = match &error {
        DeploymentError::Missing { .. } => "check the path given with --deployment",
        DeploymentError::Unreadable { .. } => "check who may read the file",
        DeploymentError::Malformed { .. } => "use the file that script/Deploy.s.sol wrote",
        DeploymentError::OtherChain { .. } => {
            "use the file named after the node's chain, or point --rpc at a node of the other chain"
        }
        DeploymentError::NoContract { .. } => "use the file of a complete deployment of Errand",
        DeploymentError::NoCode { .. } => {
            "deploy again, or name the file of the deployment that is on this chain"
        }
        DeploymentError::OtherCode { .. } => {
            "the chain was reset or the file is of another deployment: name the right one with --deployment"
        }
        DeploymentError::Endpoint(_) => "check that the node is up",
    };
    // The message of a missing file brings advice of its own.
    let message = match &error {
        DeploymentError::Missing { path } => format!("{} does not exist", path.display()),
        other => other.to_string(),
    };
    Problem::new(message).hint(hint).into()
}

/// A question that the node did not answer.
pub(crate) fn rpc_problem(what: &str, error: &alloy::transports::TransportError) -> Report {
    match revert_data(error) {
        Some(data) => Problem::new(format!("{what}: the contract reverted: {}", revert_text(&data))).into(),
        None => Problem::new(format!("the node cannot be asked for {what}: {error}"))
            .hint("check that the node is up and on the right chain")
            .into(),
    }
}

/// Says in words why reading a contract failed.
pub(crate) trait Asking<T> {
    /// `what` was asked for.
    fn asking(self, what: &str) -> Result<T>;
}

impl<T> Asking<T> for Result<T, alloy::contract::Error> {
    fn asking(self, what: &str) -> Result<T> {
        self.map_err(|error| match &error {
            alloy::contract::Error::TransportError(transport) => rpc_problem(what, transport),
            other => Problem::new(format!("{what}: {other}"))
                .hint("the contract is another one than expected: check --deployment")
                .into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::describe;
    use std::fs;
    use tempfile::TempDir;

    #[test]
    fn a_deployment_is_found_in_the_folders_above() {
        let root = TempDir::new().unwrap();
        let deep = root.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir(root.path().join("deployments")).unwrap();
        fs::write(root.path().join("deployments/7.json"), "{}").unwrap();
        let found = find_deployment(&deep, 7).unwrap().unwrap();
        assert_eq!(found.path(), root.path().join("deployments/7.json"));

        let text = describe(&find_deployment(&deep, 8).unwrap_err());
        assert!(text.contains("chain 8 has no deployment") && text.contains("--deployment"), "{text}");
    }

    #[test]
    fn what_is_wrong_with_a_deployment_has_a_hint() {
        let root = TempDir::new().unwrap();
        let path = root.path().join("1.json");
        let text = describe(&deployment_problem(Deployment::load(&path).unwrap_err()));
        assert!(text.contains("1.json does not exist") && text.contains("hint: check the path"), "{text}");
        fs::write(&path, "[]").unwrap();
        let text = describe(&deployment_problem(Deployment::load(&path).unwrap_err()));
        assert!(text.contains("not a record of a deployment") && text.contains("hint:"), "{text}");
    }
}
