//! `errand keeper` and bundles: what it tells about them.

use crate::{chain::Chain, keeper_traps::explains, upgrade::place::Place};
use alloy::primitives::{B256, U256};
use errand_bindings::{
    IChugSplashManager::{self, BundleHeader},
    IChugSplashRegistry,
};
use std::sync::Arc;

/// Approves a bundle whose actions are not to be had.
fn approve(chain: &Chain) {
    let (owner, salt, registry) = (chain.account(5), B256::ZERO, chain.address("ChugSplashRegistry"));
    let manager = chain.call(registry, &IChugSplashRegistry::addressesOfCall { owner, salt }).manager;
    chain.transact(5, registry, &IChugSplashRegistry::registerCall { owner, salt });
    let ether = U256::from(10).pow(U256::from(18));
    let header = BundleHeader {
        actionRoot: B256::repeat_byte(7),
        deployCount: U256::from(1),
        switchCount: U256::ZERO,
        totalGas: U256::from(1_000_000),
        maxTxs: U256::from(1),
        maxBaseFee: U256::from(20_000_000_000u64),
        callValue: U256::ZERO,
        budget: ether,
        ess: chain.address("SimpleLockESS"),
        eps: chain.address("FlatFeeEPS"),
        uri: "/nowhere/bundle.json".to_owned(),
    };
    chain.pay(5, manager, &IChugSplashManager::depositCall {}, ether * U256::from(2));
    let propose = IChugSplashManager::proposeCall { header: header.clone() };
    let bundle_id = chain.call_as(5, manager, &propose);
    chain.transact(5, manager, &propose);
    chain.transact(5, manager, &IChugSplashManager::approveCall { bundleId: bundle_id, header });
}

#[test]
fn why_a_bundle_is_not_taken_is_told_by_status_check_and_run() {
    let chain = Chain::own_chugsplash();
    let none = chain.run(&["status"]).ok();
    assert!(none.stdout.contains("none was approved"), "{}", none.stdout);
    approve(&chain);

    assert!(chain.run(&["status"]).ok().stdout.contains("1 APPROVED"));
    let status = chain.run(&["status", "--json"]).ok().json();
    assert_eq!(status["bundles"][0]["status"], "APPROVED");

    let check = chain.run_as(3, &["keeper", "check"]).ok();
    assert!(check.stdout.contains("1 approved"), "{}", check.stdout);
    assert!(
        check.stdout.contains("not now: its actions are being fetched: No such file"),
        "{}",
        check.stdout
    );
    let arguments = ["keeper", "check", "--json", "--max-bond", "0.05ether"];
    let check = chain.run_as(3, &arguments).ok().json();
    let hindrance = &check["bundles"][0]["hindrance"];
    assert_eq!(hindrance["reason"], "bond-too-high", "{check}");
    let left = chain.run_as(3, &["keeper", "check", "--no-bundles"]).ok();
    assert!(left.stdout.contains("left alone"), "{}", left.stdout);

    let told = [
        "not now: its bond of 100000000000000000 wei",
        "50000000000000000 wei that may be at risk; --max-bond",
    ];
    explains(&chain, &["--max-bond", "0.05ether"], &told);
}

#[test]
fn an_own_project_is_served_at_a_loss() {
    let chain = Arc::new(Chain::own_chugsplash());
    let place = Place::new(&chain, "own");
    let bundle = place.approved("[contracts.Token]\nartifact = \"Fixtures.sol:Token\"\nkind = \"plain\"\n");
    let check = |own: &[&str]| {
        let arguments = [&["keeper", "check", "--json", "--min-profit", "10ether"], own].concat();
        let check = chain.run_as(3, &arguments).ok().json();
        assert_eq!(check["bundles"][0]["id"], bundle.id.to_string(), "{check}");
        check["bundles"][0].clone()
    };
    assert_eq!(check(&[])["hindrance"]["reason"], "unprofitable");
    assert_eq!(check(&["--own-project", &place.actor.to_string()])["hindrance"]["reason"], "unprofitable");
    let own = check(&["--own-project", &place.manager.to_string()]);
    assert!(own["hindrance"].is_null(), "{own}");
    chain.run_as(3, &["keeper", "check", "--own-project", "mine"]).failed(2, &["mine", "--own-project"]);
}
