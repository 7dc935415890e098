//! A project on a chain, bundles of it, and an executor that is no keeper.

use crate::chain::{Chain, Ran};
use alloy::{
    primitives::{Address, B256, Bytes, U256, b256, hex},
    providers::Provider,
    rpc::types::TransactionRequest,
    sol_types::SolCall,
};
use errand_bindings::{
    IChugSplashManager::{self, Status},
    IExecutorPaymentTerms, ISimpleLockESS, chug_splash_proxy_code,
};
use errand_bundle::{
    Tree,
    action::executeCall,
    bundle::{Batch, Bundle, GasRules, Measured, Terms, bundle},
    config::Config,
    file,
    plan::{Existing, Plan, plan},
    project::{Project, Site},
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use tempfile::TempDir;

const IMPLEMENTATION_SLOT: B256 = b256!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc");

/// Two contracts behind proxies that name each other, a plain one, storage and a call.
pub(crate) const CONTRACTS: &str = r#"
[contracts.Vault]
artifact = "Fixtures.sol:Vault"
kind = "chugsplash"
args = ["{{ Controller }}", "the vault"]
storage = { feeBps = 30, cap = "5 ether" }
[contracts.Controller]
artifact = "Fixtures.sol:Controller"
kind = "chugsplash"
args = ["{{ Vault }}", [], { daily = 1, single = 2 }]
[contracts.Lens]
artifact = "Fixtures.sol:Lens"
kind = "plain"
args = ["{{ Vault }}", "{{ Controller }}"]
[[calls]]
target = "{{ Vault }}"
function = "start"
args = ["{{ Lens }}", 7]
"#;

/// A call that the Vault refuses: it has no such function.
pub(crate) const REFUSED: &str = r#"
[[calls]]
target = "{{ Vault }}"
data = "0xdeadbeef"
"#;

/// A registered project with its folder.
pub(crate) struct Place {
    pub(crate) chain: Arc<Chain>,
    /// Account of the owner.
    pub(crate) owner: u32,
    /// Account of somebody else.
    pub(crate) stranger: u32,
    pub(crate) manager: Address,
    pub(crate) actor: Address,
    /// The keys of `[caps]`.
    pub(crate) caps: &'static str,
    /// The strategies: names of the deployment's, or addresses.
    pub(crate) ess: String,
    pub(crate) eps: String,
    folder: TempDir,
    salt: String,
}

impl Place {
    /// Registers a project by the command line. Its accounts are its own: tests run at once.
    pub(crate) fn new(chain: &Arc<Chain>, salt: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(10);
        let owner = NEXT.fetch_add(2, Ordering::Relaxed);
        let found =
            chain.run_as(owner, &["upgrade", "register", "--salt", salt, "--yes", "--json"]).ok().json();
        let address = |name: &str| found[name].as_str().unwrap().parse().unwrap();
        let folder = TempDir::new().unwrap();
        let out = folder.path().join("out/Fixtures.sol");
        fs::create_dir_all(&out).unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bundle/tests/fixtures");
        for name in ["Vault", "Controller", "Lens", "Token", "PriceFeed"] {
            let file = format!("{name}.json");
            fs::copy(fixtures.join(&file), out.join(&file)).unwrap();
        }
        fs::write(folder.path().join("foundry.toml"), "").unwrap();
        Self {
            chain: Arc::clone(chain),
            owner,
            stranger: owner + 1,
            manager: address("manager"),
            actor: address("actor"),
            caps: "maxBaseFee = \"30 gwei\"",
            ess: "SimpleLockESS".to_owned(),
            eps: "FlatFeeEPS".to_owned(),
            folder,
            salt: salt.to_owned(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `upgrade.toml` with these contracts, and returns its path.
    pub(crate) fn toml(&self, contracts: &str) -> String {
        let text = format!(
            "[project]\nchainId = 31337\nowner = \"{}\"\nsalt = \"{}\"\nuri = \"{}\"\n[strategies]\n\
             ess = \"{}\"\neps = \"{}\"\n[caps]\n{}\n{contracts}",
            self.chain.account(self.owner),
            self.salt,
            self.path("bundle.json").display(),
            self.ess,
            self.eps,
            self.caps
        );
        let path = self.path("upgrade.toml");
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// What the source gives, before gas is known.
    fn planned(&self, contracts: &str) -> (Site, Config, Plan) {
        let config = Config::parse(&fs::read_to_string(self.toml(contracts)).unwrap()).unwrap();
        let address = |name: &str| name.parse().unwrap_or_else(|_| self.chain.address(name));
        let site = Site {
            chain_id: 31337,
            manager: self.manager,
            actor: self.actor,
            registry: self.chain.address("ChugSplashRegistry"),
            ess: address(&self.ess),
            eps: address(&self.eps),
        };
        let artifact = |name: &str| {
            let name = name.rsplit(':').next().unwrap();
            fs::read_to_string(self.path(&format!("out/Fixtures.sol/{name}.json"))).ok()
        };
        let project = Project::new(&config, site, &artifact).unwrap();
        let proxy = chug_splash_proxy_code(self.actor).unwrap();
        let plan = plan(&project, &proxy, self).unwrap();
        (site, config, plan)
    }

    /// Makes the bundle of `contracts`, changed by `tweak` before it is hashed, and writes its file.
    pub(crate) fn bundle_with(&self, contracts: &str, tweak: impl FnOnce(&mut Plan)) -> Bundle {
        let nonce = self.chain.call(self.manager, &IChugSplashManager::nextNonceCall {});
        self.make(contracts, nonce, tweak)
    }

    /// The same with a nonce that may not be the next.
    pub(crate) fn bundle_at(&self, contracts: &str, nonce: u64) -> Bundle {
        self.make(contracts, U256::from(nonce), |_| {})
    }

    fn make(&self, contracts: &str, nonce: U256, tweak: impl FnOnce(&mut Plan)) -> Bundle {
        let (site, config, mut plan) = self.planned(contracts);
        tweak(&mut plan);
        let measured: Vec<_> = plan
            .actions
            .iter()
            .map(|planned| match planned.step {
                errand_bundle::Step::Deploy { .. } => Measured { frame: 1_000_000, share: 1_100_000 },
                _ => Measured { frame: 120_000, share: 140_000 },
            })
            .collect();
        let manager = self.manager;
        let terms = Terms {
            nonce,
            caps: &config.caps,
            uri: &config.project.uri,
            user_bond: self.chain.call(manager, &IChugSplashManager::userBondCall {}),
            base_fee: U256::from(1_000_000_000),
            chain_takes_data_fee: false,
            covers_data_fee: false,
        };
        let price = |gas: U256, price: U256| {
            let call = IExecutorPaymentTerms::maxPaymentCall { totalGas: gas, maxGasPrice: price };
            Some(self.chain.call(site.eps, &call))
        };
        let made =
            bundle(site, &plan.actions, &measured, &GasRules::ethereum(160_000), &terms, &price).unwrap();
        fs::write(self.path("bundle.json"), file::write(&made).unwrap()).unwrap();
        made
    }

    pub(crate) fn bundle(&self, contracts: &str) -> Bundle {
        self.bundle_with(contracts, |_| {})
    }

    /// The bundle's file.
    pub(crate) fn file(&self) -> String {
        self.path("bundle.json").display().to_string()
    }

    /// Runs `errand upgrade` as the owner, about this project.
    pub(crate) fn owner(&self, arguments: &[&str]) -> Ran {
        self.run_as(self.owner, arguments)
    }

    pub(crate) fn run_as(&self, account: u32, arguments: &[&str]) -> Ran {
        let manager = self.manager.to_string();
        let all = [&["upgrade"], arguments, &["--manager", &manager, "--yes"]].concat();
        self.chain.run_as(account, &all)
    }

    /// A command that only looks.
    pub(crate) fn look(&self, arguments: &[&str]) -> Ran {
        let manager = self.manager.to_string();
        self.chain.run(&[&["upgrade"], arguments, &["--manager", &manager]].concat())
    }

    /// Proposes the file, and returns the id.
    pub(crate) fn propose(&self) -> String {
        let file = self.file();
        let ran = self.chain.run_as(self.owner, &["upgrade", "propose", &file, "--yes", "--json"]).ok();
        ran.json()["bundleId"].as_str().unwrap().to_owned()
    }

    /// A bundle that is approved.
    pub(crate) fn approved(&self, contracts: &str) -> Bundle {
        self.approved_with(contracts, |_| {})
    }

    /// The same, changed by `tweak` before it is hashed.
    pub(crate) fn approved_with(&self, contracts: &str, tweak: impl FnOnce(&mut Plan)) -> Bundle {
        let made = self.bundle_with(contracts, tweak);
        let id = self.propose();
        assert_eq!(id, made.id.to_string());
        self.owner(&["fund", "--for-bundle", &id]).ok();
        self.owner(&["approve", &id]).ok();
        made
    }

    pub(crate) fn status(&self, id: B256) -> Status {
        self.chain.call(self.manager, &IChugSplashManager::statusOfCall { bundleId: id })
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.look(&[arguments, &["--json"]].concat()).ok().json()
    }

    /// Posts the bond.
    pub(crate) fn claim(&self, executor: u32, id: B256) {
        let ess = self.chain.address("SimpleLockESS");
        let call = ISimpleLockESS::claimCall { project: self.manager, bundleId: id };
        let bond = self.chain.call(ess, &ISimpleLockESS::bondAmountCall {});
        self.transact(executor, ess, call.abi_encode(), bond, None);
    }

    /// Executes one of the bundle's transactions.
    pub(crate) fn execute(&self, executor: u32, bundle: &Bundle, batch: usize) {
        let batch = bundle.batches[batch];
        let data = bundle.call_data(&batch);
        self.transact(executor, self.manager, data, U256::ZERO, Some(batch.gas));
    }

    /// Executes from the action at `first` on, in one transaction.
    pub(crate) fn execute_from(&self, executor: u32, bundle: &Bundle, first: usize) {
        self.execute_some(executor, bundle, first, bundle.actions.len() - first);
    }

    /// Executes `count` actions from the one at `first` on, in one transaction.
    pub(crate) fn execute_some(&self, executor: u32, bundle: &Bundle, first: usize, count: usize) {
        let last = bundle.batches[bundle.batches.len() - 1];
        let batch = Batch { first, count, ..last };
        self.transact(executor, self.manager, bundle.call_data(&batch), U256::ZERO, Some(batch.gas));
    }

    /// Claims and executes all.
    pub(crate) fn carry_out(&self, executor: u32, bundle: &Bundle) {
        self.claim(executor, bundle.id);
        for batch in 0..bundle.batches.len() {
            self.execute(executor, bundle, batch);
        }
    }

    /// Executes all that the file says, in one transaction.
    pub(crate) fn execute_file(&self, executor: u32) {
        let published = file::read(&fs::read(self.file()).unwrap(), file::DEFAULT_MAX_BYTES).unwrap();
        let tree = Tree::of(&published.actions).unwrap();
        let call = executeCall {
            bundleId: published.id,
            firstIndex: U256::ZERO,
            proofs: (0..published.actions.len()).map(|index| tree.proof(index).unwrap()).collect(),
            actions: published.actions,
        };
        self.transact(executor, self.manager, call.abi_encode(), U256::ZERO, Some(16_000_000));
    }

    /// Sends what `--calldata --json` printed.
    pub(crate) fn transact_json(&self, from: u32, printed: &Value) {
        let text = |name: &str| printed[name].as_str().unwrap();
        let (to, value) = (text("to").parse().unwrap(), text("valueWei").parse().unwrap());
        self.transact(from, to, hex::decode(text("data")).unwrap(), value, None);
    }

    fn transact(&self, from: u32, to: Address, data: Vec<u8>, value: U256, gas: Option<u64>) {
        let mut transaction = TransactionRequest::default()
            .from(self.chain.account(from))
            .to(to)
            .value(value)
            .input(data.into());
        transaction.gas = gas;
        let receipt = self.chain.block_on(self.chain.anvil.send(transaction)).unwrap();
        assert!(receipt.status(), "{receipt:?}");
    }

    /// Deploys creation code from the owner's account.
    pub(crate) fn create(&self, code: Bytes) -> Address {
        let transaction =
            TransactionRequest::default().from(self.chain.account(self.owner)).create().input(code.into());
        let receipt = self.chain.block_on(self.chain.anvil.send(transaction)).unwrap();
        assert!(receipt.status(), "{receipt:?}");
        receipt.contract_address.unwrap()
    }
}

impl Existing for Place {
    fn has_code(&self, account: Address) -> Option<bool> {
        let code = self.chain.block_on(async { self.chain.anvil.provider().get_code_at(account).await });
        Some(!code.unwrap().is_empty())
    }

    fn implementation(&self, proxy: Address) -> Option<Address> {
        self.slot(proxy, IMPLEMENTATION_SLOT).map(Address::from_word)
    }

    fn slot(&self, account: Address, slot: B256) -> Option<B256> {
        let key = U256::from_be_bytes(slot.0);
        let word =
            self.chain.block_on(async { self.chain.anvil.provider().get_storage_at(account, key).await });
        Some(word.unwrap().into())
    }
}
