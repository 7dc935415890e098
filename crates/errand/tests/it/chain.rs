//! A chain with the contracts on it, and the binary as a user would call it.

use alloy::{
    primitives::{Address, U256, hex},
    providers::Provider,
    rpc::types::TransactionRequest,
    sol_types::SolCall,
};
use errand_bindings::{IAutoToken, IRegistry};
use errand_testkit::{Anvil, Deployment};
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Accounts of the node: some for tests that name them, some for those that want one of their own.
pub(crate) const ACCOUNTS: usize = 80;

/// A node with everything deployed. Account 0 is the deployer, who owns all AUTO but what accounts 1 to 9 got.
pub(crate) struct Chain {
    runtime: Runtime,
    pub(crate) anvil: Anvil,
    pub(crate) deployment: Deployment,
    home: TempDir,
}

/// What a call of the binary came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn new(output: &Output) -> Self {
        Self {
            code: output.status.code().expect("ended by a signal"),
            stdout: String::from_utf8(output.stdout.clone()).expect("standard output is text"),
            stderr: String::from_utf8(output.stderr.clone()).expect("standard error is text"),
        }
    }

    /// Asserts that it succeeded.
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that it failed with this code, and that standard error holds all of these texts and nothing that
    /// only a developer could read.
    pub(crate) fn failed(self, code: i32, texts: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        for text in texts {
            assert!(self.stderr.contains(text), "`{text}` is not in:\n{}", self.stderr);
        }
        for text in ["panicked", "RUST_BACKTRACE", "Location:", "0x08c379a0"] {
            assert!(!self.stderr.contains(text), "{}", self.stderr);
        }
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}:\n{}", self.stdout))
    }
}

impl Chain {
    /// A chain of the test's own.
    pub(crate) fn own() -> Self {
        let runtime = Runtime::new().unwrap();
        let (anvil, deployment) = runtime.block_on(async {
            let anvil = Anvil::builder().accounts(ACCOUNTS).spawn().await.unwrap();
            let mut deployment = Deployment::run(&anvil).await.unwrap();
            deployment.script(&anvil, "script/DeployUniswapV2.s.sol").await.unwrap();
            deployment.script(&anvil, "script/DeployExamples.s.sol").await.unwrap();
            (anvil, deployment)
        });
        let chain = Self { runtime, anvil, deployment, home: TempDir::new().unwrap() };
        for index in 1..10 {
            let value = U256::from(1_000) * U256::from(10).pow(U256::from(18));
            chain.transact(
                0,
                chain.address("AutoToken"),
                &IAutoToken::transferCall { to: chain.account(index), value },
            );
        }
        chain
    }

    /// A chain of the test's own with the contracts of bundles, too.
    pub(crate) fn own_chugsplash() -> Self {
        let mut chain = Self::own();
        let Self { runtime, anvil, deployment, .. } = &mut chain;
        runtime.block_on(deployment.script(anvil, "script/DeployChugSplash.s.sol")).unwrap();
        chain
    }

    /// A chain with the contracts of bundles, which tests share that do not move its clock.
    pub(crate) fn chugsplash() -> Arc<Self> {
        static SHARED: Mutex<Weak<Chain>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let chain = Arc::new(Self::own_chugsplash());
            *shared = Arc::downgrade(&chain);
            chain
        })
    }

    /// A chain that tests share which neither move its clock nor stake.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Chain>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let chain = Arc::new(Self::own());
            *shared = Arc::downgrade(&chain);
            chain
        })
    }

    pub(crate) fn account(&self, index: u32) -> Address {
        self.anvil.account(index).unwrap()
    }

    /// The address of a contract.
    pub(crate) fn address(&self, name: &str) -> Address {
        self.deployment.address(name).unwrap()
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub(crate) fn mine(&self, blocks: u64) {
        self.block_on(self.anvil.mine(blocks)).unwrap();
    }

    /// Height of the head.
    pub(crate) fn head(&self) -> u64 {
        self.block_on(async { self.anvil.provider().get_block_number().await }).unwrap()
    }

    /// Unix time of the head.
    pub(crate) fn now(&self) -> u64 {
        let block =
            self.block_on(async { self.anvil.provider().get_block_by_number(Default::default()).await });
        block.unwrap().unwrap().header.timestamp
    }

    /// Calls a contract from one of the node's accounts, without the binary.
    pub(crate) fn transact(&self, from: u32, to: Address, call: &impl SolCall) {
        let transaction =
            TransactionRequest::default().from(self.account(from)).to(to).input(call.abi_encode().into());
        let receipt = self.block_on(self.anvil.send(transaction)).unwrap();
        assert!(receipt.status(), "{receipt:?}");
    }

    /// The same with so many wei.
    pub(crate) fn pay(&self, from: u32, to: Address, call: &impl SolCall, value: U256) {
        let transaction = TransactionRequest::default()
            .from(self.account(from))
            .to(to)
            .value(value)
            .input(call.abi_encode().into());
        let receipt = self.block_on(self.anvil.send(transaction)).unwrap();
        assert!(receipt.status(), "{receipt:?}");
    }

    /// What a transaction of one of the node's accounts would give.
    pub(crate) fn call_as<C: SolCall>(&self, from: u32, to: Address, call: &C) -> C::Return {
        let transaction =
            TransactionRequest::default().from(self.account(from)).to(to).input(call.abi_encode().into());
        let answer = self.block_on(async { self.anvil.provider().call(transaction).await }).unwrap();
        C::abi_decode_returns(&answer).unwrap()
    }

    /// Asks a contract.
    pub(crate) fn call<C: SolCall>(&self, to: Address, call: &C) -> C::Return {
        let transaction = TransactionRequest::default().to(to).input(call.abi_encode().into());
        let answer = self.block_on(async { self.anvil.provider().call(transaction).await }).unwrap();
        C::abi_decode_returns(&answer).unwrap()
    }

    /// The binary, without any of the caller's settings.
    pub(crate) fn bare(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_errand"));
        command.env_clear().env("HOME", self.home.path()).current_dir(self.home.path()).stdin(Stdio::null());
        command
    }

    /// The binary with the node and its deployment.
    pub(crate) fn errand(&self) -> Command {
        let mut command = self.bare();
        command.env("ERRAND_RPC", self.anvil.http_url()).env("ERRAND_DEPLOYMENT", self.deployment.path());
        command
    }

    /// Runs the binary with arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run(self.errand().args(arguments))
    }

    /// Runs it with the key of one of the node's accounts.
    pub(crate) fn run_as(&self, index: u32, arguments: &[&str]) -> Ran {
        run(self.signing(index).args(arguments))
    }

    /// The binary with a key.
    pub(crate) fn signing(&self, index: u32) -> Command {
        let mut command = self.errand();
        command.env("ERRAND_PRIVATE_KEY", self.key(index));
        command
    }

    pub(crate) fn key(&self, index: u32) -> String {
        hex::encode_prefixed(self.anvil.signer(index).unwrap().to_bytes())
    }

    /// The folder that the binary takes for its user's home, and in which it runs.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn registry(&self) -> IRegistry::IRegistryInstance<alloy::providers::DynProvider> {
        IRegistry::new(self.address("Registry"), self.anvil.provider().clone())
    }

    /// Registers a call that always succeeds and returns its number.
    pub(crate) fn register(&self, index: u32) -> u64 {
        let target = self.address("DemoToken").to_string();
        let to = Address::repeat_byte(0xee).to_string();
        let call = ["--call", "mint(address,uint256)", &to, "1ether"];
        let new = ["request", "new", "--target", &target, "--yes", "--json"];
        let ran = self.run_as(index, &[&new[..], &call[..]].concat()).ok();
        ran.json()["id"].as_u64().unwrap()
    }
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Ran {
    Ran::new(&command.output().unwrap())
}
