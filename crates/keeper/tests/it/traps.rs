//! Bundles that would cost a keeper more than they bring: it does not claim them, and says why.

use crate::{
    bundles::begun,
    common::{SWITCH, until},
    market::{BOND, GWEI, Market, Project, Wish, refused},
};
use alloy::{
    hex,
    primitives::{Address, U256, address},
};
use errand_bindings::IChugSplashManager::{self, Status};
use errand_bundle::{bundle::Bundle, plan::Planned};
use errand_keeper::bundles::{BundlePolicy, Hindrance};
use std::fs;
use tempfile::tempdir;

const STRANGE_EPS: Address = address!("0x00000000000000000000000000000000000c0001");
const STRANGE_ESS: Address = address!("0x00000000000000000000000000000000000c0002");

/// A bundle that is worth claiming.
fn worthy(project: &Project<'_>) -> Vec<Planned> {
    project.deploys(8, 3_000)
}

async fn approved(project: &mut Project<'_>, planned: Vec<Planned>) -> Bundle {
    project.approve(&planned, Wish::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bond_is_posted_for_what_cannot_be_executed_to_its_end() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();

    let mut project = market.project(1).await;
    let mut planned = worthy(&project);
    // PUSH0 PUSH0 REVERT
    planned.insert(5, project.deploy_code("failing", hex!("5f5ffd").into()));
    let failing = approved(&mut project, planned).await;

    let mut project = market.project(2).await;
    let mut planned = worthy(&project);
    // a constructor that loads from the switch
    let code = format!("5f5f5f5f73{}5afa5060015ff3", hex::encode(SWITCH));
    planned.push(project.deploy_code("foreign", code.parse().unwrap()));
    let foreign = approved(&mut project, planned).await;

    let mut project = market.project(3).await;
    let planned = worthy(&project);
    let wish = Wish { uri: Some("/nowhere/to/be/found.json".into()), ..Default::default() };
    let missing = project.approve(&planned, wish).await;

    let mut project = market.project(4).await;
    let planned = worthy(&project);
    let wrong = approved(&mut project, planned).await;
    fs::copy(&failing.header.uri, &wrong.header.uri).unwrap();

    let mut project = market.project(5).await;
    let planned = worthy(&project);
    let wish = Wish { uri: Some("ftp://example.org/bundle.json".into()), ..Default::default() };
    let unknown_address = project.approve(&planned, wish).await;

    let mut project = market.project(6).await;
    let planned = vec![project.deploy("small", 50)];
    let small = approved(&mut project, planned).await;

    let mut paused = market.project(7).await;
    let planned = worthy(&paused);
    let of_paused = approved(&mut paused, planned).await;
    paused.send(&IChugSplashManager::requestPauseCall {}, U256::ZERO).await;
    assert_eq!(paused.info(&of_paused).await.status, Status::PAUSED);

    let mut cancelled = market.project(8).await;
    let planned = worthy(&cancelled);
    let of_cancelled = approved(&mut cancelled, planned).await;
    cancelled.send(&IChugSplashManager::cancelCall {}, U256::ZERO).await;

    let keeper = market.keeper(1, folder.path());
    let text = refused(&keeper, &failing, |why| matches!(why, Hindrance::Fails { index: 5, .. })).await;
    assert!(text.contains("action 5"), "{text}");
    let text = refused(&keeper, &foreign, |why| matches!(why, Hindrance::ForeignState { .. })).await;
    assert!(text.contains(&SWITCH.to_string()) && text.contains("--allow-foreign-state"), "{text}");
    let has_problem = |why: &Hindrance| matches!(why, Hindrance::NoContent { problem: Some(_) });
    market.stage.mine_and_see(&keeper, 1).await;
    until("the fetching fails", || async {
        market.stage.mine_and_see(&keeper, 1).await;
        let reports = keeper.reports();
        let last = reports.last().unwrap();
        [&missing, &wrong, &unknown_address]
            .iter()
            .all(|bundle| crate::market::refusal(last, bundle).is_some_and(has_problem))
    })
    .await;
    let text = refused(&keeper, &missing, has_problem).await;
    assert!(text.contains("No such file"), "{text}");
    let text = refused(&keeper, &wrong, has_problem).await;
    assert!(text.contains("header"), "{text}");
    let text = refused(&keeper, &unknown_address, has_problem).await;
    assert!(text.contains("ftp"), "{text}");
    refused(&keeper, &small, |why| matches!(why, Hindrance::Unprofitable { .. })).await;
    refused(&keeper, &of_paused, |why| matches!(why, Hindrance::Status { status: "PAUSED" })).await;
    let reports = keeper.stop().await;
    let last = reports.last().unwrap();
    assert!(last.bundles.iter().all(|told| told.id != of_cancelled.id), "what is cancelled is forgotten");
    assert_eq!(market.nonce(1).await, 0, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_strategies_are_taken_part_in_only_when_the_operator_trusts_them() {
    let market = Market::open().await;
    let folders = [tempdir().unwrap(), tempdir().unwrap()];
    market.strange("FlatFeeEPS", STRANGE_EPS).await;
    market.strange("SimpleLockESS", STRANGE_ESS).await;
    let mut pays = market.project(1).await;
    pays.site.eps = STRANGE_EPS;
    let planned = worthy(&pays);
    let paid_strangely = approved(&mut pays, planned).await;
    let mut selects = market.project(2).await;
    selects.site.ess = STRANGE_ESS;
    let planned = worthy(&selects);
    let selected_strangely = approved(&mut selects, planned).await;

    let keeper = market.keeper(1, folders[0].path());
    let is_role = |wanted: &'static str| move |why: &Hindrance| matches!(why, Hindrance::UnknownStrategy { role, .. } if *role == wanted);
    let text = refused(&keeper, &paid_strangely, is_role("payment")).await;
    assert!(text.contains("--allow-strategy") && text.contains(&STRANGE_EPS.to_string()), "{text}");
    refused(&keeper, &selected_strangely, is_role("selection")).await;
    keeper.stop().await;
    assert_eq!(market.nonce(1).await, 0);

    let policy = BundlePolicy { allowed_strategies: vec![STRANGE_EPS, STRANGE_ESS], ..Default::default() };
    let keeper = market.keeper_with(2, folders[1].path(), policy, 16_777_216);
    pays.reaches(&paid_strangely, Status::COMPLETED).await;
    selects.reaches(&selected_strangely, Status::COMPLETED).await;
    market.stage.mine_and_see(&keeper, 3).await;
    keeper.stop().await;
    assert!(market.lock(&pays, &paid_strangely).await.executor.is_zero());
    assert!(market.lock(&selects, &selected_strangely).await.executor.is_zero());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_strange_strategy_says_of_bonds_and_turns_moves_nothing() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    market.strange("SimpleLockESS", STRANGE_ESS).await;
    let mut project = market.project(1).await;
    project.site.ess = STRANGE_ESS;
    let trusting = BundlePolicy { allowed_strategies: vec![STRANGE_ESS], ..Default::default() };
    let keeper = market.keeper_with(1, folder.path(), trusting.clone(), 6_000_000);
    let bundle = begun(&market, &mut project, &keeper, Wish::default()).await;
    keeper.stop().await;
    market.stage.anvil.mine(1).await.unwrap();
    let (nonce, done) = (market.nonce(1).await, project.info(&bundle).await.nextIndex);

    // It has the lock there, or so the strategy says: not a reason for who does not trust it.
    let keeper = market.keeper_with(1, folder.path(), BundlePolicy::default(), 6_000_000);
    refused(&keeper, &bundle, |why| matches!(why, Hindrance::UnknownStrategy { .. })).await;
    market.stage.mine_and_see(&keeper, 2).await;
    keeper.stop().await;
    assert_eq!((market.nonce(1).await, project.info(&bundle).await.nextIndex), (nonce, done));

    // Nor is it forgotten when it is over: the bond is there for who trusts the strategy again.
    market.stage.anvil.set_automine(true).await.unwrap();
    project.send(&IChugSplashManager::cancelCall {}, U256::ZERO).await;
    let keeper = market.keeper_with(1, folder.path(), BundlePolicy::default(), 6_000_000);
    market.stage.mine_and_see(&keeper, 5).await;
    keeper.stop().await;
    assert_eq!(market.nonce(1).await, nonce);
    let keeper = market.keeper_with(1, folder.path(), trusting, 6_000_000);
    until("the bond is settled", || async { market.lock(&project, &bundle).await.executor.is_zero() }).await;
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bond_is_posted_beyond_the_operators_limits_and_means() {
    let market = Market::open().await;
    let folders: Vec<_> = (0..4).map(|_| tempdir().unwrap()).collect();
    let mut project = market.project(1).await;
    let planned = project.deploys(60, 3_000);
    let bundle = approved(&mut project, planned).await;

    let policy = BundlePolicy { max_bond: U256::from(BOND - 1), ..Default::default() };
    let keeper = market.keeper_with(1, folders[0].path(), policy, 16_777_216);
    let text = refused(&keeper, &bundle, |why| matches!(why, Hindrance::BondTooHigh { .. })).await;
    assert!(text.contains("100000000000000000") && text.contains("--max-bond"), "{text}");
    keeper.stop().await;

    let keeper = market.keeper_with(2, folders[1].path(), BundlePolicy::default(), 900_000);
    let text = refused(&keeper, &bundle, |why| matches!(why, Hindrance::TooLarge { .. })).await;
    assert!(text.contains("--max-batch-gas"), "{text}");
    keeper.stop().await;

    // So many blocks of a minute are more than the lock.
    let _: serde_json::Value =
        market.stage.anvil.call("anvil_setBlockTimestampInterval", (60,)).await.unwrap();
    market.stage.anvil.mine(5).await.unwrap();
    let keeper = market.keeper_with(3, folders[2].path(), BundlePolicy::default(), 5_000_000);
    let is_slow = |why: &Hindrance| matches!(why, Hindrance::TooSlow { lock: 900, .. });
    let text = refused(&keeper, &bundle, is_slow).await;
    assert!(text.contains("the lock lasts 900 s"), "{text}");
    keeper.stop().await;
    let _: bool = market.stage.anvil.call("anvil_removeBlockTimestampInterval", [(); 0]).await.unwrap();

    let poor = market.stage.anvil.account(4).unwrap();
    market.stage.anvil.set_balance(poor, U256::from(BOND)).await.unwrap();
    market.stage.anvil.mine(1).await.unwrap();
    let keeper = market.keeper(4, folders[3].path());
    refused(&keeper, &bundle, |why| matches!(why, Hindrance::OutOfFunds { .. })).await;
    keeper.stop().await;
    for executor in 1..=4 {
        assert_eq!(market.nonce(executor).await, 0, "{executor} sent something");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bond_is_posted_where_the_base_fee_leaves_no_pay() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut capped = market.project(1).await;
    let planned = worthy(&capped);
    let dear = approved(&mut capped, planned).await;
    let mut project = market.project(2).await;
    let planned = worthy(&project);
    // What twice the base fee costs, which is what an approval asks for, and not what a hundred gwei do.
    let wish = Wish { max_base_fee: U256::MAX, budget: Some(U256::from(BOND)), ..Default::default() };
    let poor = project.approve(&planned, wish).await;
    market.base_fee(100 * GWEI).await;
    let keeper = market.keeper(1, folder.path());
    let text = refused(&keeper, &dear, |why| matches!(why, Hindrance::Congested { .. })).await;
    assert!(text.contains("87500000000") && text.contains("20000000000"), "{text}");
    let text = refused(&keeper, &poor, |why| matches!(why, Hindrance::Underfunded { .. })).await;
    assert!(text.contains("100000000000000000"), "{text}");
    assert_eq!(market.nonce(1).await, 0);
    // A top-up, and lower fees, make them worth it.
    project.send(&IChugSplashManager::depositCall {}, U256::from(100) * U256::from(BOND)).await;
    project.reaches(&poor, Status::COMPLETED).await;
    market.stage.mine_and_see(&keeper, 20).await;
    capped.reaches(&dear, Status::COMPLETED).await;
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_small_is_carried_out_for_an_own_project_and_no_other() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let planned = vec![project.deploy("own", 50)];
    let own = approved(&mut project, planned).await;
    let manager = project.site.manager;
    let mut other = market.project(2).await;
    let planned = vec![other.deploy("other", 50)];
    let others = approved(&mut other, planned).await;
    let policy = BundlePolicy { own_projects: vec![manager], ..Default::default() };
    let keeper = market.keeper_with(1, folder.path(), policy, 16_777_216);
    market.stage.mine_and_see(&keeper, 4).await;
    project.reaches(&own, Status::COMPLETED).await;
    refused(&keeper, &others, |why| matches!(why, Hindrance::Unprofitable { .. })).await;
    keeper.stop().await;
    assert_eq!(other.info(&others).await.nextIndex, U256::ZERO);
}
