//! Artifacts of `tests/fixtures`, and a place for projects.

use alloy::primitives::{Address, address};
use errand_bundle::{
    config::Config,
    project::{Project, Site},
};

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
