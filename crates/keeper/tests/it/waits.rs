//! Bundles that a keeper leaves alone for a while, or for good, and what it says of them.

use crate::{
    common::until,
    market::{BOND, GWEI, LOCK, Market, Wish, refused},
};
use alloy::{
    primitives::{Address, U256, address},
    rpc::types::TransactionRequest,
    sol_types::SolCall,
};
use errand_bindings::{IChugSplashManager, ISimpleLockESS};
use errand_keeper::{
    Policy, Withheld,
    bundles::{BundlePolicy, Hindrance},
};
use tempfile::tempdir;

/// What an operator asks of all work; keepers of bundles offer no tip otherwise.
fn policy(market: &Market, executor: u32) -> Policy {
    Policy { tip: 0, ..market.stage.policy(executor) }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_claimed_while_a_pause_is_on_its_way() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let bundle = project.approve_worthy().await;
    market.claim(2, &project, &bundle).await;
    market.pass(LOCK / 3).await;
    project.send(&IChugSplashManager::requestPauseCall {}, U256::ZERO).await;
    let at = project.info(&bundle).await.pauseAt;
    // The lock is over, and the pause not yet in force.
    market.pass(LOCK * 3 / 4).await;
    let keeper = market.keeper(1, folder.path());
    let is_it =
        |why: &Hindrance| matches!(why, Hindrance::PauseRequested { at: told } if at == U256::from(*told));
    let text = refused(&keeper, &bundle, is_it).await;
    assert!(text.contains(&at.to_string()), "{text}");
    keeper.stop().await;
    assert_eq!(market.nonce(1).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_excused_by_congestion_waits_before_it_claims_again() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let bundle = project.approve_worthy().await;
    market.claim(1, &project, &bundle).await;
    market.base_fee(100 * GWEI).await;
    let (executor, ess) = (market.stage.anvil.account(1).unwrap(), project.site.ess);
    let release = ISimpleLockESS::releaseCall { project: project.site.manager, bundleId: bundle.id };
    market.stage.send(executor, ess, U256::ZERO, release.abi_encode()).await;
    let released = market.stage.head().await.timestamp;
    market.base_fee(GWEI).await;
    let keeper = market.keeper(1, folder.path());
    let is_it = |why: &Hindrance| matches!(why, Hindrance::Cooling { until } if *until == released + LOCK);
    refused(&keeper, &bundle, is_it).await;
    let claims = || async { market.lock(&project, &bundle).await.lockedAt };
    assert!(claims().await.is_zero(), "its bond is back, and it has claimed nothing");
    market.pass(LOCK + 1).await;
    market.stage.mine_and_see(&keeper, 3).await;
    project.reaches(&bundle, IChugSplashManager::Status::COMPLETED).await;
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gas_above_the_operators_limit_or_too_near_the_cap_is_not_bought() {
    let market = Market::open().await;
    let folders = [tempdir().unwrap(), tempdir().unwrap()];
    let mut project = market.project(1).await;
    let planned = project.deploys(8, 3_000);
    let wish = Wish { max_base_fee: U256::from(9 * GWEI), ..Default::default() };
    let bundle = project.approve(&planned, wish).await;
    let mut frugal = policy(&market, 1);
    frugal.rule.max_gas_price = Some(1);
    let bundles = Some((market.contracts.clone(), BundlePolicy::default()));
    let keeper = market.stage.keeper_of(1, folders[0].path(), frugal, bundles.clone());
    refused(&keeper, &bundle, |why| matches!(why, Hindrance::GasTooDear { gas_price } if *gas_price > 1))
        .await;
    keeper.stop().await;

    // The next block's base fee is 8.75 gwei: below the cap of 9, and above it with the tip.
    market.base_fee(10 * GWEI).await;
    let tipping = Policy { tip: u128::from(GWEI) / 2, ..policy(&market, 2) };
    let keeper = market.stage.keeper_of(2, folders[1].path(), tipping, bundles);
    let cap = u128::from(9 * GWEI);
    let is_it = |why: &Hindrance| matches!(why, Hindrance::NearCap { gas_price, cap: told } if *told == cap && *gas_price > cap);
    refused(&keeper, &bundle, is_it).await;
    keeper.stop().await;
    assert_eq!((market.nonce(1).await, market.nonce(2).await), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bond_is_posted_once_the_loss_budget_is_used_up() {
    let market = Market::open().await;
    let stage = &market.stage;
    let folder = tempdir().unwrap();
    // basefee > limit ? revert : stop, and a next block whose base fee nobody could have foretold.
    let liar = address!("0x00000000000000000000000000000000000a0012");
    let base_fee = u128::from(stage.head().await.base_fee);
    let code = format!("0x67{:016x}4811600f57005b5f5ffd", base_fee * 11 / 10);
    stage.anvil.set_code(liar, code.parse().unwrap()).await.unwrap();
    stage.register(liar).await;
    stage.anvil.set_next_base_fee(base_fee * 12 / 10).await.unwrap();
    let limited = Policy { loss_budget: Some(U256::from(1)), ..policy(&market, 1) };
    let bundles = Some((market.contracts.clone(), BundlePolicy::default()));
    let keeper = stage.keeper_of(1, folder.path(), limited, bundles);
    let is_used_up = |withheld| matches!(withheld, Some(Withheld::LossBudget { .. }));
    keeper.told("the budget is used up", |report| is_used_up(report.withheld)).await;
    let sent = market.nonce(1).await;
    let mut project = market.project(1).await;
    let bundle = project.approve_worthy().await;
    refused(&keeper, &bundle, |why| matches!(why, Hindrance::LossBudget)).await;
    keeper.stop().await;
    assert_eq!(market.nonce(1).await, sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_charges_for_data_needs_a_strategy_that_pays_for_them() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let bundle = project.approve_worthy().await;
    let rollup = BundlePolicy { takes_data_fee: true, ..Default::default() };
    let keeper = market.keeper_with(1, folder.path(), rollup, 16_777_216);
    let text = refused(&keeper, &bundle, |why| matches!(why, Hindrance::DataFee)).await;
    assert!(text.contains("does not cover it"), "{text}");
    keeper.stop().await;
    assert_eq!(market.nonce(1).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_of_the_stakers_is_left_to_the_one_whose_turn_it_is() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let staker: Address = market.stage.anvil.account(2).unwrap();
    market.stage.stake(staker, 100).await;
    let mut project = market.project(1).await;
    project.site.ess = market.at("StakeManager");
    let bundle = project.approve_worthy().await;
    let keeper = market.keeper(1, folder.path());
    let is_it = |why: &Hindrance| matches!(why, Hindrance::NotSelected { executor } if *executor == staker);
    let text = refused(&keeper, &bundle, is_it).await;
    assert!(text.contains(&staker.to_string()), "{text}");
    keeper.stop().await;
    assert_eq!(market.nonce(1).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_that_the_lock_would_not_outlast() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let bundle = project.approve_worthy().await;
    let anvil = &market.stage.anvil;
    let _: serde_json::Value = anvil.call("anvil_setBlockTimestampInterval", (60,)).await.unwrap();
    anvil.mine(5).await.unwrap();
    market.claim(1, &project, &bundle).await;
    let until_time = market.lock(&project, &bundle).await.until.saturating_to::<u64>();
    // The lock ends with the next block.
    anvil.mine(14).await.unwrap();
    let keeper = market.keeper(1, folder.path());
    refused(&keeper, &bundle, |why| matches!(why, Hindrance::LockEnds { until } if *until == until_time))
        .await;
    keeper.stop().await;
    assert_eq!(market.nonce(1).await, 1, "the claim alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_came_too_late_is_not_repeated_at_once() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let bundle = project.approve_worthy().await;
    let anvil = &market.stage.anvil;
    anvil.set_automine(false).await.unwrap();
    let keeper = market.keeper(1, folder.path());
    keeper.told("it claims", |report| report.bundles.iter().any(|told| told.tx.is_some())).await;
    // Somebody else's claim is in the block before it.
    let call = ISimpleLockESS::claimCall { project: project.site.manager, bundleId: bundle.id };
    let claim = TransactionRequest::default()
        .from(anvil.account(2).unwrap())
        .to(project.site.ess)
        .value(U256::from(BOND))
        .gas_limit(600_000)
        .max_fee_per_gas(500_000_000_000)
        .max_priority_fee_per_gas(100_000_000_000)
        .input(call.abi_encode().into());
    anvil.submit(claim).await.unwrap();
    market.stage.mine_and_see(&keeper, 1).await;
    refused(&keeper, &bundle, |why| matches!(why, Hindrance::HeldBy { .. })).await;
    let failed =
        || keeper.reports().iter().flat_map(|report| report.mined.clone()).any(|mined| !mined.success);
    until("its own fails", || async { failed() }).await;
    market.pass(LOCK + 1).await;
    // Once the failure is certain, and before the work is tried again.
    market.stage.mine_and_see(&keeper, 2).await;
    refused(&keeper, &bundle, |why| matches!(why, Hindrance::Quarantined { .. })).await;
    market.stage.mine_and_see(&keeper, 40).await;
    keeper.stop().await;
    project.reaches(&bundle, IChugSplashManager::Status::COMPLETED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_claim_is_under_way_no_other_is_made() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let bundle = project.approve_worthy().await;
    let anvil = &market.stage.anvil;
    anvil.set_automine(false).await.unwrap();
    let keeper = market.keeper(1, folder.path());
    let sent = keeper.told("it claims", |report| report.bundles.iter().any(|told| told.tx.is_some())).await;
    let tx = sent.bundles.iter().find_map(|told| told.tx).unwrap();
    // The node forgets it: the block that comes does not have it.
    anvil.drop_transaction(tx).await.unwrap();
    anvil.mine(1).await.unwrap();
    refused(&keeper, &bundle, |why| matches!(why, Hindrance::InFlight)).await;
    market.stage.mine_and_see(&keeper, 8).await;
    project.reaches(&bundle, IChugSplashManager::Status::COMPLETED).await;
    keeper.stop().await;
    assert!(market.lock(&project, &bundle).await.executor.is_zero());
}
