//! `errand upgrade plan --inverse`: what a bundle did is taken back by another one, executed for good.

use crate::yard::{FLEET, IVault, Yard, kinds, named};
use alloy::primitives::{Address, B256, U256};
use errand_bindings::IChugSplashManager;
use serde_json::Value;
use std::fs;

fn implementation_of(json: &Value, name: &str) -> (Address, usize) {
    let actions = json["actions"].as_array().unwrap();
    let found =
        actions.iter().position(|action| action["kind"] == "SET_IMPLEMENTATION" && action["name"] == name);
    (actions[found.unwrap()]["target"].as_str().unwrap().parse().unwrap(), found.unwrap())
}

#[test]
fn an_inverse_takes_back_what_a_rollback_leaves_and_no_more() {
    let yard = Yard::new();
    let (text, _) = FLEET.split_once("[[calls]]").unwrap();
    let text = format!("{}{text}", yard.head("inverse"));
    let file = yard.write(&text);
    yard.register("inverse");
    let first = yard.plan_file(&file, 1, &["--json"]).ok().json();
    yard.carry_out(&first);
    let (vault, _) = implementation_of(&first, "Vault");
    let old_code = yard.implementation(vault);

    fs::write(&file, text.replace("cap = \"1_000 ether\"", "cap = 3")).unwrap();
    let second = yard.plan_file(&file, 2, &["--json", "--output", "second.json"]).ok().json();
    let id = second["bundleId"].as_str().unwrap().to_owned();
    let back = |arguments: &[&str]| {
        let mut all = vec!["--inverse", "second.json", "--uri", "https://example.org/back.json", "--json"];
        all.extend(arguments);
        yard.plan_file(&file, 2, &all)
    };
    // Nothing is taken back that did not happen.
    back(&[]).failed(1, &["has no bundle", &id]);
    yard.carry_out(&second);
    assert_ne!(yard.implementation(vault), old_code);
    assert_eq!(yard.ask(vault, &IVault::capCall {}), U256::from(3));

    // All of it.
    let planned = back(&[]).ok().json();
    let done = kinds(&planned);
    assert_eq!(named(&done, "SET_STORAGE"), ["Vault.cap"]);
    assert_eq!(named(&done, "SET_IMPLEMENTATION"), ["Controller", "Vault"], "the last one first");
    assert_eq!(done.len(), 3, "{done:?}");
    assert_eq!(planned["deployCount"], "0");
    let kept: Vec<_> = planned["kept"].as_array().unwrap().iter().map(|kept| &kept["name"]).collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(planned["bundleFile"].as_str().unwrap().ends_with("upgrade.inverse.json"));

    // What is published stays where it is.
    yard.plan_file(&file, 2, &["--inverse", "second.json"])
        .failed(1, &["is where the bundle is published that is to be taken back", "--uri"]);
    let first_file = first["bundleFile"].as_str().unwrap();
    let mut broken: Value = serde_json::from_str(&fs::read_to_string(first_file).unwrap()).unwrap();
    broken["nonce"] = "77".into();
    fs::write(yard.folder().join("broken.json"), broken.to_string()).unwrap();
    yard.plan_file(&file, 2, &["--inverse", "broken.json"]).failed(1, &["broken.json", "hint:"]);
    yard.plan_file(&file, 2, &["--inverse", "nowhere.json"]).failed(1, &["nowhere.json"]);
    yard.plan_file(&file, 2, &["--inverse", &B256::repeat_byte(7).to_string()]).failed(1, &["has no bundle"]);

    // A rollback gives the implementations back; the storage is left.
    let manager = planned["manager"].as_str().unwrap().parse().unwrap();
    yard.by(yard.owner(), manager, &IChugSplashManager::rollbackCall {}, U256::ZERO);
    assert_eq!(yard.implementation(vault), old_code);
    let planned = back(&[]).ok().json();
    assert_eq!(kinds(&planned), [("SET_STORAGE".to_owned(), "Vault.cap".to_owned())]);
    // Somebody's change since goes as well, and that is said.
    let slot = yard.slot_of(vault, U256::from(3));
    yard.set_slot(vault, slot, U256::from(9));
    let ran = back(&[]).ok();
    assert!(ran.stderr.contains("`Vault.cap` has been changed since"), "{}", ran.stderr);
    yard.set_slot(vault, slot, U256::from(3));

    yard.carry_out(&planned);
    assert_eq!(yard.ask(vault, &IVault::capCall {}), U256::from(10).pow(U256::from(21)));
    back(&[]).failed(1, &["there is nothing to take back"]);

    // Whoever signs computes it again.
    let inverse_id = planned["bundleId"].as_str().unwrap();
    let bundle = planned["bundleFile"].as_str().unwrap();
    let path = file.display().to_string();
    let verify = |of: &[&str]| {
        let out = crate::yard::built(2).join("out").display().to_string();
        let mut all = vec!["verify", inverse_id, &path, "--artifacts", &out, "--bundle", bundle];
        all.extend(of);
        yard.upgrade(&all)
    };
    let ran = verify(&["--inverse", "second.json"]).ok();
    assert!(ran.stderr.contains("is what the source says"), "{}", ran.stderr);
    verify(&[]).failed(1, &[]);
}
