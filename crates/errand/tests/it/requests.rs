//! `errand request` and `errand auto`.

use crate::chain::Chain;
use alloy::{
    primitives::{Address, U256},
    sol,
};

sol! {
    function create(address token, address payee, uint256 amount, uint40 firstDue, uint40 period, uint32 count,
        uint40 expiry, bool catchUp) external returns (uint256 id);
}

#[test]
fn a_request_is_registered_shown_listed_and_cancelled() {
    let chain = Chain::shared();
    let target = chain.address("DemoToken").to_string();
    let to = Address::repeat_byte(0xaa).to_string();
    let ran = chain
        .run_as(
            1,
            &[
                "request",
                "new",
                "--target",
                &target,
                "--yes",
                "--call",
                "mint(address,uint256)",
                &to,
                "1ether",
            ],
        )
        .ok();
    assert!(ran.stdout.contains("is registered"), "{}", ran.stdout);
    // what is signed is told first, decoded
    for text in [
        "To sign",
        "(Registry)",
        "newReqPaySpecific(target: ",
        "callData: mint(to: 0xaAaA",
        "cost",
        "in 30 days",
    ] {
        assert!(ran.stderr.contains(text), "`{text}` is not in:\n{}", ran.stderr);
    }

    let list = chain.run_as(1, &["request", "list", "--mine", "--target", &target, "--json"]).ok().json();
    let listed = list["requests"].as_array().unwrap();
    let mine =
        listed.iter().find(|request| request["callData"].as_str().unwrap().contains("aaaaaaaa")).unwrap();
    let id = mine["id"].as_u64().unwrap().to_string();
    let deposit: u128 = mine["initEthSentWei"].as_str().unwrap().parse().unwrap();
    assert!(deposit > 0, "an ETH-paid Request has a deposit");

    let shown = chain.run(&["request", "show", &id]).ok();
    for text in ["mint(to: 0xaAaA", "(DemoToken)", "outstanding", &chain.account(1).to_string()] {
        assert!(shown.stdout.contains(text), "`{text}` is not in:\n{}", shown.stdout);
    }

    let cancelled = chain.run_as(1, &["request", "cancel", &id, "--yes", "--json"]).ok().json();
    assert_eq!(cancelled["refundWei"].as_str().unwrap(), deposit.to_string());
    let shown = chain.run(&["request", "show", &id, "--json"]).ok().json();
    assert_eq!(shown["status"], "cancelled");
    let hash =
        chain.block_on(async { chain.registry().getHashedReq(id.parse::<U256>().unwrap()).call().await });
    assert!(hash.unwrap().is_zero(), "nothing is stored any more");
    chain
        .run_as(1, &["request", "cancel", &id, "--yes"])
        .failed(1, &["is not outstanding", "cancelled in block"]);
}

#[test]
fn a_condition_that_time_fulfils_is_seen_before_it_is_registered() {
    let chain = Chain::shared();
    let payments = chain.address("PeriodicPayments");
    let due = chain.now() + 7_200;
    chain.transact(
        2,
        payments,
        &createCall {
            token: chain.address("DemoToken"),
            payee: Address::repeat_byte(0xbb),
            amount: U256::ZERO,
            firstDue: alloy::primitives::aliases::U40::from(due),
            period: alloy::primitives::aliases::U40::ZERO,
            count: 1,
            expiry: alloy::primitives::aliases::U40::MAX,
            catchUp: false,
        },
    );
    let target = payments.to_string();
    let ran = chain
        .run_as(2, &["request", "new", "--target", &target, "--yes", "--json", "--call", "pay(uint256)", "0"])
        .ok();
    let json = ran.json();
    let outcomes: Vec<_> =
        json["preview"].as_array().unwrap().iter().map(|at| at["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["reverts", "reverts", "succeeds", "succeeds"], "{json}");
    assert!(
        json["preview"][0]["reason"].as_str().unwrap().contains(&format!("NotDue(dueAt: {due})")),
        "{json}"
    );
    assert!(ran.stderr.contains("waits until it succeeds"), "{}", ran.stderr);

    let id = json["id"].as_u64().unwrap().to_string();
    let why = chain.run(&["request", "why", &id]).ok();
    for text in ["NotDue(dueAt", "timestamp", "slot", "PeriodicPayments", "may execute"] {
        assert!(why.stdout.contains(text), "`{text}` is not in:\n{}", why.stdout);
    }
}

#[test]
fn why_shows_what_an_execution_earns() {
    let chain = Chain::shared();
    let id = chain.register(3).to_string();
    let why = chain.run(&["request", "why", &id, "--json"]).ok().json();
    assert_eq!(why["check"]["outcome"], "succeeds");
    assert_eq!(why["turn"]["answer"], "granted", "{why}");
    assert_eq!(why["quote"]["result"], "executes", "{why}");
    let number = |name: &str| why["quote"][name].as_str().unwrap().parse::<u128>().unwrap();
    assert!(number("incomeWei") > number("costWei"), "{why}");
    assert!(!why["reads"]["slots"].as_array().unwrap().is_empty(), "{why}");
    // the same with a bar that nothing clears
    let why = chain.run(&["request", "why", &id, "--min-profit", "1ether", "--json"]).ok().json();
    assert_eq!(why["quote"]["pays"], false);
}

#[test]
fn why_explains_past_blocks_as_they_were() {
    let chain = Chain::own();
    let id = chain.register(1).to_string();
    let registered = chain.head();
    chain.mine(1);
    let before = chain.run(&["request", "why", &id, "--json"]).ok().json();
    chain.run_as(1, &["request", "cancel", &id, "--yes"]).ok();
    chain.mine(2);
    chain.run(&["request", "why", &id]).failed(1, &["is not outstanding", "cancelled in block"]);
    let block = (registered + 1).to_string();
    let then = chain.run(&["request", "why", &id, "--block", &block, "--json"]).ok().json();
    assert_eq!(then["block"], registered + 1);
    assert_eq!(then["check"]["outcome"], "succeeds");
    for what in ["check", "quote", "paidGasPriceWei", "gate"] {
        assert_eq!(then[what], before[what], "{then}");
    }
    let early = (registered - 1).to_string();
    let first = format!("in block {registered}");
    chain.run(&["request", "why", &id, "--block", &early]).failed(1, &["was not registered yet", &first]);
    chain.run(&["request", "why", &id, "--block", "999999"]).failed(1, &["the node has no block 999999"]);
}

#[test]
fn paying_in_auto_warns_until_it_is_approved() {
    let chain = Chain::shared();
    let target = chain.address("DemoToken").to_string();
    let to = Address::repeat_byte(0xcc).to_string();
    let new = [
        "request",
        "new",
        "--target",
        &target,
        "--yes",
        "--pay",
        "auto",
        "--recurring",
        "--call",
        "mint(address,uint256)",
        &to,
        "1",
    ];
    let ran = chain.run_as(4, &new).ok();
    assert!(ran.stderr.contains("run `errand auto approve "), "{}", ran.stderr);
    assert!(ran.stderr.contains("succeeds twice in a row"), "{}", ran.stderr);

    let approved = chain.run_as(4, &["auto", "approve", "500auto", "--yes", "--json"]).ok().json();
    assert_eq!(approved["transactions"].as_array().unwrap().len(), 1);
    let balance = chain.run_as(4, &["auto", "balance", "--json"]).ok().json();
    assert_eq!(balance["allowanceAutoBase"], format!("500{}", "0".repeat(18)));
    assert_eq!(balance["availableAutoBase"], format!("500{}", "0".repeat(18)));
    assert_eq!(balance["autoBase"], format!("1000{}", "0".repeat(18)));
    let ran = chain.run_as(4, &new).ok();
    assert!(!ran.stderr.contains("auto approve"), "{}", ran.stderr);

    chain.run_as(4, &["auto", "approve", "max", "--yes"]).ok();
    let ran = chain.run(&["auto", "balance", &chain.account(4).to_string()]).ok();
    assert!(ran.stdout.contains("unlimited AUTO"), "{}", ran.stdout);
}

#[test]
fn an_address_of_ones_own_without_verification_is_warned_of() {
    let chain = Chain::shared();
    let (target, me) = (chain.address("DemoToken").to_string(), chain.account(5).to_string());
    let new = ["request", "new", "--target", &target, "--yes", "--call", "mint(address,uint256)", &me, "1"];
    let ran = chain.run_as(5, &new).ok();
    assert!(ran.stderr.contains("without --verify-user"), "{}", ran.stderr);
    let ran = chain.run_as(5, &[&new[..], &["--verify-user"]].concat()).ok();
    assert!(!ran.stderr.contains("without --verify-user"), "{}", ran.stderr);
    // somebody else's address is no proof of oneself
    let other = chain.account(6).to_string();
    let new = [
        "request",
        "new",
        "--target",
        &target,
        "--yes",
        "--verify-user",
        "--call",
        "mint(address,uint256)",
        &other,
        "1",
    ];
    chain.run_as(5, &new).failed(2, &["--verify-user needs your address", &me]);
}

#[test]
fn status_names_contracts_and_terms() {
    let chain = Chain::shared();
    let ran = chain.run(&["status"]).ok();
    for text in
        ["31337", "Registry", "as recorded", "outstanding of", "1000 AUTO per ETH", "epoch", "StakeManager"]
    {
        assert!(ran.stdout.contains(text), "`{text}` is not in:\n{}", ran.stdout);
    }
    let json = chain.run(&["status", "--json"]).ok().json();
    assert_eq!(json["chainId"], 31337);
    assert_eq!(json["feeSettings"]["tipCapWei"], "2000000000", "amounts are decimal strings");
    for number in [&json["grant"]["untilBlock"], &json["epoch"]["lastBlock"], &json["requests"]["registered"]]
    {
        assert!(number.is_u64(), "block numbers and counts are numbers: {json}");
    }
    assert_eq!(json["autoPerEthBase"], format!("1000{}", "0".repeat(18)));
    assert!(
        json["contracts"].as_array().unwrap().iter().all(|contract| contract["code"] == "recorded"),
        "{json}"
    );
}
