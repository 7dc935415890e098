//! What the documents show is what the code does.

use crate::fixtures::{Chain, artifact, site};
use alloy::primitives::{Address, Bytes};
use errand_bundle::{
    config::Config,
    market::{Params, scenarios, simulate, table},
    plan::plan,
    project::Project,
};
use rand::{SeedableRng, rngs::StdRng};
use std::fs;

fn document(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_example_of_the_page_is_planned() {
    let page = document("../../docs/upgrade-toml.md");
    let (_, after) = page.split_once("```toml\n").unwrap();
    let config = Config::parse(after.split_once("```").unwrap().0).unwrap();
    let project = Project::new(&config, site(), &artifact).unwrap();
    assert_eq!(project.contracts.len(), 5);
    let mut chain = Chain::default();
    for proxy in [0x11, 0x22].map(Address::with_last_byte) {
        chain.code.insert(proxy);
        chain.implementations.insert(proxy, Address::repeat_byte(1));
    }
    let planned = plan(&project, &Bytes::from_static(&[1]), &chain).unwrap();
    // two proxies, five contracts; owner and cap, open and fee, two slots of steps, a balance, the feed; four
    // implementations; two calls
    assert_eq!(planned.actions.len(), 7 + 6 + 4 + 2);
}

#[test]
fn the_readme_has_the_table_that_the_example_prints() {
    let report = simulate(&Params::default(), &scenarios(), 1000, &mut StdRng::seed_from_u64(1));
    let readme = document("README.md");
    assert!(readme.contains(&table(&report)), "run `cargo run -p errand-bundle --example market`");
}
