//! A real node with the real contracts, a project's folder, and what forge makes of `fixtures/Fleet.sol`.

use crate::chain::{Ran, run};
use alloy::{
    primitives::{Address, B256, U256, b256, hex, keccak256},
    providers::Provider,
    rpc::types::{TransactionReceipt, TransactionRequest},
    sol,
    sol_types::SolCall,
};
use errand_bindings::{
    IChugSplashManager::{self, Status},
    IChugSplashRegistry, ISimpleLockESS,
};
use errand_bundle::{
    Tree,
    bundle::call_data,
    file::{DEFAULT_MAX_BYTES, Published, read},
};
use errand_testkit::{Anvil, Deployment, root, tool};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// ERC-1967's slots of the implementation and of the admin.
pub(crate) const IMPLEMENTATION_SLOT: B256 =
    b256!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc");
pub(crate) const ADMIN_SLOT: B256 = b256!("b53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103");
const SOURCE: &str = include_str!("../fixtures/Fleet.sol");
/// Variables are appended.
const SECOND: [(&str, &str); 2] = [
    ("uint256 public started;", "uint256 public started;\n    uint256 public paused;"),
    ("uint256 public price;", "uint256 public price;\n    uint256 public decimals;"),
];
/// A variable comes before others; and the UUPS proxy could not be upgraded again.
const THIRD: [(&str, &str); 2] = [
    ("address public owner;\n    Mode", "uint256 public paused;\n    address public owner;\n    Mode"),
    ("require(msg.sender == owner, \"not the owner\")", "revert(\"no more upgrades\")"),
];

pub(crate) const FLEET: &str = r#"
[contracts.Vault]
artifact = "Fleet.sol:Vault"
kind = "chugsplash"
args = ["{{ Controller }}"]
[contracts.Vault.storage]
owner = "0x00000000000000000000000000000000000000aa"
mode = 1
cap = "1_000 ether"
"balances[{{ Controller }}]" = 5
[contracts.Controller]
kind = "chugsplash"
args = ["{{ Vault }}"]
[contracts.Clock]
kind = "plain"
[[calls]]
target = "{{ Vault }}"
function = "start(uint256)"
args = [7]
"#;

sol! {
    interface IVault {
        function owner() external view returns (address);
        function mode() external view returns (uint8);
        function cap() external view returns (uint256);
        function balances(address of) external view returns (uint256);
        function started() external view returns (uint256);
        function controller() external view returns (address);
    }
}

/// A version of the source, built once by the real forge, below the checkout, where node_modules are found.
pub(crate) fn built(version: usize) -> &'static Path {
    static BUILT: [OnceLock<TempDir>; 4] = [const { OnceLock::new() }; 4];
    let built = BUILT[version].get_or_init(|| {
        let root = root().unwrap();
        let folder = TempDir::new_in(root.join("target")).unwrap();
        let replaced: &[(&str, &str)] = match version {
            1 => &[],
            2 => &SECOND,
            _ => &THIRD,
        };
        let source = replaced.iter().fold(SOURCE.to_owned(), |source, (old, new)| {
            assert!(source.contains(old), "{old}");
            source.replace(old, new)
        });
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("src/Fleet.sol"), source).unwrap();
        let settings = format!(
            "[profile.default]\nsolc = \"{0}/tools/solc\"\noffline = true\nevm_version = \"cancun\"\n\
             optimizer = true\nextra_output = [\"storageLayout\"]\nbytecode_hash = \"none\"\n\
             allow_paths = [\"{0}\"]\n\
             remappings = [\"@openzeppelin/contracts/={0}/node_modules/@openzeppelin/contracts/\"]\n",
            root.display()
        );
        fs::write(folder.path().join("foundry.toml"), settings).unwrap();
        let output = Command::new(tool("forge").unwrap())
            .args(["build", "--root"])
            .arg(folder.path())
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        folder
    });
    built.path()
}

/// A chain with ChugSplash, and a folder for upgrade.toml.
pub(crate) struct Yard {
    pub(crate) runtime: Runtime,
    pub(crate) anvil: Anvil,
    deployment: Deployment,
    folder: TempDir,
}

impl Yard {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let (anvil, deployment) = runtime.block_on(async {
            let anvil = Anvil::spawn().await.unwrap();
            let mut deployment = Deployment::run(&anvil).await.unwrap();
            deployment.script(&anvil, "script/DeployChugSplash.s.sol").await.unwrap();
            (anvil, deployment)
        });
        let folder = TempDir::new_in(root().unwrap().join("target")).unwrap();
        Self { runtime, anvil, deployment, folder }
    }

    /// For tests that only plan.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Yard>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let yard = Arc::new(Self::new());
            *shared = Arc::downgrade(&yard);
            yard
        })
    }

    pub(crate) fn owner(&self) -> Address {
        self.anvil.account(1).unwrap()
    }

    pub(crate) fn head(&self, salt: &str) -> String {
        format!(
            "[project]\nchainId = 31337\nowner = \"{}\"\nsalt = \"{salt}\"\nuri = \"https://example.org/b.json\"\n\
             [strategies]\ness = \"SimpleLockESS\"\neps = \"FlatFeeEPS\"\n[caps]\nmaxBaseFee = \"30 gwei\"\n",
            self.owner()
        )
    }

    /// A file in a folder of its own.
    pub(crate) fn write(&self, text: &str) -> PathBuf {
        let folder = TempDir::new_in(self.folder.path()).unwrap().keep();
        let file = folder.join("upgrade.toml");
        fs::write(&file, text).unwrap();
        file
    }

    pub(crate) fn plan_file(&self, file: &Path, version: usize, arguments: &[&str]) -> Ran {
        let artifacts = built(version).join("out").display().to_string();
        let file = file.display().to_string();
        let mut all = vec!["plan", &file, "--artifacts", &artifacts];
        all.extend(arguments);
        self.upgrade(&all)
    }

    /// Runs `errand upgrade`.
    pub(crate) fn upgrade(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_errand"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("ERRAND_RPC", self.anvil.http_url())
            .env("ERRAND_DEPLOYMENT", self.deployment.path())
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .arg("upgrade")
            .args(arguments);
        run(&mut command)
    }

    /// Plans the first version of these contracts, and fails.
    pub(crate) fn refused(&self, contracts: &str, texts: &[&str]) {
        let file = self.write(&format!("{}{contracts}", self.head("refused")));
        self.plan_file(&file, 1, &[]).failed(1, texts);
        assert!(!file.with_extension("bundle.json").exists());
    }

    pub(crate) fn transact(
        &self,
        from: Address,
        to: Option<Address>,
        data: Vec<u8>,
        value: U256,
        gas: u64,
    ) -> TransactionReceipt {
        let mut transaction =
            TransactionRequest::default().from(from).input(data.into()).value(value).gas_limit(gas);
        transaction.to = Some(to.map_or(alloy::primitives::TxKind::Create, Into::into));
        let receipt = self.runtime.block_on(self.anvil.send(transaction)).unwrap();
        assert!(receipt.status(), "{receipt:?}");
        receipt
    }

    pub(crate) fn by(&self, from: Address, to: Address, call: &impl SolCall, value: U256) {
        self.transact(from, Some(to), call.abi_encode(), value, 5_000_000);
    }

    pub(crate) fn ask<C: SolCall>(&self, to: Address, call: &C) -> C::Return {
        let transaction = TransactionRequest::default().to(to).input(call.abi_encode().into());
        let answer = self.runtime.block_on(async { self.anvil.provider().call(transaction).await }).unwrap();
        C::abi_decode_returns(&answer).unwrap()
    }

    pub(crate) fn at(&self, name: &str) -> Address {
        self.deployment.address(name).unwrap()
    }

    pub(crate) fn deploy(&self, artifact: &Path, arguments: &[u8]) -> Address {
        let json: Value = serde_json::from_str(&fs::read_to_string(artifact).unwrap()).unwrap();
        let mut code = hex::decode(json["bytecode"]["object"].as_str().unwrap()).unwrap();
        code.extend(arguments);
        self.transact(self.owner(), None, code, U256::ZERO, 5_000_000).contract_address.unwrap()
    }

    pub(crate) fn register(&self, salt: &str) -> (Address, Address) {
        let (owner, registry, salt) = (self.owner(), self.at("ChugSplashRegistry"), keccak256(salt));
        self.by(owner, registry, &IChugSplashRegistry::registerCall { owner, salt }, U256::ZERO);
        let places = self.ask(registry, &IChugSplashRegistry::addressesOfCall { owner, salt });
        (places.manager, places.actor)
    }

    /// Where commands run.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn implementation(&self, proxy: Address) -> Address {
        self.address_in(proxy, IMPLEMENTATION_SLOT)
    }

    pub(crate) fn address_in(&self, account: Address, slot: B256) -> Address {
        Address::from_word(self.slot(account, slot.into()).into())
    }

    fn slot(&self, account: Address, slot: U256) -> U256 {
        self.runtime.block_on(async { self.anvil.provider().get_storage_at(account, slot).await }).unwrap()
    }

    /// The first slot in which this value stands.
    pub(crate) fn slot_of(&self, account: Address, value: U256) -> U256 {
        (0..16).map(U256::from).find(|slot| self.slot(account, *slot) == value).unwrap()
    }

    pub(crate) fn set_slot(&self, account: Address, slot: U256, value: U256) {
        let word = B256::from(value);
        let set = self.anvil.call::<_, bool>("anvil_setStorageAt", (account, slot, word));
        assert!(self.runtime.block_on(set).unwrap());
    }

    /// Proposes, approves, claims and executes what was planned, each transaction with the gas that was planned.
    pub(crate) fn carry_out(&self, json: &Value) {
        let bundle = self.folder().join(json["bundleFile"].as_str().unwrap());
        let bytes = fs::read(bundle).unwrap();
        let Published { manager, id, header: h, actions, .. } = read(&bytes, DEFAULT_MAX_BYTES).unwrap();
        assert_eq!(json["bundleId"], id.to_string());
        let header = errand_keeper::bundles::bound::bound_header(&h);
        let (owner, executor) = (self.owner(), self.anvil.account(2).unwrap());
        let missing: U256 = json["missingWei"].as_str().unwrap().parse().unwrap();
        // Not a wei more than the plan says.
        if !missing.is_zero() {
            self.by(owner, manager, &IChugSplashManager::depositCall {}, missing);
        }
        self.by(owner, manager, &IChugSplashManager::proposeCall { header: header.clone() }, U256::ZERO);
        self.by(owner, manager, &IChugSplashManager::approveCall { bundleId: id, header }, U256::ZERO);
        let bond = self.ask(h.ess, &ISimpleLockESS::bondAmountCall {});
        self.by(executor, h.ess, &ISimpleLockESS::claimCall { project: manager, bundleId: id }, bond);
        let tree = Tree::of(&actions).unwrap();
        for transaction in json["transactions"].as_array().unwrap() {
            let number = |name: &str| transaction[name].as_u64().unwrap();
            let data = call_data(id, &actions, &tree, number("first") as usize, number("count") as usize);
            let receipt = self.transact(executor, Some(manager), data, U256::ZERO, number("gasLimit"));
            assert!(receipt.gas_used.abs_diff(number("gasUsed")) <= 25_000, "{receipt:?} {transaction}");
        }
        let status = self.ask(manager, &IChugSplashManager::statusOfCall { bundleId: id });
        assert_eq!(status, Status::COMPLETED);
    }
}

pub(crate) fn kinds(json: &Value) -> Vec<(String, String)> {
    let text = |action: &Value, name: &str| action[name].as_str().unwrap().to_owned();
    json["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| (text(action, "kind"), text(action, "name")))
        .collect()
}

pub(crate) fn named(kinds: &[(String, String)], kind: &str) -> Vec<String> {
    kinds.iter().filter(|(of, _)| of == kind).map(|(_, name)| name.clone()).collect()
}
