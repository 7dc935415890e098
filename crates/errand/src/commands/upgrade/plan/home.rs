//! Where a project lives, and what is there.

use super::super::project::{self, ADMIN_SLOT, IMPLEMENTATION_SLOT, registry};
use crate::{
    problem::Problem,
    session::{Asking, Session, rpc_problem},
};
use alloy::{
    eips::BlockId,
    primitives::{Address, B256, U256},
    providers::Provider,
};
use errand_bindings::{
    IChugSplashManager::{self, ProxyKind},
    IExecutorPaymentTerms, IProjectActor,
};
use errand_bundle::{
    config::{Config, Kind, ManagerOf, Named},
    plan::{Existing, Questions},
    project::{Contract, Project, Site},
};
use errand_keeper::bundles::{rehearsal, takes_data_fee};
use errand_types::BlockHead;
use eyre::{Result, WrapErr};
use futures::{StreamExt, TryStreamExt, stream};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

// Questions that a node is asked at a time.
const AT_A_TIME: usize = 16;

/// A project's contracts on the chain, and what they say.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) site: Site,
    /// Who approves.
    pub(crate) project: rehearsal::Project,
    pub(crate) tx_overhead: u64,
    /// Wei that the owner has in the manager.
    pub(crate) free: U256,
    pub(crate) takes_data_fee: bool,
    pub(crate) covers_data_fee: bool,
}

impl Home {
    /// Finds what the file names.
    pub(crate) async fn find(session: &Session, file: &Path, config: &Config) -> Result<Self> {
        let registry = registry(session)?;
        let (manager, salt) = match config.project.manager {
            ManagerOf::Address(manager) => (manager, None),
            ManagerOf::Registered { owner, salt } => {
                let places =
                    registry.addressesOf(owner, salt).call().await.asking("the manager's address")?;
                (places.manager, Some((owner, salt, places.actor)))
            }
        };
        let is_registered = registry.isManager(manager).call().await.asking("whether it is registered")?;
        let strategy = |named: &Named| strategy(session, file, named);
        let (ess, eps) = (strategy(&config.strategies.ess)?, strategy(&config.strategies.eps)?);
        let asked = match salt {
            Some(_) if !is_registered => {
                registry.managerImplementation().call().await.asking("the managers' implementation")?
            }
            _ => manager,
        };
        let terms = IChugSplashManager::new(asked, session.provider.clone());
        let (owner, actor, unregistered, nonce, free) = match salt {
            Some((owner, salt, actor)) if !is_registered => {
                (owner, actor, Some(salt), U256::ZERO, U256::ZERO)
            }
            _ => {
                let found = project::Project::open(session, manager).await?;
                found.require_none_active().await?;
                let actor = found.manager.actor().call().await.asking("the actor")?;
                let nonce = found.manager.nextNonce().call().await.asking("the next nonce")?;
                (found.owner().await?, actor, None, nonce, found.accounts().await?.free)
            }
        };
        let user_bond = terms.userBond().call().await.asking("the user bond")?;
        let tx_overhead: U256 = terms.txOverhead().call().await.asking("the overhead of transactions")?;
        let payment = IExecutorPaymentTerms::new(eps, session.provider.clone());
        let takes_data_fee =
            takes_data_fee(&session.endpoint).await.map_err(|error| rpc_problem("code", &error))?;
        Ok(Self {
            site: Site {
                chain_id: session.endpoint.chain_id(),
                manager,
                actor,
                registry: *registry.address(),
                ess,
                eps,
            },
            project: rehearsal::Project { owner, unregistered, nonce, user_bond },
            tx_overhead: tx_overhead.saturating_to(),
            free,
            takes_data_fee,
            // A strategy that does not answer does not say that it covers any.
            covers_data_fee: payment.coversDataFee().call().await.unwrap_or(false),
        })
    }

    /// Refuses proxies that the actor cannot upgrade.
    pub(crate) async fn require_ours(
        &self,
        session: &Session,
        project: &Project,
        known: &Known,
    ) -> Result<()> {
        for contract in &project.contracts {
            let Some(proxy) = contract.proxy.filter(|proxy| known.has_code(proxy.address) == Some(true))
            else {
                continue;
            };
            self.require_our_proxy(session, contract, proxy.address, known).await?;
        }
        Ok(())
    }

    async fn require_our_proxy(
        &self,
        session: &Session,
        contract: &Contract,
        proxy: Address,
        known: &Known,
    ) -> Result<()> {
        let (kind, name) = match contract.kind {
            Kind::Transparent { .. } => (ProxyKind::TRANSPARENT, "transparent"),
            Kind::Uups { .. } => (ProxyKind::UUPS, "uups"),
            Kind::Plain | Kind::ChugSplash { .. } => (ProxyKind::CHUGSPLASH, "chugsplash"),
        };
        let site = &self.site;
        let is_ours = if kind == ProxyKind::CHUGSPLASH {
            known.slot(proxy, ADMIN_SLOT) == Some(site.actor.into_word())
        } else if self.project.unregistered.is_some() {
            false
        } else {
            let actor = IProjectActor::new(site.actor, session.provider.clone());
            let record = actor.proxyOf(proxy).call().await.asking("the proxy's record")?;
            if record.kind == kind {
                require_known_implementation(contract, proxy, record.implementation, known, site.manager)?;
            }
            record.kind == kind
        };
        if is_ours {
            return Ok(());
        }
        if self.project.unregistered.is_some() {
            return Err(Problem::new(format!(
                "`{}`: no project of this owner and salt is registered, so the proxy {proxy} cannot belong to it",
                contract.name
            ))
            .hint("mend owner or salt in the file, or register the project with `errand upgrade register` and have it adopt the proxy")
            .into());
        }
        Err(Problem::new(format!(
            "`{}`: the proxy {proxy} does not belong to the project: its actor {} cannot upgrade it as {name}",
            contract.name, site.actor
        ))
        .hint(format!(
            "hand it over to the actor, then `errand upgrade adopt {proxy} {name} --manager {}`",
            site.manager
        ))
        .into())
    }
}

/// Refuses a proxy that was upgraded past the actor, which would bring back what it remembers.
fn require_known_implementation(
    contract: &Contract,
    proxy: Address,
    remembered: Address,
    known: &Known,
    manager: Address,
) -> Result<()> {
    let found = known.implementation(proxy).unwrap_or_default();
    if found == remembered {
        return Ok(());
    }
    Err(Problem::new(format!(
        "`{}`: the proxy {proxy} was upgraded past the project: it has {found} behind it, and the actor remembers \
         {remembered}, which its next write of storage would bring back",
        contract.name
    ))
    .hint(format!(
        "let the actor know it: `errand upgrade release` and `errand upgrade adopt {proxy} … --manager {manager}`"
    ))
    .into())
}

pub(in super::super) fn strategy(session: &Session, file: &Path, named: &Named) -> Result<Address> {
    match named {
        Named::Address(address) => Ok(*address),
        Named::Name(name, place) => match session.deployment.contract(name) {
            Ok(contract) => Ok(contract.address),
            Err(_) => {
                let known = session.deployment.contracts().keys();
                let known: Vec<_> =
                    known.filter(|name| name.ends_with("ESS") || name.ends_with("EPS")).cloned().collect();
                Err(Problem::new(format!(
                    "{}, {place}: {} has no strategy `{name}`; it has {}",
                    file.display(),
                    session.deployment.path().display(),
                    known.join(", ")
                ))
                .hint("name one of these, or give the strategy's address")
                .into())
            }
        },
    }
}

/// What the chain said.
#[derive(Debug, Default)]
pub(crate) struct Known {
    with_code: BTreeMap<Address, bool>,
    slots: BTreeMap<(Address, B256), B256>,
}

impl Known {
    /// Asks it all, of one block.
    ///
    /// # Errors
    /// A [`Problem`] where the node does not know the state of that block.
    pub(crate) async fn ask(session: &Session, head: &BlockHead, questions: &Questions) -> Result<Self> {
        Self::read(session, head, questions).await.map_err(|error| {
            Problem::new(format!("the state of block {} cannot be read: {error:#}", head.number))
                .hint("ask a node that keeps old states (an archive node)")
                .into()
        })
    }

    async fn read(session: &Session, head: &BlockHead, questions: &Questions) -> Result<Self> {
        let at = BlockId::from(head.hash);
        let provider = &session.provider;
        let accounts: BTreeSet<Address> = questions.accounts.iter().copied().collect();
        let proxies = questions
            .proxies
            .iter()
            .flat_map(|proxy| [IMPLEMENTATION_SLOT, ADMIN_SLOT].map(|slot| (*proxy, slot)));
        let slots: BTreeSet<(Address, B256)> = questions.slots.iter().copied().chain(proxies).collect();
        let codes = stream::iter(accounts).map(|account| async move {
            let code = provider.get_code_at(account).block_id(at).await?;
            Ok::<_, alloy::transports::TransportError>((account, !code.is_empty()))
        });
        let words = stream::iter(slots).map(|(account, slot)| async move {
            let word = provider.get_storage_at(account, slot.into()).block_id(at).await?;
            Ok::<_, alloy::transports::TransportError>(((account, slot), word.into()))
        });
        Ok(Self {
            with_code: codes
                .buffered(AT_A_TIME)
                .try_collect()
                .await
                .wrap_err("the node does not tell code")?,
            slots: words
                .buffered(AT_A_TIME)
                .try_collect()
                .await
                .wrap_err("the node does not tell storage")?,
        })
    }
}

impl Existing for Known {
    fn has_code(&self, account: Address) -> Option<bool> {
        self.with_code.get(&account).copied()
    }

    fn implementation(&self, proxy: Address) -> Option<Address> {
        self.slot(proxy, IMPLEMENTATION_SLOT).map(Address::from_word)
    }

    fn slot(&self, account: Address, slot: B256) -> Option<B256> {
        self.slots.get(&(account, slot)).copied()
    }
}
