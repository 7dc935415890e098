//! What keepers do about bundles.

use crate::{
    common::until,
    market::{BOND, Market, Wish, is_a_fifth_more},
};
use alloy::primitives::U256;
use errand_bindings::IChugSplashManager::Status;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_claimed_executed_and_its_bond_taken_back() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let keeper = market.keeper(1, folder.path());
    let executor = market.stage.anvil.account(1).unwrap();
    let before = market.balance(executor).await;
    let bundle = project.approve(&project.upgrade(12, 3_000), Wish::default()).await;
    project.reaches(&bundle, Status::COMPLETED).await;
    // The bond is back, and with it more than was spent.
    until("the bond is back", || async { market.balance(executor).await > before }).await;
    market.stage.mine_and_see(&keeper, 2).await;
    keeper.stop().await;
    assert!(market.lock(&project, &bundle).await.executor.is_zero());
    assert!(is_a_fifth_more(market.paid_and_cost(&project).await));
    assert!(market.balance(executor).await < before + U256::from(BOND));
}
