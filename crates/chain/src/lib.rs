//! Node access: everything the keeper learns from a chain, and nothing about what the keeper does with it.
//!
//! # Layout
//! - [`endpoint`]: connections to nodes, with failover, timeouts, retries and counters: [`Endpoint`], [`NodeUrl`]
//! - [`deployment`]: where the contracts are: [`Deployment`]
//! - [`feed`]: canonical blocks in order, with reorgs: [`BlockFeed`]
//! - [`writes`]: what a block changed in the state: [`WriteSets`], [`Tracked`]
//! - [`load`]: state at one block: [`StateLoader`]
//! - [`logs`]: logs of many blocks: [`sync_logs`]
//!
//! # Following a chain
//! ```no_run
//! # async fn f(tracked: errand_types::StateKeys) -> Result<(), Box<dyn std::error::Error>> {
//! use errand_chain::{BlockFeed, Endpoint, FeedOptions, Start, StateLoader, WriteSets};
//! # let cancel = tokio_util::sync::CancellationToken::new();
//! let endpoint = Endpoint::connect(&["ws://127.0.0.1:8545".parse()?], Default::default()).await?;
//! let loader = StateLoader::probe(&endpoint).await?;
//! let mut writes = WriteSets::probe(loader.clone()).await?;
//! let mut feed = BlockFeed::start(&endpoint, Start::Tip, FeedOptions::default(), cancel).await?;
//! let state = loader.load(feed.base().hash, &tracked).await?;
//! loop {
//!     let delta = feed.next(&mut writes, &tracked).await?;
//! #   let _ = (&state, delta);
//! }
//! # }
//! ```

pub mod deployment;
pub mod endpoint;
pub mod feed;
pub mod load;
pub mod logs;
pub mod writes;

pub use deployment::{DeployedContract, Deployment, DeploymentError};
pub use endpoint::{Endpoint, EndpointError, EndpointOptions, NodeUrl, NodeUrlError, RpcStats};
pub use feed::{BlockFeed, FeedError, FeedEvent, FeedOptions, FeedStats, Start};
pub use load::{LoadError, StateLoader};
pub use logs::{LogQuery, SyncError, SyncProgress, sync_logs};
pub use writes::{Tracked, WriteError, WriteSets, WriteStats};
