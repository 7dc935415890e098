//! Where the contracts are: what the deployment scripts record in `deployments/<chainId>.json`.

use crate::{Endpoint, EndpointError};
use alloy::primitives::{Address, B256, Bytes, keccak256};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// Why a deployment cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// No file.
    #[error(
        "{} does not exist: deploy with `forge script script/Deploy.s.sol --rpc-url URL --broadcast --account NAME`, \
         or name the file with --deployment",
        path.display()
    )]
    Missing {
        /// Where the file should be.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("{} cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The file is not a record of a deployment.
    #[error("{} is not a record of a deployment: {error}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: serde_json::Error,
    },
    /// The file is named after another chain.
    #[error("{} is the deployment on chain {file}, the node is on chain {node}", path.display())]
    OtherChain {
        /// The file.
        path: PathBuf,
        /// The chain that the file is named after.
        file: u64,
        /// The node's chain.
        node: u64,
    },
    /// The record lacks a contract.
    #[error("{} records no {name}", path.display())]
    NoContract {
        /// The file.
        path: PathBuf,
        /// Name of the contract.
        name: String,
    },
    /// Nothing is deployed where the record says.
    #[error("there is no code at {address}, where {name} should be: was the chain reset?")]
    NoCode {
        /// Name of the contract.
        name: String,
        /// Its address.
        address: Address,
    },
    /// Something else is deployed where the record says.
    #[error("{name} at {address} has code {actual}, recorded is {recorded}")]
    OtherCode {
        /// Name of the contract.
        name: String,
        /// Its address.
        address: Address,
        /// Hash of the code that was recorded.
        recorded: B256,
        /// Hash of the code that is there.
        actual: B256,
    },
    /// The node could not be asked.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

/// One contract of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeployedContract {
    /// Where it is.
    pub address: Address,
    /// The block in which it was deployed, or one before: where its logs begin.
    pub block: u64,
    /// ABI-encoded arguments of its constructor.
    pub arguments: Bytes,
    /// Hash of its code.
    pub code_hash: B256,
    /// Commit of the sources, as far as it was known.
    pub commit: String,
}

/// The contracts on one chain, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    path: PathBuf,
    contracts: BTreeMap<String, DeployedContract>,
}

impl Deployment {
    /// Reads the record of a chain from `<folder>/<chain_id>.json`.
    pub fn of_chain(folder: &Path, chain_id: u64) -> Result<Self, DeploymentError> {
        Self::load(&folder.join(format!("{chain_id}.json")))
    }

    /// Reads a record from a file.
    pub fn load(path: &Path) -> Result<Self, DeploymentError> {
        let path = path.to_path_buf();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(DeploymentError::Missing { path });
            }
            Err(error) => return Err(DeploymentError::Unreadable { path, error }),
        };
        match serde_json::from_str(&text) {
            Ok(contracts) => Ok(Self { path, contracts }),
            Err(error) => Err(DeploymentError::Malformed { path, error }),
        }
    }

    /// The file that was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All contracts by name.
    pub const fn contracts(&self) -> &BTreeMap<String, DeployedContract> {
        &self.contracts
    }

    /// The contract of that name.
    pub fn contract(&self, name: &str) -> Result<&DeployedContract, DeploymentError> {
        self.contracts
            .get(name)
            .ok_or_else(|| DeploymentError::NoContract { path: self.path.clone(), name: name.to_owned() })
    }

    /// Checks that `node` is the chain that the file is named after, if it is named after one.
    ///
    /// # Errors
    /// [`DeploymentError::OtherChain`]
    pub fn verify_chain(&self, node: u64) -> Result<(), DeploymentError> {
        let file = self.path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        match file.filter(|file| *file != node) {
            Some(file) => Err(DeploymentError::OtherChain { path: self.path.clone(), file, node }),
            None => Ok(()),
        }
    }

    /// Checks that the node is on the file's chain, as [`Self::verify_chain`] does, and that every contract is
    /// there with the code that was recorded.
    pub async fn verify(&self, endpoint: &Endpoint) -> Result<(), DeploymentError> {
        self.verify_chain(endpoint.chain_id())?;
        let codes = self.codes(endpoint).await?;
        for ((name, contract), code) in self.contracts.iter().zip(codes) {
            let address = contract.address;
            let actual = keccak256(&code);
            if code.is_empty() {
                return Err(DeploymentError::NoCode { name: name.clone(), address });
            }
            if actual != contract.code_hash {
                let (name, recorded) = (name.clone(), contract.code_hash);
                return Err(DeploymentError::OtherCode { name, address, recorded, actual });
            }
        }
        Ok(())
    }

    /// The code at every contract's address, in the order of [`Self::contracts`], empty where there is none.
    ///
    /// # Errors
    /// When the node does not answer.
    pub async fn codes(&self, endpoint: &Endpoint) -> Result<Vec<Bytes>, DeploymentError> {
        let questions: Vec<_> =
            self.contracts.values().map(|contract| (contract.address, "latest")).collect();
        Ok(endpoint.batch("eth_getCode", &questions).await?)
    }
}
