//! What of a deployment concerns bundles, and what the operator asks of them.

use alloy::{
    primitives::{Address, B256, U256, address, utils::Unit},
    providers::Provider,
    transports::TransportError,
};
use errand_chain::{Deployment, Endpoint};
use std::collections::BTreeMap;

/// Names of strategies in a deployment's record that are known to do what they say.
const KNOWN: [&str; 4] = ["SimpleLockESS", "StakeManager", "FlatFeeEPS", "DiminishingBonusEPS"];

/// Contracts that are on chains that take a fee for data outside the gas price: the gas oracle of OP Stack chains, and
/// Arbitrum's ArbSys.
const DATA_FEE_SIGNS: [Address; 2] = [
    address!("420000000000000000000000000000000000000F"),
    address!("0000000000000000000000000000000000000064"),
];

/// Whether the chain takes a fee for data outside the gas price.
pub async fn takes_data_fee(endpoint: &Endpoint) -> Result<bool, TransportError> {
    for sign in DATA_FEE_SIGNS {
        if !endpoint.provider().get_code_at(sign).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The contracts of one deployment that bundles are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleContracts {
    /// The ChugSplashRegistry.
    pub registry: Address,
    /// The block in which it was deployed, or one before: where its logs begin.
    pub registry_block: u64,
    /// Hashes of the code of strategies that are known, with their names.
    pub strategies: BTreeMap<B256, String>,
}

impl BundleContracts {
    /// Reads them from a deployment's record; `None` where it has no ChugSplashRegistry.
    pub fn of(deployment: &Deployment) -> Option<Self> {
        let registry = deployment.contract("ChugSplashRegistry").ok()?;
        let known = KNOWN
            .iter()
            .filter_map(|name| Some((deployment.contract(name).ok()?.code_hash, (*name).to_owned())));
        Some(Self { registry: registry.address, registry_block: registry.block, strategies: known.collect() })
    }
}

/// What the operator asks of bundles, besides what holds for all work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundlePolicy {
    /// Bonds that may be at risk at once, in wei.
    pub max_bond: U256,
    /// Strategies that are trusted although their code is not among the deployment's.
    pub allowed_strategies: Vec<Address>,
    /// Whether actions may depend on state of contracts that are not the bundle's: their owners could make them
    /// fail after the claim.
    pub allow_foreign_state: bool,
    /// Managers of the operator's own projects: their bundles are carried out although they lose, since the fee of
    /// a small one does not pay a claim.
    pub own_projects: Vec<Address>,
    /// Whether the chain takes a fee for data outside the gas price.
    pub takes_data_fee: bool,
}

impl Default for BundlePolicy {
    fn default() -> Self {
        Self {
            max_bond: Unit::ETHER.wei(),
            allowed_strategies: Vec::new(),
            allow_foreign_state: false,
            own_projects: Vec::new(),
            takes_data_fee: false,
        }
    }
}
