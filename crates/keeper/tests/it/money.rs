//! What a keeper spends, and when it stops.

use crate::common::{ALWAYS, Stage, until};
use alloy::{
    primitives::{Address, U256, address},
    rpc::types::TransactionRequest,
    sol_types::SolCall,
};
use errand_bindings::{IAutoToken, IRegistry};
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
async fn a_price_that_no_users_auto_covers_is_not_offered() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    stage.give_auto(stage.user(), 1_000_000, stage.contracts.auto_payments).await;
    let opening = stage.register_auto(ALWAYS).await;
    let keeper = stage.keeper(1, folder.path());
    until("the turn is opened", || async { stage.executed().await == [opening.id.0] }).await;
    keeper.stop().await;
    // It took about as much gas as the next one will: three times that is not enough at twenty times the price.
    let fee = stage.executions().await[0].fee;
    let price = u128::from(stage.head().await.base_fee) + 1_000_000_000;
    let (spender, value) = (stage.contracts.auto_payments, fee * U256::from(3));
    let approve = IAutoToken::approveCall { spender, value };
    stage.send(stage.user(), stage.contracts.auto_token, U256::ZERO, approve.abi_encode()).await;
    let request = stage.register_auto(ALWAYS).await.id.0;
    stage.anvil.set_automine(false).await.unwrap();
    let keeper = stage.keeper(1, folder.path());
    keeper.told("it is sent", |report| !report.sent.is_empty()).await;
    for _ in 0..8 {
        stage.anvil.set_next_base_fee(20 * price).await.unwrap();
        stage.mine_and_see(&keeper, 1).await;
    }
    assert_eq!(stage.executed().await, [opening.id.0]);
    stage.anvil.set_next_base_fee(price / 2).await.unwrap();
    until("it is executed when gas is cheap again", || async {
        stage.anvil.mine(1).await.unwrap();
        stage.executed().await == [opening.id.0, request]
    })
    .await;
    let reports = keeper.stop().await;
    assert!(reports.iter().flat_map(|report| &report.mined).all(|mined| mined.success), "{reports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_little_eth_executes_what_it_can_pay_for_and_says_when_it_cannot() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    let executor = stage.anvil.account(1).unwrap();
    // A node wants to see twice the base fee. A batch of the most gas is far beyond this account's means.
    let offer = 2 * u128::from(stage.head().await.base_fee) + 1_000_000_000;
    stage.anvil.set_balance(executor, U256::from(offer * 200_000)).await.unwrap();
    let requests = [stage.register(ALWAYS).await.id.0, stage.register(ALWAYS).await.id.0];
    let keeper = stage.keeper(1, folder.path());
    let report = keeper.told("it is short", |report| report.withheld.is_some()).await;
    let Some(Withheld::OutOfFunds { balance, needed }) = report.withheld else { panic!("{report:?}") };
    assert_eq!(balance, U256::from(offer * 200_000));
    assert!(needed > balance && needed < balance * U256::from(4), "{report:?}");
    assert_eq!((report.executable, report.sent.len()), (2, 0), "{report:?}");
    // Half as much again as one of them takes.
    let more = needed + needed / U256::from(2) - balance;
    stage.send(stage.user(), executor, more, Vec::new()).await;
    until("both are executed", || async {
        stage.anvil.mine(1).await.unwrap();
        stage.executed().await.len() == 2
    })
    .await;
    stage.mine_and_see(&keeper, 1).await;
    let reports = keeper.stop().await;
    assert_eq!(stage.executed().await, requests);
    assert_eq!(reports.last().unwrap().withheld, None);
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

#[tokio::test(flavor = "multi_thread")]
async fn what_a_batch_loses_by_entries_that_fail_counts_as_a_loss() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    // basefee > limit ? revert : stop, and a next block whose base fee nobody could have foretold.
    let liar = address!("0x00000000000000000000000000000000000a0013");
    let base_fee = u128::from(stage.head().await.base_fee);
    let code = format!("0x67{:016x}4811600f57005b5f5ffd", base_fee * 3 / 2);
    stage.anvil.set_code(liar, code.parse().unwrap()).await.unwrap();
    let good = stage.register(ALWAYS).await;
    for _ in 0..4 {
        stage.register(liar).await;
    }
    stage.anvil.set_next_base_fee(base_fee * 17 / 10).await.unwrap();
    let mut policy = stage.policy(1);
    policy.loss_budget = Some(U256::from(1));
    let keeper = stage.keeper_with(1, folder.path(), policy);
    let report = keeper.told("the budget is used up", |report| report.withheld.is_some()).await;
    assert_eq!(stage.executed().await, [good.id.0], "the transaction itself succeeds");
    let mined = &report.mined[0];
    let Some(Withheld::LossBudget { lost }) = report.withheld else { panic!("{report:?}") };
    assert!(mined.success && lost < mined.cost_wei, "{report:?}");
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_that_a_trade_before_it_made_too_high_is_asked_lower() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    // sload(1) == number ? stop : sstore(1, number). Who comes second in a block finds it done, and saves the gas.
    let pool = address!("0x00000000000000000000000000000000000a0014");
    stage.anvil.set_code(pool, "0x438060015414600d57600155005b00".parse().unwrap()).await.unwrap();
    let call = IRegistry::newReqCall {
        target: pool,
        referer: Address::ZERO,
        callData: vec![0; 36].into(),
        ethForCall: Default::default(),
        verifyUser: false,
        insertFeeAmount: true,
        isAlive: false,
    };
    let deposit = U256::from(50_000_000_000_000_000u64);
    stage.send(stage.user(), stage.contracts.registry, deposit, call.abi_encode()).await;
    stage.send(stage.user(), pool, U256::ZERO, Vec::new()).await;
    stage.anvil.set_automine(false).await.unwrap();
    let keeper = stage.keeper(1, folder.path());
    let sent = keeper.told("it is sent", |report| !report.sent.is_empty()).await;
    let executed = async |count: usize| {
        let mut blocks = 0;
        while stage.executed().await.len() < count {
            // Somebody trades before it in every block.
            let trade = TransactionRequest::default()
                .from(stage.user())
                .to(pool)
                .gas_limit(100_000)
                .max_fee_per_gas(500_000_000_000)
                .max_priority_fee_per_gas(100_000_000_000);
            stage.anvil.submit(trade).await.unwrap();
            stage.anvil.mine(1).await.unwrap();
            stage.seen_by(&keeper).await;
            blocks += 1;
            assert!(blocks < 12, "it fails time and again");
        }
    };
    executed(1).await;
    // Another of the same target: what the first one taught is known.
    let before = keeper.reports().len();
    stage.anvil.set_automine(true).await.unwrap();
    stage.send(stage.user(), stage.contracts.registry, deposit, call.abi_encode()).await;
    stage.anvil.set_automine(false).await.unwrap();
    executed(2).await;
    let reports = keeper.stop().await;
    let mined: Vec<_> = reports.iter().flat_map(|report| &report.mined).collect();
    let failed = mined.iter().find(|mined| !mined.success).unwrap();
    assert_eq!(Some(failed.tx), sent.sent[0].tx, "what was charged in simulation is too high");
    let mut later = reports.iter().skip(before).flat_map(|report| &report.mined);
    assert!(later.all(|mined| mined.success), "the second one pays for it again: {mined:?}");
}
