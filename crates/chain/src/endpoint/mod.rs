//! Connections to nodes.

mod connection;
mod http;
mod retry;
mod stats;
mod transport;
mod url;

pub use self::{
    stats::RpcStats,
    url::{NodeUrl, NodeUrlError},
};

pub(crate) use self::connection::TimedOut;

use self::{connection::Connections, transport::EndpointTransport};
use alloy::{
    primitives::B256,
    providers::{DynProvider, Provider, RootProvider},
    pubsub::Subscription,
    rpc::{
        client::{BatchRequest, RpcClient},
        json_rpc::{RpcRecv, RpcSend},
        types::{Block, Header},
    },
    transports::{IntoBoxTransport, TransportError},
};
use std::{sync::Arc, time::Duration};

/// How an endpoint behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointOptions {
    /// The chain that the nodes must be on. `None`: the one that the first node is on.
    pub chain_id: Option<u64>,
    /// How long one attempt at a call may take.
    pub timeout: Duration,
    /// How often a read that failed is tried again. What may change something (sending) is never repeated.
    pub retries: usize,
    /// The first pause before another attempt; it doubles, with jitter.
    pub backoff: Duration,
    /// The longest pause, also where the node asks for a longer one.
    pub max_backoff: Duration,
}

impl Default for EndpointOptions {
    fn default() -> Self {
        Self {
            chain_id: None,
            timeout: Duration::from_secs(10),
            retries: 4,
            backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(10),
        }
    }
}

/// Why a node could not be asked. No variant shows a secret of the URL.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// No URL was given.
    #[error("no node to connect to was given")]
    NoUrl,
    /// Something answers, and not as a node that can be used.
    #[error("{url} does not answer as a node: it says {reason}")]
    NoNode {
        /// The last one tried, redacted.
        url: String,
        /// What it said, redacted.
        reason: String,
    },
    /// No node could be reached.
    #[error("{url}: cannot connect: {reason}")]
    Unreachable {
        /// The last node tried, redacted.
        url: String,
        /// Why.
        reason: String,
    },
    /// A node is on another chain.
    #[error("{url} is on chain {actual}, expected is chain {expected}")]
    WrongChain {
        /// The node, redacted.
        url: String,
        /// The chain that was asked for.
        expected: u64,
        /// The chain that it is on.
        actual: u64,
    },
    /// The node answered with an error, or not in time, or nonsense.
    #[error("{method}: {error}")]
    Rpc {
        /// The method.
        method: &'static str,
        /// What went wrong.
        #[source]
        error: TransportError,
    },
}

impl EndpointError {
    /// What the node said, if it answered with an error of its own.
    pub(crate) fn refusal(&self) -> Option<String> {
        match self {
            Self::Rpc { error, .. } => error.as_error_resp().map(ToString::to_string),
            _ => None,
        }
    }
}

/// One chain, reached by one or more nodes: the first that works is used until it fails, then the next one.
///
/// Every call through it, also through [`Endpoint::provider`], has a timeout, is counted, and is repeated when
/// it is a read. A connection is replaced when it breaks, and only used after the node has named the right
/// chain. Cheap to clone; clones share all.
#[derive(Clone, Debug)]
pub struct Endpoint {
    connections: Arc<Connections>,
    client: RpcClient,
    chain_id: u64,
}

impl Endpoint {
    /// Connects to the first of the nodes that can be reached; the others stand by.
    pub async fn connect(urls: &[NodeUrl], options: EndpointOptions) -> Result<Self, EndpointError> {
        if urls.is_empty() {
            return Err(EndpointError::NoUrl);
        }
        let is_local = urls.iter().all(NodeUrl::is_local);
        Self::new(Connections::to(urls.to_vec(), options), is_local).await
    }

    /// Uses a transport that exists, which is never replaced: canned replies, a proxy in a test. It is asked
    /// for the chain id at once.
    pub async fn over(
        transport: impl IntoBoxTransport,
        options: EndpointOptions,
    ) -> Result<Self, EndpointError> {
        Self::new(Connections::fixed(transport.into_box_transport(), options), true).await
    }

    async fn new(connections: Connections, is_local: bool) -> Result<Self, EndpointError> {
        let connections = Arc::new(connections);
        let chain_id = connections.current().await?.chain_id;
        let client = RpcClient::new(EndpointTransport(Arc::clone(&connections)), is_local);
        Ok(Self { connections, client, chain_id })
    }

    /// The chain.
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// For everything that alloy's providers offer. It has no fillers and no wallet, and cannot subscribe.
    pub fn provider(&self) -> DynProvider {
        RootProvider::<alloy::network::Ethereum>::new(self.client.clone()).erased()
    }

    /// The node that was connected to last, redacted.
    pub fn url(&self) -> String {
        self.connections.url()
    }

    /// Counters.
    pub fn stats(&self) -> &RpcStats {
        &self.connections.stats
    }

    /// Makes one call.
    pub async fn request<P: RpcSend, R: RpcRecv>(
        &self,
        method: &'static str,
        params: P,
    ) -> Result<R, EndpointError> {
        self.client.request(method, params).await.map_err(|error| EndpointError::Rpc { method, error })
    }

    /// Makes many calls of one method in one message; the answers are in the order of the parameters.
    pub(crate) async fn batch<P: RpcSend, R: RpcRecv>(
        &self,
        method: &'static str,
        params: &[P],
    ) -> Result<Vec<R>, EndpointError> {
        let rpc = |error| EndpointError::Rpc { method, error };
        if params.is_empty() {
            return Ok(Vec::new());
        }
        let mut batch = BatchRequest::new(&self.client);
        let mut waiters = Vec::with_capacity(params.len());
        for params in params {
            waiters.push(batch.add_call::<_, R>(method, params).map_err(rpc)?);
        }
        batch.send().await.map_err(rpc)?;
        let mut answers = Vec::with_capacity(waiters.len());
        for waiter in waiters {
            answers.push(waiter.await.map_err(rpc)?);
        }
        Ok(answers)
    }

    /// The block of that number or tag, without its transactions.
    pub(crate) async fn block(
        &self,
        tag: alloy::eips::BlockNumberOrTag,
    ) -> Result<Option<Block<B256>>, EndpointError> {
        self.request("eth_getBlockByNumber", (tag, false)).await
    }

    /// The block of that hash, canonical or not, without its transactions.
    pub(crate) async fn block_by_hash(&self, hash: B256) -> Result<Option<Block<B256>>, EndpointError> {
        self.request("eth_getBlockByHash", (hash, false)).await
    }

    /// Subscribes to new heads on the connection in use, with a number for [`Endpoint::give_up`]. `None`: the
    /// node cannot push.
    pub(crate) async fn subscribe_heads(&self) -> Result<Option<(Subscription<Header>, u64)>, EndpointError> {
        self.connections.subscribe_heads().await
    }

    /// Replaces the connection of that number, if it still is the one in use, at the next call.
    pub(crate) fn give_up(&self, connection: u64) {
        self.connections.give_up(connection);
    }
}
