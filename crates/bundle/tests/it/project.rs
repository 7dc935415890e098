//! Addresses, references and salts.

use crate::fixtures::{ACTOR, artifact, config, project, site};
use alloy::{
    primitives::{Address, B256, U256, address},
    sol,
    sol_types::{SolCall, SolValue},
};
use errand_bundle::{
    artifact::Artifact,
    create3,
    project::{Contract, Project},
};

const CIRCLE: &str = r#"
[contracts.Vault]
kind = "chugsplash"
args = ["{{ Controller }}", "run by {{ Controller.implementation }}!"]
[contracts.Controller]
kind = "chugsplash"
args = { vault_ = "{{ Vault }}", watched_ = ["{{ Vault }}", "{{ Token }}"], limits_ = { single = "1 ether", daily = 5 } }
[contracts.Token]
kind = "transparent"
proxy = "0x0000000000000000000000000000000000000011"
[contracts.Lens]
kind = "plain"
args = ["{{ Vault }}", "{{ Token }}"]
[contracts.PriceFeed]
kind = "plain"
"#;

fn code(name: &str) -> Vec<u8> {
    Artifact::parse(&artifact(name).unwrap()).unwrap().link(|_| None).unwrap().to_vec()
}

fn find<'a>(project: &'a Project, name: &str) -> &'a Contract {
    project.contract(name).unwrap()
}

#[test]
fn contracts_refer_to_each_other_in_a_circle() {
    let project = project(CIRCLE);
    let (vault, controller) = (find(&project, "Vault"), find(&project, "Controller"));
    let label = format!("run by {}!", controller.code_at);
    let expected = [code("Vault"), (controller.address(), label).abi_encode_params()].concat();
    assert_eq!(vault.init_code, expected);
    assert_ne!(controller.address(), controller.code_at);
    let token = address!("0000000000000000000000000000000000000011");
    let limits = (U256::from(5), U256::from(1_000_000_000_000_000_000u64));
    let args = (vault.address(), vec![vault.address(), token], limits).abi_encode_params();
    assert_eq!(controller.init_code, [code("Controller"), args].concat());
    assert_eq!(vault.code_at, create3::address_of(ACTOR, vault.salt));
    assert_eq!(vault.address(), create3::address_of(ACTOR, create3::salt("Vault", B256::ZERO)));
    // what is referred to is deployed first, where there is no circle
    let order: Vec<&str> = project.contracts.iter().map(|contract| contract.name.as_str()).collect();
    assert_eq!(order, ["Token", "Vault", "Controller", "Lens", "PriceFeed"]);
}

/// The salts of all contracts when the artifact of one is changed, or the file is.
fn salts(file: &str, changed: Option<&str>) -> Vec<(String, B256, Address)> {
    let resolve = |name: &str| {
        let json = artifact(name)?;
        let mut other: serde_json::Value = serde_json::from_str(&json).unwrap();
        let code = other["bytecode"]["object"].as_str().unwrap().to_owned();
        other["bytecode"]["object"] = format!("{code}00").into();
        Some(if Some(name) == changed { other.to_string() } else { json })
    };
    let project = Project::new(&config(file), site(), &resolve).unwrap();
    let mut salts: Vec<_> =
        project.contracts.iter().map(|found| (found.name.clone(), found.salt, found.address())).collect();
    salts.sort();
    salts
}

fn names_of_changed(file: &str, changed: &str) -> Vec<String> {
    let (before, after) = (salts(file, None), salts(file, Some(changed)));
    let pairs = before.into_iter().zip(after);
    pairs.filter(|(a, b)| a.1 != b.1).map(|(a, _)| a.0).collect()
}

#[test]
fn a_change_gives_new_salts_to_what_depends_on_it_and_to_nothing_else() {
    assert_eq!(names_of_changed(CIRCLE, "PriceFeed"), ["PriceFeed"]);
    assert_eq!(names_of_changed(CIRCLE, "Lens"), ["Lens"]);
    // both in the circle, and what refers into it
    assert_eq!(names_of_changed(CIRCLE, "Vault"), ["Controller", "Lens", "Vault"]);
    // Vault refers to Token through Controller
    assert_eq!(names_of_changed(CIRCLE, "Token"), ["Controller", "Lens", "Token", "Vault"]);
}

#[test]
fn an_argument_is_part_of_the_template_and_proxies_stay_where_they_are() {
    let other = CIRCLE.replace("daily = 5", "daily = 6");
    let (before, after) = (salts(CIRCLE, None), salts(&other, None));
    for (old, new) in before.iter().zip(&after) {
        let depends = ["Controller", "Vault", "Lens"].contains(&old.0.as_str());
        assert_eq!(old.1 != new.1, depends, "{}", old.0);
        assert_eq!(old.2 != new.2, old.0 == "Lens", "only Lens has no proxy: {}", old.0);
    }
}

#[test]
fn another_proxy_or_kind_behind_a_reference_is_another_template() {
    // What refers to Token has the address of its proxy in its code.
    let elsewhere = CIRCLE.replace("00011\"", "00012\"");
    let plain = CIRCLE
        .replace("\"transparent\"", "\"plain\"")
        .replace("proxy = \"0x0000000000000000000000000000000000000011\"", "");
    let fresh =
        plain.replace("[contracts.Token]\nkind = \"plain\"", "[contracts.Token]\nkind = \"chugsplash\"");
    for other in [elsewhere, plain, fresh] {
        assert_ne!(other, CIRCLE);
        let pairs = salts(CIRCLE, None).into_iter().zip(salts(&other, None));
        let changed: Vec<String> = pairs.filter(|(a, b)| a.1 != b.1).map(|(a, _)| a.0).collect();
        assert_eq!(changed, ["Controller", "Lens", "Vault"], "{other}");
    }
}

#[test]
fn nothing_changes_when_nothing_changes() {
    assert_eq!(salts(CIRCLE, None), salts(CIRCLE, None));
    // storage and calls are no part of creation code
    let more = format!("{CIRCLE}[[calls]]\ntarget = \"{{{{ Token }}}}\"\ndata = \"0x01020304\"\n");
    assert_eq!(salts(CIRCLE, None), salts(&more, None));
}

#[test]
fn a_library_is_linked_and_is_part_of_the_closure() {
    let file = "[contracts.Fees]\nkind = \"plain\"\n[contracts.Charging]\nkind = \"plain\"\n";
    let project = project(file);
    let (fees, charging) = (find(&project, "Fees"), find(&project, "Charging"));
    let linked = charging.init_code.windows(20).filter(|window| *window == fees.code_at.as_slice()).count();
    assert!(linked >= 1);
    assert_eq!(names_of_changed(file, "Fees"), ["Charging", "Fees"]);
    assert_eq!(names_of_changed(file, "Charging"), ["Charging"]);
}

sol! {
    function mint(address to, uint256 amount);
    function start(address token, uint256 amount);
    function poke(uint8[2] values, (address, bool)[] pairs);
}

#[test]
fn calls_are_encoded_by_artifact_or_signature() {
    let calls = r#"
[[calls]]
target = "{{ Vault }}"
function = "start"
args = { token = "{{ Token }}", amount = "1 gwei" }
[[calls]]
target = "{{ Token }}"
function = "mint(address,uint256)"
args = ["{{ Vault }}", 0x10]
value = "1 wei"
[[calls]]
target = "0x0000000000000000000000000000000000000022"
function = "poke(uint8[2] values, (address,bool)[] pairs)"
args = [[1, 2], [["{{ Lens }}", true]]]
"#;
    let project = project(&format!("{CIRCLE}{calls}"));
    let [start, mint, poke] = project.calls.as_slice() else { panic!() };
    let (vault, token) = (find(&project, "Vault").address(), find(&project, "Token").address());
    assert_eq!((start.target, mint.target), (vault, token));
    assert_eq!(start.data, startCall { token, amount: U256::from(1_000_000_000) }.abi_encode());
    assert_eq!(mint.data, mintCall { to: vault, amount: U256::from(16) }.abi_encode());
    assert_eq!(mint.value, U256::ONE);
    let pairs = vec![(find(&project, "Lens").address(), true)];
    assert_eq!(poke.data, pokeCall { values: [1, 2], pairs }.abi_encode());
    assert_eq!(start.name, "Vault.start(address,uint256)");
}
