//! `errand keeper`

use crate::chain::{Chain, run};
use alloy::providers::Provider;
use errand_testkit::{Proxy, proxy::Mode};
use serde_json::{Value, json};
use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long a keeper may take for what it should do.
const LIMIT: Duration = Duration::from_secs(120);

/// A keeper, killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It is gone already when it was stopped.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Asks it to end and returns its exit code and what it logged.
    fn stop(mut self) -> (Option<i32>, String) {
        assert!(Command::new("kill").arg(self.0.id().to_string()).status().unwrap().success());
        let mut log = String::new();
        std::io::Read::read_to_string(self.0.stderr.as_mut().unwrap(), &mut log).unwrap();
        (self.0.wait().unwrap().code(), log)
    }
}

/// Mines until the question is answered.
fn wait<T>(chain: &Chain, what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what} takes more than {LIMIT:?}");
        chain.mine(1);
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The lines that are complete: the last one may just be being written.
fn lines(text: &str) -> Vec<Value> {
    let complete = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    complete.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_keeper_executes_stops_when_asked_and_tells_what_it_did() {
    let chain = Chain::own();
    let id = chain.register(1).to_string();
    let stats = chain.home().join("stats.jsonl");
    let mut command = chain.signing(3);
    let keeper =
        Running::start(command.args(["keeper", "run", "--log-format", "json", "--stats"]).arg(&stats));
    let shown = wait(&chain, "the execution", || {
        let shown = chain.run(&["request", "show", &id, "--json"]).ok().json();
        (shown["status"] == "executed").then_some(shown)
    });
    let execution = &shown["executions"][0];
    assert_eq!(execution["executor"].as_str().unwrap(), chain.account(3).to_string().to_lowercase());
    assert!(execution["feeWei"].as_str().unwrap().parse::<u128>().unwrap() > 0);
    chain.run(&["request", "why", &id]).failed(1, &["is not outstanding", "executed in block"]);

    // one journal, one keeper
    chain.run_as(3, &["keeper", "run"]).failed(1, &["in use", "stop the other keeper"]);
    // Looking is not running: it goes on without what the keeper holds.
    let checked = chain.run_as(3, &["keeper", "check", "--json"]).ok();
    assert!(checked.stderr.contains("runs with the journal"), "{}", checked.stderr);
    assert!(checked.stderr.contains("in flight") && checked.stderr.contains("is not checked"));
    let found = checked.json();
    assert_eq!((&found["inFlight"], &found["isJournalInUse"]), (&Value::Null, &json!(true)));
    assert_eq!(found["registered"], 1);
    wait(&chain, "the statistics", || {
        let told = lines(&fs::read_to_string(&stats).unwrap_or_default());
        told.iter().any(|line| line["mined"].as_array().is_some_and(|mined| !mined.is_empty())).then_some(())
    });
    let (code, log) = keeper.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(lines(&log).iter().any(|line| line["fields"]["message"] == "keeper stopped"), "{log}");
}

/// So many transactions of an account are in blocks.
fn nonce(chain: &Chain, account: u32) -> u64 {
    chain
        .block_on(async { chain.anvil.provider().get_transaction_count(chain.account(account)).await })
        .unwrap()
}

#[test]
fn a_keeper_that_is_killed_between_sending_and_mining_repeats_nothing() {
    let chain = Chain::own();
    let id = chain.register(1).to_string();
    let journal = chain.home().join("journal.sqlite");
    chain.block_on(chain.anvil.set_automine(false)).unwrap();
    let run = || {
        let mut command = chain.signing(3);
        Running::start(command.args(["keeper", "run", "--journal"]).arg(&journal))
    };
    let pending = || {
        chain.block_on(async {
            let provider = chain.anvil.provider();
            provider.get_transaction_count(chain.account(3)).pending().await.unwrap()
        })
    };
    let mut keeper = run();
    let deadline = Instant::now() + LIMIT;
    while pending() == 0 {
        assert!(Instant::now() < deadline, "it sends nothing");
        std::thread::sleep(Duration::from_millis(50));
    }
    // SIGKILL: it writes nothing any more.
    keeper.0.kill().unwrap();
    keeper.0.wait().unwrap();
    let keeper = run();
    wait(&chain, "the execution", || {
        let shown = chain.run(&["request", "show", &id, "--json"]).ok().json();
        (shown["status"] == "executed").then_some(())
    });
    chain.mine(3);
    assert_eq!(nonce(&chain, 3), 1, "one transaction, whoever sent it");
    let (code, log) = keeper.stop();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(pending(), 1);
}

#[test]
fn a_keeper_outlives_its_node_and_says_when_it_finds_none() {
    let chain = Chain::own();
    let proxy = chain.block_on(Proxy::to(chain.anvil.port())).unwrap();
    let run = || {
        let mut command = chain.signing(3);
        command.env("ERRAND_RPC", proxy.http_url()).args(["keeper", "run"]);
        command
    };
    proxy.set(Mode::Down);
    super::chain::run(&mut run()).failed(1, &["127.0.0.1", "--rpc"]);
    assert!(!chain.home().join(".errand").exists(), "nothing is left behind");

    proxy.set(Mode::Pass);
    let keeper = Running::start(&mut run());
    let first = chain.register(1).to_string();
    let executed = |id: &str| {
        let shown = chain.run(&["request", "show", id, "--json"]).ok().json();
        (shown["status"] == "executed").then_some(())
    };
    wait(&chain, "the first execution", || executed(&first));
    proxy.set(Mode::Down);
    let meanwhile = chain.register(1).to_string();
    chain.mine(3);
    std::thread::sleep(Duration::from_secs(2));
    assert!(executed(&meanwhile).is_none());
    proxy.set(Mode::Pass);
    wait(&chain, "what came meanwhile", || executed(&meanwhile));
    let (code, log) = keeper.stop();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(nonce(&chain, 3), 2, "{log}");
}

#[test]
fn the_journal_of_a_chain_that_was_begun_anew_is_refused() {
    let chain = Chain::own();
    let journal = chain.home().join("journal.sqlite");
    let mut command = chain.signing(3);
    let keeper = Running::start(command.args(["keeper", "run", "--journal"]).arg(&journal));
    wait(&chain, "the journal", || journal.exists().then_some(()));
    assert_eq!(keeper.stop().0, Some(0));

    // The same id, the same contracts at the same addresses: only block 0 is another.
    let anew = Chain::own();
    assert_eq!(anew.address("Registry"), chain.address("Registry"));
    for command in ["run", "check"] {
        let mut keeper = anew.signing(3);
        run(keeper.args(["keeper", command, "--journal"]).arg(&journal))
            .failed(1, &["belongs to", "block 0 is", "begun anew", "--journal PATH"]);
    }
    let mut keeper = chain.signing(3);
    run(keeper.args(["keeper", "check", "--journal"]).arg(&journal)).ok();
}

#[test]
fn a_dry_run_tells_the_profit_and_sends_nothing() {
    let chain = Chain::own();
    let id = chain.register(1).to_string();
    let stats = chain.home().join("stats.jsonl");
    let executor = chain.account(3).to_string();
    let mut command = chain.errand();
    let keeper = Running::start(
        command.args(["keeper", "run", "--dry-run", "--executor", &executor, "--stats"]).arg(&stats),
    );
    let sent = wait(&chain, "the decision", || {
        let text = fs::read_to_string(&stats).unwrap_or_default();
        lines(&text).into_iter().find(|line| line["sent"].as_array().is_some_and(|sent| !sent.is_empty()))
    });
    assert_eq!(sent["sent"][0]["requests"][0].as_u64().unwrap().to_string(), id);
    assert_eq!(sent["sent"][0]["tx"], Value::Null);
    let (code, log) = keeper.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("would send") && log.contains("profit"), "{log}");
    assert_eq!(chain.run(&["request", "show", &id, "--json"]).ok().json()["status"], "outstanding");
    assert!(!chain.home().join(".errand").exists(), "a rehearsal leaves no journal");
}

#[test]
fn a_look_back_leaves_older_requests_out_and_says_so() {
    let chain = Chain::own();
    chain.register(1);
    chain.block_on(chain.anvil.call::<_, serde_json::Value>("evm_increaseTime", (86_400,))).unwrap();
    chain.mine(2);
    let young = chain.register(1);
    let stats = chain.home().join("stats.jsonl");
    let executor = chain.account(3).to_string();
    let mut command = chain.errand();
    let arguments = ["keeper", "run", "--dry-run", "--executor", &executor, "--since", "1h", "--stats"];
    let keeper = Running::start(command.args(arguments).arg(&stats));
    let synced = wait(&chain, "the sync", || {
        let text = fs::read_to_string(&stats).unwrap_or_default();
        lines(&text).into_iter().find(|line| line["synced"].is_u64())
    });
    assert_eq!((&synced["outstanding"], &synced["outside"]), (&json!(1), &json!(1)), "{synced}; {young}");
    assert_eq!(keeper.stop().0, Some(0));
}

#[test]
fn check_tells_what_a_keeper_would_find() {
    let chain = Chain::shared();
    let ran = chain.run_as(6, &["keeper", "check"]).ok();
    for text in ["chain 31337", "all as recorded", "may execute", "journal", "told by"] {
        assert!(ran.stdout.contains(text), "`{text}` is not in:\n{}", ran.stdout);
    }
    assert!(!chain.home().join(".errand").exists(), "looking leaves no trace");
    let mut poor = chain.errand();
    poor.env("ERRAND_PRIVATE_KEY", format!("0x{}", "22".repeat(32))).args(["keeper", "check"]);
    run(&mut poor).failed(1, &["has no ETH to buy gas with"]);
    let journal = chain.home().join("not-a-journal");
    fs::write(&journal, "text").unwrap();
    let mut damaged = chain.signing(6);
    run(damaged.args(["keeper", "check", "--journal"]).arg(&journal)).failed(1, &["damaged or no journal"]);
    let mut nowhere = chain.signing(6);
    run(nowhere.args(["keeper", "check", "--journal"]).arg(journal.join("below/j.sqlite")))
        .failed(1, &["no journal can be made in", "--journal PATH"]);
}

#[test]
fn a_keeper_without_funds_and_on_a_chain_that_began_anew_says_so() {
    let chain = Chain::own();
    chain.mine(200);
    let stats = chain.home().join("stats.jsonl");
    let mut command = chain.errand();
    command.env("ERRAND_PRIVATE_KEY", format!("0x{}", "33".repeat(32)));
    let keeper = Running::start(command.args(["keeper", "run", "--stats"]).arg(&stats));
    wait(&chain, "the sync", || {
        let text = fs::read_to_string(&stats).unwrap_or_default();
        lines(&text).iter().any(|line| line["synced"].is_u64()).then_some(())
    });
    chain.block_on(chain.anvil.call::<_, Value>("anvil_reset", ())).unwrap();
    std::thread::sleep(Duration::from_secs(4));
    let (code, log) = keeper.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("has no ETH to buy gas with"), "{log}");
    assert_eq!(log.matches("its chain was reset").count(), 1, "told once, and not with every look: {log}");
}
