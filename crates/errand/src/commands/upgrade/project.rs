//! A project's manager and its bundles, as the chain has them.

use crate::{
    amount::eth_text,
    output::Progress,
    problem::Problem,
    revert::revert_text,
    send::Account,
    session::{Asking, Session, rpc_problem},
};
use alloy::{
    primitives::{Address, B256, U256, b256},
    providers::{DynProvider, Provider},
    rpc::types::{Filter, Log},
    sol_types::SolEvent,
};
use errand_bindings::{
    IChugSplashManager::{
        self, Accounts, ActionsExecuted, BundleHeader, BundleInfo, BundleStalled, IChugSplashManagerInstance,
        Status,
    },
    IChugSplashRegistry::{self, BundleAnnounced, IChugSplashRegistryInstance, StatusAnnounced},
};
use errand_chain::{LogQuery, sync_logs};
use errand_keeper::bundles::bound::status_name;
use eyre::{Result, WrapErr};

/// Where the node's record says that managers come from.
const REGISTRY: &str = "ChugSplashRegistry";

/// ERC-1967's slots of the implementation and of the admin.
pub(crate) const IMPLEMENTATION_SLOT: B256 =
    b256!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc");
pub(crate) const ADMIN_SLOT: B256 = b256!("b53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103");

/// One manager.
pub(crate) struct Project<'a> {
    pub(crate) session: &'a Session,
    pub(crate) address: Address,
    pub(crate) manager: IChugSplashManagerInstance<DynProvider>,
}

/// What was proposed.
#[derive(Clone, Debug)]
pub(crate) struct Proposal {
    pub(crate) id: B256,
    pub(crate) header: BundleHeader,
    /// In which block.
    pub(crate) block: u64,
}

/// A step in a bundle's life, from the Registry's log.
#[derive(Clone, Debug)]
pub(crate) struct Announcement {
    pub(crate) id: B256,
    pub(crate) status: Status,
    pub(crate) block: u64,
    pub(crate) header: Option<BundleHeader>,
}

/// The Registry of managers.
///
/// # Errors
/// A [`Problem`] where the chain's record has none.
pub(crate) fn registry(session: &Session) -> Result<IChugSplashRegistryInstance<DynProvider>> {
    let contract = session.deployment.contract(REGISTRY).map_err(|_| {
        Problem::new(format!(
            "chain {} has no deployment of ChugSplash: {} names no {REGISTRY}",
            session.endpoint.chain_id(),
            session.deployment.path().display()
        ))
        .hint(
            "deploy it with `forge script script/DeployChugSplash.s.sol --rpc-url URL --broadcast --account NAME` or \
             `make deploy-local`",
        )
    })?;
    Ok(IChugSplashRegistry::new(contract.address, session.provider.clone()))
}

impl<'a> Project<'a> {
    /// Finds the manager.
    ///
    /// # Errors
    /// A [`Problem`] where the address is no manager of this chain's Registry.
    pub(crate) async fn open(session: &'a Session, address: Address) -> Result<Self> {
        let registry = registry(session)?;
        if !registry.isManager(address).call().await.asking("whether it is a manager")? {
            return Err(Problem::new(format!(
                "{address} is no manager of the {REGISTRY} {} on chain {}",
                registry.address(),
                session.endpoint.chain_id()
            ))
            .hint("`errand upgrade register` tells a project's manager, and creates it")
            .into());
        }
        let manager = IChugSplashManager::new(address, session.provider.clone());
        Ok(Self { session, address, manager })
    }

    /// Why the bundle stalled last, in words.
    pub(crate) async fn stall_reason(&self, proposal: &Proposal) -> Result<Option<String>> {
        let events = self.events::<BundleStalled>(proposal).await?;
        Ok(events.last().map(|event| revert_text(&event.reason)))
    }

    /// What executors were paid for a bundle, in wei.
    pub(crate) async fn paid(&self, proposal: &Proposal) -> Result<U256> {
        let events = self.events::<ActionsExecuted>(proposal).await?;
        Ok(events.iter().fold(U256::ZERO, |sum, event| sum.saturating_add(event.payment)))
    }

    /// What the manager logged of a bundle, of one kind.
    async fn events<E: SolEvent>(&self, proposal: &Proposal) -> Result<Vec<E>> {
        let filter = Filter::new()
            .address(self.address)
            .event_signature(E::SIGNATURE_HASH)
            .topic1(proposal.id)
            .from_block(proposal.block);
        let logs = self.session.provider.get_logs(&filter).await;
        let logs = logs.map_err(|error| rpc_problem("the log of the bundle", &error))?;
        logs.iter().map(|log| Ok(E::decode_log(&log.inner)?.data)).collect()
    }

    pub(crate) async fn owner(&self) -> Result<Address> {
        self.manager.owner().call().await.asking("the owner")
    }

    pub(crate) async fn accounts(&self) -> Result<Accounts> {
        self.manager.accounts().call().await.asking("the manager's accounts")
    }

    pub(crate) async fn info(&self, id: B256) -> Result<BundleInfo> {
        self.manager.bundle(id).call().await.asking("the bundle")
    }

    /// The status of a bundle; a pause in force counts as PAUSED.
    pub(crate) async fn status(&self, id: B256) -> Result<Status> {
        self.manager.statusOf(id).call().await.asking("the status of the bundle")
    }

    /// Refuses an account that may not do what only the owner may.
    pub(crate) async fn require_owner(&self, account: Option<&Account<'_>>) -> Result<()> {
        let Some(account) = account else { return Ok(()) };
        let owner = self.owner().await?;
        if owner == account.address() {
            return Ok(());
        }
        Err(Problem::new(format!(
            "only the owner of {} may do this: that is {owner}, not {}",
            self.address,
            account.address()
        ))
        .hint("use the owner's key; for a Safe or a timelock, --calldata prints the transaction")
        .into())
    }

    /// Refuses an account that may not propose.
    pub(crate) async fn require_proposer(&self, account: Address) -> Result<()> {
        let owner = self.owner().await?;
        if account == owner
            || self.manager.isProposer(account).call().await.asking("whether it may propose")?
        {
            return Ok(());
        }
        Err(Problem::new(format!("{account} may not propose for {}: its owner is {owner}", self.address))
            .hint(format!(
                "the owner lets it with `errand upgrade proposer add {account} --manager {}`",
                self.address
            ))
            .into())
    }

    /// The bundle that is active.
    ///
    /// # Errors
    /// A [`Problem`] where none is.
    pub(crate) async fn active(&self) -> Result<B256> {
        let id = self.manager.activeBundleId().call().await.asking("the active bundle")?;
        if id.is_zero() {
            return Err(Problem::new(format!("no bundle of {} is active", self.address))
                .hint(format!("`errand upgrade list --manager {}` shows its bundles", self.address))
                .into());
        }
        Ok(id)
    }

    /// Refuses while a bundle is active.
    pub(crate) async fn require_none_active(&self) -> Result<()> {
        let id = self.manager.activeBundleId().call().await.asking("the active bundle")?;
        if id.is_zero() {
            return Ok(());
        }
        let status = status_name(self.status(id).await?);
        Err(Problem::new(format!("bundle {id} is active, {status}: this waits until it has ended"))
            .hint("wait for its end, or cancel it")
            .into())
    }

    /// Refuses every status but these.
    pub(crate) async fn require_status(&self, id: B256, allowed: &[Status]) -> Result<Status> {
        let status = self.status(id).await?;
        if allowed.contains(&status) {
            return Ok(status);
        }
        if status == Status::EMPTY {
            return Err(self.unknown(id));
        }
        let wanted: Vec<_> = allowed.iter().map(|status| status_name(*status)).collect();
        Err(Problem::new(format!(
            "bundle {id} is {}; for this it must be {}",
            status_name(status),
            wanted.join(" or ")
        ))
        .hint(format!("`errand upgrade status {id} --manager {}` tells more", self.address))
        .into())
    }

    fn unknown(&self, id: B256) -> eyre::Report {
        Problem::new(format!("{} has no bundle {id}", self.address))
            .hint(format!("`errand upgrade list --manager {}` shows its bundles", self.address))
            .into()
    }

    /// What was proposed as `id`, from the Registry's log; its header is what the id commits to.
    ///
    /// # Errors
    /// A [`Problem`] where it was never proposed, or the log contradicts the id.
    pub(crate) async fn proposal(&self, id: B256) -> Result<Proposal> {
        if self.status(id).await? == Status::EMPTY {
            return Err(self.unknown(id));
        }
        let found = self.announcements(Some(id)).await?.into_iter().find_map(|found| {
            let (header, block) = (found.header?, found.block);
            Some(Proposal { id, header, block })
        });
        found.ok_or_else(|| {
            Problem::new(format!("the node has no log of the bundle {id}, although it was proposed"))
                .hint("it may have dropped old logs: ask another node")
                .into()
        })
    }

    /// What the Registry announced of this manager's bundles, or of one of them, in its order.
    pub(crate) async fn announcements(&self, id: Option<B256>) -> Result<Vec<Announcement>> {
        let registry = self.session.deployment.contract(REGISTRY)?;
        let head = self.session.head().await?;
        let events = vec![BundleAnnounced::SIGNATURE_HASH, StatusAnnounced::SIGNATURE_HASH];
        let mut filter = Filter::new()
            .address(registry.address)
            .event_signature(events.clone())
            .topic1(self.address)
            .from_block(registry.block)
            .to_block(head.number);
        if let Some(id) = id {
            filter = filter.topic2(id);
        }
        let logs = match self.session.provider.get_logs(&filter).await {
            Ok(logs) => logs,
            // The node does not search all blocks at once.
            Err(_) => {
                let query = LogQuery { addresses: vec![registry.address], events };
                let mut progress = Progress::blocks(registry.block, head.number);
                sync_logs(&self.session.endpoint, &query, registry.block, &head, &mut progress)
                    .await
                    .wrap_err("the Registry's logs cannot be read")?
            }
        };
        let (manager, id) = (self.address.into_word(), id);
        let ours = logs.iter().filter(|log| {
            let topics = log.topics();
            topics.get(1) == Some(&manager) && id.is_none_or(|id| topics.get(2) == Some(&id))
        });
        ours.map(announcement).collect()
    }
}

fn announcement(log: &Log) -> Result<Announcement> {
    let block = log.block_number.unwrap_or_default();
    if log.topic0() == Some(&BundleAnnounced::SIGNATURE_HASH) {
        let event = BundleAnnounced::decode_log(&log.inner)?.data;
        return Ok(Announcement {
            id: event.bundleId,
            status: event.status,
            block,
            header: Some(event.header),
        });
    }
    let event = StatusAnnounced::decode_log(&log.inner)?.data;
    Ok(Announcement { id: event.bundleId, status: event.status, block, header: None })
}

/// Whether nothing more can become of a bundle.
pub(crate) const fn is_over(status: Status) -> bool {
    matches!(status, Status::COMPLETED | Status::FAILED | Status::CANCELLED)
}

/// Number of actions.
pub(crate) fn action_count(header: &BundleHeader) -> U256 {
    header.deployCount.saturating_add(header.switchCount)
}

/// A cap on the basefee for people.
pub(crate) fn cap_text(wei_per_gas: U256) -> String {
    if wei_per_gas == U256::MAX { "none".to_owned() } else { format!("{} per gas", eth_text(wei_per_gas)) }
}
