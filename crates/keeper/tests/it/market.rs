//! Projects with bundles, on a node with the contracts.

use crate::common::{Running, Stage, until};
use alloy::{
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes, U256, b256, hex},
    providers::Provider,
    rpc::types::{Filter, TransactionReceipt, TransactionRequest},
    sol_types::{SolCall, SolEvent, SolValue},
};
use errand_bindings::{
    IChugSplashManager::{self, BundleInfo, Status},
    IChugSplashRegistry, ISimpleLockESS,
};
use errand_bundle::{
    Step,
    bundle::{Bundle, GasRules, Measured, Terms, bundle},
    config::Caps,
    create3, file,
    plan::Planned,
    project::Site,
};
use errand_chain::Deployment;
use errand_keeper::{
    BlockReport,
    bundles::{BundleContracts, BundlePolicy, Hindrance, bound::bound_header},
};
use std::{fs, path::PathBuf};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) const GWEI: u64 = 1_000_000_000;
/// What a claim posts, and what an approval locks.
pub(crate) const BOND: u64 = 100_000_000 * GWEI;
/// Where ERC-1967 has the admin of a proxy.
const ADMIN_SLOT: B256 = b256!("b53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103");
/// What a lock lasts, in seconds.
pub(crate) const LOCK: u64 = 900;

/// A node with the contracts for upgrades, and a folder from which bundles are published.
pub(crate) struct Market {
    pub(crate) stage: Stage,
    pub(crate) contracts: BundleContracts,
    pub(crate) files: TempDir,
}

/// One project.
pub(crate) struct Project<'a> {
    market: &'a Market,
    pub(crate) owner: Address,
    pub(crate) site: Site,
    nonce: u64,
}

/// What of a bundle is not as usual.
#[derive(Clone)]
pub(crate) struct Wish {
    pub(crate) max_base_fee: U256,
    pub(crate) budget: Option<U256>,
    pub(crate) uri: Option<String>,
    /// Published by a server of its own.
    pub(crate) is_served: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Self { max_base_fee: U256::from(20 * GWEI), budget: None, uri: None, is_served: false }
    }
}

/// What forge compiled, without arguments.
fn creation_code(name: &str) -> Vec<u8> {
    let path = errand_testkit::root().unwrap().join(format!("out/{name}.sol/{name}.json"));
    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    hex::decode(json["bytecode"]["object"].as_str().unwrap()).unwrap()
}

impl Market {
    pub(crate) async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// The same on a node with these arguments.
    pub(crate) async fn open_with(arguments: &[&str]) -> Self {
        let stage = Stage::own_chugsplash(arguments).await;
        let deployment = Deployment::load(&stage.fixture.path()).unwrap();
        let contracts = BundleContracts::of(&deployment).unwrap();
        Self { stage, contracts, files: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn at(&self, name: &str) -> Address {
        self.stage.fixture.address(name).unwrap()
    }

    /// A project of account 5, with a manager of its own.
    pub(crate) async fn project(&self, salt: u8) -> Project<'_> {
        let (owner, salt) = (self.stage.user(), B256::repeat_byte(salt));
        let registry = self.contracts.registry;
        let places = IChugSplashRegistry::new(registry, self.stage.anvil.provider());
        let places = places.addressesOf(owner, salt).call().await.unwrap();
        let register = IChugSplashRegistry::registerCall { owner, salt }.abi_encode();
        self.stage.send(owner, registry, U256::ZERO, register).await;
        let site = Site {
            chain_id: 31_337,
            manager: places.manager,
            actor: places.actor,
            registry,
            ess: self.at("SimpleLockESS"),
            eps: self.at("FlatFeeEPS"),
        };
        Project { market: self, owner, site, nonce: 0 }
    }

    /// Starts a keeper that offers no tip.
    pub(crate) fn keeper(&self, executor: u32, folder: &std::path::Path) -> Running {
        self.keeper_with(executor, folder, BundlePolicy::default(), 16_777_216)
    }

    pub(crate) fn keeper_with(
        &self,
        executor: u32,
        folder: &std::path::Path,
        bundles: BundlePolicy,
        max_batch_gas: u64,
    ) -> Running {
        let mut policy = self.stage.policy(executor);
        (policy.tip, policy.max_batch_gas) = (0, max_batch_gas);
        self.stage.keeper_of(executor, folder, policy, Some((self.contracts.clone(), bundles)))
    }

    /// Copies a strategy to where it is not known, with a byte more of code.
    pub(crate) async fn strange(&self, name: &str, at: Address) {
        let code = self.stage.anvil.provider().get_code_at(self.at(name)).await.unwrap();
        self.stage.anvil.set_code(at, [code.as_ref(), &[0]].concat().into()).await.unwrap();
    }

    pub(crate) async fn lock(&self, project: &Project<'_>, bundle: &Bundle) -> ISimpleLockESS::Lock {
        let ess = ISimpleLockESS::new(project.site.ess, self.stage.anvil.provider());
        ess.lockOf(project.site.manager, bundle.id).call().await.unwrap()
    }

    /// Posts the bond for a bundle from one of the node's accounts, without a keeper.
    pub(crate) async fn claim(
        &self,
        executor: u32,
        project: &Project<'_>,
        bundle: &Bundle,
    ) -> TransactionReceipt {
        let call = ISimpleLockESS::claimCall { project: project.site.manager, bundleId: bundle.id };
        let account = self.stage.anvil.account(executor).unwrap();
        self.stage.send(account, project.site.ess, U256::from(BOND), call.abi_encode()).await
    }

    /// Ends an executor's lock of a bundle that is over.
    pub(crate) async fn settle(
        &self,
        executor: Address,
        project: &Project<'_>,
        bundle: &Bundle,
    ) -> TransactionReceipt {
        let call = ISimpleLockESS::settleCall { project: project.site.manager, bundleId: bundle.id };
        self.stage.send(executor, project.site.ess, U256::ZERO, call.abi_encode()).await
    }

    /// Lets a project owe the executor of its bundle the user bond; gives the executor. It locked between 36 seconds
    /// and five minutes before the cancellation, when its wallet refuses ETH for a moment.
    pub(crate) async fn let_owe(&self, executor: u32, project: &Project<'_>, bundle: &Bundle) -> Address {
        self.claim(executor, project, bundle).await;
        let account = self.stage.anvil.account(executor).unwrap();
        self.pass(60).await;
        self.stage.anvil.set_code(account, "0x5f5ffd".parse().unwrap()).await.unwrap();
        project.send(&IChugSplashManager::cancelCall {}, U256::ZERO).await;
        self.stage.anvil.set_code(account, Bytes::new()).await.unwrap();
        account
    }

    /// Sets the base fee of a new block, and of those that follow it about.
    pub(crate) async fn base_fee(&self, wei: u64) {
        self.stage.anvil.set_next_base_fee(wei.into()).await.unwrap();
        self.stage.anvil.mine(1).await.unwrap();
    }

    /// Lets so many seconds go by, and mines a block.
    pub(crate) async fn pass(&self, seconds: u64) {
        let _: serde_json::Value = self.stage.anvil.call("evm_increaseTime", (seconds,)).await.unwrap();
        self.stage.anvil.mine(1).await.unwrap();
    }

    pub(crate) async fn nonce(&self, executor: u32) -> u64 {
        let account = self.stage.anvil.account(executor).unwrap();
        self.stage.anvil.provider().get_transaction_count(account).await.unwrap()
    }

    pub(crate) async fn balance(&self, account: Address) -> U256 {
        self.stage.anvil.provider().get_balance(account).await.unwrap()
    }

    /// What executing earned and cost, of all transactions that executed actions of a bundle.
    pub(crate) async fn paid_and_cost(&self, project: &Project<'_>) -> (U256, U256) {
        let filter = Filter::new()
            .address(project.site.manager)
            .event_signature(IChugSplashManager::ActionsExecuted::SIGNATURE_HASH)
            .from_block(0);
        let logs = self.stage.anvil.provider().get_logs(&filter).await.unwrap();
        let (mut paid, mut cost) = (U256::ZERO, U256::ZERO);
        for log in logs {
            paid += IChugSplashManager::ActionsExecuted::decode_log(&log.inner).unwrap().payment;
            let receipt = self.receipt(log.transaction_hash.unwrap()).await;
            cost += U256::from(receipt.gas_used) * U256::from(receipt.effective_gas_price);
        }
        (paid, cost)
    }

    pub(crate) async fn receipt(&self, tx: B256) -> TransactionReceipt {
        self.stage.anvil.provider().get_transaction_receipt(tx).await.unwrap().unwrap()
    }
}

/// Whether something earns 1.19 to 1.21 times what it costs.
pub(crate) fn is_a_fifth_more((paid, cost): (U256, U256)) -> bool {
    let percent = paid * U256::from(10_000) / cost;
    println!("paid / cost = {percent} / 10000");
    percent >= U256::from(11_900) && percent <= U256::from(12_100)
}

impl Project<'_> {
    pub(crate) async fn send(&self, call: &impl SolCall, value: U256) {
        self.market.stage.send(self.owner, self.site.manager, value, call.abi_encode()).await;
    }

    /// Publishes a bundle, and approves it.
    pub(crate) async fn approve(&mut self, planned: &[Planned], mut wish: Wish) -> Bundle {
        if wish.is_served {
            wish.uri = Some(serve(self.file()).await);
        }
        let bundle = self.plan(planned, &wish).await;
        if wish.uri.is_none() || wish.is_served {
            fs::write(self.file(), file::write(&bundle).unwrap()).unwrap();
        }
        let header = bound_header(&bundle.header);
        let money = bundle.header.budget + bundle.header.callValue + U256::from(BOND);
        self.send(&IChugSplashManager::depositCall {}, money).await;
        self.send(&IChugSplashManager::proposeCall { header: header.clone() }, U256::ZERO).await;
        self.send(&IChugSplashManager::approveCall { bundleId: bundle.id, header }, U256::ZERO).await;
        self.nonce += 1;
        bundle
    }

    /// Approves a bundle that is worth claiming.
    pub(crate) async fn approve_worthy(&mut self) -> Bundle {
        let planned = self.deploys(8, 3_000);
        self.approve(&planned, Wish::default()).await
    }

    /// Where a bundle is published.
    fn file(&self) -> PathBuf {
        self.market.files.path().join(format!("{}-{}.json", self.site.manager, self.nonce))
    }

    /// The bundle that [`approve`](Self::approve) would publish now.
    pub(crate) async fn plan(&self, planned: &[Planned], wish: &Wish) -> Bundle {
        let caps = Caps {
            max_base_fee: wish.max_base_fee,
            budget: wish.budget,
            max_txs: Some(400),
            gas_margin_percent: 15,
        };
        let uri = wish.uri.clone().unwrap_or_else(|| self.file().display().to_string());
        let terms = Terms {
            nonce: U256::from(self.nonce),
            caps: &caps,
            uri: &uri,
            user_bond: U256::from(BOND),
            base_fee: U256::from(self.market.stage.head().await.base_fee),
            chain_takes_data_fee: false,
            covers_data_fee: false,
        };
        let price = |gas: U256, base_fee: U256| Some(gas * base_fee * U256::from(12) / U256::from(10));
        bundle(self.site, planned, &measured(planned), &GasRules::ethereum(160_000), &terms, &price).unwrap()
    }

    pub(crate) async fn info(&self, bundle: &Bundle) -> BundleInfo {
        let manager = IChugSplashManager::new(self.site.manager, self.market.stage.anvil.provider());
        manager.bundle(bundle.id).call().await.unwrap()
    }

    pub(crate) async fn reaches(&self, bundle: &Bundle, status: Status) {
        until("the status", || async { self.info(bundle).await.status == status }).await;
    }

    /// A contract of so many bytes.
    pub(crate) fn deploy(&self, name: &str, runtime: usize) -> Planned {
        // PUSH2 length, DUP1, PUSH1 11, PUSH0, CODECOPY, PUSH0, RETURN
        let mut code = hex!("61ffff80600b5f395ff3fe").to_vec();
        code[1..3].copy_from_slice(&u16::try_from(runtime).unwrap().to_be_bytes());
        code.push(0);
        code.extend((1..runtime).map(|i| (i % 251) as u8 + 1));
        self.deploy_code(name, code.into())
    }

    pub(crate) fn deploys(&self, number: usize, runtime: usize) -> Vec<Planned> {
        (0..number).map(|i| self.deploy(&format!("d{i}"), runtime)).collect()
    }

    pub(crate) fn deploy_code(&self, name: &str, init_code: Bytes) -> Planned {
        let salt = create3::salt(name, B256::ZERO);
        let target = create3::address_of(self.site.actor, salt);
        Planned { name: name.to_owned(), target, step: Step::Deploy { salt, init_code } }
    }

    /// A transparent proxy of OpenZeppelin's, whose admin is the actor's, under the project.
    pub(crate) async fn adopt_transparent(&self) -> Address {
        let name = "TransparentUpgradeableProxy";
        // Any contract can be behind it, but it has to be called once.
        let implementation = self.site.ess;
        let call = ISimpleLockESS::bondAmountCall {}.abi_encode();
        let mut code = creation_code(name);
        code.extend((implementation, self.site.actor, Bytes::from(call)).abi_encode_params());
        let transaction = TransactionRequest::default().from(self.owner).with_deploy_code(code);
        let receipt = self.market.stage.anvil.send(transaction).await.unwrap();
        assert!(receipt.status(), "{receipt:?}");
        let proxy = receipt.contract_address.unwrap();
        let admin =
            self.market.stage.anvil.provider().get_storage_at(proxy, ADMIN_SLOT.into()).await.unwrap();
        let admin = Address::from_word(admin.into());
        let kind = IChugSplashManager::ProxyKind::TRANSPARENT;
        self.send(&IChugSplashManager::adoptCall { proxy, kind, admin, implementation }, U256::ZERO).await;
        proxy
    }

    /// Contracts, a proxy before them, and its switch to the first of them.
    pub(crate) fn upgrade(&self, number: usize, runtime: usize) -> Vec<Planned> {
        let mut code = creation_code("ChugSplashProxy");
        code.extend(self.site.actor.abi_encode());
        let proxy = self.deploy_code("proxy", code.into());
        let at = proxy.target;
        let mut planned = vec![proxy];
        planned.extend(self.deploys(number, runtime));
        let implementation = planned[1].target;
        let store = Step::SetStorage { slot: B256::with_last_byte(3), offset: 0, value: vec![9; 32].into() };
        planned.push(Planned { name: "store".into(), target: at, step: store });
        let step = Step::SetImplementation { implementation };
        planned.push(Planned { name: "set".into(), target: at, step });
        planned
    }
}

/// Answers every request with a file; gives the address.
async fn serve(file: PathBuf) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/bundle.json", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let body = fs::read(&file).unwrap_or_default();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&body).await;
        }
    });
    uri
}

/// Gas that the actions of these tests take, generously.
fn measured(planned: &[Planned]) -> Vec<Measured> {
    let gas = |planned: &Planned| match &planned.step {
        Step::Deploy { init_code, .. } => {
            (120_000 + 240 * init_code.len() as u64, 20 * init_code.len() as u64)
        }
        _ => (90_000, 10_000),
    };
    planned
        .iter()
        .map(gas)
        .map(|(frame, outside)| Measured { frame, share: frame + outside + 12_000 })
        .collect()
}

/// Whether a keeper refuses a bundle in this look, and if so, why it says.
pub(crate) fn refusal<'a>(report: &'a BlockReport, bundle: &Bundle) -> Option<&'a Hindrance> {
    report.bundles.iter().find(|told| told.id == bundle.id).and_then(|told| told.hindrance.as_ref())
}

/// Waits until a keeper refuses a bundle for such a reason; gives the text.
pub(crate) async fn refused(keeper: &Running, bundle: &Bundle, is_it: impl Fn(&Hindrance) -> bool) -> String {
    let report = keeper.told("it is refused", |report| refusal(report, bundle).is_some_and(&is_it)).await;
    let text = refusal(&report, bundle).unwrap().to_string();
    println!("refused: {text}");
    text
}
