//! A node with the contracts, users' transactions, and keepers in the test's own process.

use alloy::{
    network::EthereumWallet,
    primitives::{Address, B256, U256, address},
    providers::Provider,
    rpc::types::{Filter, TransactionReceipt, TransactionRequest},
    sol_types::{SolCall, SolEvent},
};
use errand_bindings::{IAutoToken, IRegistry, IStakeManager};
use errand_chain::{BlockFeed, Deployment, Endpoint, FeedOptions, Start};
use errand_journal::{Identity, Journal};
use errand_keeper::{
    AutoValue, BlockReport, Contracts, Keeper, KeeperError, Observer, Outstanding, Policy, ProfitRule,
    Sender,
    book::registered,
    bundles::{BundleContracts, BundlePolicy},
};
use errand_sim::{Fork, SimConfig};
use errand_submit::{SubmitConfig, TipPolicy};
use errand_testkit::{Anvil, Deployment as Fixture};
use errand_types::{BlockHead, RequestId, TX_GAS_CAP};
use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// Where test targets are put: each is a few bytes of code.
pub(crate) const ALWAYS: Address = address!("0x00000000000000000000000000000000000a0001");
/// Succeeds while its slot 0 is not zero. Called with 32 bytes by anybody, it stores them.
pub(crate) const SWITCH: Address = address!("0x00000000000000000000000000000000000a0002");
/// Succeeds from the Unix time in its slot 0 on.
pub(crate) const TIMER: Address = address!("0x00000000000000000000000000000000000a0003");

pub(crate) struct Stage {
    pub(crate) anvil: Anvil,
    pub(crate) fixture: Fixture,
    pub(crate) contracts: Contracts,
    pub(crate) endpoint: Endpoint,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        log();
        let anvil = Anvil::builder().accounts(10).spawn().await.unwrap();
        let fixture = Fixture::run(&anvil).await.unwrap();
        Self::on(anvil, fixture).await
    }

    /// The same with the contracts for upgrades, on a node with these arguments.
    pub(crate) async fn own_chugsplash(arguments: &[&str]) -> Self {
        log();
        let builder = Anvil::builder().accounts(10);
        let builder = arguments.iter().fold(builder, |builder, argument| builder.arg(*argument));
        let anvil = builder.spawn().await.unwrap();
        let mut fixture = Fixture::run(&anvil).await.unwrap();
        fixture.script(&anvil, "script/DeployChugSplash.s.sol").await.unwrap();
        Self::on(anvil, fixture).await
    }

    async fn on(anvil: Anvil, fixture: Fixture) -> Self {
        let deployment = Deployment::load(&fixture.path()).unwrap();
        let endpoint =
            Endpoint::connect(&[anvil.http_url().parse().unwrap()], Default::default()).await.unwrap();
        let contracts = Contracts::of(&deployment).unwrap();
        // STOP
        anvil.set_code(ALWAYS, "0x00".parse().unwrap()).await.unwrap();
        // calldatasize == 32 ? sstore(0, calldataload(0)) : sload(0) ? stop : revert
        anvil
            .set_code(SWITCH, "0x366020146012575f5415600e57005b5f5ffd5b5f355f5500".parse().unwrap())
            .await
            .unwrap();
        // sload(0) > timestamp ? revert : stop
        anvil.set_code(TIMER, "0x425f5411600857005b5f5ffd".parse().unwrap()).await.unwrap();
        Self { anvil, fixture, contracts, endpoint }
    }

    pub(crate) fn user(&self) -> Address {
        self.anvil.account(5).unwrap()
    }

    pub(crate) async fn send(
        &self,
        from: Address,
        to: Address,
        value: U256,
        data: Vec<u8>,
    ) -> TransactionReceipt {
        let request = TransactionRequest::default().from(from).to(to).value(value).input(data.into());
        let receipt = self.anvil.send(request).await.unwrap();
        assert!(receipt.status(), "{receipt:?}");
        receipt
    }

    /// Registers a one-shot Request with a deposit of 0.05 ETH.
    pub(crate) async fn register(&self, target: Address) -> Outstanding {
        self.register_with(target, U256::from(50_000_000_000_000_000u64), false, false).await
    }

    /// Registers a one-shot Request that pays in AUTO.
    pub(crate) async fn register_auto(&self, target: Address) -> Outstanding {
        self.register_with(target, U256::ZERO, true, false).await
    }

    /// Registers a recurring Request that pays in AUTO.
    pub(crate) async fn register_recurring(&self, target: Address) -> Outstanding {
        self.register_with(target, U256::ZERO, true, true).await
    }

    pub(crate) async fn register_with(
        &self,
        target: Address,
        deposit: U256,
        in_auto: bool,
        recurring: bool,
    ) -> Outstanding {
        let call = IRegistry::newReqPaySpecificCall {
            target,
            referer: Address::ZERO,
            callData: vec![0x11; 4].into(),
            ethForCall: Default::default(),
            verifyUser: false,
            insertFeeAmount: false,
            payWithAUTO: in_auto,
            isAlive: recurring,
        };
        self.register_call(deposit, call).await
    }

    /// Registers any Request of the user's.
    pub(crate) async fn register_call(
        &self,
        deposit: U256,
        call: IRegistry::newReqPaySpecificCall,
    ) -> Outstanding {
        let receipt = self.send(self.user(), self.contracts.registry, deposit, call.abi_encode()).await;
        let event = IRegistry::HashedReqAdded::decode_log(&receipt.logs()[0].inner).unwrap().data;
        let id = RequestId(event.id.to());
        Outstanding { id, request: registered(event), added_at: 0, last_executed_at: None }
    }

    /// Gives an account AUTO, and has it approve `spender` for all of it.
    pub(crate) async fn give_auto(&self, account: Address, amount: u64, spender: Address) {
        let amount = U256::from(amount) * U256::from(10).pow(U256::from(18));
        let owner = self.anvil.account(0).unwrap();
        let transfer = IAutoToken::transferCall { to: account, value: amount };
        self.send(owner, self.contracts.auto_token, U256::ZERO, transfer.abi_encode()).await;
        let approve = IAutoToken::approveCall { spender, value: U256::MAX };
        self.send(account, self.contracts.auto_token, U256::ZERO, approve.abi_encode()).await;
    }

    /// Stakes so many AUTO for an account, and mines until they count.
    pub(crate) async fn stake(&self, account: Address, amount: u64) {
        let stakes = self.fixture.address("StakeManager").unwrap();
        self.give_auto(account, amount, stakes).await;
        let amount = U256::from(amount) * U256::from(10).pow(U256::from(18));
        self.send(account, stakes, U256::ZERO, IStakeManager::stakeCall { amount }.abi_encode()).await;
        self.anvil.mine(100).await.unwrap();
    }

    /// Sets the slot that a switch or timer goes by, with a transaction.
    pub(crate) async fn set_slot(&self, target: Address, value: u64) {
        if target == SWITCH {
            self.send(self.user(), SWITCH, U256::ZERO, U256::from(value).to_be_bytes::<32>().to_vec()).await;
        } else {
            let value = B256::from(U256::from(value));
            let _: bool = self.anvil.call("anvil_setStorageAt", (target, U256::ZERO, value)).await.unwrap();
        }
    }

    /// Sends the transaction that sets a switch, without waiting for it to be mined.
    pub(crate) async fn submit_slot(&self, target: Address, value: u64) {
        let data = U256::from(value).to_be_bytes::<32>().to_vec();
        let request = TransactionRequest::default().from(self.user()).to(target).input(data.into());
        self.anvil.submit(request.gas_limit(100_000)).await.unwrap();
    }

    /// The Requests that were executed, in order of execution.
    pub(crate) async fn executed(&self) -> Vec<u64> {
        self.executions().await.into_iter().map(|event| event.id.to()).collect()
    }

    /// All executions, in their order.
    pub(crate) async fn executions(&self) -> Vec<IRegistry::HashedReqExecuted> {
        let filter = Filter::new()
            .address(self.contracts.registry)
            .event_signature(IRegistry::HashedReqExecuted::SIGNATURE_HASH)
            .from_block(0);
        let logs = self.anvil.provider().get_logs(&filter).await.unwrap();
        logs.iter().map(|log| IRegistry::HashedReqExecuted::decode_log(&log.inner).unwrap().data).collect()
    }

    pub(crate) fn policy(&self, executor: u32) -> Policy {
        Policy {
            executor: self.anvil.account(executor).unwrap(),
            rule: ProfitRule { min_profit: U256::ZERO, max_gas_price: None, auto_value: AutoValue::Oracle },
            max_batch_gas: TX_GAS_CAP,
            max_batch_entries: 100,
            tip: 1_000_000_000,
            max_opening_gas: 150_000,
            loss_budget: None,
            inclusion_blocks: 1,
        }
    }

    /// Waits until the keeper has dealt with the head.
    pub(crate) async fn seen_by(&self, keeper: &Running) {
        until("the head is seen", || async {
            let head = self.head().await.hash;
            keeper.reports().last().is_some_and(|report| report.hash == head)
        })
        .await;
    }

    /// Mines so many blocks, one after the other, each when the keeper has dealt with the one before.
    pub(crate) async fn mine_and_see(&self, keeper: &Running, blocks: usize) {
        self.seen_by(keeper).await;
        for _ in 0..blocks {
            self.anvil.mine(1).await.unwrap();
            self.seen_by(keeper).await;
        }
    }

    pub(crate) async fn head(&self) -> BlockHead {
        let cancel = CancellationToken::new();
        *BlockFeed::start(&self.endpoint, Start::Tip, FeedOptions::default(), cancel).await.unwrap().base()
    }

    pub(crate) fn journal(&self, executor: u32, folder: &Path) -> Journal {
        let identity = Identity {
            chain_id: 31_337,
            genesis: B256::ZERO,
            registry: self.contracts.registry,
            account: self.anvil.account(executor).unwrap(),
        };
        Journal::open(folder.join("journal.sqlite"), identity).unwrap()
    }

    /// Starts a keeper in a task of its own.
    pub(crate) fn keeper(&self, executor: u32, folder: &Path) -> Running {
        self.keeper_with(executor, folder, self.policy(executor))
    }

    pub(crate) fn keeper_with(&self, executor: u32, folder: &Path, policy: Policy) -> Running {
        self.keeper_of(executor, folder, policy, None)
    }

    pub(crate) fn keeper_of(
        &self,
        executor: u32,
        folder: &Path,
        policy: Policy,
        bundles: Option<(BundleContracts, BundlePolicy)>,
    ) -> Running {
        let tip = policy.tip;
        let keeper = Keeper {
            endpoint: self.endpoint.clone(),
            contracts: self.contracts,
            policy,
            bundles,
            sim: SimConfig::new(31_337, Fork::Osaka),
            journal: self.journal(executor, folder),
            sender: Some(Sender {
                wallet: EthereumWallet::from(self.anvil.signer(executor).unwrap()),
                config: SubmitConfig { tip: TipPolicy::Fixed(tip), ..Default::default() },
            }),
            first_block: 0,
        };
        let cancel = CancellationToken::new();
        let (reports, syncs) = <(Arc<Mutex<Vec<_>>>, Arc<AtomicUsize>)>::default();
        let mut observer = Recording(reports.clone(), syncs.clone());
        let token = cancel.clone();
        // As in the binary: a thread whose main task it is.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let result = runtime.block_on(keeper.run(token, &mut (), &mut observer));
            if let Err(error) = &result {
                eprintln!("the keeper ended: {error}");
            }
            result
        });
        Running { cancel, reports, syncs, thread }
    }
}

fn log() {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_test_writer()
        .try_init();
}

struct Recording(Arc<Mutex<Vec<BlockReport>>>, Arc<AtomicUsize>);

impl Observer for Recording {
    fn synced(&mut self, _: u64, _: usize, _: usize) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }

    fn block(&mut self, report: &BlockReport) {
        self.0.lock().unwrap().push(report.clone());
    }
}

pub(crate) struct Running {
    pub(crate) cancel: CancellationToken,
    reports: Arc<Mutex<Vec<BlockReport>>>,
    syncs: Arc<AtomicUsize>,
    pub(crate) thread: JoinHandle<Result<(), KeeperError>>,
}

impl Running {
    /// What it told so far.
    pub(crate) fn reports(&self) -> Vec<BlockReport> {
        self.reports.lock().unwrap().clone()
    }

    /// How often it read the book from the chain.
    pub(crate) fn syncs(&self) -> usize {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Waits until it has told something.
    pub(crate) async fn told(&self, what: &str, is_it: impl Fn(&BlockReport) -> bool) -> BlockReport {
        let found = || self.reports().into_iter().find(|report| is_it(report));
        until(what, || async { found().is_some() }).await;
        found().unwrap()
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(self) -> KeeperError {
        until("it ends", || async { self.thread.is_finished() }).await;
        self.thread.join().unwrap().unwrap_err()
    }

    pub(crate) async fn stop(self) -> Vec<BlockReport> {
        self.cancel.cancel();
        until("it stops", || async { self.thread.is_finished() }).await;
        self.thread.join().unwrap().unwrap();
        let reports = self.reports.lock().unwrap();
        reports.clone()
    }
}

/// Waits until a condition holds. The limit matters only where the test fails.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    const LIMIT: Duration = Duration::from_secs(120);
    let deadline = Instant::now() + LIMIT;
    while !condition().await {
        assert!(Instant::now() < deadline, "waited {LIMIT:?} for: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
