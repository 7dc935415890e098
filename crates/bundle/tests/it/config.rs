//! What is wrong with an `upgrade.toml` is said by name, with line and column.

use crate::fixtures::{HEAD, artifact, config, site};
use alloy::primitives::{Address, U256, keccak256, uint};
use errand_bundle::{
    config::{Config, ConfigError, Kind, ManagerOf, Named, Place, Problem},
    layout::LayoutError,
    project::Project,
};
use proptest::prelude::*;

/// The problem of the file with these contracts, and the text of the place it is said to be at.
fn problem(contracts: &str) -> (Problem, String) {
    let text = format!("{HEAD}{contracts}");
    let result = Config::parse(&text).and_then(|config| Project::new(&config, site(), &artifact));
    located(&text, result.map(|_| ()).unwrap_err())
}

fn located(text: &str, error: ConfigError) -> (Problem, String) {
    let Place { line, column } = error.at;
    let rest = text.lines().nth(line - 1).unwrap().chars().skip(column - 1).collect();
    (error.problem, rest)
}

fn parse_problem(text: &str) -> (Problem, String) {
    located(text, Config::parse(text).unwrap_err())
}

#[test]
fn a_whole_file_is_read() {
    let config = config(
        r#"
        [contracts.Token]
        kind = "transparent"
        proxy = "0x0000000000000000000000000000000000000011"
        [contracts.Lens]
        artifact = "src/Lens.sol:Lens"
        kind = "plain"
        args = ["{{ Token }}", "{{ Token }}"]
        [[calls]]
        target = "{{ Token }}"
        value = "1_000 wei"
        "#,
    );
    assert_eq!(config.project.chain_id, 31337);
    let owner = Address::with_last_byte(0xaa);
    assert_eq!(config.project.manager, ManagerOf::Registered { owner, salt: keccak256("vault") });
    assert!(matches!(&config.strategies.ess, Named::Name(name, _) if name == "SimpleLockESS"));
    assert_eq!(config.caps.max_base_fee, uint!(30_000_000_000_U256));
    assert_eq!((config.caps.budget, config.caps.max_txs), (None, None));
    let names: Vec<&str> = config.contracts.iter().map(|contract| contract.name.as_str()).collect();
    assert_eq!(names, ["Lens", "Token"]);
    assert_eq!(config.contracts[1].kind, Kind::Transparent { proxy: Address::with_last_byte(0x11) });
    assert_eq!(config.calls[0].value, U256::from(1000));
}

#[test]
fn malformed_toml_says_where() {
    let (problem, at) = parse_problem("[project]\nchainId = 1\nuri = ]\n");
    assert!(matches!(problem, Problem::MalformedToml(_)), "{problem:?}");
    assert!(at.starts_with(']'), "{at}");
    // a name that is there twice is a clash, and malformed TOML already
    let (problem, at) = problem_of_duplicate();
    assert!(matches!(problem, Problem::MalformedToml(ref why) if why.contains("duplicate")), "{problem:?}");
    assert!(at.starts_with("Token"), "{at}");
}

fn problem_of_duplicate() -> (Problem, String) {
    problem("[contracts.Token]\nkind = \"plain\"\n[contracts.Token]\nkind = \"plain\"\n")
}

#[test]
fn keys_that_nobody_knows_or_that_are_missing() {
    let (problem_, at) = problem("[contracts.Token]\nkind = \"plain\"\nargz = []\n");
    let Problem::UnknownKey { key, table, known } = problem_ else { panic!("{problem_:?}") };
    assert_eq!((key.as_str(), table.as_str()), ("argz", "[contracts.Token]"));
    assert!(known.contains("args") && at.starts_with("argz"), "{known} {at}");

    let (problem_, _) = problem("[contract.Token]\nkind = \"plain\"\n");
    assert!(matches!(problem_, Problem::UnknownKey { key, .. } if key == "contract"));

    let (problem_, at) = problem("[contracts.Token]\nartifact = \"Token\"\n");
    assert!(matches!(problem_, Problem::MissingKey { key: "kind", .. }), "{problem_:?}");
    assert!(at.starts_with("Token"), "{at}");

    let (problem_, _) = problem("[contracts.Token]\nkind = \"uups\"\n");
    assert!(matches!(problem_, Problem::MissingKey { key: "proxy", .. }), "{problem_:?}");

    let (problem_, at) = problem("[contracts.Token]\nkind = \"diamond\"\n");
    assert!(matches!(problem_, Problem::BadValue { .. }) && at.starts_with("\"diamond"), "{problem_:?} {at}");
}

#[test]
fn either_manager_or_owner_and_salt() {
    let both = HEAD.replace("salt =", "manager = \"0x00000000000000000000000000000000000000bb\"\nsalt =");
    assert!(matches!(parse_problem(&both).0, Problem::Conflict(_)));
    let neither = HEAD.replace("salt = \"vault\"", "");
    assert!(matches!(parse_problem(&neither).0, Problem::Conflict(_)));
}

#[test]
fn another_network_is_refused() {
    let mut elsewhere = site();
    elsewhere.chain_id = 1;
    let error = Project::new(&config(""), elsewhere, &artifact).unwrap_err();
    let (problem, at) = located(HEAD, error);
    assert_eq!(problem, Problem::WrongNetwork { stated: 31337, connected: 1 });
    assert_eq!(at, "31337");
}

#[test]
fn amounts_need_a_unit() {
    for amount in ["\"30\"", "30", "\" 0.5 \""] {
        let (problem, at) = parse_problem(&HEAD.replace("\"30gwei\"", amount));
        assert!(matches!(problem, Problem::AmountWithoutUnit { .. }), "{amount}: {problem:?}");
        assert!(at.starts_with(amount), "{at}");
    }
    for amount in [
        "\"3 eth\"",
        "\"0.1wei\"",
        "\"gwei\"",
        "\". ether\"",
        "\"_ gwei\"",
        "\"1.2.3 gwei\"",
        "\"-1 gwei\"",
        &format!("\"{}ether\"", "9".repeat(70)),
    ] {
        let (problem, _) = parse_problem(&HEAD.replace("\"30gwei\"", amount));
        assert!(matches!(problem, Problem::BadValue { .. }), "{amount}: {problem:?}");
    }
}

#[test]
fn without_a_cap_a_budget_is_needed() {
    let uncapped = HEAD.replace("\"30gwei\"", "\"none\"");
    assert!(matches!(parse_problem(&uncapped).0, Problem::Conflict(_)));
    let config = Config::parse(&format!("{uncapped}budget = \"1.5 ether\"")).unwrap();
    assert_eq!(config.caps.max_base_fee, U256::MAX);
    assert_eq!(config.caps.budget, Some(uint!(1_500_000_000_000_000_000_U256)));
}

#[test]
fn names_that_clash() {
    let (problem_, at) =
        problem("[contracts.Token]\nkind = \"plain\"\n[contracts.token]\nkind = \"plain\"\n");
    assert!(matches!(problem_, Problem::NameClash { ref name, .. } if name == "token"), "{problem_:?}");
    assert!(at.starts_with("token"), "{at}");
    let proxy = "kind = \"uups\"\nproxy = \"0x0000000000000000000000000000000000000011\"\n";
    let (problem_, _) = problem(&format!("[contracts.A]\n{proxy}[contracts.B]\n{proxy}"));
    assert!(matches!(problem_, Problem::NameClash { .. }), "{problem_:?}");
    let (problem_, _) = problem("[contracts.\"To ken\"]\nkind = \"plain\"\n");
    assert!(matches!(problem_, Problem::BadName { .. }), "{problem_:?}");
}

#[test]
fn artifacts_that_are_missing_or_of_no_use() {
    let (problem_, at) = problem("[contracts.Nothing]\nkind = \"plain\"\n");
    assert_eq!(problem_, Problem::MissingArtifact { artifact: "Nothing".into() });
    assert!(at.starts_with("Nothing"));
    let (problem_, at) = problem("[contracts.A]\nartifact = \"IThing\"\nkind = \"plain\"\n");
    assert!(matches!(problem_, Problem::BadArtifact { .. }), "{problem_:?}");
    assert_eq!(at, "\"IThing\"");
    let broken = |_: &str| Some("{\"abi\": [".to_owned());
    let error = Project::new(&config("[contracts.A]\nkind = \"plain\"\n"), site(), &broken).unwrap_err();
    assert!(matches!(error.problem, Problem::BadArtifact { .. }), "{error:?}");
}

#[test]
fn libraries_have_to_be_among_the_contracts() {
    let (problem_, at) = problem("[contracts.Charging]\nkind = \"plain\"\n");
    assert!(
        matches!(problem_, Problem::UnlinkedLibrary { ref library, .. } if library.ends_with("Fixtures.sol:Fees"))
    );
    assert!(at.starts_with("Charging"), "{at}");
    let twice = "[contracts.A]\nartifact = \"Fees\"\nkind = \"plain\"\n[contracts.B]\nartifact = \"Fees\"\nkind = \"plain\"\n[contracts.Charging]\nkind = \"plain\"\n";
    assert!(matches!(problem(twice).0, Problem::AmbiguousLibrary { .. }));
    // code behind a proxy is no library
    let proxied = "[contracts.Fees]\nkind = \"chugsplash\"\n[contracts.Charging]\nkind = \"plain\"\n";
    assert!(matches!(problem(proxied).0, Problem::UnlinkedLibrary { .. }));
}

#[test]
fn references_that_lead_nowhere() {
    let lens = |first: &str| {
        format!(
            "[contracts.Lens]\nkind = \"plain\"\nargs = [\"{first}\", \"0x0000000000000000000000000000000000000001\"]\n"
        )
    };
    let (problem_, at) = problem(&lens("{{ Vlaut }}"));
    assert_eq!(problem_, Problem::UnknownReference { name: "Vlaut".into(), known: "Lens".into() });
    assert!(at.starts_with("\"{{ Vlaut"), "{at}");
    assert!(matches!(problem(&lens("{{ Lens")).0, Problem::BadReference { .. }));
    assert!(matches!(problem(&lens("{{ Lens.proxy }}")).0, Problem::BadReference { .. }));
    assert!(matches!(problem(&lens("{{ Lens.implementation }}")).0, Problem::NotBehindProxy { .. }));
}

#[test]
fn constructor_arguments_that_do_not_fit() {
    let lens = |args: &str| format!("[contracts.Lens]\nkind = \"plain\"\n{args}\n");
    let (problem_, at) = problem(&lens(""));
    let Problem::MissingConstructorArguments { wanted, .. } = problem_ else { panic!("{problem_:?}") };
    assert_eq!(wanted, "(address vault_, address token_)");
    assert!(at.starts_with("Lens"));
    let one = "\"0x0000000000000000000000000000000000000001\"";
    assert!(matches!(
        problem(&lens(&format!("args = [{one}]"))).0,
        Problem::WrongArgumentCount { expected: 2, found: 1, .. }
    ));
    let (problem_, at) = problem(&lens(&format!("args = {{ vault_ = {one}, tokn = {one} }}")));
    assert!(matches!(problem_, Problem::UnknownParameter { .. }), "{problem_:?}");
    assert!(at.starts_with("tokn"), "{at}");
    let (problem_, _) = problem(&lens(&format!("args = {{ vault_ = {one} }}")));
    assert!(matches!(problem_, Problem::MissingParameter { ref name } if name == "token_"), "{problem_:?}");
    let (problem_, at) = problem(&lens(&format!("args = [{one}, 5]")));
    assert!(
        matches!(problem_, Problem::BadValue { ref expected, .. } if expected == "address"),
        "{problem_:?}"
    );
    assert_eq!(at, "5]");
    let (problem_, _) = problem("[contracts.Token]\nkind = \"plain\"\nargs = [1]\n");
    assert!(matches!(problem_, Problem::WrongArgumentCount { expected: 0, found: 1, .. }), "{problem_:?}");
    // an address in mixed case has a checksum
    let (problem_, _) =
        problem(&lens(&format!("args = [{one}, \"0x5b6617a0179B6Bc752C42ae93A5dB771074Bcf20\"]")));
    assert!(
        matches!(problem_, Problem::BadValue { ref why, .. } if why.contains("checksum")),
        "{problem_:?}"
    );
}

#[test]
fn storage_that_cannot_be_written() {
    let proxied = |writes: &str| format!("[contracts.Variables]\nkind = \"chugsplash\"\n{writes}\n");
    let variable = |writes: &str| match problem(&proxied(writes)) {
        (Problem::BadVariable { problem, .. }, at) => (problem, at),
        other => panic!("{other:?}"),
    };
    // whether there is such a variable or not
    for name in ["full", "fool"] {
        let (problem_, at) =
            problem(&format!("[contracts.Variables]\nkind = \"plain\"\nstorage = {{ {name} = 1 }}\n"));
        assert!(matches!(problem_, Problem::StorageWithoutProxy { .. }) && at.starts_with(name), "{at}");
    }

    let (unknown, at) = variable("storage = { fool = 1 }");
    assert!(matches!(unknown, LayoutError::Unknown { ref known } if known.contains("full")));
    assert!(at.starts_with("fool"));
    for unsupported in ["price = 1", "list = [1]", "\"list[0]\" = 1", "callback = \"0x00\""] {
        let found = variable(&format!("[contracts.Variables.storage]\n{unsupported}")).0;
        assert!(matches!(found, LayoutError::Unsupported { .. }), "{unsupported}: {found:?}");
    }
    for (path, expected) in [
        ("\"packed[5]\" = 1", "beyond"),
        ("\"packed[x]\" = 1", "beyond"),
        ("\"full[0]\" = 1", "has no element"),
        ("\"inner.large\" = 1", "has no member"),
        ("\"balances[7\" = 1", "cannot be read"),
        ("\"balances[]\" = 1", "cannot be read"),
        ("\"balances[7]\" = 1", "no key"),
        ("\"bySigned[128]\" = 1", "no key"),
    ] {
        let found = variable(&format!("[contracts.Variables.storage]\n{path}")).0.to_string();
        assert!(found.contains(expected), "{path}: {found}");
    }
    for too_large in [
        "signed = 2147483648",
        "mode = 256",
        "selector = \"0x0102030405\"",
        "selector = \"0x010203\"",
        "flag = 1",
        "full = -1",
    ] {
        let (found, _) = problem(&proxied(&format!("storage = {{ {too_large} }}")));
        assert!(matches!(found, Problem::BadValue { .. }), "{too_large}: {found:?}");
    }
}

#[test]
fn slots_that_must_not_be_written() {
    let raw = |slots: &str| problem(&format!("[contracts.Variables]\nkind = \"chugsplash\"\n{slots}\n"));
    let implementation = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc";
    let (problem_, at) = raw(&format!("slots = [{{ slot = \"{implementation}\", value = \"0x01\" }}]"));
    assert!(matches!(problem_, Problem::ReservedSlot { .. }), "{problem_:?}");
    assert!(at.starts_with("{ slot"), "{at}");
    let one = format!("0x{:064x}", 1);
    let (problem_, _) = raw(&format!("slots = [{{ slot = \"{one}\", offset = 31, value = \"0x0102\" }}]"));
    assert!(matches!(problem_, Problem::BadValue { .. }), "{problem_:?}");
    let twice = format!(
        "slots = [{{ slot = \"{one}\", value = \"0x0102\" }}, {{ slot = \"{one}\", offset = 1, value = \"0x01\" }}]"
    );
    assert!(matches!(raw(&twice).0, Problem::OverlappingWrites { .. }));
    // a variable and the slot it is in
    let zero = format!("0x{:064x}", 0);
    let (problem_, _) =
        raw(&format!("storage = {{ inherited = 1 }}\nslots = [{{ slot = \"{zero}\", value = \"0x01\" }}]"));
    assert!(matches!(problem_, Problem::OverlappingWrites { .. }), "{problem_:?}");
}

#[test]
fn calls_that_cannot_be_made() {
    let call = |lines: &str| problem(&format!("[contracts.Token]\nkind = \"plain\"\n[[calls]]\n{lines}\n"));
    let token = "target = \"{{ Token }}\"\n";
    assert!(matches!(call(&format!("{token}function = \"burn\"")).0, Problem::BadFunction { .. }));
    let (overloaded, _) = call(&format!("{token}function = \"mint\""));
    assert!(
        matches!(overloaded, Problem::BadFunction { ref why, .. } if why.contains("several")),
        "{overloaded:?}"
    );
    let wrong = call(&format!("{token}function = \"mint(address)\""));
    assert!(matches!(wrong.0, Problem::WrongArgumentCount { expected: 1, found: 0, .. }), "{wrong:?}");
    assert!(matches!(
        call(&format!("{token}function = \"mint(address)\"\ndata = \"0x\"")).0,
        Problem::Conflict(_)
    ));
    let (conflict, at) = call(token);
    assert!(matches!(conflict, Problem::Conflict(_)));
    assert!(at.starts_with("[[calls]]"), "{at}");
    let stranger = "target = \"0x0000000000000000000000000000000000000011\"\nfunction = \"mint\"";
    assert!(matches!(call(stranger).0, Problem::BadFunction { .. }));
    let (value, _) = call(&format!("{token}value = 5"));
    assert!(matches!(value, Problem::AmountWithoutUnit { .. }), "{value:?}");
    for refused in [site().manager, site().actor, site().registry, site().ess, site().eps] {
        let (problem_, _) = call(&format!("target = \"{refused}\"\ndata = \"0x01020304\""));
        assert_eq!(problem_, Problem::TargetRefused { target: refused });
    }
}

#[test]
fn calls_that_go_around_the_actor() {
    let file = |kind: &str, call: &str| {
        let text =
            format!("[contracts.Variables]\n{kind}\n[[calls]]\ntarget = \"{{{{ Variables }}}}\"\n{call}\n");
        text
    };
    let uups = "kind = \"uups\"\nproxy = \"0x0000000000000000000000000000000000000022\"";
    let data = |signature: &str| {
        let selector = alloy::primitives::keccak256(signature);
        format!("data = \"{}\"", alloy::hex::encode_prefixed(&selector[..4]))
    };
    for (kind, function) in [
        ("kind = \"chugsplash\"", "upgradeTo(address)"),
        ("kind = \"chugsplash\"", "changeAdmin(address)"),
        ("kind = \"chugsplash\"", "setStorage(bytes32,uint256,bytes)"),
        (uups, "upgradeToAndCall(address,bytes)"),
    ] {
        let (found, at) = problem(&file(kind, &data(function)));
        assert_eq!(found, Problem::ProxyFunction { contract: "Variables".into(), function });
        assert!(at.contains("target") || at.contains("Variables"), "{at}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(\\[(project|contracts\\.A|caps)\\]\n|[a-zA-Z]{1,8} = ([0-9]{1,3}|\"[^\"\n]{0,9}\"|\\[\\]|\\{\\})\n|.{0,6}\n){0,12}") {
        let _ = Config::parse(&text);
        let _ = Config::parse(&format!("{HEAD}{text}")).and_then(|config| Project::new(&config, site(), &artifact));
    }

    #[test]
    fn amounts_are_exact(gwei in 0u64..1_000_000, rest in 0u32..1_000_000_000) {
        let config = Config::parse(&HEAD.replace("30gwei", &format!("{gwei}.{rest:09} gwei"))).unwrap();
        prop_assert_eq!(config.caps.max_base_fee, U256::from(gwei) * uint!(1_000_000_000_U256) + U256::from(rest));
    }
}
