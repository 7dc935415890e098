//! Money of a keeper's that it takes back, whoever put it there.

use crate::{
    common::until,
    market::{BOND, GWEI, Market},
};
use alloy::{primitives::U256, providers::Provider};
use errand_bindings::IChugSplashManager;
use errand_keeper::{
    BlockReport,
    bundles::{
        BundlePolicy, BundleReport, Hindrance, Step,
        judge::{CLAIM_COST, SETTLE_COST},
    },
};
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_strategy_that_changed_is_noted_and_the_bond_comes_back() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let bundle = project.approve_worthy().await;
    market.claim(1, &project, &bundle).await;
    let eps = project.site.eps;
    let code = market.stage.anvil.provider().get_code_at(eps).await.unwrap();
    market.stage.anvil.set_code(eps, [code.as_ref(), &[0]].concat().into()).await.unwrap();
    market.stage.anvil.mine(1).await.unwrap();
    let before = market.balance(market.stage.anvil.account(1).unwrap()).await;

    let trusting = BundlePolicy { allowed_strategies: vec![eps], ..Default::default() };
    let keeper = market.keeper_with(1, folder.path(), trusting, 16_777_216);
    let notes = |told: &BundleReport| told.step == Some(Step::NoteUnsound);
    keeper.told("it notes the change", |report| report.bundles.iter().any(notes)).await;
    until("the bond is settled", || async { market.lock(&project, &bundle).await.executor.is_zero() }).await;
    let is_unsound = |told: &BundleReport| matches!(told.hindrance, Some(Hindrance::Unsound));
    market.stage.mine_and_see(&keeper, 2).await;
    let reports = keeper.stop().await;
    assert!(reports.last().unwrap().bundles.iter().any(is_unsound), "{:?}", reports.last());
    let after = market.balance(market.stage.anvil.account(1).unwrap()).await;
    assert!(after > before && after < before + U256::from(BOND), "the bond, less gas");
    assert_eq!(project.info(&bundle).await.nextIndex, U256::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_project_owes_is_withdrawn() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let bundle = project.approve_worthy().await;
    let executor = market.let_owe(1, &project, &bundle).await;
    market.stage.anvil.mine(1).await.unwrap();
    let manager = IChugSplashManager::new(project.site.manager, market.stage.anvil.provider());
    assert_eq!(manager.owedTo(executor).call().await.unwrap(), U256::from(BOND));
    let before = market.balance(executor).await;

    let keeper = market.keeper(1, folder.path());
    until("it is withdrawn", || async { manager.owedTo(executor).call().await.unwrap().is_zero() }).await;
    until("the bond is settled", || async { market.lock(&project, &bundle).await.executor.is_zero() }).await;
    market.stage.mine_and_see(&keeper, 2).await;
    let reports = keeper.stop().await;
    let steps: Vec<_> =
        reports.iter().flat_map(|report| &report.bundles).filter_map(|told| told.step).collect();
    assert!(steps.contains(&Step::WithdrawOwed), "{steps:?}");
    let after = market.balance(executor).await;
    assert!(after > before + U256::from(BOND), "bond and user bond, less gas");
    assert!(reports.last().unwrap().bundles.is_empty(), "nothing is left to do: {:?}", reports.last());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lock_is_reckoned_to_cost_is_what_receipts_say() {
    let market = Market::open().await;
    let mut project = market.project(1).await;
    let bundle = project.approve_worthy().await;
    let claim = market.claim(1, &project, &bundle).await.gas_used;
    project.send(&IChugSplashManager::cancelCall {}, U256::ZERO).await;
    let executor = market.stage.anvil.account(1).unwrap();
    let settle = market.settle(executor, &project, &bundle).await.gas_used;
    println!("claim {claim}, settle {settle}");
    for (measured, reckoned) in [(claim, CLAIM_COST), (settle, SETTLE_COST)] {
        assert!(measured.abs_diff(reckoned) * 10 <= reckoned, "{measured}, and {reckoned} are reckoned");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_that_failed_waits() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let bundle = project.approve_worthy().await;
    let executor = market.let_owe(1, &project, &bundle).await;
    market.settle(executor, &project, &bundle).await;
    let anvil = &market.stage.anvil;
    anvil.set_automine(false).await.unwrap();
    let keeper = market.keeper(1, folder.path());
    let withdraws = |told: &BundleReport| told.step == Some(Step::WithdrawOwed) && told.tx.is_some();
    keeper.told("it withdraws", |report| report.bundles.iter().any(withdraws)).await;
    // In the one block in which that is mined the project fails, which nothing foretold.
    let code = anvil.provider().get_code_at(project.site.manager).await.unwrap();
    anvil.set_code(project.site.manager, "0xfe".parse().unwrap()).await.unwrap();
    anvil.mine(1).await.unwrap();
    anvil.set_code(project.site.manager, code).await.unwrap();
    let failed_at = market.stage.head().await.number;
    market.stage.mine_and_see(&keeper, 8).await;
    let reports = keeper.stop().await;
    let told = |is_it: &dyn Fn(&BundleReport) -> bool| -> Vec<u64> {
        reports.iter().filter(|report| report.bundles.iter().any(is_it)).map(|report| report.number).collect()
    };
    let waits = |told: &BundleReport| told.hindrance == Some(Hindrance::Quarantined { until: failed_at + 4 });
    assert!(!told(&waits).is_empty(), "{reports:?}");
    // What is sent at a block is mined in the next.
    assert_eq!(told(&withdraws), [failed_at - 1, failed_at + 3]);
    let manager = IChugSplashManager::new(project.site.manager, anvil.provider());
    assert!(manager.owedTo(executor).call().await.unwrap().is_zero());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_is_not_forgotten_while_gas_is_too_dear_for_it() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let bundle = project.approve_worthy().await;
    let executor = market.let_owe(1, &project, &bundle).await;
    let mut policy = market.stage.policy(1);
    (policy.tip, policy.rule.max_gas_price) = (0, Some(u128::from(10 * GWEI)));
    let bundles = Some((market.contracts.clone(), BundlePolicy::default()));
    market.base_fee(100 * GWEI).await;
    let keeper = market.stage.keeper_of(1, folder.path(), policy.clone(), bundles.clone());
    let owed = Hindrance::Owed { owed: U256::from(2 * BOND) };
    let waits =
        |report: &BlockReport| report.bundles.iter().any(|told| told.hindrance.as_ref() == Some(&owed));
    keeper.told("it waits", waits).await;
    market.base_fee(100 * GWEI).await;
    market.stage.seen_by(&keeper).await;
    assert!(waits(keeper.reports().last().unwrap()));
    keeper.stop().await;

    // Nor is it over a restart.
    let keeper = market.stage.keeper_of(1, folder.path(), policy, bundles);
    market.stage.seen_by(&keeper).await;
    market.base_fee(GWEI).await;
    let manager = IChugSplashManager::new(project.site.manager, market.stage.anvil.provider());
    until("it is withdrawn", || async { manager.owedTo(executor).call().await.unwrap().is_zero() }).await;
    until("the bond is settled", || async { market.lock(&project, &bundle).await.executor.is_zero() }).await;
    market.stage.mine_and_see(&keeper, 2).await;
    let reports = keeper.stop().await;
    assert!(reports.last().unwrap().bundles.is_empty(), "nothing is left to do: {:?}", reports.last());
}
