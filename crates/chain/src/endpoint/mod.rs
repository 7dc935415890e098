//! Connections to nodes.

mod stats;
mod url;

pub use self::{
    stats::RpcStats,
    url::{NodeUrl, NodeUrlError},
};

use alloy::{
    providers::DynProvider,
    rpc::json_rpc::{RpcRecv, RpcSend},
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
        method: String,
        /// What went wrong.
        #[source]
        error: TransportError,
    },
}

/// One chain, reached by one or more nodes: the first that works is used until it fails, then the next one.
///
/// Every call through it, also through [`Endpoint::provider`], has a timeout, is counted, and is repeated when
/// it is a read. A connection is replaced when it breaks, and only used after the node has named the right
/// chain. Cheap to clone; clones share all.
#[derive(Clone, Debug)]
pub struct Endpoint {
    stats: Arc<RpcStats>,
}

impl Endpoint {
    /// Connects to the first of the nodes that can be reached; the others stand by.
    pub async fn connect(urls: &[NodeUrl], options: EndpointOptions) -> Result<Self, EndpointError> {
        let _ = (urls, options);
        todo!()
    }

    /// Uses a transport that exists, which is never replaced: canned replies, a proxy in a test.
    pub async fn over(
        transport: impl IntoBoxTransport,
        options: EndpointOptions,
    ) -> Result<Self, EndpointError> {
        let _ = (transport, options);
        todo!()
    }

    /// The chain.
    pub fn chain_id(&self) -> u64 {
        todo!()
    }

    /// For everything that alloy's providers offer. It has no fillers and no wallet, and cannot subscribe.
    pub fn provider(&self) -> DynProvider {
        todo!()
    }

    /// The node in use, redacted.
    pub fn url(&self) -> String {
        todo!()
    }

    /// Counters.
    pub fn stats(&self) -> &RpcStats {
        &self.stats
    }

    /// Makes one call.
    pub async fn request<P: RpcSend, R: RpcRecv>(
        &self,
        method: &'static str,
        params: P,
    ) -> Result<R, EndpointError> {
        let _ = (method, params);
        todo!()
    }
}
