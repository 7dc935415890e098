//! What a keeper spends, and when it stops.

use crate::common::{ALWAYS, Stage, until};
use alloy::primitives::{U256, address};
use errand_keeper::Withheld;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_base_fee_that_rises_is_followed_because_the_income_rises_with_it() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    let request = stage.register(ALWAYS).await;
    stage.anvil.set_automine(false).await.unwrap();
    let keeper = stage.keeper(1, folder.path());
    keeper.told("it is sent", |report| !report.sent.is_empty()).await;
    // Far above what was offered: twice the base fee and the tip.
    let high = 20 * u128::from(stage.head().await.base_fee) + 20_000_000_000;
    for _ in 0..10 {
        stage.anvil.set_next_base_fee(high).await.unwrap();
        stage.mine_and_see(&keeper, 1).await;
    }
    let reports = keeper.stop().await;
    assert_eq!(stage.executed().await, [request.id.0]);
    let mined: Vec<_> = reports.iter().flat_map(|report| &report.mined).collect();
    assert!(mined.len() == 1 && mined[0].gas_used > 21_000, "a cancellation was mined: {mined:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_no_deposit_covers_is_not_offered() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    let price = u128::from(stage.head().await.base_fee) + 1_000_000_000;
    // Enough for about 400,000 gas now, and for none of it at twenty times the price.
    let request = stage.register_with(ALWAYS, U256::from(price * 400_000), false, false).await;
    stage.anvil.set_automine(false).await.unwrap();
    let keeper = stage.keeper(1, folder.path());
    keeper.told("it is sent", |report| !report.sent.is_empty()).await;
    for _ in 0..8 {
        stage.anvil.set_next_base_fee(20 * price).await.unwrap();
        stage.mine_and_see(&keeper, 1).await;
    }
    assert!(keeper.reports().iter().flat_map(|report| &report.mined).all(|mined| mined.success));
    assert!(stage.executed().await.is_empty());
    stage.anvil.set_next_base_fee(price / 2).await.unwrap();
    until("it is executed when gas is cheap again", || async {
        stage.anvil.mine(1).await.unwrap();
        stage.executed().await == [request.id.0]
    })
    .await;
    let reports = keeper.stop().await;
    assert!(reports.iter().flat_map(|report| &report.mined).all(|mined| mined.success), "{reports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_auto_of_an_executor_is_its_own_cost() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    stage.give_auto(stage.user(), 1_000, stage.contracts.auto_payments).await;
    // This one opens the turn, so that nothing else is left uncounted.
    let opening = stage.register(ALWAYS).await;
    let keeper = stage.keeper(1, folder.path());
    until("the turn is opened", || async { stage.executed().await == [opening.id.0] }).await;
    keeper.stop().await;

    let request = stage.register_auto(ALWAYS).await;
    let mut strict = stage.policy(1);
    strict.max_opening_gas = 0;
    let keeper = stage.keeper_with(1, folder.path(), strict);
    stage.mine_and_see(&keeper, 2).await;
    let report = keeper.stop().await.pop().unwrap();
    assert_eq!(
        (report.executable, report.sent.len()),
        (1, 0),
        "it does not pay for the first AUTO: {report:?}"
    );
    let keeper = stage.keeper(1, folder.path());
    until("it is executed", || async { stage.executed().await == [opening.id.0, request.id.0] }).await;
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_loss_budget_is_used_up_nothing_is_sent_for_a_day_whatever_is_restarted() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    // basefee > limit ? revert : stop, and a next block whose base fee nobody could have foretold.
    let liar = address!("0x00000000000000000000000000000000000a0012");
    let base_fee = u128::from(stage.head().await.base_fee);
    let code = format!("0x67{:016x}4811600f57005b5f5ffd", base_fee * 3 / 2);
    stage.anvil.set_code(liar, code.parse().unwrap()).await.unwrap();
    stage.register(liar).await;
    stage.anvil.set_next_base_fee(base_fee * 17 / 10).await.unwrap();
    let mut policy = stage.policy(1);
    policy.loss_budget = Some(U256::from(1));
    let keeper = stage.keeper_with(1, folder.path(), policy.clone());
    let is_withheld = |withheld: Option<Withheld>| matches!(withheld, Some(Withheld::LossBudget { .. }));
    let report = keeper.told("the budget is used up", |report| is_withheld(report.withheld)).await;
    let failed = report.mined.iter().find(|mined| !mined.success).unwrap();
    assert_eq!(report.withheld, Some(Withheld::LossBudget { lost: failed.cost_wei }));

    let good = stage.register(ALWAYS).await;
    stage.mine_and_see(&keeper, 2).await;
    let report = keeper.stop().await.pop().unwrap();
    assert!(is_withheld(report.withheld) && report.executable > 0 && report.sent.is_empty(), "{report:?}");
    let keeper = stage.keeper_with(1, folder.path(), policy);
    stage.mine_and_see(&keeper, 2).await;
    assert!(keeper.reports().iter().all(|report| is_withheld(report.withheld) && report.sent.is_empty()));
    assert!(stage.executed().await.is_empty());

    let _: serde_json::Value = stage.anvil.call("evm_increaseTime", (86_400,)).await.unwrap();
    stage.anvil.mine(1).await.unwrap();
    until("it is executed a day later", || async { stage.executed().await.contains(&good.id.0) }).await;
    keeper.stop().await;
}
