//! What tells one chain's rules from another's.

use alloy::primitives::Address;
use revm::primitives::hardfork::SpecId;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The rules of execution that are in force. A change of fork makes every outcome worthless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fork {
    /// Transient storage, blobs.
    Cancun,
    /// Delegated accounts (EIP-7702), the floor price of calldata (EIP-7623).
    Prague,
    /// The gas cap of a transaction (EIP-7825).
    Osaka,
}

impl Fork {
    /// The name used in configuration and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancun => "cancun",
            Self::Prague => "prague",
            Self::Osaka => "osaka",
        }
    }

    pub(crate) const fn spec(self) -> SpecId {
        match self {
            Self::Cancun => SpecId::CANCUN,
            Self::Prague => SpecId::PRAGUE,
            Self::Osaka => SpecId::OSAKA,
        }
    }
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no fork known here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no fork that can be simulated: expected cancun, prague or osaka")]
pub struct ParseForkError(String);

impl FromStr for Fork {
    type Err = ParseForkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Cancun, Self::Prague, Self::Osaka]
            .into_iter()
            .find(|fork| fork.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| ParseForkError(text.to_owned()))
    }
}

/// The rules under which calls are simulated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimConfig {
    /// What CHAINID returns.
    pub chain_id: u64,
    /// The fork of the next block.
    pub fork: Fork,
    /// Addresses at which this chain's nodes run code of their own. A run that calls one of them ends as
    /// [`Unknown::ForeignPrecompile`](crate::Unknown::ForeignPrecompile).
    #[serde(default)]
    pub foreign_precompiles: Vec<Address>,
}

impl SimConfig {
    /// The rules of a chain without precompiles of its own.
    pub const fn new(chain_id: u64, fork: Fork) -> Self {
        Self { chain_id, fork, foreign_precompiles: Vec::new() }
    }
}
