//! What strangers register to make a keeper work for nothing.

use crate::common::{ALWAYS, Stage, until};
use alloy::primitives::address;
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_burn_all_gas_share_what_a_look_has_for_them() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    // Reads the time, so that no check of it stands for longer than a second, and takes all gas. INVALID does that at
    // once, and what counts is the gas.
    let burner = address!("0x00000000000000000000000000000000000a0030");
    stage.anvil.set_code(burner, "0x4250fe".parse().unwrap()).await.unwrap();
    for _ in 0..40 {
        stage.register(burner).await;
    }
    let keeper = stage.keeper(1, folder.path());
    stage.seen_by(&keeper).await;
    let request = stage.register(ALWAYS).await;
    until("another one is executed", || async { stage.executed().await == [request.id.0] }).await;
    stage.mine_and_see(&keeper, 3).await;
    let reports = keeper.stop().await;
    assert_eq!(reports[0].rechecked, 40, "what they take shows when they have been run");
    assert_eq!(reports[0].unknown, 0);
    for report in &reports[1..] {
        // 250 million gas, 8 million each.
        assert!(report.rechecked <= 31 + 1, "{report:?}");
    }
    let all: usize = reports[1..].iter().map(|report| report.rechecked).sum();
    assert!(all >= 40, "and they come by turns");
}
