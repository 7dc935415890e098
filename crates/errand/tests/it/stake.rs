//! `errand stake`

use crate::chain::Chain;

/// AUTO in base units.
fn auto(whole: u64) -> String {
    format!("{whole}{}", "0".repeat(18))
}

#[test]
fn a_stake_is_added_given_a_worker_drawn_removed_and_claimed() {
    let chain = Chain::own();
    let worker = chain.account(2).to_string();
    let added = chain.run_as(1, &["stake", "add", "100auto", "--yes"]).ok();
    // the approval comes first, and one consent covers both
    assert!(added.stderr.contains("To sign, 1 of 2: let the StakeManager take 100 AUTO"), "{}", added.stderr);
    assert!(added.stderr.contains("To sign, 2 of 2: stake 100 AUTO"), "{}", added.stderr);
    chain.run_as(1, &["stake", "worker", &worker, "--yes"]).ok();

    let before = chain.run_as(1, &["stake", "status", "--json"]).ok().json();
    assert_eq!(before["stake"]["stakeAutoBase"], auto(100));
    assert_eq!(before["epoch"]["isOpen"], true, "{before}");
    // what was named counts from the next epoch on, and is told until then
    assert_eq!(before["stake"]["worker"].as_str().unwrap(), chain.account(1).to_string().to_lowercase());
    assert_eq!(before["stake"]["nextWorker"].as_str().unwrap(), worker.to_lowercase(), "{before}");
    let text = chain.run_as(1, &["stake", "status"]).ok().stdout;
    assert!(text.contains(&format!("{worker} is the worker from epoch 1 on")), "{text}");
    chain.mine(100);
    let after = chain.run_as(1, &["stake", "status", "--json"]).ok().json();
    assert_eq!(after["epoch"]["worker"].as_str().unwrap(), worker.to_lowercase(), "{after}");
    assert_eq!(after["stake"]["worker"].as_str().unwrap(), worker.to_lowercase(), "{after}");
    assert!(after["stake"]["nextWorker"].is_null(), "{after}");
    let text = chain.run_as(1, &["stake", "status"]).ok().stdout;
    assert!(text.contains("100.00 %") && text.contains("worker of"), "{text}");

    let removed = chain.run_as(1, &["stake", "remove", "40auto", "--yes", "--json"]).ok().json();
    assert_eq!(removed["unstakingAutoBase"], auto(40));
    chain.run_as(1, &["stake", "claim", "--yes"]).failed(1, &["can claim nothing now", "from epoch"]);
    chain.mine(300);
    let claimed = chain.run_as(1, &["stake", "claim", "--yes", "--json"]).ok().json();
    assert_eq!(claimed["claimedAutoBase"], auto(40));
    let end = chain.run_as(1, &["stake", "status", "--json"]).ok().json();
    assert_eq!(end["stake"]["stakeAutoBase"], auto(60));
}

#[test]
fn a_stake_beyond_the_wallet_or_the_stake_is_refused_in_words() {
    let chain = Chain::shared();
    chain
        .run_as(7, &["stake", "add", "5000auto", "--yes"])
        .failed(1, &["has 1000 AUTO", "5000 AUTO are to be staked"]);
    chain
        .run_as(7, &["stake", "remove", "1auto", "--yes"])
        .failed(1, &["nothing was signed", "InsufficientStake(", "of 0 AUTO staked, no more can be removed"]);
    chain.run_as(7, &["stake", "add", "0", "--yes"]).failed(1, &["ZeroAmount", "say an amount above 0"]);
    let nobody = "0x0000000000000000000000000000000000000000";
    chain
        .run_as(7, &["stake", "worker", nobody, "--yes"])
        .failed(1, &["InvalidWorker", "say an account that can sign"]);
    chain.run_as(7, &["stake", "add", "1ether", "--yes"]).failed(2, &["AUTO is due here"]);
}
