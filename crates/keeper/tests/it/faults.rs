//! Nodes that withhold, fail or are slow, and a disk without space.

use crate::{
    common::{ALWAYS, SWITCH, Stage, until},
    market::Market,
};
use alloy::primitives::address;
use errand_bindings::IChugSplashManager;
use errand_chain::{Endpoint, EndpointOptions};
use errand_keeper::{
    BlockReport, KeeperError, Withheld,
    bundles::{BundleReport, Hindrance, Step},
    sync::BookSyncError,
};
use errand_testkit::relay::{Relay, Rule, methods};
use serde_json::json;
use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::tempdir;

/// A stage whose keepers ask through a relay.
async fn behind_a_relay() -> (Stage, Relay) {
    let mut stage = Stage::set().await;
    let relay = put_between(&mut stage).await;
    (stage, relay)
}

async fn put_between(stage: &mut Stage) -> Relay {
    let relay = Relay::to(stage.anvil.port()).await.unwrap();
    let options = EndpointOptions { retries: 0, ..Default::default() };
    stage.endpoint = Endpoint::connect(&[relay.http_url().parse().unwrap()], options).await.unwrap();
    relay
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_withholds_registrations_is_not_worked_with() {
    let (stage, relay) = behind_a_relay().await;
    let folder = tempdir().unwrap();
    let request = stage.register(ALWAYS).await;
    relay.rule_for("eth_getLogs", || Rule::Answer(json!([])));
    let error = stage.keeper(1, folder.path()).ended().await;
    assert!(
        matches!(&error, KeeperError::Sync(BookSyncError::MissingLogs { count: 1, first }) if *first == request.id),
        "{error}"
    );
    assert!(error.to_string().contains("use another one"), "{error}");
    relay.rule(|_| Rule::Pass);
    let keeper = stage.keeper(1, folder.path());
    until("a better node will do", || async { stage.executed().await == [request.id.0] }).await;
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_state_that_cannot_be_read_is_unknown_until_it_can() {
    let (stage, relay) = behind_a_relay().await;
    let folder = tempdir().unwrap();
    // One that was executed, so that all accounts but the new target are known.
    let first = stage.register(SWITCH).await;
    stage.set_slot(SWITCH, 1).await;
    let keeper = stage.keeper(1, folder.path());
    until("the first is executed", || async { stage.executed().await == [first.id.0] }).await;
    stage.set_slot(SWITCH, 0).await;
    let waiting = stage.register(SWITCH).await;
    stage.seen_by(&keeper).await;
    let accounts = ["eth_getAccountInfo", "eth_getCode"];
    relay.rule(move |message| match methods(message).iter().any(|method| accounts.contains(method)) {
        true => Rule::LoseAnswer,
        false => Rule::Pass,
    });
    let request = stage.register(ALWAYS).await;
    let report = keeper.told("it is unknown", |report| report.unknown > 0).await;
    assert_eq!((report.outstanding, report.unknown), (2, 1), "{report:?}");
    assert!(report.sent.is_empty());
    // What needs nothing new is dealt with meanwhile.
    stage.set_slot(SWITCH, 1).await;
    until("the other is executed", || async { stage.executed().await.len() == 2 }).await;
    relay.rule(|_| Rule::Pass);
    let all = [first.id.0, waiting.id.0, request.id.0];
    until("it is executed", || async { stage.executed().await == all }).await;
    assert_eq!(keeper.syncs(), 1, "nothing was read anew");
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn state_that_a_node_refuses_of_one_target_costs_no_other_request() {
    let (stage, relay) = behind_a_relay().await;
    let folder = tempdir().unwrap();
    let refused = address!("0x00000000000000000000000000000000000a0020");
    stage.anvil.set_code(refused, "0x00".parse().unwrap()).await.unwrap();
    let name = refused.to_string().to_lowercase();
    relay.rule(move |message| {
        let is_state = methods(message).iter().any(|method| {
            ["eth_getAccountInfo", "eth_getBalance", "eth_getTransactionCount", "eth_getCode"]
                .contains(method)
        });
        let is_refused = is_state && message.to_string().to_lowercase().contains(&name);
        if is_refused { Rule::Error(-32000, "missing trie node") } else { Rule::Pass }
    });
    stage.register(refused).await;
    let request = stage.register(ALWAYS).await;
    let keeper = stage.keeper(1, folder.path());
    until("the other is executed", || async { stage.executed().await == [request.id.0] }).await;
    // More often than state may be missing before everything is read anew.
    stage.mine_and_see(&keeper, 10).await;
    assert_eq!(keeper.syncs(), 1, "nothing was read anew");
    let report = keeper.stop().await.pop().unwrap();
    assert_eq!((report.outstanding, report.unknown), (1, 1), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_wait_for_what_cannot_be_read_and_not_for_ever() {
    let mut market = Market::open().await;
    let relay = put_between(&mut market.stage).await;
    let folder = tempdir().unwrap();
    let (mut unread, mut worthy) = (market.project(1).await, market.project(2).await);
    unread.approve_worthy().await;
    let bundle = worthy.approve_worthy().await;
    let name = unread.site.manager.to_string().to_lowercase();
    relay.rule(move |message| {
        let is_slots = methods(message).iter().any(|method| method.starts_with("eth_getStorage"));
        let is_refused = is_slots && message.to_string().to_lowercase().contains(&name);
        if is_refused { Rule::Error(-32000, "missing trie node") } else { Rule::Pass }
    });
    market.stage.anvil.set_automine(false).await.unwrap();
    let keeper = market.keeper(1, folder.path());
    let claims = |report: &BlockReport| {
        report.bundles.iter().any(|told| told.id == bundle.id && told.step == Some(Step::Claim))
    };
    for _ in 0..12 {
        market.stage.mine_and_see(&keeper, 1).await;
    }
    let reports = keeper.stop().await;
    let first = reports.iter().position(claims).unwrap();
    let waits = |report: &BlockReport| {
        let waits = |told: &BundleReport| told.id == bundle.id && told.hindrance == Some(Hindrance::Unread);
        report.bundles.iter().any(waits)
    };
    // The eighth look is the first that does not wait.
    assert!(first >= 7 && reports[..first].iter().any(waits), "{reports:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bond_is_not_forgotten_because_a_node_does_not_tell_of_the_lock() {
    let mut market = Market::open().await;
    let relay = put_between(&mut market.stage).await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let bundle = project.approve_worthy().await;
    let executor = market.let_owe(1, &project, &bundle).await;
    let name = project.site.ess.to_string().to_lowercase();
    relay.rule(move |message| {
        let is_slots = methods(message).iter().any(|method| method.starts_with("eth_getStorage"));
        let is_refused = is_slots && message.to_string().to_lowercase().contains(&name);
        if is_refused { Rule::Error(-32000, "missing trie node") } else { Rule::Pass }
    });
    let keeper = market.keeper(1, folder.path());
    let waits = |report: &BlockReport| {
        report.bundles.iter().any(|told| matches!(told.hindrance, Some(Hindrance::Unknown { .. })))
    };
    keeper.told("it cannot be read", waits).await;
    market.stage.mine_and_see(&keeper, 3).await;
    assert!(waits(keeper.reports().last().unwrap()), "{:?}", keeper.reports().last());
    relay.rule(|_| Rule::Pass);
    until("the bond is settled", || async {
        market.stage.mine_and_see(&keeper, 1).await;
        market.lock(&project, &bundle).await.executor.is_zero()
    })
    .await;
    let manager = IChugSplashManager::new(project.site.manager, market.stage.anvil.provider());
    until("so is what the project owes", || async {
        manager.owedTo(executor).call().await.unwrap().is_zero()
    })
    .await;
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_slow_with_writes_is_followed_while_state_cannot_be_read() {
    let (stage, relay) = behind_a_relay().await;
    let folder = tempdir().unwrap();
    let first = stage.register(SWITCH).await;
    stage.set_slot(SWITCH, 1).await;
    let keeper = stage.keeper(1, folder.path());
    until("the first is executed", || async { stage.executed().await == [first.id.0] }).await;
    stage.seen_by(&keeper).await;
    relay.rule(move |message| {
        let methods = methods(message);
        let is = |names: &[&str]| methods.iter().any(|method| names.contains(method));
        match () {
            () if is(&["eth_getAccountInfo", "eth_getCode"]) => Rule::LoseAnswer,
            // Longer than it takes until it is looked again.
            () if is(&["trace_replayBlockTransactions", "debug_traceBlockByHash"]) => {
                Rule::Late(Duration::from_millis(1_500))
            }
            () => Rule::Pass,
        }
    });
    stage.register(ALWAYS).await;
    keeper.told("it is unknown", |report| report.unknown > 0).await;
    stage.mine_and_see(&keeper, 2).await;
    assert_eq!(keeper.syncs(), 1, "nothing was read anew");
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_the_node_indexes_late_is_read_again() {
    // Asked for one block it has none yet, twice, and then it has.
    executed_though_late(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_even_a_resync_finds_missing_is_waited_for() {
    // The first resync asks twice as well: from the block in doubt on, and from the first block on.
    executed_though_late(4).await;
}

/// A registration whose log the node has only after so many questions.
async fn executed_though_late(questions: usize) {
    let (stage, relay) = behind_a_relay().await;
    let folder = tempdir().unwrap();
    let seen = stage.register(SWITCH).await;
    let keeper = stage.keeper(1, folder.path());
    stage.seen_by(&keeper).await;
    let withheld = Arc::new(AtomicUsize::new(0));
    let count = withheld.clone();
    relay.rule_for("eth_getLogs", move || match count.fetch_add(1, Ordering::Relaxed) {
        asked if asked < questions => Rule::Answer(json!([])),
        _ => Rule::Pass,
    });
    let late = stage.register(ALWAYS).await;
    until("the late one is executed", || async { stage.executed().await == [late.id.0] }).await;
    assert!(withheld.load(Ordering::Relaxed) > questions);
    stage.seen_by(&keeper).await;
    let outstanding = keeper.reports().last().map(|report| report.outstanding);
    assert_eq!((keeper.syncs(), outstanding), (2, Some(1)), "{} is still there", seen.id);
    // Kept as well.
    keeper.stop().await;
    let keeper = stage.keeper(1, folder.path());
    stage.seen_by(&keeper).await;
    assert_eq!(keeper.stop().await.pop().unwrap().outstanding, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_for_a_block_includes_reading_its_logs() {
    let (stage, relay) = behind_a_relay().await;
    let folder = tempdir().unwrap();
    let keeper = stage.keeper(1, folder.path());
    stage.seen_by(&keeper).await;
    let late = Duration::from_millis(700);
    relay.rule_for("eth_getLogs", move || Rule::Late(late));
    stage.register(SWITCH).await;
    let report = keeper.told("the block is dealt with", |report| report.outstanding == 1).await;
    assert!(report.elapsed >= late, "{:?}", report.elapsed);
    keeper.stop().await;
}

const CHILD: &str = "ERRAND_TEST_FULL_DISK";
const NAME: &str = "faults::without_space_for_the_journal_a_keeper_watches_on_and_sends_nothing";

/// Leaves no byte free.
fn fill(ballast: &Path) {
    let mut file = File::create(ballast).unwrap();
    for size in [4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

async fn on_a_small_disk(folder: &Path) {
    let stage = Stage::set().await;
    let ballast = folder.join("ballast");
    let keeper = stage.keeper(1, folder);
    // Sent and recorded while there is space, mined when there is none.
    let sent = stage.register(SWITCH).await.id.0;
    stage.seen_by(&keeper).await;
    stage.anvil.set_automine(false).await.unwrap();
    stage.submit_slot(SWITCH, 1).await;
    stage.mine_and_see(&keeper, 1).await;
    assert!(keeper.reports().iter().any(|report| !report.sent.is_empty()), "it is under way");
    // The journal's log is folded in, so that the next record needs space.
    let log = folder.join("journal.sqlite-wal");
    until("the log is folded in", || async { fs::metadata(&log).map_or(0, |log| log.len()) == 0 }).await;
    fill(&ballast);
    stage.mine_and_see(&keeper, 1).await;
    assert_eq!(stage.executed().await, [sent]);
    stage.anvil.set_automine(true).await.unwrap();
    let second = stage.register(ALWAYS).await;
    stage.mine_and_see(&keeper, 3).await;
    let report = keeper.reports().pop().unwrap();
    assert_eq!((report.withheld, report.executable), (Some(Withheld::DiskFull), 1), "{report:?}");
    assert_eq!(stage.executed().await, [sent], "nothing is sent that cannot be recorded");
    fs::remove_file(&ballast).unwrap();
    stage.anvil.mine(1).await.unwrap();
    until("it is executed", || async { stage.executed().await == [sent, second.id.0] }).await;
    stage.mine_and_see(&keeper, 3).await;
    assert_eq!(keeper.syncs(), 1, "it went on watching");
    let reports = keeper.stop().await;
    assert_eq!(reports.iter().flat_map(|report| &report.mined).filter(|mined| mined.success).count(), 2);
    // Nothing is missing in what it kept.
    let keeper = stage.keeper(1, folder);
    stage.seen_by(&keeper).await;
    assert_eq!(keeper.stop().await.pop().unwrap().outstanding, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_space_for_the_journal_a_keeper_watches_on_and_sends_nothing() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return on_a_small_disk(&PathBuf::from(folder)).await;
    }
    let folder = tempdir().unwrap();
    // In a namespace of its own the test may mount, wherever the system lets users have one.
    let script = format!("mount -t tmpfs -o size=1m tmpfs \"${CHILD}\" && exec \"$@\"");
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(CHILD, folder.path())
        .output();
    match output {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("1 passed"), "the child has no test {NAME}: {said}");
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(!said.contains("running 1 test"), "{said}{complaint}");
            eprintln!("skipped: no mount without rights here: {complaint}");
        }
        Err(error) => eprintln!("skipped: no `unshare` here: {error}"),
    }
}
