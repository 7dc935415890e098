//! `errand upgrade register`

use crate::chain::Chain;
use alloy::{primitives::Address, providers::Provider};

#[test]
fn the_addresses_are_known_before_anything_is_there() {
    let chain = Chain::chugsplash();
    let owner = chain.account(70).to_string();
    let register = ["upgrade", "register", "--owner", &owner, "--salt", "known before", "--json"];
    let show = [&register[..], &["--only-show"]].concat();
    // No key is needed to look.
    let shown = chain.run(&show).ok().json();
    assert_eq!(shown["isRegistered"], false, "{shown}");
    let manager: Address = shown["manager"].as_str().unwrap().parse().unwrap();
    let has_code = || {
        let code = chain.block_on(async { chain.anvil.provider().get_code_at(manager).await });
        !code.unwrap().is_empty()
    };
    assert!(!has_code());
    // Anybody may pay for it.
    let registered = chain.run_as(71, &[&register[..], &["--yes"]].concat()).ok().json();
    assert!(has_code());
    for part in ["manager", "actor", "salt"] {
        assert_eq!(registered[part], shown[part]);
    }
    assert_eq!(registered["transactions"].as_array().unwrap().len(), 1);
    // A second time there is nothing to do.
    let again = chain.run_as(71, &[&register[..], &["--yes"]].concat()).ok().json();
    assert_eq!((&again["isRegistered"], again["transactions"].as_array().unwrap().len()), (&true.into(), 0));
    let zero = Address::ZERO.to_string();
    chain
        .run(&["upgrade", "register", "--owner", &zero, "--salt", "x", "--only-show"])
        .failed(2, &["the zero address cannot own a project"]);
    chain
        .run(&["upgrade", "register", "--owner", &owner, "--salt", "0x1234", "--only-show"])
        .failed(2, &["32 bytes"]);
}
