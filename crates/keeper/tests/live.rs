//! Keepers on a real node, with the contracts deployed by the users' script.

mod common;

use common::{ALWAYS, SWITCH, Stage, TIMER, until};
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_executed_when_it_can_succeed_and_not_before() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    let ready = stage.register(ALWAYS).await;
    let waiting = stage.register(SWITCH).await;
    let keeper = stage.keeper(1, folder.path());
    until("the first is executed", || async { stage.executed().await == [ready.id.0] }).await;
    stage.anvil.mine(3).await.unwrap();
    assert_eq!(stage.executed().await, [ready.id.0]);
    stage.set_slot(SWITCH, 1).await;
    until("the second is executed", || async { stage.executed().await == [ready.id.0, waiting.id.0] }).await;
    stage.anvil.mine(5).await.unwrap();
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
    stage.anvil.mine(3).await.unwrap();
    assert!(stage.executed().await.is_empty());
    let _: serde_json::Value =
        stage.anvil.call("evm_setNextBlockTimestamp", (head.timestamp + 2_000,)).await.unwrap();
    stage.anvil.mine(1).await.unwrap();
    until("the timer runs", || async { stage.executed().await == [timer.id.0] }).await;
    keeper.stop().await;
}
