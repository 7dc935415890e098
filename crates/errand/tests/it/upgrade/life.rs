//! Bundles from registration to withdrawal.

use super::place::{CONTRACTS, Place, REFUSED};
use crate::chain::Chain;
use alloy::{
    primitives::{Address, U256, hex},
    providers::Provider,
};
use errand_bindings::IChugSplashManager::{self, Status};
use errand_keeper::bundles::judge::{CLAIM_COST, SETTLE_COST};
use std::{fs, sync::Arc};

#[test]
fn a_project_goes_from_registration_to_withdrawal() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "whole");
    let made = place.bundle(CONTRACTS);
    let id = place.propose();
    assert_eq!(id, made.id.to_string());

    let quote = place.json(&["quote", &id]);
    assert_eq!(quote["status"], "PROPOSED");
    assert_eq!(quote["neededWei"].as_str().unwrap(), made.costs.deposit.to_string());
    assert_eq!(quote["missingWei"], quote["neededWei"]);
    assert_eq!(quote["worstWei"].as_str().unwrap(), made.costs.worst.unwrap().to_string());
    assert_eq!(quote["lockSeconds"], 900);
    // An executor pays for claiming and for taking the bond back, too.
    let wei = |name: &str| quote[name].as_str().unwrap().parse::<i128>().unwrap();
    let lock_gas = i128::from(CLAIM_COST + SETTLE_COST);
    assert_eq!(wei("executorCostWei"), (wei("gas") + lock_gas) * (wei("baseFeeWei") + wei("tipWei")));
    assert_eq!(wei("executorProfitWei"), wei("paymentNowWei") - wei("executorCostWei"));

    let toml = place.path("upgrade.toml").display().to_string();
    let verified = chain.run(&["upgrade", "verify", &id, &toml, "--json"]).ok().json();
    assert_eq!(verified["isSame"], true, "{verified}");
    assert_eq!(verified["computedRoot"], verified["actionRoot"]);

    place.owner(&["approve", &id]).failed(1, &["not funded", "fund --for-bundle"]);
    place.owner(&["fund", "--for-bundle", &id]).ok();
    let approved = place.owner(&["approve", &id]).ok();
    assert!(approved.stderr.contains("Vault (implementation)"), "{}", approved.stderr);
    assert!(place.status(made.id) == Status::APPROVED);
    place.owner(&["withdraw", "--all"]).failed(1, &["is APPROVED: nothing can be withdrawn"]);

    place.carry_out(2, &made);
    let watched = place.look(&["watch", &id, "--json", "--timeout", "1m"]).ok();
    let last: serde_json::Value = serde_json::from_str(watched.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["status"], "COMPLETED");
    assert_eq!(last["nextIndex"], last["actionCount"]);

    let verified = chain.run(&["upgrade", "verify", &id, &toml, "--json"]).ok().json();
    assert_eq!(verified["isSame"], true, "{verified}");
    for leaf in verified["leaves"].as_array().unwrap() {
        let expected = if leaf["kind"] == "CALL" { "made" } else { "as planned" };
        assert_eq!(leaf["onChain"], expected, "{leaf}");
    }

    let folder = place.path("verification").display().to_string();
    let written = chain.run(&["upgrade", "artifacts", &toml, "--output", &folder, "--json"]).ok();
    let addresses: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(place.path("verification/addresses.json")).unwrap())
            .unwrap();
    assert_eq!(written.json(), addresses);
    assert!(addresses["contracts"]["Vault"]["implementation"].is_string(), "{addresses}");

    let listed = place.json(&["list"]);
    assert_eq!(listed[0]["status"], "COMPLETED");
    let free: U256 = place.json(&["status"])["accounts"]["freeWei"].as_str().unwrap().parse().unwrap();
    let treasury = Address::repeat_byte(0x7e);
    place.owner(&["withdraw", "--all", "--to", &treasury.to_string()]).ok();
    let got = chain.block_on(async { chain.anvil.provider().get_balance(treasury).await }).unwrap();
    assert!(got == free && !free.is_zero(), "{got} of {free}");
    let status = place.json(&["status"]);
    assert_eq!(status["accounts"]["freeWei"], "0");
    assert_eq!(status["bundle"]["state"]["status"], "COMPLETED");
}

#[test]
fn a_bundle_is_paused_resumed_and_cancelled() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "paused");
    let made = place.approved(CONTRACTS);
    let id = made.id.to_string();
    place.owner(&["resume"]).failed(1, &["neither paused nor going to be"]);
    place.owner(&["retry"]).failed(1, &["is APPROVED; for this it must be STALLED"]);
    place.owner(&["close"]).failed(1, &["is APPROVED; for this it must be STALLED"]);
    place.owner(&["rollback"]).failed(1, &["is active, APPROVED"]);
    place.owner(&["pause"]).ok();
    assert!(place.status(made.id) == Status::PAUSED);
    // what is paused leaves its budget free, and going on needs it again
    place.owner(&["withdraw", "0.01ether"]).ok();
    place.owner(&["resume"]).failed(1, &["InsufficientFunds"]);
    let free = |place: &Place| place.json(&["status"])["accounts"]["freeWei"].as_str().unwrap().to_owned();
    let before = free(&place);
    let funded = place.owner(&["fund", "0.01ether"]).ok();
    assert!(funded.stderr.contains("is PAUSED: it is going to be free"), "{}", funded.stderr);
    assert_ne!(free(&place), before);
    place.owner(&["resume"]).ok();
    let before = free(&place);
    let funded = place.owner(&["fund", "0.01ether"]).ok();
    assert!(funded.stderr.contains("it goes to the budget"), "{}", funded.stderr);
    assert_eq!(free(&place), before);
    place.claim(2, made.id);
    let shown = place.look(&["status", &id]).ok().stdout;
    assert!(shown.contains(&format!("{}, lock for 1", chain.account(2))), "{shown}");
    let paused = place.owner(&["pause"]).ok();
    assert!(paused.stderr.contains("the pause is in force after 15m"), "{}", paused.stderr);
    let status = place.json(&["status", &id]);
    assert_eq!(status["bundle"]["state"]["readiness"], "PAUSE_REQUESTED", "{status}");
    assert_eq!(
        status["bundle"]["state"]["executor"].as_str().unwrap(),
        chain.account(2).to_string().to_lowercase()
    );
    place.owner(&["cancel"]).ok();
    assert!(place.status(made.id) == Status::CANCELLED);
    place.look(&["watch", &id]).failed(1, &["is CANCELLED", "hint:"]);
    place.owner(&["cancel"]).failed(1, &["no bundle of", "is active"]);
    place.owner(&["withdraw", "--all"]).ok();
}

/// Cancels, and returns what is said before and how much more wei the account has afterwards.
fn cancelled(place: &Place, of: u32) -> (String, U256) {
    let balance = || {
        let account = place.chain.account(of);
        place.chain.block_on(async { place.chain.anvil.provider().get_balance(account).await }).unwrap()
    };
    let before = balance();
    let said = place.owner(&["cancel"]).ok().stderr;
    (said, balance() - before)
}

#[test]
fn who_gets_the_user_bond_is_told_before_a_bundle_is_cancelled() {
    let chain = Arc::new(Chain::own_chugsplash());
    let place = Place::new(&chain, "wronged");
    let (alice, bob) = (2, 3);
    let after = |seconds: u64| {
        let moved = chain.block_on(chain.anvil.call::<_, serde_json::Value>("evm_increaseTime", (seconds,)));
        moved.unwrap();
        chain.mine(1);
    };
    let bond = chain.call(place.manager, &IChugSplashManager::userBondCall {});
    let names = |said: &str, account: u32, how: &str| {
        assert!(said.contains(&format!("goes to {}, {how}", chain.account(account))), "{said}");
    };

    place.approved(CONTRACTS);
    let (said, got) = cancelled(&place, alice);
    assert!(said.contains("the user bond of 0.1 ether comes free"), "{said}");
    assert_eq!(got, U256::ZERO);

    // Selected a while ago, without having done anything.
    let made = place.approved(CONTRACTS);
    place.claim(alice, made.id);
    after(60);
    let (said, got) = cancelled(&place, alice);
    names(&said, alice, "who is selected since 1m");
    assert!(said.contains("if this is mined 36s to 5m after that; else it comes free"), "{said}");
    assert_eq!(got, bond);

    // Selected too long ago for that.
    let made = place.approved(CONTRACTS);
    place.claim(alice, made.id);
    after(400);
    let (said, got) = cancelled(&place, alice);
    assert!(said.contains("the user bond of 0.1 ether comes free"), "{said}");
    assert_eq!(got, U256::ZERO);

    // At work.
    let made = place.approved(CONTRACTS);
    place.claim(alice, made.id);
    place.execute_some(alice, &made, 0, 1);
    let (said, got) = cancelled(&place, alice);
    names(&said, alice, "the last to execute an action");
    assert_eq!(got, bond);

    // At work, and relieved by another one.
    let second = place.approved(&CONTRACTS.replace("the vault", "another vault"));
    place.claim(alice, second.id);
    place.execute_some(alice, &second, 0, 1);
    after(901);
    place.claim(bob, second.id);
    after(60);
    let (said, got) = cancelled(&place, bob);
    names(&said, bob, "who is selected since 1m");
    let worker = format!("else it goes to {}, the last to execute an action", chain.account(alice));
    assert!(said.contains(&worker), "{said}");
    assert_eq!(got, bond);
}

#[test]
fn where_anybody_may_execute_a_pause_waits_for_nobody() {
    let chain = Chain::chugsplash();
    let mut place = Place::new(&chain, "anybody");
    // (ANYONE, 0): PUSH0, NOT, PUSH1 96, SHR, PUSH0, MSTORE, PUSH1 64, PUSH0, RETURN
    place.ess = place.create(hex!("6a5f1960601c5f5260405ff35f52600b6015f3").into()).to_string();
    place.approved(CONTRACTS);
    let paused = place.owner(&["pause"]).ok();
    assert!(!paused.stderr.contains("is selected"), "{}", paused.stderr);
    let status = place.json(&["status"]);
    assert_eq!(status["bundle"]["state"]["status"], "PAUSED", "{status}");
}

#[test]
fn what_is_meant_for_a_proposal_does_not_go_to_the_bundle_that_is_active() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "meant");
    place.approved(CONTRACTS);
    let next = place.bundle(&CONTRACTS.replace("the vault", "another vault"));
    let id = place.propose();
    assert_eq!(id, next.id.to_string());
    place.owner(&["fund", "--for-bundle", &id]).failed(1, &["is active, APPROVED", "wait for its end"]);
}

#[test]
fn a_stalled_bundle_tells_why_and_is_retried_or_closed() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "stalled");
    let made = place.approved(&format!("{CONTRACTS}{REFUSED}"));
    let id = made.id.to_string();
    place.carry_out(2, &made);
    assert!(place.status(made.id) == Status::STALLED);
    let stalled = made.actions.len() - 1;
    let text = place.look(&["status"]).ok().stdout;
    assert!(text.contains(&format!("action {stalled} failed: no reason given")), "{text}");
    place.owner(&["withdraw", "--all"]).failed(1, &["is STALLED"]);
    place.owner(&["retry"]).ok();
    assert!(place.status(made.id) == Status::APPROVED);
    place.claim(3, made.id);
    // nothing of the switch was done
    place.execute_from(3, &made, made.header.deployCount.to());
    place.owner(&["close"]).ok();
    assert!(place.status(made.id) == Status::FAILED);
    place.look(&["watch", &id]).failed(1, &["is FAILED, action", "no reason given"]);

    // the same again, without the call: what was deployed is not deployed again
    let next = place.bundle(CONTRACTS);
    assert!(next.actions.len() < made.actions.len() - 1, "{:?}", next.names);
    let id = place.propose();
    place.owner(&["approve", &id]).ok();
    place.carry_out(2, &next);
    assert!(place.status(next.id) == Status::COMPLETED);
}

#[test]
fn proxies_are_rolled_back() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "rolled");
    place.carry_out(2, &place.approved(CONTRACTS));
    place.owner(&["rollback"]).failed(1, &["nothing to roll back"]);
    let second = CONTRACTS.replace("the vault", "another vault");
    place.carry_out(2, &place.approved(&second));
    let rolled = place.owner(&["rollback"]).ok();
    assert!(rolled.stderr.contains("goes back to"), "{}", rolled.stderr);
    place.owner(&["rollback"]).failed(1, &["nothing to roll back"]);
}

#[test]
fn what_plan_writes_is_proposed_verified_and_carried_out() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "planned");
    let toml = place.toml(CONTRACTS);
    let file = place.file();
    chain.run(&["upgrade", "plan", &toml, "--output", &file]).ok();
    let id = place.propose();
    chain.run(&["upgrade", "verify", &id, &toml]).ok();
    place.owner(&["fund", "--for-bundle", &id]).ok();
    place.owner(&["approve", &id, "--bundle", &file]).ok();
    let id = id.parse().unwrap();
    place.claim(2, id);
    place.execute_file(2);
    assert!(place.status(id) == Status::COMPLETED);
    chain.run(&["upgrade", "verify", &id.to_string(), &toml]).ok();
    // a second plan of the same has only the call left to do
    let again = chain.run(&["upgrade", "plan", &toml, "--output", &file, "--json"]).ok();
    assert!(again.stdout.contains("CALL") && !again.stdout.contains("\"DEPLOY\""), "{}", again.stdout);
}
