#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    missing_debug_implementations,
    missing_docs,
    reason = "shared by several test files"
)]
//! A node with the contracts, users' transactions, and keepers in the test's own process.

use alloy::{
    network::EthereumWallet,
    primitives::{Address, B256, U256, address},
    providers::Provider,
    rpc::types::{Filter, TransactionReceipt, TransactionRequest},
    sol_types::{SolCall, SolEvent},
};
use errand_bindings::{IAutoToken, IRegistry, IStakeManager};
use errand_chain::{BlockFeed, Deployment, Endpoint, FeedOptions, Start, StateLoader};
use errand_journal::{Identity, Journal};
use errand_keeper::{
    AutoValue, BlockReport, Contracts, Keeper, KeeperError, Observer, Outstanding, Policy, ProfitRule,
    Sender, Simulator, planner::TRANSACTION_GAS_CAP,
};
use errand_sim::{Fork, SimConfig};
use errand_submit::{SubmitConfig, TipPolicy};
use errand_testkit::{Anvil, Deployment as Fixture};
use errand_types::{BlockHead, RequestId};
use std::{
    path::Path,
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// Where test targets are put: each is a few bytes of code.
pub const ALWAYS: Address = address!("0x00000000000000000000000000000000000a0001");
/// Succeeds while its slot 0 is not zero. Called with 32 bytes by anybody, it stores them.
pub const SWITCH: Address = address!("0x00000000000000000000000000000000000a0002");
/// Succeeds from the Unix time in its slot 0 on.
pub const TIMER: Address = address!("0x00000000000000000000000000000000000a0003");

pub struct Stage {
    pub anvil: Anvil,
    pub fixture: Fixture,
    pub contracts: Contracts,
    pub endpoint: Endpoint,
}

impl Stage {
    pub async fn set() -> Self {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let anvil = Anvil::builder().accounts(10).spawn().await.unwrap();
        let fixture = Fixture::run(&anvil).await.unwrap();
        let deployment = Deployment::load(&fixture.path()).unwrap();
        let endpoint =
            Endpoint::connect(&[anvil.http_url().parse().unwrap()], Default::default()).await.unwrap();
        let contracts = Contracts::of(&deployment).unwrap();
        // STOP
        anvil.set_code(ALWAYS, "0x00".parse().unwrap()).await.unwrap();
        // calldatasize == 32 ? sstore(0, calldataload(0)) : sload(0) ? stop : revert("")
        // 36 6020 14 6010 57 | 5f 54 600e 57 5f 5f fd 00?? laid out below
        anvil
            .set_code(
                SWITCH,
                "0x366020146012575f5415600d57005b5f5ffd5b5f355f55 00".replace(' ', "").parse().unwrap(),
            )
            .await
            .unwrap();
        // sload(0) <= timestamp ? stop : revert
        anvil.set_code(TIMER, "0x425f541160085700 5b5f5ffd".replace(' ', "").parse().unwrap()).await.unwrap();
        Self { anvil, fixture, contracts, endpoint }
    }

    pub fn user(&self) -> Address {
        self.anvil.account(5).unwrap()
    }

    pub async fn send(&self, from: Address, to: Address, value: U256, data: Vec<u8>) -> TransactionReceipt {
        let request = TransactionRequest::default().from(from).to(to).value(value).input(data.into());
        let receipt = self.anvil.send(request).await.unwrap();
        assert!(receipt.status(), "{receipt:?}");
        receipt
    }

    /// Registers a one-shot Request with a deposit of 0.05 ETH.
    pub async fn register(&self, target: Address) -> Outstanding {
        self.register_with(target, U256::from(50_000_000_000_000_000u64), false).await
    }

    /// Registers a recurring Request that pays in AUTO.
    pub async fn register_recurring(&self, target: Address) -> Outstanding {
        self.register_with(target, U256::ZERO, true).await
    }

    async fn register_with(&self, target: Address, deposit: U256, recurring: bool) -> Outstanding {
        let call = IRegistry::newReqPaySpecificCall {
            target,
            referer: Address::ZERO,
            callData: vec![0x11; 4].into(),
            ethForCall: Default::default(),
            verifyUser: false,
            insertFeeAmount: false,
            payWithAUTO: recurring,
            isAlive: recurring,
        };
        let receipt = self.send(self.user(), self.contracts.registry, deposit, call.abi_encode()).await;
        let event = IRegistry::HashedReqAdded::decode_log(&receipt.logs()[0].inner).unwrap().data;
        let request = IRegistry::Request {
            user: event.user,
            target: event.target,
            referer: event.referer,
            callData: event.callData,
            initEthSent: event.initEthSent,
            ethForCall: event.ethForCall,
            verifyUser: event.verifyUser,
            insertFeeAmount: event.insertFeeAmount,
            payWithAUTO: event.payWithAUTO,
            isAlive: event.isAlive,
        };
        Outstanding { id: RequestId(event.id.to()), request, added_at: 0, last_executed_at: None }
    }

    /// Gives an account AUTO, and has it approve `spender` for all of it.
    pub async fn give_auto(&self, account: Address, amount: u64, spender: Address) {
        let amount = U256::from(amount) * U256::from(10).pow(U256::from(18));
        let owner = self.anvil.account(0).unwrap();
        let transfer = IAutoToken::transferCall { to: account, value: amount };
        self.send(owner, self.contracts.auto_token, U256::ZERO, transfer.abi_encode()).await;
        let approve = IAutoToken::approveCall { spender, value: U256::MAX };
        self.send(account, self.contracts.auto_token, U256::ZERO, approve.abi_encode()).await;
    }

    /// Stakes so many AUTO for an account, and mines until they count.
    pub async fn stake(&self, account: Address, amount: u64) {
        let stakes = self.fixture.address("StakeManager").unwrap();
        self.give_auto(account, amount, stakes).await;
        let amount = U256::from(amount) * U256::from(10).pow(U256::from(18));
        self.send(account, stakes, U256::ZERO, IStakeManager::stakeCall { amount }.abi_encode()).await;
        self.anvil.mine(100).await.unwrap();
    }

    /// Sets the slot that a switch or timer goes by, with a transaction.
    pub async fn set_slot(&self, target: Address, value: u64) {
        if target == SWITCH {
            self.send(self.user(), SWITCH, U256::ZERO, U256::from(value).to_be_bytes::<32>().to_vec()).await;
        } else {
            let value = B256::from(U256::from(value));
            let _: bool = self.anvil.call("anvil_setStorageAt", (target, U256::ZERO, value)).await.unwrap();
        }
    }

    /// How often each Request was executed, in order of execution.
    pub async fn executed(&self) -> Vec<u64> {
        let filter = Filter::new()
            .address(self.contracts.registry)
            .event_signature(IRegistry::HashedReqExecuted::SIGNATURE_HASH)
            .from_block(0);
        let logs = self.anvil.provider().get_logs(&filter).await.unwrap();
        logs.iter().map(|log| IRegistry::HashedReqExecuted::decode_log(&log.inner).unwrap().id.to()).collect()
    }

    pub fn policy(&self, executor: u32) -> Policy {
        Policy {
            executor: self.anvil.account(executor).unwrap(),
            rule: ProfitRule { min_profit: U256::ZERO, max_gas_price: None, auto_value: AutoValue::Oracle },
            max_batch_gas: TRANSACTION_GAS_CAP,
            max_batch_entries: 100,
            tip: 1_000_000_000,
            max_opening_gas: 150_000,
            inclusion_blocks: 1,
        }
    }

    /// Waits until the keeper has dealt with the head.
    pub async fn seen_by(&self, keeper: &Running) {
        until("the head is seen", || async {
            let head = self.head().await.hash;
            keeper.reports.lock().unwrap().last().is_some_and(|report| report.hash == head)
        })
        .await;
    }

    /// Mines so many blocks, one after the other, each when the keeper has dealt with the one before.
    pub async fn mine_and_see(&self, keeper: &Running, blocks: usize) {
        self.seen_by(keeper).await;
        for _ in 0..blocks {
            self.anvil.mine(1).await.unwrap();
            self.seen_by(keeper).await;
        }
    }

    pub async fn head(&self) -> BlockHead {
        let cancel = CancellationToken::new();
        *BlockFeed::start(&self.endpoint, Start::Tip, FeedOptions::default(), cancel).await.unwrap().base()
    }

    pub async fn simulator(&self) -> Simulator {
        let loader = StateLoader::probe(&self.endpoint).await.unwrap();
        let head = self.head().await;
        Simulator::new(loader, SimConfig::new(31_337, Fork::Osaka), head)
    }

    pub fn journal(&self, executor: u32, folder: &Path) -> Journal {
        let identity = Identity {
            chain_id: 31_337,
            registry: self.contracts.registry,
            account: self.anvil.account(executor).unwrap(),
        };
        Journal::open(folder.join("journal.sqlite"), identity).unwrap()
    }

    /// Starts a keeper in a task of its own.
    pub fn keeper(&self, executor: u32, folder: &Path) -> Running {
        self.keeper_with(executor, folder, self.policy(executor))
    }

    pub fn keeper_with(&self, executor: u32, folder: &Path, policy: Policy) -> Running {
        let keeper = Keeper {
            endpoint: self.endpoint.clone(),
            contracts: self.contracts,
            policy,
            sim: SimConfig::new(31_337, Fork::Osaka),
            journal: self.journal(executor, folder),
            sender: Some(Sender {
                wallet: EthereumWallet::from(self.anvil.signer(executor).unwrap()),
                config: SubmitConfig { tip: TipPolicy::Fixed(1_000_000_000), ..Default::default() },
            }),
            first_block: 0,
        };
        let cancel = CancellationToken::new();
        let reports = Arc::new(Mutex::new(Vec::new()));
        let mut observer = Recording(reports.clone());
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
        Running { cancel, reports, thread }
    }
}

struct Recording(Arc<Mutex<Vec<BlockReport>>>);

impl Observer for Recording {
    fn block(&mut self, report: &BlockReport) {
        self.0.lock().unwrap().push(report.clone());
    }
}

pub struct Running {
    pub cancel: CancellationToken,
    pub reports: Arc<Mutex<Vec<BlockReport>>>,
    pub thread: JoinHandle<Result<(), KeeperError>>,
}

impl Running {
    pub async fn stop(self) -> Vec<BlockReport> {
        self.cancel.cancel();
        tokio::task::spawn_blocking(|| self.thread.join()).await.unwrap().unwrap().unwrap();
        self.reports.lock().unwrap().clone()
    }
}

/// Waits until a condition holds. The limit matters only where the test fails.
pub async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    const LIMIT: Duration = Duration::from_secs(120);
    let deadline = Instant::now() + LIMIT;
    while !condition().await {
        assert!(Instant::now() < deadline, "waited {LIMIT:?} for: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
