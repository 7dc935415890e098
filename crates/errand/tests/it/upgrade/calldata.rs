//! Everything that an owner can do, as transactions for a Safe or a timelock: printed without a key, and made by it.

use super::place::{CONTRACTS, Place, REFUSED};
use crate::chain::Chain;
use alloy::primitives::U256;
use errand_bindings::IChugSplashManager::{self, Status};

/// The owner makes what `--calldata` printed.
fn order(place: &Place, arguments: &[&str]) {
    let printed = place.json(&[arguments, &["--calldata"]].concat());
    assert_eq!(printed["chainId"], 31337, "{printed}");
    assert!(printed["purpose"].as_str().is_some_and(|purpose| !purpose.is_empty()), "{printed}");
    place.transact_json(place.owner, &printed);
}

/// Proposes, funds and approves a bundle so.
fn approve(place: &Place, contracts: &str) -> errand_bundle::bundle::Bundle {
    let made = place.bundle(contracts);
    let (id, file) = (made.id.to_string(), place.file());
    let proposal = place.chain.run(&["upgrade", "propose", &file, "--calldata", "--json"]).ok().json();
    place.transact_json(place.owner, &proposal);
    // What an earlier bundle left free may be enough.
    let deposit = place.json(&["fund", "--for-bundle", &id, "--calldata"]);
    if deposit["transactions"].is_null() {
        place.transact_json(place.owner, &deposit);
    }
    order(place, &["approve", &id]);
    assert!(place.status(made.id) == Status::APPROVED);
    made
}

#[test]
fn a_safe_does_all_that_an_owner_can() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "all of it");
    let proposer = chain.account(place.stranger).to_string();
    let may_propose = || {
        let account = chain.account(place.stranger);
        chain.call(place.manager, &IChugSplashManager::isProposerCall { account })
    };
    order(&place, &["proposer", "add", &proposer]);
    assert!(may_propose());
    order(&place, &["proposer", "remove", &proposer]);
    assert!(!may_propose());

    let first = approve(&place, CONTRACTS);
    order(&place, &["pause"]);
    assert!(place.status(first.id) == Status::PAUSED);
    order(&place, &["resume"]);
    assert!(place.status(first.id) == Status::APPROVED);
    order(&place, &["cancel"]);
    assert!(place.status(first.id) == Status::CANCELLED);

    let second = approve(&place, &format!("{CONTRACTS}{REFUSED}"));
    place.carry_out(2, &second);
    assert!(place.status(second.id) == Status::STALLED);
    order(&place, &["retry"]);
    place.claim(3, second.id);
    place.execute_from(3, &second, second.header.deployCount.to());
    order(&place, &["close"]);
    assert!(place.status(second.id) == Status::FAILED);

    place.carry_out(2, &approve(&place, CONTRACTS));
    place.carry_out(2, &approve(&place, &CONTRACTS.replace("the vault", "another vault")));
    order(&place, &["rollback"]);
    place.look(&["rollback", "--calldata"]).failed(1, &["nothing to roll back"]);

    let accounts = || chain.call(place.manager, &IChugSplashManager::accountsCall {});
    let free = accounts().free;
    assert!(free > U256::ZERO);
    order(&place, &["withdraw", "0.05ether"]);
    assert_eq!(accounts().free, free - U256::from(50_000_000_000_000_000u64));
    order(&place, &["withdraw", "--all"]);
    assert_eq!(accounts().free, U256::ZERO);
    place.look(&["withdraw", "--all", "--calldata"]).failed(1, &["has 0 ether free"]);
}
