//! A node of the test's own.

use crate::{root, tool};
use alloy::{
    network::EthereumWallet,
    primitives::{Address, B256, Bytes, U256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::{
        json_rpc::{RpcRecv, RpcSend},
        types::{TransactionReceipt, TransactionRequest},
    },
    signers::local::{MnemonicBuilder, PrivateKeySigner},
    transports::{TransportError, http::reqwest},
};
use eyre::{OptionExt, Result, WrapErr, bail};
use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const MNEMONIC: &str = "test test test test test test test test test test test junk";

/// How long a node may take to start on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How long an answer may take on a busy machine. Without it a node that hangs would hang its test.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);

/// How long a transaction may take to be mined on a busy machine.
const MINE_LIMIT: Duration = Duration::from_secs(120);

/// Options of a node.
#[derive(Clone, Debug)]
pub struct AnvilBuilder {
    arguments: Vec<String>,
    ipc: bool,
}

impl AnvilBuilder {
    /// Mines a block every so many seconds instead of one per transaction.
    #[must_use]
    pub fn block_time(self, seconds: f64) -> Self {
        self.arg("--block-time").arg(seconds.to_string())
    }

    /// Mines when told to, and only then.
    #[must_use]
    pub fn no_mining(self) -> Self {
        self.arg("--no-mining")
    }

    /// The chain id, 31337 otherwise.
    #[must_use]
    pub fn chain_id(self, id: u64) -> Self {
        self.arg("--chain-id").arg(id.to_string())
    }

    /// The base fee of the first blocks, in wei per gas.
    #[must_use]
    pub fn base_fee(self, wei: u128) -> Self {
        self.arg("--block-base-fee-per-gas").arg(wei.to_string())
    }

    /// The number of funded accounts, 10 otherwise.
    #[must_use]
    pub fn accounts(self, number: usize) -> Self {
        self.arg("--accounts").arg(number.to_string())
    }

    /// Listens on a socket of the file system, too.
    #[must_use]
    pub const fn ipc(mut self) -> Self {
        self.ipc = true;
        self
    }

    /// Any argument of anvil's command line.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Starts the node and waits until it listens.
    pub async fn spawn(self) -> Result<Anvil> {
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("anvil.log");
        let socket = folder.path().join("anvil.ipc");
        let output = File::create(&log)?;
        let mut command = Command::new(tool("anvil")?);
        command.args(&self.arguments).args(["--port", "0"]);
        if self.ipc {
            command.arg("--ipc").arg(&socket);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .wrap_err("cannot start anvil")?;
        let mut node = Node { child, log, _folder: folder };
        let port = node.port().await?;
        let url = format!("http://127.0.0.1:{port}");
        let provider = ProviderBuilder::default().connect_reqwest(client()?, url.parse()?).erased();
        provider.client().set_poll_interval(Duration::from_millis(20));
        Ok(Anvil { node, port, socket, provider })
    }
}

fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().timeout(ANSWER_LIMIT).build()?)
}

/// The process; killed when dropped.
#[derive(Debug)]
struct Node {
    child: Child,
    log: PathBuf,
    _folder: TempDir,
}

impl Node {
    /// Waits for the line that says where the node listens.
    async fn port(&mut self) -> Result<u16> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let log = fs::read_to_string(&self.log)?;
            if let Some((_, address)) = log.split_once("Listening on ") {
                let port = address.lines().next().and_then(|line| line.trim().rsplit(':').next());
                return port.ok_or_eyre("no port")?.parse().wrap_err("anvil's port");
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("anvil ended with {status}:\n{log}");
            }
            if Instant::now() > deadline {
                bail!("anvil does not listen after {START_LIMIT:?}:\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Both fail only when the node is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("the last lines of anvil's log:");
            tail.iter().rev().for_each(|line| eprintln!("  {line}"));
        }
    }
}

/// A running anvil, killed when dropped. When the test fails, the end of its log is printed.
#[derive(Debug)]
pub struct Anvil {
    node: Node,
    port: u16,
    socket: PathBuf,
    provider: DynProvider,
}

impl Anvil {
    /// Starts a node with anvil's defaults, on a free port.
    pub async fn spawn() -> Result<Self> {
        Self::builder().spawn().await
    }

    /// A node with options.
    pub const fn builder() -> AnvilBuilder {
        AnvilBuilder { arguments: Vec::new(), ipc: false }
    }

    /// The port it listens on.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens for HTTP.
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where it listens for WebSockets.
    pub fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// The path of its socket, if it was built with [`AnvilBuilder::ipc`].
    pub fn ipc_url(&self) -> String {
        self.socket.display().to_string()
    }

    /// A bare provider, without wallet or fillers.
    pub const fn provider(&self) -> &DynProvider {
        &self.provider
    }

    /// What it wrote so far.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.node.log)?)
    }

    /// The key of one of its funded accounts.
    pub fn signer(&self, index: u32) -> Result<PrivateKeySigner> {
        Ok(MnemonicBuilder::from_phrase(MNEMONIC).index(index)?.build()?)
    }

    /// The address of one of its funded accounts.
    pub fn account(&self, index: u32) -> Result<Address> {
        Ok(self.signer(index)?.address())
    }

    /// A provider that signs with one of its funded accounts and fills in what is missing.
    pub fn signing_provider(&self, index: u32) -> Result<DynProvider> {
        let wallet = EthereumWallet::from(self.signer(index)?);
        let provider = ProviderBuilder::new()
            .wallet(wallet)
            .connect_reqwest(client()?, self.http_url().parse()?)
            .erased();
        provider.client().set_poll_interval(Duration::from_millis(20));
        Ok(provider)
    }

    /// Makes any call.
    pub async fn call<P: RpcSend, R: RpcRecv>(&self, method: &'static str, params: P) -> Result<R> {
        self.provider.client().request(method, params).await.wrap_err(method)
    }

    /// Mines so many blocks, with what is in the pool in the first.
    pub async fn mine(&self, blocks: u64) -> Result<()> {
        self.call::<_, ()>("anvil_mine", (U256::from(blocks),)).await
    }

    /// Sets the base fee of the next block, in wei per gas: without demand it sinks by itself.
    pub async fn set_next_base_fee(&self, wei: u128) -> Result<()> {
        self.call::<_, ()>("anvil_setNextBlockBaseFeePerGas", (U256::from(wei),)).await
    }

    /// Replaces the last `depth` blocks by as many others, without their transactions. Tells subscribers about
    /// new heads and about nothing else.
    pub async fn reorg(&self, depth: u64) -> Result<()> {
        self.call::<_, ()>("anvil_reorg", (depth, [(); 0])).await
    }

    /// Takes the last `depth` blocks away. Tells subscribers nothing.
    pub async fn rollback(&self, depth: u64) -> Result<()> {
        self.call::<_, ()>("anvil_rollback", (depth,)).await
    }

    /// Takes a snapshot, to be handed to [`Anvil::revert`].
    pub async fn snapshot(&self) -> Result<U256> {
        self.call("evm_snapshot", [(); 0]).await
    }

    /// Goes back to a snapshot, once.
    pub async fn revert(&self, snapshot: U256) -> Result<()> {
        let reverted: bool = self.call("evm_revert", (snapshot,)).await?;
        eyre::ensure!(reverted, "there is no snapshot {snapshot}");
        Ok(())
    }

    /// Takes a transaction out of the pool.
    pub async fn drop_transaction(&self, hash: B256) -> Result<()> {
        self.call::<_, Option<B256>>("anvil_dropTransaction", (hash,)).await.map(drop)
    }

    /// Lets anybody send from this address without its key.
    pub async fn impersonate(&self, address: Address) -> Result<()> {
        self.call::<_, ()>("anvil_impersonateAccount", (address,)).await
    }

    /// Switches mining per transaction on or off.
    pub async fn set_automine(&self, on: bool) -> Result<()> {
        self.call::<_, ()>("evm_setAutomine", (on,)).await
    }

    /// Sets an account's balance in wei.
    pub async fn set_balance(&self, address: Address, wei: U256) -> Result<()> {
        self.call::<_, ()>("anvil_setBalance", (address, wei)).await
    }

    /// Puts code at an address.
    pub async fn set_code(&self, address: Address, code: Bytes) -> Result<()> {
        self.call::<_, ()>("anvil_setCode", (address, code)).await
    }

    /// Sets the account that is paid the tips.
    pub async fn set_coinbase(&self, address: Address) -> Result<()> {
        self.call::<_, ()>("anvil_setCoinbase", (address,)).await
    }

    /// Sends a transaction from an account that the node has the key of, or impersonates, without waiting.
    pub async fn submit(&self, transaction: TransactionRequest) -> Result<B256> {
        let deadline = Instant::now() + MINE_LIMIT;
        loop {
            let sent = self.provider.client().request("eth_sendTransaction", (&transaction,)).await;
            match sent {
                // Anvil chooses a nonce and checks it a moment later: meanwhile another test's may be mined.
                Err(TransportError::ErrorResp(error))
                    if transaction.nonce.is_none()
                        && error.message == "nonce too low"
                        && Instant::now() < deadline => {}
                sent => return sent.wrap_err("eth_sendTransaction"),
            }
        }
    }

    /// Sends a transaction from an account that the node has the key of, or impersonates, and waits for its
    /// receipt. It needs a node that mines by itself.
    pub async fn send(&self, transaction: TransactionRequest) -> Result<TransactionReceipt> {
        let hash = self.submit(transaction).await?;
        let deadline = Instant::now() + MINE_LIMIT;
        loop {
            if let Some(receipt) = self.provider.get_transaction_receipt(hash).await? {
                return Ok(receipt);
            }
            if Instant::now() > deadline {
                bail!("transaction {hash} was not mined within {MINE_LIMIT:?}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills the node at once, as a crash would. Dropping does the same.
    pub fn kill(self) {
        drop(self);
    }

    /// A folder for files of this test, in which scripts may write, too.
    pub(crate) fn script_folder() -> Result<TempDir> {
        let target = root()?.join("target");
        fs::create_dir_all(&target)?;
        Ok(tempfile::Builder::new().prefix("testkit-").tempdir_in(target)?)
    }
}
