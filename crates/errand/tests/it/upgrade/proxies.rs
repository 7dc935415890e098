//! Proxies that exist already, under a project and away from it.

use super::place::{CONTRACTS, Place};
use crate::chain::Chain;
use alloy::{
    hex,
    primitives::{Address, B256, Bytes, U256, b256},
    sol,
    sol_types::{SolCall, SolValue},
};
use errand_bundle::plan::Existing;
use errand_testkit::root;
use serde_json::Value;
use std::fs;

const ADMIN_SLOT: B256 = b256!("b53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103");

sol! {
    function initialize(address owner_) external;
    function owner() external view returns (address);
    function transferOwnership(address newOwner) external;
}

/// The creation code of an artifact, with arguments.
fn code(path: &str, arguments: &[u8]) -> Bytes {
    let text = fs::read_to_string(root().unwrap().join(path)).unwrap();
    let artifact: Value = serde_json::from_str(&text).unwrap();
    let mut code = hex::decode(artifact["bytecode"]["object"].as_str().unwrap()).unwrap();
    code.extend(arguments);
    code.into()
}

fn uups_box(place: &Place) -> Address {
    place.create(code("crates/bundle/tests/fixtures/UupsBox.json", &[]))
}

#[test]
fn a_transparent_proxy_is_adopted_and_released() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "transparent");
    let owner = chain.account(place.owner);
    let data: Bytes = initializeCall { owner_: place.actor }.abi_encode().into();
    let arguments = (uups_box(&place), owner, data).abi_encode_params();
    let transparent = "out/TransparentUpgradeableProxy.sol/TransparentUpgradeableProxy.json";
    let proxy = place.create(code(transparent, &arguments));
    let admin = Address::from_word(place.slot(proxy, ADMIN_SLOT).unwrap());
    let (text, actor) = (proxy.to_string(), place.actor.to_string());

    let adopt = ["adopt", &text, "transparent"];
    place.owner(&adopt).failed(1, &["owner of the ProxyAdmin", &actor, "transferOwnership"]);
    place.owner(&["adopt", &text, "uups"]).failed(1, &["has an admin", "adopt it as `transparent`"]);
    chain.transact(place.owner, admin, &transferOwnershipCall { newOwner: place.actor });
    place.run_as(place.stranger, &adopt).failed(1, &["only the owner"]);
    let shown = place.look(&["adopt", &text, "transparent", "--calldata"]).ok().stdout;
    assert!(shown.contains("adopt(") && shown.contains(&text), "{shown}");
    place.owner(&adopt).ok();

    let made = place.approved(CONTRACTS);
    let release = ["release", &text, "--to", &owner.to_string()];
    place.owner(&release).failed(1, &["is active, APPROVED"]);
    place.owner(&adopt).failed(1, &["is active, APPROVED"]);
    place.carry_out(2, &made);
    place.owner(&release).ok();
    assert_eq!(chain.call(admin, &ownerCall {}), owner);
}

#[test]
fn a_uups_proxy_is_adopted_and_released() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "uups");
    let owner = chain.account(place.owner);
    let implementation = uups_box(&place);
    let data: Bytes = initializeCall { owner_: owner }.abi_encode().into();
    let arguments = (implementation, data).abi_encode_params();
    let proxy = place.create(code("out/ERC1967Proxy.sol/ERC1967Proxy.json", &arguments));
    let text = proxy.to_string();

    place.owner(&["adopt", &text, "uups"]).failed(1, &["the owner of the proxy is", "transferOwnership"]);
    place.owner(&["adopt", &text, "transparent"]).failed(1, &["no transparent proxy", "as `uups`"]);
    place.owner(&["adopt", &text, "chugsplash"]).failed(1, &["no ChugSplashProxy", "as `uups`"]);
    let plain = implementation.to_string();
    place.owner(&["adopt", &plain, "uups"]).failed(1, &["is no ERC-1967 proxy"]);
    chain.transact(place.owner, proxy, &transferOwnershipCall { newOwner: place.actor });
    place.owner(&["adopt", &text, "uups"]).ok();
    assert_eq!(place.implementation(proxy), Some(implementation));
    assert_eq!(place.slot(proxy, B256::from(U256::ZERO)), Some(place.actor.into_word()));
    place.owner(&["release", &text, "--to", &owner.to_string()]).ok();
    assert_eq!(chain.call(proxy, &ownerCall {}), owner);
}

#[test]
fn a_chugsplash_proxy_goes_from_project_to_project() {
    let chain = Chain::chugsplash();
    let from = Place::new(&chain, "from");
    let made = from.approved(CONTRACTS);
    from.carry_out(2, &made);
    let proxy = made.actions[0].target.to_string();
    let to = Place::new(&chain, "to");
    to.owner(&["release", &proxy, "--to", &chain.account(to.owner).to_string()])
        .failed(1, &["is no proxy of this project"]);
    to.owner(&["adopt", &proxy, "chugsplash"]).failed(1, &["the admin of the proxy is", "changeAdmin"]);
    from.owner(&["release", &proxy, "--to", &to.actor.to_string()]).ok();
    to.owner(&["adopt", &proxy, "chugsplash"]).ok();
}
