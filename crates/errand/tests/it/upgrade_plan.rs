//! `errand upgrade plan` against a real node, the real contracts and what forge makes of `fixtures/Fleet.sol`; and
//! the bundles that it writes, executed for good.

use crate::{
    chain::run,
    yard::{ADMIN_SLOT, FLEET, IMPLEMENTATION_SLOT, IVault, Yard, built, kinds, named},
};
use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    providers::Provider,
    sol,
    sol_types::{SolCall, SolValue},
};
use errand_bindings::{
    IChugSplashManager::{self, ProxyKind},
    IChugSplashRegistry,
};
use errand_keeper::bundles::judge::{CLAIM_COST, SETTLE_COST};
use errand_testkit::root;
use serde_json::Value;
use std::{fs, path::Path, process::Command};
use tempfile::TempDir;

sol! {
    function transferOwnership(address newOwner) external;
}

#[test]
fn a_plan_is_what_happens_and_the_next_one_does_only_what_is_new() {
    let yard = Yard::new();
    let text = format!("{}{FLEET}", yard.head("fleet"));
    let file = yard.write(&text);
    let first = yard.plan_file(&file, 1, &["--json"]).ok().json();
    let done = kinds(&first);
    assert_eq!(named(&done, "DEPLOY").len(), 5, "{done:?}");
    // In an order that the circle leaves open.
    let mut set = named(&done, "SET_IMPLEMENTATION");
    set.sort();
    assert_eq!(set, ["Controller", "Vault"]);
    assert_eq!(named(&done, "CALL").len(), 1);
    assert_eq!(first["isRegistered"], false);
    let wei = |name: &str| first[name].as_str().unwrap().parse::<u128>().unwrap();
    assert_eq!(wei("depositWei"), wei("userBondWei") + wei("budgetWei") + wei("callValueWei"));
    assert_eq!(wei("budgetWei"), wei("worstCostWei"));
    // 20 % on the basefee, of which the claim, which nobody pays for, takes a part.
    let paid: u128 = first["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["paymentWei"].as_str().unwrap().parse::<u128>().unwrap())
        .sum();
    let spent = u128::from(first["gasUsed"].as_u64().unwrap()) * wei("baseFeeWei");
    assert!((119..=121).contains(&(paid * 100 / spent)), "{paid} of {spent}");
    let lock_gas = (wei("executorSpendsWei") - spent) / wei("baseFeeWei") - u128::from(SETTLE_COST);
    let claim = u128::from(CLAIM_COST);
    assert!(lock_gas.abs_diff(claim) * 10 <= claim, "a claim of {lock_gas} gas");
    let profit: i128 = first["executorProfitWei"].as_str().unwrap().parse().unwrap();
    assert_eq!(profit, paid as i128 - wei("executorSpendsWei") as i128);

    yard.register("fleet");
    // Registered or not, it is the same bundle.
    let again = yard.plan_file(&file, 1, &["--json"]).ok().json();
    assert_eq!((&again["actions"], &again["isRegistered"]), (&first["actions"], &Value::Bool(true)));
    yard.carry_out(&again);
    let address = |json: &Value, kind: &str, name: &str| -> Address {
        let actions = json["actions"].as_array().unwrap();
        let found = actions.iter().find(|action| action["kind"] == kind && action["name"] == name).unwrap();
        found["target"].as_str().unwrap().parse().unwrap()
    };
    let vault = address(&first, "SET_IMPLEMENTATION", "Vault");
    let controller = address(&first, "SET_IMPLEMENTATION", "Controller");
    assert_eq!(yard.ask(vault, &IVault::ownerCall {}), Address::with_last_byte(0xaa));
    assert_eq!(yard.ask(vault, &IVault::modeCall {}), 1);
    assert_eq!(yard.ask(vault, &IVault::capCall {}), U256::from(10).pow(U256::from(21)));
    assert_eq!(yard.ask(vault, &IVault::balancesCall { of: controller }), U256::from(5));
    assert_eq!(yard.ask(vault, &IVault::startedCall {}), U256::from(7));
    assert_eq!(yard.ask(vault, &IVault::controllerCall {}), controller);

    explorers_get_what_compiles_to_the_same(&yard, &file);

    // All is there. The call would be made again: it goes.
    let (without_calls, _) = text.split_once("[[calls]]").unwrap();
    fs::write(&file, without_calls).unwrap();
    yard.plan_file(&file, 1, &[]).failed(1, &["there is nothing to do", "forge build"]);

    // A new version: the old storage stays, the clock stays, the layouts fit.
    fs::write(&file, without_calls.replace("cap = \"1_000 ether\"", "cap = 3")).unwrap();
    let second = yard.plan_file(&file, 2, &["--json"]).ok().json();
    let done = kinds(&second);
    assert_eq!(named(&done, "SET_STORAGE"), ["Vault.cap"]);
    let unchanged = second["unchanged"].as_array().unwrap();
    assert_eq!(unchanged.iter().map(|each| each["name"].as_str().unwrap()).collect::<Vec<_>>(), ["Clock"]);
    let mut compared: Vec<_> = second["layoutsCompared"].as_array().unwrap().iter().collect();
    compared.sort_by_key(|name| name.to_string());
    assert_eq!(compared, ["Controller", "Vault"]);
    yard.carry_out(&second);
    assert_eq!(yard.ask(vault, &IVault::capCall {}), U256::from(3));
    assert_eq!(yard.ask(vault, &IVault::startedCall {}), U256::from(7));

    // A proxy that is not the actor's any more is left alone.
    let admin = U256::from_be_slice(again["actor"].as_str().unwrap().parse::<Address>().unwrap().as_slice());
    yard.set_slot(vault, ADMIN_SLOT.into(), admin + U256::from(1));
    yard.plan_file(&file, 3, &[]).failed(1, &["`Vault`: the proxy", "does not belong", "as chugsplash"]);
    yard.set_slot(vault, ADMIN_SLOT.into(), admin);

    // One that moves variables is stopped, and said which.
    yard.plan_file(&file, 3, &[])
        .failed(1, &["storage layout", "`Vault.paused`", "is inserted before", "hint:"]);
    // Without the record of layouts nothing is guessed.
    fs::remove_file(file.with_extension("layouts.json")).unwrap();
    yard.plan_file(&file, 3, &[]).failed(
        1,
        &["cannot be compared", "copy the .layouts.json", "upgrade.layouts.json, or give", "--previous"],
    );
    let previous = |version: usize| built(version).join("out").display().to_string();
    yard.plan_file(&file, 3, &["--previous", &previous(1)]).failed(1, &["the code at", "is another one"]);
    yard.plan_file(&file, 3, &["--previous", &previous(2)]).failed(1, &["`Vault.paused`"]);
    let unchecked = ["--unchecked-storage", "Vault,Controller"];
    let ran = yard.plan_file(&file, 3, &unchecked).ok();
    assert!(ran.stderr.contains("the storage layout of `Vault` is not compared"), "{}", ran.stderr);
    // Where the library is missing that is said.
    let elsewhere = TempDir::new().unwrap();
    let moved = elsewhere.path().join("upgrade.toml");
    fs::copy(&file, &moved).unwrap();
    fs::copy(file.with_extension("layouts.json"), moved.with_extension("layouts.json")).unwrap();
    yard.plan_file(&moved, 3, &["--previous", &previous(2)])
        .failed(1, &["@openzeppelin/upgrades-core is not installed", "npm install"]);
}

/// What `errand upgrade artifacts` writes gives the artifact again.
fn explorers_get_what_compiles_to_the_same(yard: &Yard, file: &Path) {
    let (out, written) = (built(1).join("out"), file.with_file_name("verification"));
    let artifacts = |root: &Path| {
        let paths = [file, &out, &written, root].map(|path| path.display().to_string());
        let [file, out, written, root] = paths.each_ref().map(String::as_str);
        yard.upgrade(&["artifacts", file, "--artifacts", out, "--output", written, "--root", root]).ok()
    };
    let ran = artifacts(built(1));
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    for name in ["Vault", "Controller", "Clock"] {
        let solc = Command::new(root().unwrap().join("tools/solc"))
            .arg("--standard-json")
            .stdin(fs::File::open(written.join(format!("{name}.input.json"))).unwrap())
            .output()
            .unwrap();
        let compiled: Value = serde_json::from_slice(&solc.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&solc.stderr)));
        let code = &compiled["contracts"]["src/Fleet.sol"][name]["evm"]["bytecode"]["object"];
        let artifact = fs::read_to_string(out.join(format!("Fleet.sol/{name}.json"))).unwrap();
        let artifact: Value = serde_json::from_str(&artifact).unwrap();
        let expected = artifact["bytecode"]["object"].as_str().unwrap().trim_start_matches("0x");
        assert_eq!(code.as_str(), Some(expected), "{name}: {}", compiled["errors"]);
    }
    // Another source than it was compiled from is no source of it.
    fs::remove_dir_all(&written).unwrap();
    let ran = artifacts(built(2));
    assert!(ran.stderr.contains("no Vault.input.json: src/Fleet.sol was changed"), "{}", ran.stderr);
    assert!(!written.join("Vault.input.json").exists() && written.join("addresses.json").exists());
}

#[test]
fn a_plan_for_people_tells_all() {
    let yard = Yard::shared();
    let file = yard.write(&format!("{}{FLEET}", yard.head("people")));
    let ran = yard.plan_file(&file, 1, &[]).ok();
    for text in [
        "not registered yet",
        "Vault (implementation)",
        "Controller (proxy)",
        "Vault.owner, mode",
        "SET_IMPLEMENTATION",
        "may have 16777216",
        "expected cost",
        "worst cost",
        "to deposit",
        "upgrade.bundle.json",
        "upgrade.layouts.json",
        "Publish it at https://example.org/b.json before it is approved",
    ] {
        assert!(ran.stdout.contains(text), "`{text}` is not in\n{}", ran.stdout);
    }
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
    let json = yard.plan_file(&file, 1, &["--json"]).ok().json();
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    assert!(ran.stdout.contains(&text("bundleId")), "{}", ran.stdout);
    assert!(ran.stdout.contains("claim included, and earn "), "{}", ran.stdout);
    // What no executor earns by is told, too.
    let small = yard.write(&format!("{}[contracts.Clock]\nkind = \"plain\"\n", yard.head("people")));
    let lost = yard.plan_file(&small, 1, &[]).ok().stdout;
    assert!(lost.contains("and LOSE ") && lost.contains("nobody takes so small a bundle"), "{lost}");
    // One wei less than the worst is enough for now, and may not be later.
    let worst = text("worstCostWei");
    let less = worst.parse::<u128>().unwrap() - 1;
    let poorer = yard.write(&format!("{}budget = \"{less} wei\"\n{FLEET}", yard.head("people")));
    let ran = yard.plan_file(&poorer, 1, &[]).ok();
    let amounts = [less.to_string(), worst].map(|wei| wei.trim_end_matches('0').to_owned());
    for text in ["the worst cost at the basefee cap", "ends as underfunded", &amounts[0], &amounts[1]] {
        assert!(ran.stderr.contains(text), "`{text}` is not in\n{}", ran.stderr);
    }
    let help = run(Command::new(env!("CARGO_BIN_EXE_errand")).args(["upgrade", "plan", "--help"])).ok();
    for text in ["Examples:", "--previous", "--unchecked-storage", "Nothing is sent", "docs/upgrade-toml.md"]
    {
        assert!(help.stdout.contains(text), "`{text}` is not in\n{}", help.stdout);
    }
}

#[test]
fn adopted_proxies_are_upgraded_and_stay_upgradeable() {
    let yard = Yard::new();
    let (manager, actor) = yard.register("adopted");
    let out = built(1).join("out");
    let implementation = yard.deploy(&out.join("Fleet.sol/Feed.json"), &actor.abi_encode());
    // OpenZeppelin refuses proxies that nothing initializes.
    let initializing = Bytes::from(IVault::ownerCall {}.abi_encode());
    let oz = root().unwrap().join("out/ERC1967Proxy.sol/ERC1967Proxy.json");
    let proxy = yard.deploy(&oz, &(implementation, initializing).abi_encode_params());
    let contracts = format!(
        "[contracts.Feed]\nkind = \"uups\"\nproxy = \"{proxy}\"\nargs = [\"{actor}\"]\n[contracts.Feed.storage]\nprice = 12\n"
    );
    let file = yard.write(&format!("{}{contracts}", yard.head("adopted")));
    let previous = out.display().to_string();
    let previous = ["--previous", previous.as_str(), "--json"];
    yard.plan_file(&file, 2, &previous).failed(
        1,
        &[
            "`Feed`: the proxy",
            "does not belong to the project",
            &actor.to_string(),
            "errand upgrade adopt",
            "uups",
        ],
    );

    let adopt =
        IChugSplashManager::adoptCall { proxy, kind: ProxyKind::UUPS, admin: Address::ZERO, implementation };
    yard.by(yard.owner(), manager, &adopt, U256::ZERO);
    // An implementation after which nothing could be upgraded.
    yard.plan_file(&file, 3, &previous)
        .failed(1, &["`Feed`: after this upgrade the actor could not upgrade the proxy", "no more upgrades"]);
    let json = yard.plan_file(&file, 2, &previous).ok().json();
    assert_eq!(json["layoutsCompared"][0], "Feed");
    yard.carry_out(&json);
    let price =
        yard.runtime.block_on(async { yard.anvil.provider().get_storage_at(proxy, U256::ZERO).await });
    assert_eq!(price.unwrap(), U256::from(12));

    // Somebody upgrades it past the actor.
    yard.set_slot(proxy, IMPLEMENTATION_SLOT.into(), U256::from_be_slice(implementation.as_slice()));
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("price = 12", "price = 13")).unwrap();
    yard.plan_file(&file, 2, &previous)
        .failed(1, &["`Feed`: the proxy", "was upgraded past the project", &implementation.to_string()]);
}

#[test]
fn a_transparent_proxy_is_upgraded_once_it_is_the_projects() {
    let yard = Yard::new();
    let (manager, actor) = yard.register("transparent");
    let out = built(1).join("out");
    let vault = out.join("Fleet.sol/Vault.json");
    let implementation = yard.deploy(&vault, &Address::with_last_byte(0xbb).abi_encode());
    // OpenZeppelin refuses proxies that nothing initializes.
    let initializing = Bytes::from(IVault::ownerCall {}.abi_encode());
    let oz = "out/TransparentUpgradeableProxy.sol/TransparentUpgradeableProxy.json";
    let arguments = (implementation, yard.owner(), initializing).abi_encode_params();
    let proxy = yard.deploy(&root().unwrap().join(oz), &arguments);
    let contracts = format!(
        "[contracts.Vault]\nkind = \"transparent\"\nproxy = \"{proxy}\"\n\
         args = [\"0x00000000000000000000000000000000000000bb\"]\n[contracts.Vault.storage]\ncap = 12\n"
    );
    let file = yard.write(&format!("{}{contracts}", yard.head("transparent")));
    let previous = out.display().to_string();
    let previous = ["--previous", previous.as_str(), "--json"];
    yard.plan_file(&file, 2, &previous).failed(
        1,
        &["`Vault`: the proxy", "does not belong to the project", "as transparent", "errand upgrade adopt"],
    );

    let admin = yard.address_in(proxy, ADMIN_SLOT);
    yard.by(yard.owner(), admin, &transferOwnershipCall { newOwner: actor }, U256::ZERO);
    let adopt = IChugSplashManager::adoptCall { proxy, kind: ProxyKind::TRANSPARENT, admin, implementation };
    yard.by(yard.owner(), manager, &adopt, U256::ZERO);
    let json = yard.plan_file(&file, 2, &previous).ok().json();
    assert_eq!(named(&kinds(&json), "SET_IMPLEMENTATION"), ["Vault"]);
    assert_eq!(json["layoutsCompared"][0], "Vault");
    yard.carry_out(&json);
    assert_ne!(yard.implementation(proxy), implementation);
    assert_eq!(yard.ask(proxy, &IVault::capCall {}), U256::from(12));
    assert_eq!(yard.ask(proxy, &IVault::controllerCall {}), Address::with_last_byte(0xbb));
    let artifacts = built(2).join("out").display().to_string();
    let (id, file) = (json["bundleId"].as_str().unwrap(), file.display().to_string());
    let bundle = json["bundleFile"].as_str().unwrap();
    let verify = ["verify", id, &file, "--artifacts", &artifacts, "--bundle", bundle, "--json"];
    assert_eq!(yard.upgrade(&verify).ok().json()["isSame"], true);
}

#[test]
fn what_is_wrong_with_the_file_is_told_with_its_place() {
    let yard = Yard::shared();
    let place = |line: usize| format!("upgrade.toml, line {line}, column ");
    yard.refused("[contracts.Vault\n", &["malformed TOML", &place(11)]);
    yard.refused(
        "[contracts.Clock]\nkind = \"plain\"\nkindd = \"plain\"\n",
        &["unknown key `kindd`", &place(13)],
    );
    yard.refused("[contracts.Nowhere]\nkind = \"plain\"\n", &["no artifact `Nowhere`", &place(11), "hint:"]);
    yard.refused(
        "[contracts.Quiet]\nkind = \"plain\"\nargs = [\"{{ Nobody }}\"]\n",
        &["unknown reference {{ Nobody }}", "contracts are Quiet", &place(13)],
    );
    yard.refused(
        "[contracts.Clock]\nkind = \"plain\"\n[contracts.clock]\nkind = \"plain\"\nartifact = \"Clock\"\n",
        &["`clock` clashes with `Clock`", "upgrade.toml, line "],
    );
    yard.refused(
        "[contracts.Vault]\nkind = \"chugsplash\"\nargs = [\"0x00000000000000000000000000000000000000aa\"]\n\
         [contracts.Vault.storage]\nmode = 300\n",
        &["it does not fit into that", &place(15)],
    );
    let strategy = yard.head("x").replace("SimpleLockESS", "LockESS");
    let file = yard.write(&format!("{strategy}{FLEET}"));
    yard.plan_file(&file, 1, &[])
        .failed(1, &["upgrade.toml, line ", "has no strategy `LockESS`", "SimpleLockESS"]);
    let file = yard.write(&format!("{}{FLEET}", yard.head("x").replace("31337", "1")));
    yard.plan_file(&file, 1, &[])
        .failed(1, &["the file is for chain 1, the node is on chain 31337", &place(2), "point --rpc"]);
    let missing = file.with_file_name("missing.toml");
    yard.plan_file(&missing, 1, &[]).failed(1, &["missing.toml cannot be read", "hint:"]);
    let manager = format!("manager = \"{}\"\n", Address::repeat_byte(9));
    let head = yard.head("x").replace(&format!("owner = \"{}\"\nsalt = \"x\"\n", yard.owner()), &manager);
    let file = yard.write(&format!("{head}{FLEET}"));
    yard.plan_file(&file, 1, &[]).failed(1, &["is no manager", "errand upgrade register"]);
}

#[test]
fn what_would_fail_is_refused_with_the_reason() {
    let yard = Yard::shared();
    // Each names the other, so the one that uses the other may come first.
    let pair = |quiet: &str| {
        format!(
            "[contracts.A]\nartifact = \"Quiet\"\nkind = \"{quiet}\"\nargs = [\"{{{{ B }}}}\"]\n\
             [contracts.B]\nartifact = \"Eager\"\nkind = \"plain\"\nargs = [\"{{{{ A }}}}\"]\n"
        )
    };
    yard.refused(&pair("plain"), &["the constructor of `B` uses `A`, which is not deployed before action 1"]);
    yard.refused(
        &pair("chugsplash"),
        &["the constructor of `B` uses `A`, whose proxy has no implementation before", "NoImplementation"],
    );
    yard.refused("[contracts.Refusing]\nkind = \"plain\"\n", &["action 0, `Refusing`, fails: TooSoon(7)"]);
    // A proxy that is deployed before, and that the constructor leaves alone, is not to blame.
    yard.refused(
        "[contracts.A]\nartifact = \"Quiet\"\nkind = \"chugsplash\"\nargs = [\"{{ B }}\"]\n\
         [contracts.B]\nartifact = \"Stubborn\"\nkind = \"plain\"\nargs = [\"{{ A }}\"]\n",
        &["error: action ", "`B`, fails: Never(3)"],
    );
    let burner = "[contracts.Burner]\nkind = \"plain\"\n";
    let burn = "[[calls]]\ntarget = \"{{ Burner }}\"\nfunction = \"burn\"\nargs = [9_000_000]\n";
    let file = yard.write(&format!("{}{burner}{burn}{burn}", yard.head("refused")));
    let ran = yard.plan_file(&file, 1, &[]);
    let needed = ran.stderr.split_once("the switch needs ").and_then(|(_, rest)| rest.split_once(' '));
    let needed: u64 = needed.unwrap_or_else(|| panic!("{}", ran.stderr)).0.parse().unwrap();
    // Twice what is burnt, with a margin of 15 %.
    assert!((20_700_000..23_000_000).contains(&needed), "{needed}");
    ran.failed(1, &[" gas in one transaction, which may have 16777216", "hint:"]);
    // Code that is no proxy of the project's.
    let foreign = yard.at("Registry");
    yard.refused(
        &format!("[contracts.Clock]\nkind = \"transparent\"\nproxy = \"{foreign}\"\n"),
        &[
            "`Clock`: no project of this owner and salt is registered",
            "mend owner or salt",
            "errand upgrade register",
        ],
    );
    yard.refused(
        &format!("[contracts.Clock]\nkind = \"uups\"\nproxy = \"{}\"\n", Address::repeat_byte(0x44)),
        &["`Clock`: there is no proxy at"],
    );
    let file = yard.write(&format!("{}budget = \"5 wei\"\n{FLEET}", yard.head("poor")));
    yard.plan_file(&file, 1, &[]).failed(1, &["a budget of 5 wei is too low: the manager wants"]);
    assert_eq!(
        B256::ZERO,
        yard.runtime.block_on(async {
            // Planning sends nothing: nobody's manager came into being.
            let registry = yard.at("ChugSplashRegistry");
            let (owner, salt) = (yard.owner(), keccak256("refused"));
            let places = IChugSplashRegistry::new(registry, yard.anvil.provider())
                .addressesOf(owner, salt)
                .call()
                .await;
            let code = yard.anvil.provider().get_code_at(places.unwrap().manager).await.unwrap();
            B256::left_padding_from(&code)
        })
    );
}

#[test]
fn constructors_that_would_give_a_contract_to_a_stranger_are_warned_of() {
    let yard = Yard::shared();
    let contracts = ["Owned", "Taken", "Clock"].map(|name| format!("[contracts.{name}]\nkind = \"plain\"\n"));
    let file = yard.write(&format!("{}{}", yard.head("owners"), contracts.concat()));
    let said = yard.plan_file(&file, 1, &[]).ok().stderr;
    assert!(said.contains("the constructor of `Owned` asks for msg.sender"), "{said}");
    assert!(said.contains("the constructor of `Taken` asks for tx.origin"), "{said}");
    assert_eq!(said.matches("the constructor of").count(), 2, "{said}");
}

#[test]
fn on_a_chain_that_takes_a_fee_for_data_a_strategy_has_to_cover_it() {
    let yard = Yard::new();
    let file = yard.write(&format!("{}{FLEET}", yard.head("data")));
    // The gas oracle of OP Stack chains, and Arbitrum's ArbSys.
    for sign in ["0x420000000000000000000000000000000000000F", "0x0000000000000000000000000000000000000064"] {
        yard.plan_file(&file, 1, &[]).ok();
        let sign: Address = sign.parse().unwrap();
        yard.runtime.block_on(yard.anvil.set_code(sign, Bytes::from_static(&[0]))).unwrap();
        yard.plan_file(&file, 1, &[]).failed(1, &["takes a fee for data outside the gas price", "hint:"]);
        yard.runtime.block_on(yard.anvil.set_code(sign, Bytes::new())).unwrap();
    }
}

#[test]
fn a_plan_goes_by_the_rules_that_it_is_told() {
    let yard = Yard::shared();
    let counting = Address::repeat_byte(0x1e);
    // PUSH0 CLZ STOP: Osaka has counting of leading zeros, Prague has not.
    let code = Bytes::from_static(&[0x5f, 0x1e, 0x00]);
    yard.runtime.block_on(yard.anvil.set_code(counting, code)).unwrap();
    let call = format!("[[calls]]\ntarget = \"{counting}\"\ndata = \"0x\"\n");
    let file = yard.write(&format!("{}{call}", yard.head("rules")));
    for default in [&["--json"][..], &["--json", "--fork", "osaka"]] {
        assert_eq!(kinds(&yard.plan_file(&file, 1, default).ok().json()).len(), 1);
    }
    for older in ["prague", "cancun"] {
        yard.plan_file(&file, 1, &["--fork", older]).failed(
            1,
            &[
                "the bundle cannot be simulated: an opcode that the configured fork does not have",
                "check --fork",
            ],
        );
    }
    yard.plan_file(&file, 1, &["--fork", "shanghai"]).failed(2, &["shanghai", "cancun, prague or osaka"]);
}
