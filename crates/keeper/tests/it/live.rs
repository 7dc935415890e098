//! What a keeper does from block to block.

use crate::common::{ALWAYS, Running, SWITCH, Stage, TIMER, until};
use alloy::{
    primitives::{Address, B256, U256, address},
    providers::Provider,
    sol_types::SolCall,
};
use errand_bindings::IRegistry;
use errand_journal::{IntentState, Purpose};
use errand_keeper::{AutoValue, MinedReport, Policy, ProfitRule, Turn};
use std::path::Path;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_executed_when_it_can_succeed_and_not_before() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    let ready = stage.register(ALWAYS).await;
    let waiting = stage.register(SWITCH).await;
    let keeper = stage.keeper(1, folder.path());
    until("the first is executed", || async { stage.executed().await == [ready.id.0] }).await;
    stage.mine_and_see(&keeper, 3).await;
    assert_eq!(stage.executed().await, [ready.id.0]);
    stage.set_slot(SWITCH, 1).await;
    until("the second is executed", || async { stage.executed().await == [ready.id.0, waiting.id.0] }).await;
    stage.mine_and_see(&keeper, 5).await;
    keeper.stop().await;
    assert_eq!(stage.executed().await, [ready.id.0, waiting.id.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_runs_when_its_time_has_come() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    let head = stage.head().await;
    stage.set_slot(TIMER, head.timestamp + 1_000).await;
    let timer = stage.register(TIMER).await;
    let keeper = stage.keeper(1, folder.path());
    stage.mine_and_see(&keeper, 3).await;
    assert!(stage.executed().await.is_empty());
    let _: serde_json::Value =
        stage.anvil.call("evm_setNextBlockTimestamp", (head.timestamp + 2_000,)).await.unwrap();
    stage.anvil.mine(1).await.unwrap();
    until("the timer runs", || async { stage.executed().await == [timer.id.0] }).await;
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_can_run_together_share_a_transaction() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    for _ in 0..12 {
        stage.register(SWITCH).await;
    }
    let keeper = stage.keeper(1, folder.path());
    stage.seen_by(&keeper).await;
    stage.set_slot(SWITCH, 1).await;
    until("all are executed", || async { stage.executed().await.len() == 12 }).await;
    stage.mine_and_see(&keeper, 2).await;
    let reports = keeper.stop().await;
    let sent: Vec<_> = reports.iter().flat_map(|report| &report.sent).collect();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].requests.len(), 12);
    assert!(sent[0].balance.profit().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recurring_request_is_paid_in_auto_and_runs_each_time_it_is_due() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    stage.give_auto(stage.user(), 1_000, stage.contracts.auto_payments).await;
    let request = stage.register_recurring(SWITCH).await;
    let keeper = stage.keeper(1, folder.path());
    for times in 1..=3 {
        stage.set_slot(SWITCH, 1).await;
        until("it runs", || async { stage.executed().await.len() >= times }).await;
        stage.set_slot(SWITCH, 0).await;
        stage.mine_and_see(&keeper, 2).await;
    }
    keeper.stop().await;
    assert!(stage.executed().await.iter().all(|id| *id == request.id.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_in_auto_is_left_alone_by_who_gives_nothing_for_auto() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    stage.give_auto(stage.user(), 1_000, stage.contracts.auto_payments).await;
    stage.register_recurring(ALWAYS).await;
    let mut policy = stage.policy(1);
    policy.rule.auto_value = AutoValue::Nothing;
    let keeper = stage.keeper_with(1, folder.path(), policy);
    stage.mine_and_see(&keeper, 3).await;
    let reports = keeper.stop().await;
    assert!(reports.iter().all(|report| report.sent.is_empty() && report.executable == 1));
    assert!(stage.executed().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_costs_the_same_however_many_requests_it_does_not_touch() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    let code = stage.anvil.provider().get_code_at(SWITCH).await.unwrap();
    let switches = [0x50, 0x51, 0x52, 0x53].map(Address::with_last_byte);
    for switch in switches {
        stage.anvil.set_code(switch, code.clone()).await.unwrap();
    }
    let register = async |each: usize| {
        for switch in switches {
            for _ in 0..each {
                stage.register(switch).await;
            }
        }
    };
    register(2).await;
    let keeper = stage.keeper(1, folder.path());
    let quiet = async || {
        stage.mine_and_see(&keeper, 3).await;
        let report = keeper.reports().pop().unwrap();
        (report.outstanding, report.rechecked, report.rpc_calls)
    };
    let few = quiet().await;
    register(48).await;
    let many = quiet().await;
    assert_eq!((few.0, many.0), (8, 200));
    assert_eq!((few.1, many.1), (0, 0), "nothing that they read has changed");
    // The feed asks for the head as long as there is none.
    assert!(many.2 < few.2 + 10, "{} calls of the node, and {} before", many.2, few.2);
    // What reads the slot that changes, and nothing else.
    let seen = keeper.reports().len();
    stage.send(stage.user(), switches[2], U256::ZERO, U256::from(1).to_be_bytes::<32>().to_vec()).await;
    keeper.told("they succeed", |report| report.executable > 0).await;
    let report = keeper.reports()[seen..].iter().find(|report| report.executable > 0).cloned().unwrap();
    assert_eq!((report.rechecked, report.executable), (50, 50), "{report:?}");
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_earn_the_least_profit_waits() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    stage.register(ALWAYS).await;
    let mut policy = stage.policy(1);
    policy.rule = ProfitRule { min_profit: U256::from(10).pow(U256::from(18)), ..policy.rule };
    waits_until(&stage, policy, folder.path(), stage.policy(1)).await;
}

/// What the first policy leaves alone although it is executable, the second has executed.
async fn waits_until(stage: &Stage, first: Policy, folder: &Path, second: Policy) {
    let keeper = stage.keeper_with(1, folder, first);
    stage.mine_and_see(&keeper, 3).await;
    let report = keeper.stop().await.pop().unwrap();
    assert_eq!((report.executable, report.sent.len()), (1, 0), "{report:?}");
    assert!(stage.executed().await.is_empty());
    let keeper = stage.keeper_with(1, folder, second);
    until("it is executed", || async { stage.executed().await.len() == 1 }).await;
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_gas_is_bought_above_the_highest_price() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    stage.register(ALWAYS).await;
    let mut policy = stage.policy(1);
    policy.rule.max_gas_price = Some(1_000_000_000); // the tip alone
    waits_until(&stage, policy, folder.path(), stage.policy(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_refuses_one_request_holds_up_no_other() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    let refused = stage.register(ALWAYS).await;
    assert_eq!(refused.id.0, 0);
    let others = [stage.register(ALWAYS).await.id.0, stage.register(ALWAYS).await.id.0];
    // Grants this block, and refuses where 0 is the first of the ids. PUSH1 100, CALLDATALOAD, ISZERO, ISZERO, NUMBER, MUL, PUSH0, MSTORE, PUSH1 64, PUSH0, RETURN
    let gate = address!("0x00000000000000000000000000000000000a0040");
    stage.anvil.set_code(gate, "0x606435151543025f5260405ff3".parse().unwrap()).await.unwrap();
    let call = IRegistry::setGateCall { gate };
    let owner = stage.anvil.account(0).unwrap();
    stage.send(owner, stage.contracts.registry, U256::ZERO, call.abi_encode()).await;
    let keeper = stage.keeper(1, folder.path());
    until("the others are executed", || async {
        stage.anvil.mine(1).await.unwrap();
        let mut executed = stage.executed().await;
        executed.sort_unstable();
        executed == others
    })
    .await;
    stage.mine_and_see(&keeper, 2).await;
    let report = keeper.stop().await.pop().unwrap();
    assert_eq!((report.outstanding, report.executable, report.turn), (1, 1, Some(Turn::Refused)));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_keeper_whose_turn_it_is_executes_and_the_other_keeps_watching() {
    let stage = Stage::set().await;
    let (first, second) = (tempdir().unwrap(), tempdir().unwrap());
    stage.stake(stage.anvil.account(1).unwrap(), 100).await;
    let waiting = stage.register(SWITCH).await;
    let selected = stage.keeper(1, first.path());
    let other = stage.keeper(2, second.path());
    // Who starts to follow after the execution never sees what it was about.
    stage.seen_by(&selected).await;
    stage.seen_by(&other).await;
    stage.set_slot(SWITCH, 1).await;
    until("it is executed", || async { stage.executed().await == [waiting.id.0] }).await;
    stage.anvil.mine(2).await.unwrap();
    until("the other has seen it", || async {
        other.reports().last().is_some_and(|report| report.outstanding == 0)
    })
    .await;
    let reports = other.stop().await;
    assert!(reports.iter().all(|report| report.sent.is_empty()));
    assert!(reports.iter().any(|report| report.executable == 1));
    assert!(reports.iter().all(|report| matches!(report.turn, Some(Turn::Refused))), "{reports:?}");
    selected.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_that_starts_late_in_an_epoch_can_tell_whose_turn_it_is() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    stage.stake(stage.anvil.account(1).unwrap(), 100).await;
    let request = stage.register(ALWAYS).await;
    // The draw needs the hash of a block that is further back than any history of the keeper's.
    stage.anvil.mine(70).await.unwrap();
    let keeper = stage.keeper(1, folder.path());
    until("it is executed", || async { stage.executed().await == [request.id.0] }).await;
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_nothing_is_twice_after_a_restart() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    let first = stage.register(ALWAYS).await;
    let second = stage.register(SWITCH).await;
    let keeper = stage.keeper(1, folder.path());
    until("the first is executed", || async { stage.executed().await == [first.id.0] }).await;
    keeper.stop().await;
    // While nobody keeps, one more comes and the other becomes executable.
    let third = stage.register(ALWAYS).await;
    stage.set_slot(SWITCH, 1).await;
    let keeper = stage.keeper(1, folder.path());
    until("all are executed", || async { stage.executed().await.len() == 3 }).await;
    stage.mine_and_see(&keeper, 5).await;
    keeper.stop().await;
    let mut executed = stage.executed().await;
    executed.sort_unstable();
    assert_eq!(executed, [first.id.0, second.id.0, third.id.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_a_reorg_takes_back_is_made_again() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    let request = stage.register(ALWAYS).await;
    // The registration must stay: the reorg takes two blocks.
    stage.anvil.mine(3).await.unwrap();
    let keeper = stage.keeper(1, folder.path());
    until("it is executed", || async { stage.executed().await == [request.id.0] }).await;
    stage.mine_and_see(&keeper, 1).await;
    // The keeper sends it again as soon as it sees the reorg: it must not be mined before it was looked for.
    stage.anvil.set_automine(false).await.unwrap();
    stage.anvil.reorg(2).await.unwrap();
    assert!(stage.executed().await.is_empty(), "the reorg has taken the execution back");
    stage.anvil.set_automine(true).await.unwrap();
    stage.anvil.mine(1).await.unwrap();
    until("it is executed again", || async { stage.executed().await == [request.id.0] }).await;
    stage.mine_and_see(&keeper, 3).await;
    keeper.stop().await;
    assert_eq!(stage.executed().await, [request.id.0]);
}

/// Has a keeper send an execution that succeeds since the last block, and that no block takes yet. Gives its hash.
async fn sends_by_the_last_block(stage: &Stage, keeper: &Running) -> B256 {
    stage.mine_and_see(keeper, 1).await;
    stage.anvil.set_automine(false).await.unwrap();
    stage.submit_slot(SWITCH, 1).await;
    stage.anvil.mine(1).await.unwrap();
    let report = keeper.told("it is sent", |report| !report.sent.is_empty()).await;
    report.sent[0].tx.unwrap()
}

/// Mines until one of the keeper's transactions is in a block.
async fn mined(stage: &Stage, keeper: &Running) -> MinedReport {
    let found = || keeper.reports().into_iter().flat_map(|report| report.mined).next();
    until("it is in a block", || async {
        stage.mine_and_see(keeper, 1).await;
        found().is_some()
    })
    .await;
    found().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reorg_makes_fail_is_taken_back() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    let request = stage.register(SWITCH).await;
    let keeper = stage.keeper(1, folder.path());
    let sent = sends_by_the_last_block(&stage, &keeper).await;
    // The block that set the switch is gone, and what was sent still waits.
    stage.anvil.reorg(1).await.unwrap();
    stage.seen_by(&keeper).await;
    let cancellation = mined(&stage, &keeper).await;
    assert!(cancellation.success && cancellation.tx != sent, "{cancellation:?}");
    assert_eq!(cancellation.gas_used, 21_000);
    assert!(stage.executed().await.is_empty());

    // After a pause it is tried again.
    stage.submit_slot(SWITCH, 1).await;
    stage.mine_and_see(&keeper, 8).await;
    assert_eq!(stage.executed().await, [request.id.0]);
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reorg_during_a_pause_makes_fail_is_taken_back() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    stage.register(SWITCH).await;
    let keeper = stage.keeper(1, folder.path());
    sends_by_the_last_block(&stage, &keeper).await;
    keeper.stop().await;
    stage.anvil.reorg(1).await.unwrap();
    let keeper = stage.keeper(1, folder.path());
    let cancellation = mined(&stage, &keeper).await;
    assert!(cancellation.success, "{cancellation:?}");
    assert_eq!(cancellation.gas_used, 21_000);
    assert!(stage.executed().await.is_empty());
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_cheap_to_be_mined_is_not_taken_back() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    stage.register(SWITCH).await;
    let base_fee = u128::from(stage.head().await.base_fee);
    let mut policy = stage.policy(1);
    policy.rule.max_gas_price = Some(2 * base_fee + policy.tip);
    let keeper = stage.keeper_with(1, folder.path(), policy);
    sends_by_the_last_block(&stage, &keeper).await;
    // What made it succeed is gone, and no block takes it at this base fee: it costs nothing.
    stage.anvil.set_next_base_fee(100 * base_fee).await.unwrap();
    stage.anvil.reorg(1).await.unwrap();
    assert!(u128::from(stage.head().await.base_fee) > 50 * base_fee);
    stage.seen_by(&keeper).await;
    keeper.stop().await;
    let intents = stage.journal(1, folder.path()).unsettled().unwrap();
    let [intent] = intents.as_slice() else { panic!("{intents:?}") };
    assert_eq!(intent.state, IntentState::Open);
    assert!(intent.attempts.iter().all(|attempt| attempt.purpose == Purpose::Execute), "{intent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_simulates_well_and_fails_on_chain_is_left_alone_for_a_while() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    // basefee > limit ? revert : stop, and a next block whose base fee nobody could have foretold.
    let liar = address!("0x00000000000000000000000000000000000a0004");
    let base_fee = u128::from(stage.head().await.base_fee);
    let code = format!("0x67{:016x}4811600f57005b5f5ffd", base_fee * 3 / 2);
    stage.anvil.set_code(liar, code.parse().unwrap()).await.unwrap();
    stage.register(liar).await;
    stage.anvil.set_next_base_fee(base_fee * 17 / 10).await.unwrap();
    let keeper = stage.keeper(1, folder.path());
    keeper.told("it fails on chain", |report| report.mined.iter().any(|mined| !mined.success)).await;
    let before = stage.anvil.provider().get_transaction_count(stage.anvil.account(1).unwrap()).await.unwrap();
    stage.mine_and_see(&keeper, 1).await;
    let after = stage.anvil.provider().get_transaction_count(stage.anvil.account(1).unwrap()).await.unwrap();
    assert_eq!(before, after, "it is not tried again at once");
    keeper.stop().await;
    assert!(stage.executed().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_builder_of_a_block_knows_is_not_sent() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    // prevrandao ? revert : stop. Simulations see zero, blocks do not.
    let gambler = address!("0x00000000000000000000000000000000000a0005");
    stage.anvil.set_code(gambler, "0x44600457005b5f5ffd".parse().unwrap()).await.unwrap();
    stage.register(gambler).await;
    let keeper = stage.keeper(1, folder.path());
    stage.mine_and_see(&keeper, 3).await;
    let reports = keeper.stop().await;
    assert_eq!(reports.last().unwrap().executable, 1, "{reports:?}");
    assert!(reports.iter().all(|report| report.sent.is_empty()), "{reports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_gambles_only_with_little_gas_is_not_sent() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    // gas > 1,000,000 ? stop : prevrandao ? revert : stop. Alone it is quoted with more gas than in a batch.
    let gambler = address!("0x00000000000000000000000000000000000a0006");
    stage
        .anvil
        .set_code(gambler, "0x620f42405a11600e5744601057005b005b5f5ffd".parse().unwrap())
        .await
        .unwrap();
    stage.register(gambler).await;
    let keeper = stage.keeper(1, folder.path());
    stage.mine_and_see(&keeper, 3).await;
    // What it stands beside is not held up.
    let good = stage.register(ALWAYS).await;
    until("the other is executed", || async { stage.executed().await == [good.id.0] }).await;
    let reports = keeper.stop().await;
    let sent: Vec<_> =
        reports.iter().flat_map(|report| &report.sent).flat_map(|sent| &sent.requests).collect();
    assert_eq!(sent, [&good.id], "{reports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_of_the_chain_makes_no_timer_due() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    stage.register(TIMER).await;
    stage.set_slot(TIMER, stage.head().await.timestamp + 1_500).await;
    let keeper = stage.keeper(1, folder.path());
    stage.seen_by(&keeper).await;
    // The one interval that the keeper sees is no measure of the next.
    let _: serde_json::Value = stage.anvil.call("evm_increaseTime", (900,)).await.unwrap();
    stage.mine_and_see(&keeper, 1).await;
    let reports = keeper.stop().await;
    assert!(reports.iter().all(|report| report.sent.is_empty()), "{reports:?}");
}
