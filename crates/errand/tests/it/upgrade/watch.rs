//! Bundles while they are carried out, on a chain whose basefee moves.

use super::place::{CONTRACTS, Place};
use crate::chain::Chain;
use errand_bindings::IChugSplashManager;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
};

/// `errand upgrade watch`, and what it says.
struct Watcher {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Watcher {
    fn start(command: &mut Command, arguments: &[&str]) -> Self {
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("another line").unwrap()
    }

    fn json(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// The first state from here on of which this holds.
    fn until(&mut self, holds: impl Fn(&Value) -> bool) -> Value {
        loop {
            let state = self.json();
            if holds(&state) {
                return state;
            }
        }
    }
}

fn set_base_fee(chain: &Chain, wei: u128) {
    chain.block_on(async {
        chain.anvil.set_next_base_fee(wei).await.unwrap();
        chain.anvil.mine(1).await.unwrap();
    });
}

#[test]
fn a_bundle_is_followed_through_congestion_to_its_end() {
    let chain = Arc::new(Chain::own_chugsplash());
    let place = Place::new(&chain, "watched");
    let made = place
        .bundle(&CONTRACTS.replace("[contracts.Vault]\n", "budget = \"0.1 ether\"\n[contracts.Vault]\n"));
    let (id, manager) = (place.propose(), place.manager.to_string());
    place.owner(&["fund", "2ether"]).ok();
    // 100 gwei are above the cap of 30, which bounds what is wanted
    set_base_fee(&chain, 100_000_000_000);
    place.owner(&["approve", &id]).failed(1, &["the budget of 0.1 ether is too low", "lower basefee"]);
    set_base_fee(&chain, 1_000_000_000);
    place.owner(&["approve", &id]).ok();

    let arguments = ["upgrade", "watch", &id, "--manager", &manager, "--timeout", "5m"];
    let mut people = Watcher::start(&mut chain.errand(), &arguments);
    let mut machine = Watcher::start(&mut chain.errand(), &[&arguments[..], &["--json"]].concat());
    let first = machine.json();
    assert_eq!((&first["status"], &first["readiness"]), (&"APPROVED".into(), &"READY".into()), "{first}");
    assert!(first["executor"].is_null(), "{first}");
    let text = people.line();
    assert!(text.contains("APPROVED") && text.contains("nobody selected"), "{text}");

    set_base_fee(&chain, 100_000_000_000);
    let congested = machine.until(|state| state["readiness"] == "CONGESTED");
    assert_eq!(congested["baseFeeWei"], "100000000000");
    let text = people.line();
    assert!(
        text.contains("ABOVE the cap of 30 gwei") && text.contains("waits for a lower basefee"),
        "{text}"
    );
    place
        .look(&["watch", &id, "--timeout", "1s"])
        .failed(1, &["has not ended in time", "errand upgrade status"]);

    set_base_fee(&chain, 1_000_000_000);
    place.claim(2, made.id);
    let locked = machine.until(|state| !state["executor"].is_null());
    assert_eq!(locked["executor"].as_str().unwrap(), chain.account(2).to_string().to_lowercase());
    assert!((890..=900).contains(&locked["lockSecondsLeft"].as_u64().unwrap()), "{locked}");
    place.execute_file(2);
    let last = machine.until(|state| state["status"] == "COMPLETED");
    assert_eq!(last["nextIndex"], last["actionCount"]);
    let paid = chain.call(place.manager, &IChugSplashManager::accountsCall {}).paid;
    assert_eq!(last["paidWei"], paid.to_string(), "{last}");
    assert!(people.lines.by_ref().any(|line| line.unwrap().contains("COMPLETED")));
    // What was paid for it is told for good.
    let status = place.json(&["status", &id]);
    assert_eq!(status["bundle"]["state"]["paidWei"], paid.to_string(), "{status}");
    for watcher in [&mut people, &mut machine] {
        assert!(watcher.child.wait().unwrap().success());
        assert!(watcher.lines.next().is_none());
    }
}
