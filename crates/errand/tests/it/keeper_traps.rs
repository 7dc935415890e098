//! Bundles that a keeper would lose on: `--explain` says why each is not taken, and nothing is sent.

use crate::{
    chain::Chain,
    upgrade::place::{CONTRACTS, Place},
};
use alloy::{
    primitives::{Address, B256, Bytes, address, hex},
    providers::Provider,
};
use errand_bundle::Step;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

const STRANGE_EPS: Address = address!("0x00000000000000000000000000000000000c0001");
const EXECUTOR: u32 = 3;
/// Even what earns little is worth it then.
const TIPLESS: [&str; 2] = ["--tip", "0gwei"];
/// How long a keeper may take to say why it does nothing.
const LIMIT: Duration = Duration::from_secs(120);

/// A keeper, killed when dropped.
struct Keeper(Child);

impl Drop for Keeper {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a keeper until it has explained all of these in its log.
pub(crate) fn explains(chain: &Chain, arguments: &[&str], why: &[&str]) {
    let mut command = chain.signing(EXECUTOR);
    let command = command
        .args(["keeper", "run", "--explain"])
        .args(arguments)
        .stderr(Stdio::piped())
        .stdout(Stdio::null());
    let mut keeper = Keeper(command.spawn().unwrap());
    let log = BufReader::new(keeper.0.stderr.take().unwrap());
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || log.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let deadline = Instant::now() + LIMIT;
    let mut missing = why.to_vec();
    let mut told = String::new();
    while !missing.is_empty() {
        let line = lines.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        let line = line.unwrap_or_else(|_| panic!("not told: {missing:?} in:\n{told}"));
        missing.retain(|text| !line.contains(text));
        told.push_str(&line);
        told.push('\n');
    }
}

/// What `errand keeper check` says of bundles.
struct Told(Value);

impl Told {
    fn by(chain: &Chain) -> Self {
        Self::with(chain, &[])
    }

    fn with(chain: &Chain, arguments: &[&str]) -> Self {
        let all = [&["keeper", "check", "--json"][..], &TIPLESS, arguments].concat();
        Self(chain.run_as(EXECUTOR, &all).ok().json())
    }

    fn of(&self, id: B256) -> &Value {
        let mut bundles = self.0["bundles"].as_array().unwrap().iter();
        bundles.find(|bundle| bundle["id"] == id.to_string()).unwrap()
    }

    fn reason(&self, id: B256) -> &str {
        self.of(id)["hindrance"]["reason"].as_str().unwrap_or_else(|| panic!("{}", self.0))
    }
}

#[test]
fn a_keeper_says_why_it_claims_none_of_the_traps() {
    let chain = Arc::new(Chain::own_chugsplash());
    let anvil = &chain.anvil;

    let failing = Place::new(&chain, "failing");
    let failing = failing.approved_with(CONTRACTS, |plan| {
        let Step::Deploy { init_code, .. } = &mut plan.actions[1].step else { panic!("no deploy") };
        // PUSH0 PUSH0 REVERT
        *init_code = hex!("5f5ffd").into();
    });
    let mut strange = Place::new(&chain, "strange");
    strange.eps = STRANGE_EPS.to_string();
    chain.block_on(async {
        let code = anvil.provider().get_code_at(chain.address("FlatFeeEPS")).await.unwrap();
        anvil.set_code(STRANGE_EPS, [code.as_ref(), &[0]].concat().into()).await.unwrap();
    });
    let strange = strange.approved(CONTRACTS);
    let told = Told::by(&chain);
    assert_eq!(told.reason(failing.id), "fails");
    assert_eq!(told.reason(strange.id), "unknown-strategy");
    explains(
        &chain,
        &TIPLESS,
        &["action 1 fails", &format!("payment strategy {STRANGE_EPS} is none of the deployment's")],
    );

    let mut poor = Place::new(&chain, "poor");
    poor.caps = "maxBaseFee = \"200 gwei\"\nbudget = \"0.05 ether\"";
    let poor = poor.approved(CONTRACTS);
    chain.block_on(anvil.set_next_base_fee(100_000_000_000)).unwrap();
    chain.mine(1);
    explains(&chain, &TIPLESS, &["its budget of 50000000000000000 wei does not pay what is left"]);
    let told = Told::by(&chain);
    assert_eq!(told.reason(poor.id), "underfunded");

    chain.block_on(anvil.set_next_base_fee(1_000_000_000)).unwrap();
    let slow = Place::new(&chain, "slow");
    let slow = slow.approved(CONTRACTS);
    // It would be claimed: nothing else than the traps is in the way.
    let told = Told::by(&chain);
    assert_eq!(told.of(slow.id)["step"], "claim", "{}", told.0);
    // So would the strange one, if its strategy were trusted, by an operator who accepts what it does.
    let told = Told::with(&chain, &["--allow-strategy", &STRANGE_EPS.to_string()]);
    assert_eq!(told.of(strange.id)["step"], "claim", "{}", told.0);
    // Each of these contracts tells of a chain that takes a fee for data.
    for sign in ["0x420000000000000000000000000000000000000F", "0x0000000000000000000000000000000000000064"] {
        let sign: Address = sign.parse().unwrap();
        chain.block_on(anvil.set_code(sign, hex!("00").into())).unwrap();
        assert_eq!(Told::by(&chain).reason(slow.id), "data-fee");
        chain.block_on(anvil.set_code(sign, Bytes::new())).unwrap();
    }
    chain.block_on(anvil.call::<_, serde_json::Value>("anvil_setBlockTimestampInterval", (400,))).unwrap();
    chain.mine(5);
    explains(&chain, &TIPLESS, &["the lock lasts 900 s"]);

    let told = Told::by(&chain);
    assert_eq!(told.reason(slow.id), "too-slow");
    let sent =
        chain.block_on(async { anvil.provider().get_transaction_count(chain.account(EXECUTOR)).await });
    assert_eq!(sent.unwrap(), 0, "nothing was sent");
}
