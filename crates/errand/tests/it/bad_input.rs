//! What goes wrong: exit code and words.

use crate::chain::{Chain, run};
use alloy::primitives::{Address, Bytes};
use errand_testkit::tool;
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    process::Command,
};

#[test]
fn a_node_on_another_chain_is_refused() {
    let chain = Chain::shared();
    chain
        .run(&["status", "--chain-id", "1"])
        .failed(1, &["is on chain 31337, expected is chain 1", "--chain-id"]);
}

#[test]
fn a_chain_without_a_deployment_is_told() {
    let chain = Chain::shared();
    let mut command = chain.errand();
    command.env_remove("ERRAND_DEPLOYMENT").arg("status");
    run(&mut command).failed(1, &["chain 31337 has no deployment", "--deployment", "Deploy.s.sol"]);
}

#[test]
fn a_deployment_that_is_missing_malformed_or_of_another_chain_is_told() {
    let chain = Chain::shared();
    let path = |name: &str| chain.home().join(name).display().to_string();
    chain
        .run(&["status", "--deployment", &path("nowhere.json")])
        .failed(1, &["nowhere.json does not exist", "--deployment"]);

    fs::write(path("malformed.json"), "{\"Registry\": 1}").unwrap();
    chain
        .run(&["status", "--deployment", &path("malformed.json")])
        .failed(1, &["is not a record of a deployment"]);

    fs::copy(chain.deployment.path(), path("1.json")).unwrap();
    for command in [&["request", "list"][..], &["status"]] {
        chain
            .run(&[command, &["--deployment", &path("1.json")]].concat())
            .failed(1, &["on chain 1, the node is on chain 31337"]);
    }

    fs::write(path("partial.json"), "{}").unwrap();
    chain
        .run(&["request", "list", "--deployment", &path("partial.json")])
        .failed(1, &["records no Registry"]);
}

#[test]
fn contracts_that_are_gone_or_changed_are_told() {
    let chain = Chain::own();
    let manager = chain.address("StakeManager");
    chain.block_on(chain.anvil.set_code(manager, Bytes::from_static(&[0]))).unwrap();
    let ran = chain.run(&["status"]).failed(1, &["StakeManager", "has code", "recorded is"]);
    assert!(ran.stdout.contains("OTHER CODE"), "{}", ran.stdout);
    chain.block_on(chain.anvil.set_code(manager, Bytes::new())).unwrap();
    chain.run(&["status"]).failed(1, &["there is no code at", "StakeManager"]);
    chain.run_as(1, &["stake", "add", "1auto", "--yes"]).failed(1, &["there is no code at"]);
}

#[test]
fn a_node_that_is_down_is_told_without_its_secrets() {
    let chain = Chain::shared();
    let url = "http://user:passw0rd@127.0.0.1:9/v3/0123456789abcdef?token=s3cr3t";
    let ran = chain
        .run(&["status", "--rpc", url])
        .failed(1, &["no node to ask", "127.0.0.1:9", "--rpc", "ERRAND_RPC"]);
    let mut logged = chain.errand();
    logged.args(["status", "--rpc", url, "--log", "trace"]);
    for text in [ran.stderr, run(&mut logged).failed(1, &[]).stderr] {
        for secret in ["passw0rd", "0123456789abcdef", "s3cr3t"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    chain.run(&["status", "--rpc", "127.0.0.1:8545"]).failed(2, &["--rpc", "http://127.0.0.1:8545"]);
}

#[test]
fn without_a_key_the_three_ways_are_told() {
    let chain = Chain::shared();
    let ran = chain.run(&["request", "cancel", "0", "--yes"]);
    ran.failed(2, &["no key to sign with", "--account", "--mnemonic-file", "ERRAND_PRIVATE_KEY"]);
    chain
        .run(&["request", "cancel", "0", "--account", "nobody"])
        .failed(1, &["there is no keystore", "cast wallet import nobody"]);
    chain.run(&["keeper", "run"]).failed(2, &["no key to sign with"]);
    // What only asks can be told the account.
    chain.run(&["auto", "balance"]).failed(2, &["no key to sign with", "errand auto balance ADDRESS"]);
    chain.run(&["keeper", "run", "--dry-run"]).failed(2, &["no key to sign with", "--executor ADDRESS"]);
    let phrase = chain.home().join("phrase");
    fs::write(&phrase, "test test test test test test test test test test test junk\n").unwrap();
    let mut beyond = chain.errand();
    beyond.args(["auto", "balance", "--mnemonic-index", "2147483648", "--mnemonic-file"]).arg(&phrase);
    run(&mut beyond).failed(2, &["a mnemonic has no account 2147483648", "--mnemonic-index"]);
}

#[test]
fn a_keystore_made_by_cast_signs_with_the_right_password_only() {
    let chain = Chain::shared();
    let keystores = chain.home().join(".foundry/keystores");
    fs::create_dir_all(&keystores).unwrap();
    let imported = Command::new(tool("cast").unwrap())
        .args(["wallet", "import", "alice", "--unsafe-password", "right", "--private-key", &chain.key(1)])
        .arg("--keystore-dir")
        .arg(&keystores)
        .output()
        .unwrap();
    assert!(imported.status.success(), "{imported:?}");
    let password = chain.home().join("password");
    let balance = |word: &str| {
        fs::write(&password, word).unwrap();
        let mut command = chain.errand();
        run(command.args(["auto", "balance", "--account", "alice", "--password-file"]).arg(&password))
    };
    let ran = balance("right\n").ok();
    assert!(ran.stdout.contains(&chain.account(1).to_string()), "{}", ran.stdout);
    balance("wrong").failed(1, &["the password does not open the keystore"]);
    chain.run(&["auto", "balance", "--account", "alice"]).failed(2, &["needs a password", "--password-file"]);
}

#[test]
fn flags_can_be_variables_with_any_word_for_yes() {
    let chain = Chain::shared();
    for (word, is_json) in [("1", true), ("yes", true), ("0", false), ("false", false)] {
        let mut command = chain.errand();
        let ran = run(command.env("ERRAND_JSON", word).args(["stake", "status"])).ok();
        assert_eq!(ran.stdout.starts_with('{'), is_json, "{word}: {}", ran.stdout);
    }
}

#[test]
fn a_key_on_the_command_line_is_refused_and_not_repeated() {
    let chain = Chain::shared();
    let key = chain.key(1);
    for arguments in [vec!["--private-key".to_owned(), key.clone()], vec![format!("--private-key={key}")]] {
        let mut command = chain.errand();
        command.args(["request", "cancel", "0"]).args(&arguments);
        let ran = run(&mut command).failed(2, &["--private-key"]);
        assert!(!ran.stderr.contains(&key[2..]) && !ran.stdout.contains(&key[2..]), "{}", ran.stderr);
    }
}

#[test]
fn an_account_without_funds_is_told_what_is_missing() {
    let chain = Chain::shared();
    let target = chain.address("DemoToken").to_string();
    let mut command = chain.errand();
    command.env("ERRAND_PRIVATE_KEY", format!("0x{}", "11".repeat(32))).args([
        "request",
        "new",
        "--target",
        &target,
        "--yes",
        "--call",
        "mint(address,uint256)",
        &target,
        "1",
    ]);
    run(&mut command).failed(1, &["has 0 ether", "is needed", "send ETH"]);
    let mut command = chain.errand();
    command
        .env("ERRAND_PRIVATE_KEY", format!("0x{}", "11".repeat(32)))
        .args(["auto", "approve", "1auto", "--yes"]);
    run(&mut command).failed(1, &["has 0 ether", "is needed"]);
}

#[test]
fn amounts_with_wrong_units_are_refused_by_name() {
    let chain = Chain::shared();
    let target = chain.address("DemoToken").to_string();
    let new = |option: &str, amount: &str| {
        chain.run_as(1, &["request", "new", "--target", &target, "--call", "f()", option, amount])
    };
    new("--value", "5").failed(2, &["`5` has no unit", "5wei", "5ether"]);
    new("--deposit", "5auto").failed(2, &["ETH is due here"]);
    new("--value", "-1ether").failed(2, &["`-1ether` is no number"]);
    new("--value", "5finney").failed(2, &["`finney` is no unit"]);
    chain.run_as(1, &["auto", "approve", "5"]).failed(2, &["`5` has no unit", "5auto"]);
    chain.run_as(1, &["stake", "add", "5gwei"]).failed(2, &["AUTO is due here"]);
}

#[test]
fn calls_that_cannot_be_encoded_name_the_argument() {
    let chain = Chain::shared();
    let target = chain.address("DemoToken").to_string();
    let new = |call: &[&str]| {
        chain.run_as(1, &[&["request", "new", "--yes", "--target", target.as_str()], call].concat())
    };
    new(&["--call", "mint(address,uint256)", "0x11", "1"]).failed(2, &["argument 1 is no address"]);
    new(&["--call", "mint(address,uint256)", &target]).failed(2, &["takes 2 argument(s), 1 given"]);
    new(&["--call", "mint(address,uint256)", &target, "7eth"])
        .failed(2, &["argument 2 is no uint256: `7eth` (it cannot be read)", "wei, gwei and ether"]);
    new(&["--call", "", &target]).failed(2, &["`` is no function signature: it is empty"]);
    new(&["--call", "mint(adress)", &target]).failed(2, &["is no function signature"]);
    new(&["--data", "0x01", "1"]).failed(2, &["--data is complete"]);
    new(&["--call", "f()", "--recurring", "--value", "1ether"]).failed(2, &["takes no ETH"]);
    new(&["--call", "f()", "--insert-fee"]).failed(2, &["write the fee into"]);
    new(&[]).failed(2, &["--call"]);
}

#[test]
fn a_mistyped_address_is_found_by_its_checksum() {
    let chain = Chain::shared();
    let target = chain.address("DemoToken").to_string();
    let mistyped = "0x70997970C51812dc3A010C7d01b50e0d17dc79C9";
    chain.run(&["auto", "balance", mistyped]).failed(2, &["its checksum is wrong"]);
    chain
        .run_as(1, &["request", "new", "--target", &target, "--call", "mint(address,uint256)", mistyped, "1"])
        .failed(2, &["argument 1 is no address", "its checksum is wrong"]);
    chain
        .run_as(1, &["request", "new", "--target", "0xdead", "--call", "f()"])
        .failed(2, &["40 hexadecimal digits"]);
}

/// Answers every request with the same bytes.
fn answering(status: &str, body: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let answer = [head.as_bytes(), body].concat();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(&answer);
        }
    });
    url
}

#[test]
fn what_answers_and_is_no_node_is_told_from_one_that_is_down() {
    let chain = Chain::shared();
    let cases: [(&str, &[u8], &str); 4] = [
        ("200 OK", b"<html>\n<h1>Welcome</h1></html>", "`<html> <h1>Welcome</h1></html>`"),
        ("429 Too Many Requests", b"slow down", "HTTP status 429 and `slow down`"),
        ("401 Unauthorized", b"{}", "HTTP status 401"),
        ("200 OK", b"\x1b[2J\x07\xff\xfe", "does not answer as a node"),
    ];
    for (status, body, text) in cases {
        let url = answering(status, body);
        let ran = chain.run(&["status", "--rpc", &url]);
        let ran = ran.failed(1, &["does not answer as a node", text, "check the address, its path and key"]);
        let is_clean = ran.stderr.chars().all(|letter| letter == '\n' || !letter.is_control());
        assert!(is_clean && ran.stderr.lines().count() == 2, "{:?}", ran.stderr);
    }
}

#[test]
fn targets_that_can_never_be_executed_are_refused() {
    let chain = Chain::shared();
    let nobody = Address::repeat_byte(0x99).to_string();
    chain
        .run_as(1, &["request", "new", "--yes", "--target", &nobody, "--call", "f()"])
        .failed(1, &["no code at the target"]);
    let registry = chain.address("Registry").to_string();
    let ran = chain
        .run_as(1, &["request", "new", "--yes", "--target", &registry, "--call", "f()"])
        .failed(1, &["nothing was signed", "TargetRefused(target: "]);
    assert!(!ran.stderr.contains("RequestMismatch"), "{}", ran.stderr);
}

#[test]
fn requests_of_others_and_unknown_ones_cannot_be_cancelled() {
    let chain = Chain::shared();
    let id = chain.register(8).to_string();
    let owner = chain.account(8).to_string();
    chain.run_as(9, &["request", "cancel", &id, "--yes"]).failed(1, &["belongs to", &owner, "only its user"]);
    let unknown = ["there is no Request 987654", "the last one is"];
    chain.run_as(9, &["request", "cancel", "987654", "--yes"]).failed(1, &unknown);
    chain.run(&["request", "show", "987654"]).failed(1, &unknown);
    chain.run(&["request", "why", "987654"]).failed(1, &unknown);
    chain.run(&["request", "show", "seven"]).failed(2, &["a Request has a number, such as 7"]);
    chain.run(&["request", "show", "-1"]).failed(2, &[]);
}

#[test]
fn without_a_terminal_nothing_is_signed_unless_told() {
    let chain = Chain::shared();
    let ran = chain.run_as(1, &["auto", "approve", "1auto"]);
    let ran = ran.failed(2, &["nothing was signed", "no terminal", "--yes", "To sign", "approve(spender: "]);
    assert!(ran.stdout.is_empty());
}

#[test]
fn prices_beyond_the_limit_are_not_paid() {
    let chain = Chain::shared();
    chain
        .run_as(1, &["auto", "approve", "1auto", "--yes", "--max-gas-price", "1wei"])
        .failed(1, &["--max-gas-price allows 0.000000001 gwei"]);
}

#[test]
fn help_teaches_and_succeeds() {
    let chain = Chain::shared();
    for command in [vec![], vec!["request", "new"], vec!["keeper", "run"], vec!["stake", "add"]] {
        let mut help = chain.bare();
        help.args(&command).arg("--help");
        let ran = run(&mut help).ok();
        assert!(ran.stdout.contains("Example") && ran.stdout.contains("[env: ERRAND_"), "{}", ran.stdout);
    }
    run(chain.bare().arg("nonsense")).failed(2, &["nonsense"]);
}
