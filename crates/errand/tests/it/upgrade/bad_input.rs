//! What goes wrong with bundles: exit code and words.

use super::place::{CONTRACTS, Place};
use crate::chain::{Chain, run};
use alloy::primitives::{Address, B256, Bytes, U256};
use errand_bindings::IChugSplashManager::Status;
use errand_bundle::Step;
use serde_json::Value;
use std::fs;

#[test]
fn a_chain_without_chugsplash_is_told() {
    let chain = Chain::shared();
    let nobody = Address::repeat_byte(1).to_string();
    chain
        .run(&["upgrade", "status", "--manager", &nobody])
        .failed(1, &["has no deployment of ChugSplash", "DeployChugSplash"]);
}

#[test]
fn unknown_projects_and_bundles_are_told() {
    let chain = Chain::chugsplash();
    let nobody = Address::repeat_byte(1).to_string();
    chain
        .run(&["upgrade", "list", "--manager", &nobody])
        .failed(1, &["is no manager of the ChugSplashRegistry", "errand upgrade register"]);
    let place = Place::new(&chain, "unknown");
    let id = B256::repeat_byte(9).to_string();
    for command in ["status", "quote", "watch"] {
        place.look(&[command, &id]).failed(1, &["has no bundle 0x0909", "errand upgrade list"]);
    }
    place.owner(&["approve", &id]).failed(1, &["has no bundle 0x0909"]);
    place.owner(&["pause"]).failed(1, &["no bundle of", "is active"]);
    for command in ["quote", "status", "watch"] {
        place.look(&[command, "upgrade.bundle.json"]).failed(2, &["64 hexadecimal digits", "upgrade list"]);
    }
    chain.run(&["upgrade", "verify", "0x12"]).failed(2, &["64 hexadecimal digits"]);
    place.owner(&["approve", "0x12"]).failed(2, &["0x12", "64 hexadecimal digits"]);
    place.owner(&["fund", "--for-bundle", "0x12"]).failed(2, &["64 hexadecimal digits"]);
    assert_eq!(place.look(&["status"]).ok().stdout.lines().last().unwrap(), "no bundle was proposed");
}

#[test]
fn who_is_not_the_owner_is_refused() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "others");
    let made = place.bundle(CONTRACTS);
    let (id, file) = (made.id.to_string(), place.file());
    let propose = ["upgrade", "propose", &file, "--yes"];
    chain.run_as(place.stranger, &propose).failed(1, &["may not propose for", "proposer add"]);
    place
        .run_as(place.stranger, &["proposer", "add", &chain.account(place.stranger).to_string()])
        .failed(1, &["only the owner"]);
    place.owner(&["proposer", "add", &chain.account(place.stranger).to_string()]).ok();
    chain.run_as(place.stranger, &propose).ok();
    place.owner(&["proposer", "remove", &chain.account(place.stranger).to_string()]).ok();
    chain.run_as(place.stranger, &propose).failed(1, &["may not propose for"]);
    // anybody funds
    place.run_as(place.stranger, &["fund", "--for-bundle", &id]).ok();
    let owner = chain.account(place.owner).to_string();
    place.run_as(place.stranger, &["approve", &id]).failed(1, &["only the owner", &owner, "--calldata"]);
    place.run_as(place.stranger, &["withdraw", "--all"]).failed(1, &["only the owner"]);
    for command in ["pause", "resume", "retry", "close", "cancel", "rollback"] {
        place.run_as(place.stranger, &[command]).failed(1, &["only the owner"]);
    }
    // without a terminal and without --yes nothing is signed, and what would be is shown
    let manager = place.manager.to_string();
    chain
        .run_as(place.owner, &["upgrade", "approve", &id, "--manager", &manager])
        .failed(2, &["nothing was signed", "Vault.start(address,uint256)", "To sign: approve the bundle"]);
    assert!(place.status(made.id) == Status::PROPOSED);
}

#[test]
fn a_safe_gets_its_transactions_without_a_key() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "safe");
    let made = place.bundle(CONTRACTS);
    let (id, file) = (made.id.to_string(), place.file());
    let proposal = chain.run(&["upgrade", "propose", &file, "--calldata", "--json"]).ok().json();
    place.transact_json(place.owner, &proposal);
    assert!(place.status(made.id) == Status::PROPOSED);
    place.look(&["approve", &id, "--calldata"]).failed(1, &["not funded"]);
    let deposit = place.json(&["fund", "--for-bundle", &id, "--calldata"]);
    assert_eq!(deposit["valueWei"].as_str().unwrap(), made.costs.deposit.to_string());
    place.transact_json(place.stranger, &deposit);
    place.transact_json(place.owner, &place.json(&["approve", &id, "--calldata"]));
    assert!(place.status(made.id) == Status::APPROVED);
    let text = place.look(&["cancel", "--calldata"]).ok().stdout;
    assert!(text.contains("0xea8a1af0") && text.contains("cancel()"), "{text}");
    assert!(place.status(made.id) == Status::APPROVED);
}

#[test]
fn what_is_approved_is_what_was_shown() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "shown");
    let first = place.bundle(CONTRACTS);
    let id = place.propose();
    place.owner(&["fund", "--for-bundle", &id]).ok();
    // another bundle lies where the first one was published
    let second = place.bundle(&CONTRACTS.replace("the vault", "my vault"));
    place.owner(&["approve", &id]).failed(1, &["not the one shown", &first.id.to_string()]);
    let later = place.propose();
    assert_eq!(later, second.id.to_string());
    let file = place.file();
    place.owner(&["approve", &id, "--bundle", &file]).failed(1, &["not the one shown", &later]);

    // one byte of one action
    let text = fs::read_to_string(&file).unwrap();
    let mut json: Value = serde_json::from_str(&text).unwrap();
    let data = json["actions"][2]["data"].as_str().unwrap().to_owned();
    let last = if data.ends_with('0') { "1" } else { "0" };
    json["actions"][2]["data"] = format!("{}{last}", &data[..data.len() - 1]).into();
    fs::write(&file, json.to_string()).unwrap();
    place.owner(&["approve", &later]).failed(1, &["bundle.json", "do not trust that file", "--bundle FILE"]);
    place.owner(&["approve", &later, "--bundle", &file]).failed(1, &["do not trust that file: give the one"]);
    fs::remove_file(&file).unwrap();
    place
        .owner(&["approve", &later])
        .failed(1, &["bundle.json", "No such file", "wrote there, or give it with --bundle FILE"]);
    assert!(place.status(second.id) == Status::PROPOSED);
}

#[test]
fn verify_finds_one_changed_byte() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "byte");
    let made = place.bundle_with(CONTRACTS, |plan| {
        let Step::Deploy { init_code, .. } = &mut plan.actions[3].step else { panic!() };
        let mut code = init_code.to_vec();
        code[100] ^= 1;
        *init_code = code.into();
    });
    let id = place.propose();
    let toml = place.path("upgrade.toml").display().to_string();
    let verify = ["upgrade", "verify", &id, &toml];
    let name = &made.names[3];
    // the creation code stands behind salt, offset and length
    let said = format!("action 3 ({name}) differs in data at byte {}", 96 + 100);
    let found = chain.run(&verify).failed(1, &["is NOT what the source says", &said, "do not approve"]);
    assert_eq!(found.stdout.matches("differs").count(), 1, "{}", found.stdout);
    let json = chain.run(&[&verify[..], &["--json"]].concat()).failed(1, &[&said]).json();
    let same: Vec<_> = json["leaves"].as_array().unwrap().iter().map(|leaf| leaf["isSame"] == true).collect();
    assert_eq!(same.iter().filter(|same| !**same).count(), 1);
    assert!(!same[3]);

    // Gas is measured by who plans: it is taken as published, and has to be what was proposed.
    let file = place.file();
    let mut json: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    json["actions"][0]["gas"] = (json["actions"][0]["gas"].as_u64().unwrap() + 1).into();
    fs::write(&file, json.to_string()).unwrap();
    chain.run(&verify).failed(1, &["bundle.json", "do not trust that file"]);
    fs::remove_file(&file).unwrap();
    chain.run(&verify).failed(1, &["No such file", "wrote there, or give it with --bundle FILE"]);
}

#[test]
fn verify_finds_what_the_chain_has_otherwise() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "chain");
    let made = place.approved(CONTRACTS);
    place.carry_out(2, &made);
    let toml = place.path("upgrade.toml").display().to_string();
    let (id, lens) = (made.id.to_string(), made.names.iter().position(|name| name == "Lens").unwrap());
    let verify = ["upgrade", "verify", &id, &toml];
    chain.run(&verify).ok();
    let write =
        made.actions.iter().position(|a| matches!(a.step().unwrap(), Step::SetStorage { .. })).unwrap();
    let Step::SetStorage { slot, .. } = made.actions[write].step().unwrap() else { panic!() };
    let address = made.actions[lens].target;
    chain.block_on(async {
        chain.anvil.set_code(address, Bytes::from_static(&[0x5f])).await.unwrap();
        let key = U256::from_be_bytes(slot.0);
        let arguments = (made.actions[write].target, key, B256::repeat_byte(0xee));
        let _: bool = chain.anvil.call("anvil_setStorageAt", arguments).await.unwrap();
    });
    chain.run(&verify).failed(
        1,
        &[
            "the chain is NOT as the bundle left it",
            &format!("action {lens} (Lens): OTHER CODE"),
            "DIFFERS: 0xee",
        ],
    );
}

#[test]
fn a_bundle_for_another_chain_or_turn_is_refused() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "turn");
    let made = place.bundle(CONTRACTS);
    let file = place.file();
    let propose = ["upgrade", "propose", &file, "--yes"];
    chain.run_as(place.owner, &propose).ok();
    let id = made.id.to_string();
    chain.run_as(place.owner, &propose).failed(1, &[&id, "was proposed already", "plan again"]);
    // another one with the nonce that is used up
    let text = fs::read_to_string(&file).unwrap();
    let other = place.bundle_at(&CONTRACTS.replace("the vault", "its vault"), 0);
    assert_ne!(other.id, made.id);
    chain.run_as(place.owner, &propose).failed(1, &["as number 0 of the manager", "1 is next", "plan again"]);

    fs::write(&file, text.replace("\"chainId\": 31337", "\"chainId\": 1")).unwrap();
    chain.run_as(place.owner, &propose).failed(1, &["the file is of bundle", "plan again"]);
    fs::write(&file, "{").unwrap();
    chain.run_as(place.owner, &propose).failed(1, &["bundle.json", "malformed"]);
    let missing = place.path("missing.json").display().to_string();
    chain
        .run_as(place.owner, &["upgrade", "propose", &missing, "--yes"])
        .failed(1, &["missing.json", "No such file", "`errand upgrade plan` writes it"]);
}

#[test]
fn what_is_wrong_with_the_toml_has_line_and_column() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "toml");
    let id = B256::repeat_byte(9).to_string();
    let verify = |contracts: &str| chain.run(&["upgrade", "verify", &id, &place.toml(contracts)]);
    verify("[contracts.Vault\n").failed(1, &["upgrade.toml, line 11, column", "malformed TOML"]);
    verify("[contracts.Lens]\nkind = \"odd\"\n").failed(1, &["upgrade.toml, line 12, column 8", "odd"]);
    let clash = "[contracts.Lens]\nkind = \"plain\"\n[contracts.Lens]\nkind = \"plain\"\n";
    verify(clash).failed(1, &["upgrade.toml, line 13", "duplicate key"]);
    let clash = "[contracts.Lens]\nkind = \"plain\"\n[contracts.lens]\nkind = \"plain\"\n";
    verify(clash).failed(1, &["upgrade.toml, line 13", "`lens` clashes with `Lens`", "nothing but case"]);
    verify("[contracts.Nowhere]\nkind = \"plain\"\n").failed(1, &["Nowhere", "forge build"]);
    verify(CONTRACTS).failed(1, &["has no bundle 0x0909"]);
    let path = place.toml(CONTRACTS);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("31337", "1")).unwrap();
    chain
        .run(&["upgrade", "verify", &id, &path])
        .failed(1, &["line 2, column", "the file is for chain 1, the node is on chain 31337"]);
    fs::write(&path, text.replace("FlatFeeEPS", "NoEPS")).unwrap();
    chain.run(&["upgrade", "verify", &id, &path]).failed(1, &["upgrade.toml, line 8, column", "`NoEPS`"]);
    fs::write(&path, text.replace("\"toml\"", "\"unregistered\"")).unwrap();
    chain.run(&["upgrade", "verify", &id, &path]).failed(1, &["is no manager", "register"]);
    chain.run(&["upgrade", "verify", &id, "nowhere.toml"]).failed(1, &["nowhere.toml", "No such file"]);
}

#[test]
fn amounts_and_salts_are_checked() {
    let chain = Chain::chugsplash();
    let place = Place::new(&chain, "amounts");
    place.owner(&["fund", "0.5"]).failed(2, &["0.5"]);
    place.owner(&["fund", "0"]).failed(2, &["an amount of 0 funds nothing"]);
    place.owner(&["fund"]).failed(2, &["required"]);
    place.owner(&["withdraw", "1ether"]).failed(1, &["has 0 ether free, and 1 ether"]);
    place.owner(&["withdraw", "--all"]).failed(1, &["has 0 ether free"]);
    let zero = Address::ZERO.to_string();
    place.owner(&["fund", "1ether"]).ok();
    place.owner(&["withdraw", "--all", "--to", &zero]).failed(2, &["zero address"]);
    chain.run(&["upgrade", "register", "--salt", "0x12", "--owner", &zero]).failed(2, &["32 bytes"]);
    chain.run(&["upgrade", "register", "--salt", "a", "--owner", &zero]).failed(2, &["zero address"]);
    // registered twice: told, and nothing is sent
    let again =
        chain.run_as(place.owner, &["upgrade", "register", "--salt", "amounts", "--json"]).ok().json();
    assert_eq!(again["isRegistered"], true);
    assert_eq!(again["transactions"].as_array().unwrap().len(), 0);
    let mut wrong = chain.signing(place.owner);
    wrong.args(["upgrade", "fund", "1ether", "--chain-id", "1", "--manager", &place.manager.to_string()]);
    run(&mut wrong).failed(1, &["is on chain 31337, expected is chain 1"]);
}
