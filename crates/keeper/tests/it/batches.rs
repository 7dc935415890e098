//! What shares a transaction, and what must not.

use crate::common::{ALWAYS, SWITCH, Stage, until};
use alloy::{
    primitives::{Address, U256, address},
    rpc::types::TransactionRequest,
    sol_types::SolCall,
};
use errand_bindings::IAutoToken;
use errand_keeper::{AutoValue, ProfitRule};
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_needs_more_gas_than_it_uses_is_executed_alone_and_beside_others() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    // gas < 2,000,000 ? revert : stop. As a target that guards a call whose failure it catches.
    let needy = address!("0x00000000000000000000000000000000000a0010");
    stage.anvil.set_code(needy, "0x5a621e848011600a57005b5f5ffd".parse().unwrap()).await.unwrap();
    let first = stage.register(needy).await;
    let keeper = stage.keeper(1, folder.path());
    until("it is executed alone", || async { stage.executed().await == [first.id.0] }).await;
    keeper.stop().await;
    let mut expected = vec![first.id.0];
    for target in [ALWAYS, needy, ALWAYS, needy] {
        expected.push(stage.register(target).await.id.0);
    }
    let keeper = stage.keeper(1, folder.path());
    until("all are executed", || async { stage.executed().await.len() == 5 }).await;
    stage.mine_and_see(&keeper, 1).await;
    let reports = keeper.stop().await;
    let mut executed = stage.executed().await;
    executed.sort_unstable();
    assert_eq!(executed, expected);
    let sent: Vec<_> = reports.iter().flat_map(|report| &report.sent).collect();
    assert_eq!(sent.len(), 1, "they share a transaction: {sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_make_a_batch_fail_do_not_starve_the_others() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    // Fine once per transaction; the second time it burns all the gas that it gets.
    let greedy = address!("0x00000000000000000000000000000000000a0011");
    stage.anvil.set_code(greedy, "0x5f5c600a5760015f5d005bfe".parse().unwrap()).await.unwrap();
    for _ in 0..12 {
        stage.register(greedy).await;
    }
    let good = stage.register(ALWAYS).await;
    let keeper = stage.keeper(1, folder.path());
    until("the good one is executed", || async { stage.executed().await.contains(&good.id.0) }).await;
    until("so are the others", || async {
        stage.anvil.mine(1).await.unwrap();
        stage.executed().await.len() == 13
    })
    .await;
    let reports = keeper.stop().await;
    assert!(reports.iter().flat_map(|report| &report.mined).all(|mined| mined.success), "{reports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pending_transaction_will_use_up_is_not_counted_on() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    let user = stage.user();
    stage.give_auto(user, 1_000, stage.contracts.auto_payments).await;
    stage.give_auto(stage.anvil.account(1).unwrap(), 1, stage.contracts.auto_payments).await;
    let first = stage.register_auto(ALWAYS).await;
    let second = stage.register_auto(SWITCH).await;
    stage.anvil.set_automine(false).await.unwrap();
    // A wei for a base unit: the income is the fee.
    let auto_value = AutoValue::Fixed(U256::from(10).pow(U256::from(18)));
    let mut policy = stage.policy(1);
    policy.rule = ProfitRule { auto_value, ..policy.rule };
    let keeper = stage.keeper_with(1, folder.path(), policy);
    let report = keeper.told("the first is sent", |report| !report.sent.is_empty()).await;
    let sent = &report.sent[0];
    assert_eq!(sent.requests, [first.id]);

    // While it waits, the second can run too, and the user has money for one of them.
    stage.anvil.drop_transaction(sent.tx.unwrap()).await.unwrap();
    let kept = sent.balance.income * U256::from(3) / U256::from(2);
    let all = U256::from(1_000) * U256::from(10).pow(U256::from(18));
    let away = IAutoToken::transferCall { to: Address::repeat_byte(9), value: all - kept };
    let call = |to, data: Vec<u8>| {
        TransactionRequest::default().from(user).to(to).input(data.into()).gas_limit(100_000)
    };
    stage.anvil.submit(call(stage.contracts.auto_token, away.abi_encode())).await.unwrap();
    stage.anvil.submit(call(SWITCH, U256::from(1).to_be_bytes::<32>().to_vec())).await.unwrap();
    stage.mine_and_see(&keeper, 1).await;
    let report = keeper.reports().pop().unwrap();
    assert_eq!((report.executable, report.mined.len()), (2, 0), "{report:?}");
    assert!(report.sent.is_empty(), "{report:?}");
    stage.mine_and_see(&keeper, 3).await;
    let reports = keeper.stop().await;
    assert_eq!(stage.executed().await, [first.id.0]);
    let mined: Vec<_> = reports.iter().flat_map(|report| &report.mined).collect();
    assert!(mined.len() == 1 && mined[0].success, "{mined:?}");
    assert!(reports.last().unwrap().outstanding == 1, "{} waits for money", second.id);
}
