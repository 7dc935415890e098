//! What is done, given what is there.

use crate::fixtures::{Chain, project};
use alloy::primitives::{Address, B256, Bytes, U256, address};
use errand_bundle::{
    Step,
    config::Kind,
    plan::{Check, Inverse, Kept, Plan, PlanError, inverse, inverse_questions, plan, questions},
    project::Project,
};
use std::collections::BTreeSet;

const PROXY_CODE: Bytes = Bytes::from_static(&[0x60, 0x01]);
const TOKEN_PROXY: Address = address!("0000000000000000000000000000000000000011");
const FEED_PROXY: Address = address!("0000000000000000000000000000000000000022");
const OLD: Address = Address::repeat_byte(0x01);

const FILE: &str = r#"
[contracts.Vault]
kind = "chugsplash"
args = ["{{ Controller }}", "vault"]
storage = { cap = "5 ether", open = true, feeBps = 30, owner = "0x0000000000000000000000000000000000000033" }
[contracts.Controller]
kind = "chugsplash"
args = ["{{ Vault }}", [], { daily = 1, single = 2 }]
[contracts.Token]
kind = "transparent"
proxy = "0x0000000000000000000000000000000000000011"
storage = { totalSupply = "1 ether" }
[contracts.PriceFeed]
kind = "uups"
proxy = "0x0000000000000000000000000000000000000022"
[contracts.Lens]
kind = "plain"
args = ["{{ Vault }}", "{{ Token }}"]
[[calls]]
target = "{{ Vault }}"
function = "start"
args = ["{{ Token }}", 7]
value = "3 wei"
"#;

/// A chain on which the two adopted proxies are, with an older implementation.
fn fresh() -> Chain {
    let mut chain = Chain::default();
    for proxy in [TOKEN_PROXY, FEED_PROXY] {
        chain.code.insert(proxy);
        chain.implementations.insert(proxy, OLD);
    }
    chain
}

fn kinds(plan: &Plan) -> Vec<(&'static str, &str)> {
    let kind = |step: &Step| match step {
        Step::Deploy { .. } => "DEPLOY",
        Step::SetStorage { .. } => "SET_STORAGE",
        Step::SetImplementation { .. } => "SET_IMPLEMENTATION",
        Step::Call { .. } => "CALL",
    };
    plan.actions.iter().map(|planned| (kind(&planned.step), planned.name.as_str())).collect()
}

/// The chain after the plan was executed.
fn after(chain: &Chain, plan: &Plan) -> Chain {
    let mut chain = chain.clone();
    for planned in &plan.actions {
        match &planned.step {
            Step::Deploy { .. } => {
                chain.code.insert(planned.target);
            }
            Step::SetStorage { slot, offset, value } => {
                let word = chain.slots.entry((planned.target, *slot)).or_default();
                let end = 32 - usize::from(*offset);
                word.0[end - value.len()..end].copy_from_slice(value);
            }
            Step::SetImplementation { implementation } => {
                chain.implementations.insert(planned.target, *implementation);
            }
            Step::Call { .. } => {}
        }
    }
    chain
}

fn planned(project: &Project, chain: &Chain) -> Plan {
    plan(project, &PROXY_CODE, chain).unwrap()
}

#[test]
fn a_first_bundle_does_everything_in_order() {
    let project = project(FILE);
    let plan = planned(&project, &fresh());
    assert_eq!(
        kinds(&plan),
        [
            ("DEPLOY", "Vault (proxy)"),
            ("DEPLOY", "Controller (proxy)"),
            ("DEPLOY", "Vault (implementation)"),
            ("DEPLOY", "Controller (implementation)"),
            ("DEPLOY", "Token (implementation)"),
            ("DEPLOY", "Lens"),
            ("DEPLOY", "PriceFeed (implementation)"),
            ("SET_STORAGE", "Vault.owner, cap"),
            ("SET_STORAGE", "Vault.open, feeBps"),
            ("SET_STORAGE", "Token.totalSupply"),
            ("SET_IMPLEMENTATION", "Vault"),
            ("SET_IMPLEMENTATION", "Controller"),
            ("SET_IMPLEMENTATION", "Token"),
            ("SET_IMPLEMENTATION", "PriceFeed"),
            ("CALL", "Vault.start(address,uint256)"),
        ]
    );
    let deployed = plan.actions.iter().find(|planned| planned.name == "Vault (proxy)").unwrap();
    assert!(matches!(&deployed.step, Step::Deploy { init_code, .. } if *init_code == PROXY_CODE));
    assert_eq!(deployed.target, project.contract("Vault").unwrap().address());
    let switched = plan.actions.iter().find(|planned| planned.name == "Token").unwrap();
    let code_at = project.contract("Token").unwrap().code_at;
    assert_eq!(switched.target, TOKEN_PROXY);
    assert_eq!(switched.step, Step::SetImplementation { implementation: code_at });
    assert!(plan.unchanged.is_empty());
}

#[test]
fn neighbours_in_a_slot_are_one_write() {
    let plan = planned(&project(FILE), &fresh());
    let write = |name: &str| match &plan.actions.iter().find(|planned| planned.name == name).unwrap().step {
        Step::SetStorage { offset, value, .. } => (*offset, value.clone()),
        other => panic!("{other:?}"),
    };
    // uint16 30 above bool true
    assert_eq!(write("Vault.open, feeBps"), (0, Bytes::from_static(&[0, 30, 1])));
    let (offset, value) = write("Vault.owner, cap");
    assert_eq!((offset, value.len()), (0, 32));
    assert_eq!(value[12..], Address::with_last_byte(0x33)[..]);
}

#[test]
fn checks_name_what_a_plan_cannot_see() {
    let project = project(FILE);
    let plan = planned(&project, &fresh());
    let feed = project.contract("PriceFeed").unwrap().code_at;
    let contract = || "PriceFeed".to_owned();
    let uups = Kind::Uups { proxy: FEED_PROXY };
    for expected in [
        Check::Adopted { contract: contract(), proxy: FEED_PROXY, kind: uups },
        Check::StorageLayout { contract: contract(), proxy: FEED_PROXY, from: OLD, to: feed },
        Check::StillUpgradeable { contract: contract(), proxy: FEED_PROXY, implementation: feed },
    ] {
        assert!(plan.checks.contains(&expected), "{expected:?} in {:?}", plan.checks);
    }
    // the transparent one is upgraded by its ProxyAdmin, whatever the implementation
    let still = plan.checks.iter().filter(|check| matches!(check, Check::StillUpgradeable { .. }));
    assert_eq!(still.count(), 1);
}

#[test]
fn what_is_there_is_not_done_again() {
    let without_calls = FILE.split("[[calls]]").next().unwrap();
    let project_ = project(without_calls);
    let chain = after(&fresh(), &planned(&project_, &fresh()));
    assert_eq!(plan(&project_, &PROXY_CODE, &chain), Err(PlanError::NothingToDo));

    // one variable more, and a plain contract's argument changed
    let second = without_calls
        .replace("feeBps = 30", "feeBps = 31")
        .replace("daily = 1", "daily = 9")
        .replace("[\"{{ Vault }}\", \"{{ Token }}\"]", "[\"{{ Token }}\", \"{{ Token }}\"]");
    let second = project(&second);
    let plan = planned(&second, &chain);
    assert_eq!(
        kinds(&plan),
        [
            // both in the circle, since their closures have changed
            ("DEPLOY", "Vault (implementation)"),
            ("DEPLOY", "Controller (implementation)"),
            ("DEPLOY", "Lens"),
            ("SET_STORAGE", "Vault.feeBps"),
            ("SET_IMPLEMENTATION", "Vault"),
            ("SET_IMPLEMENTATION", "Controller"),
        ]
    );
    let unchanged: Vec<&str> = plan.unchanged.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(unchanged, ["Token", "PriceFeed"]);
    assert!(
        plan.checks
            .iter()
            .any(|check| matches!(check, Check::StorageLayout { contract, .. } if contract == "Vault"))
    );
}

#[test]
fn what_is_not_known_is_no_plan() {
    let project = project(FILE);
    let mut chain = fresh();
    chain.silent = true;
    assert!(matches!(plan(&project, &PROXY_CODE, &chain), Err(PlanError::Unknown { .. })));
    let gone = plan(&project, &PROXY_CODE, &Chain::default());
    let missing = PlanError::ProxyMissing { contract: "Token".into(), proxy: TOKEN_PROXY };
    assert_eq!(gone, Err(missing));
    let huge = plan(&project, &vec![0; 49_153].into(), &fresh());
    assert_eq!(huge, Err(PlanError::InitCodeTooLarge { name: "Vault (proxy)".into(), size: 49_153 }));
}

#[test]
fn questions_are_all_that_is_asked() {
    let project = project(FILE);
    let asked = questions(&project);
    let mut chain = fresh();
    // everything is there, so that everything is asked
    chain
        .code
        .extend(project.contracts.iter().filter_map(|contract| contract.proxy).map(|proxy| proxy.address));
    chain.only = Some((
        asked.accounts.iter().copied().collect(),
        asked.proxies.iter().copied().collect(),
        asked.slots.iter().copied().collect(),
    ));
    plan(&project, &PROXY_CODE, &chain).unwrap();
}

#[test]
fn the_inverse_takes_back_what_can_be_taken_back() {
    let first = project(FILE.split("[[calls]]").next().unwrap());
    let chain = after(&fresh(), &planned(&first, &fresh()));
    let second = project(&FILE.replace("feeBps = 30", "feeBps = 31").replace("daily = 1", "daily = 9"));
    let upgrade = planned(&second, &chain);
    let upgraded = after(&chain, &upgrade);
    let asked = inverse_questions(&upgrade.actions);
    let only = |mut chain: Chain| {
        chain.only = Some((
            BTreeSet::new(),
            asked.proxies.iter().copied().collect(),
            asked.slots.iter().copied().collect(),
        ));
        chain
    };
    let (before, now) = (only(chain.clone()), only(upgraded.clone()));
    let Inverse { actions, kept, changed_since } = inverse(&upgrade.actions, &before, &now).unwrap();
    assert!(changed_since.is_empty(), "{changed_since:?}");
    let back = Plan { actions, unchanged: Vec::new(), checks: Vec::new() };
    assert_eq!(
        kinds(&back),
        [
            ("SET_STORAGE", "Vault.feeBps"),
            ("SET_IMPLEMENTATION", "Controller"),
            ("SET_IMPLEMENTATION", "Vault"),
        ]
    );
    let restored = after(&upgraded, &back);
    assert_eq!(restored.implementations, chain.implementations);
    assert_eq!(restored.slots, chain.slots);
    assert!(kept.contains(&("Vault.start(address,uint256)".into(), Kept::Called)));
    assert!(kept.contains(&("Lens".into(), Kept::Deployed)));

    let done = inverse(&upgrade.actions, &before, &only(restored.clone()));
    assert_eq!(done, Err(PlanError::NothingToTakeBack));
    // A rollback leaves the storage.
    let rolled_back = Chain { implementations: chain.implementations.clone(), ..upgraded.clone() };
    let rest = inverse(&upgrade.actions, &before, &only(rolled_back)).unwrap();
    let names: Vec<&str> = rest.actions.iter().map(|planned| planned.name.as_str()).collect();
    assert_eq!(names, ["Vault.feeBps"]);
    // A later bundle is taken back as well, which is said.
    let third = project(&FILE.replace("feeBps = 30", "feeBps = 32").replace("daily = 1", "daily = 9"));
    let later = only(after(&upgraded, &planned(&third, &upgraded)));
    let over = inverse(&upgrade.actions, &before, &later).unwrap();
    assert_eq!((over.actions, over.changed_since), (back.actions, vec!["Vault.feeBps".to_owned()]));
}

#[test]
fn the_inverse_leaves_new_proxies_as_they_are() {
    let project = project(FILE);
    let upgrade = planned(&project, &fresh());
    let Inverse { actions, kept, .. } =
        inverse(&upgrade.actions, &fresh(), &after(&fresh(), &upgrade)).unwrap();
    let targets: Vec<Address> = actions.iter().map(|planned| planned.target).collect();
    assert_eq!(targets, [TOKEN_PROXY, FEED_PROXY, TOKEN_PROXY]);
    assert!(kept.contains(&("Vault".into(), Kept::NewProxy)));
    let supply = &actions[0].step;
    assert!(matches!(supply, Step::SetStorage { slot, value, .. }
        if *slot == B256::from(U256::ONE) && value.iter().all(|byte| *byte == 0)));
}
