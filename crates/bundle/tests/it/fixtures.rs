//! Artifacts of `tests/fixtures`, and a place for projects.

use alloy::primitives::{Address, B256, address};
use errand_bundle::{
    config::Config,
    plan::Existing,
    project::{Project, Site},
};
use std::collections::{BTreeMap, BTreeSet};

/// The JSON of an artifact.
pub(crate) fn artifact(name: &str) -> Option<String> {
    let name = name.rsplit(':').next().unwrap_or(name);
    std::fs::read_to_string(format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"))).ok()
}

pub(crate) const ACTOR: Address = address!("00000000000000000000000000000000000ac702");

pub(crate) fn site() -> Site {
    Site {
        chain_id: 31337,
        manager: Address::with_last_byte(0xa1),
        actor: ACTOR,
        registry: Address::with_last_byte(0xa3),
        ess: Address::with_last_byte(0xa4),
        eps: Address::with_last_byte(0xa5),
    }
}

/// What stands before the contracts in every test.
pub(crate) const HEAD: &str = r#"
[project]
chainId = 31337
owner = "0x00000000000000000000000000000000000000aa"
salt = "vault"
[strategies]
ess = "SimpleLockESS"
eps = "FlatFeeEPS"
[caps]
maxBaseFee = "30gwei"
"#;

pub(crate) fn config(contracts: &str) -> Config {
    Config::parse(&format!("{HEAD}{contracts}")).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn project(contracts: &str) -> Project {
    Project::new(&config(contracts), site(), &artifact).unwrap_or_else(|error| panic!("{error}"))
}

/// What is there, as far as a test says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) code: BTreeSet<Address>,
    pub(crate) implementations: BTreeMap<Address, Address>,
    pub(crate) slots: BTreeMap<(Address, B256), B256>,
    /// answers nothing
    pub(crate) silent: bool,
    /// answers only these questions: accounts, proxies, slots
    #[allow(clippy::type_complexity)]
    pub(crate) only: Option<(BTreeSet<Address>, BTreeSet<Address>, BTreeSet<(Address, B256)>)>,
}

impl Existing for Chain {
    fn has_code(&self, account: Address) -> Option<bool> {
        let answers = self.only.as_ref().is_none_or(|(accounts, ..)| accounts.contains(&account));
        (!self.silent && answers).then(|| self.code.contains(&account))
    }

    fn implementation(&self, proxy: Address) -> Option<Address> {
        let answers = self.only.as_ref().is_none_or(|(_, proxies, _)| proxies.contains(&proxy));
        (!self.silent && answers).then(|| self.implementations.get(&proxy).copied().unwrap_or_default())
    }

    fn slot(&self, account: Address, slot: B256) -> Option<B256> {
        let answers = self.only.as_ref().is_none_or(|(.., slots)| slots.contains(&(account, slot)));
        (!self.silent && answers).then(|| self.slots.get(&(account, slot)).copied().unwrap_or_default())
    }
}
