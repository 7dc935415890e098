//! `errand upgrade register`, `adopt`, `release` and `proposer`.

use super::{
    order::Order,
    project::{ADMIN_SLOT, IMPLEMENTATION_SLOT, Project, registry},
};
use crate::{
    calldata::address,
    cli::{Global, Signing},
    commands::sent_text,
    output::{note, pairs},
    problem::Problem,
    send::{Account, Step},
    session::{Asking, Session, rpc_problem},
};
use alloy::{
    primitives::{Address, B256, U256, keccak256},
    providers::Provider,
    sol,
};
use clap::{Args, Subcommand, ValueEnum, builder::BoolishValueParser};
use errand_bindings::{
    IChugSplashManager::{self, ProxyKind},
    IChugSplashProxy, IChugSplashRegistry, IProjectActor,
};
use eyre::Result;
use serde_json::json;

sol! {
    #[sol(rpc)]
    interface IOwned {
        function owner() external view returns (address);
    }
}

/// Create a project's manager, or tell its address
///
/// Creates a project's manager and its actor, at addresses that owner and salt alone decide. The actor is what
/// deploys, owns proxies and makes calls. Anybody may pay for the registration; the owner has all rights.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand upgrade register --owner 0x7099… --salt vault --only-show
  errand upgrade register --owner 0x7099… --salt vault --account alice")]
pub(crate) struct Register {
    /// Who is going to own the project. Default: the key's account
    #[arg(long, value_name = "ADDRESS", env = "ERRAND_OWNER", value_parser = address)]
    owner: Option<Address>,
    /// 0x… is 32 bytes; any other text is hashed, as `project.salt` in upgrade.toml
    #[arg(long, value_name = "TEXT", env = "ERRAND_SALT", value_parser = salt)]
    salt: B256,
    /// Tell the addresses and register nothing
    #[arg(long, env = "ERRAND_ONLY_SHOW", value_parser = BoolishValueParser::new())]
    only_show: bool,
    #[command(flatten)]
    signing: Signing,
}

fn salt(text: &str) -> Result<B256, String> {
    if text.starts_with("0x") {
        text.parse().map_err(|_| "a salt of 0x… is 32 bytes in hexadecimal digits".to_owned())
    } else {
        Ok(keccak256(text))
    }
}

impl Register {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let session = Session::open(global).await?;
        let registry = registry(&session)?;
        let owner = match self.owner {
            Some(owner) => owner,
            None => self.signing.key.load()?.address(),
        };
        if owner.is_zero() {
            return Err(Problem::usage("the zero address cannot own a project")
                .hint("give --owner the address of whoever approves")
                .into());
        }
        let found = registry.addressesOf(owner, self.salt).call().await.asking("the manager's address")?;
        let is_registered =
            registry.isManager(found.manager).call().await.asking("whether it is registered")?;
        let rows = |is_registered: bool| {
            pairs([
                ("manager", found.manager.to_string()),
                ("actor", found.actor.to_string()),
                ("owner", owner.to_string()),
                ("salt", self.salt.to_string()),
                ("registered", super::super::yes_no(is_registered).to_owned()),
            ])
        };
        let value = |is_registered: bool, sent: &[crate::send::Sent]| {
            json!({
                "manager": found.manager, "actor": found.actor, "owner": owner, "salt": self.salt,
                "isRegistered": is_registered, "transactions": sent,
            })
        };
        if self.only_show || is_registered {
            return session.format.print(&value(is_registered, &[]), || rows(is_registered));
        }
        let account = Account::load(&session, &self.signing)?;
        note(rows(false));
        let call = IChugSplashRegistry::registerCall { owner, salt: self.salt };
        let purpose = format!("create the manager {} of {owner}", found.manager);
        let sent = account.send(&[Step::call(purpose, *registry.address(), &call)]).await?;
        session.format.print(&value(true, &sent), || format!("{}\n\n{}", sent_text(&sent), rows(true)))
    }
}

/// How a proxy is upgraded.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// ChugSplashProxy
    Chugsplash,
    /// OpenZeppelin 5 TransparentUpgradeableProxy
    Transparent,
    /// OpenZeppelin 5 UUPSUpgradeable
    Uups,
}

/// Put a proxy that exists under the project
///
/// Puts a proxy that exists under the project's actor, which must have the right to upgrade it already: as the
/// admin of a ChugSplashProxy, the owner of a transparent proxy's ProxyAdmin, or the owner of a UUPS proxy.
/// The proxy keeps its implementation. Not while a bundle is active.
#[derive(Args, Debug)]
#[command(after_help = "Example: a transparent proxy
  cast send 0xProxyAdmin… 'transferOwnership(address)' 0xActor…
  errand upgrade adopt 0xProxy… transparent --manager 0x5FbD… --account alice")]
pub(crate) struct Adopt {
    /// The proxy
    #[arg(value_parser = address)]
    proxy: Address,
    /// How it is upgraded
    kind: Kind,
    #[command(flatten)]
    order: Order,
}

impl Adopt {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let session = Session::open(global).await?;
        let account = self.order.placing.account(&session)?;
        let project = Project::open(&session, self.order.manager.manager).await?;
        project.require_owner(account.as_ref()).await?;
        project.require_none_active().await?;
        let implementation = slot_address(&session, self.proxy, IMPLEMENTATION_SLOT).await?;
        if implementation.is_zero() {
            return Err(Problem::new(format!(
                "{} is no ERC-1967 proxy: it has no implementation",
                self.proxy
            ))
            .hint("give the proxy's address, not that of what is behind it")
            .into());
        }
        let actor = project.manager.actor().call().await.asking("the actor")?;
        let (kind, admin) = match self.kind {
            Kind::Chugsplash => (ProxyKind::CHUGSPLASH, Address::ZERO),
            Kind::Transparent => {
                (ProxyKind::TRANSPARENT, slot_address(&session, self.proxy, ADMIN_SLOT).await?)
            }
            Kind::Uups => (ProxyKind::UUPS, Address::ZERO),
        };
        self.require_right(&session, actor, admin).await?;
        let call = IChugSplashManager::adoptCall { proxy: self.proxy, kind, admin, implementation };
        let purpose = format!("put the proxy {} under the actor {actor}", self.proxy);
        let step = Step::call(purpose, project.address, &call);
        self.order.placing.carry_out(&project, account.as_ref(), &step, "").await
    }

    /// Says what has to be transferred first.
    async fn require_right(&self, session: &Session, actor: Address, admin: Address) -> Result<()> {
        let (what, holder, call) = match self.kind {
            Kind::Chugsplash => {
                let admin = slot_address(session, self.proxy, ADMIN_SLOT).await?;
                if admin.is_zero() {
                    return Err(Problem::new(format!(
                        "{} has no admin: it is no ChugSplashProxy",
                        self.proxy
                    ))
                    .hint("a UUPS proxy is adopted as `uups`")
                    .into());
                }
                ("admin of the proxy", admin, format!("changeAdmin({actor}) of {}", self.proxy))
            }
            Kind::Transparent if admin.is_zero() => {
                return Err(Problem::new(format!(
                    "{} has no ProxyAdmin: it is no transparent proxy",
                    self.proxy
                ))
                .hint("a UUPS proxy is adopted as `uups`")
                .into());
            }
            Kind::Transparent => {
                let owner = IOwned::new(admin, session.provider.clone()).owner().call().await;
                let owner = owner.asking("the owner of the ProxyAdmin")?;
                ("owner of the ProxyAdmin", owner, format!("transferOwnership({actor}) of {admin}"))
            }
            Kind::Uups if !slot_address(session, self.proxy, ADMIN_SLOT).await?.is_zero() => {
                return Err(Problem::new(format!("{} has an admin: it is no UUPS proxy", self.proxy))
                    .hint("adopt it as `transparent`, or as `chugsplash` if it is a ChugSplashProxy")
                    .into());
            }
            Kind::Uups => match IOwned::new(self.proxy, session.provider.clone()).owner().call().await {
                Ok(owner) => {
                    ("owner of the proxy", owner, format!("transferOwnership({actor}) of {}", self.proxy))
                }
                // Its right to upgrade may be another one; the adoption proves it.
                Err(_) => return Ok(()),
            },
        };
        if holder == actor {
            return Ok(());
        }
        Err(Problem::new(format!("the {what} is {holder}; it must be the actor {actor} before"))
            .hint(format!("{holder} calls {call}, then adopt again"))
            .into())
    }
}

async fn slot_address(session: &Session, account: Address, slot: B256) -> Result<Address> {
    let word = session.provider.get_storage_at(account, U256::from_be_bytes(slot.0)).await;
    let word = word.map_err(|error| rpc_problem("a storage slot", &error))?;
    Ok(Address::from_word(word.into()))
}

/// Hand a proxy over to somebody else
///
/// Hands a proxy from the actor to somebody else: its admin, its ProxyAdmin's owner or its owner changes. Not
/// while a bundle is active.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand upgrade release 0xProxy… --to 0x7099… --manager 0x5FbD… --account alice")]
pub(crate) struct Release {
    /// The proxy
    #[arg(value_parser = address)]
    proxy: Address,
    /// Who gets it
    #[arg(long, value_name = "ADDRESS", env = "ERRAND_TO", value_parser = address)]
    to: Address,
    #[command(flatten)]
    order: Order,
}

impl Release {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let session = Session::open(global).await?;
        let account = self.order.placing.account(&session)?;
        let project = Project::open(&session, self.order.manager.manager).await?;
        project.require_owner(account.as_ref()).await?;
        project.require_none_active().await?;
        let actor = project.manager.actor().call().await.asking("the actor")?;
        let actor = IProjectActor::new(actor, session.provider.clone());
        let known = actor.proxyOf(self.proxy).call().await.asking("the proxy's record")?;
        if known.kind == ProxyKind::CHUGSPLASH {
            let proxy = IChugSplashProxy::new(self.proxy, session.provider.clone());
            let admin = slot_address(&session, *proxy.address(), ADMIN_SLOT).await?;
            if admin != *actor.address() {
                return Err(Problem::new(format!(
                    "{} is no proxy of this project: neither adopted, nor is the actor {} its admin",
                    self.proxy,
                    actor.address()
                ))
                .hint("check the address and --manager")
                .into());
            }
        }
        let call = IChugSplashManager::releaseCall { proxy: self.proxy, to: self.to };
        let purpose = format!("hand the proxy {} over to {}", self.proxy, self.to);
        let step = Step::call(purpose, project.address, &call);
        self.order.placing.carry_out(&project, account.as_ref(), &step, "").await
    }
}

/// Who else may propose bundles
///
/// Proposing locks nothing; only the owner approves.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:
  errand upgrade proposer add 0x7099… --manager 0x5FbD… --account alice")]
pub(crate) enum Proposer {
    Add(ProposerAdd),
    Remove(ProposerRemove),
}

/// Let an account propose bundles
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand upgrade proposer add 0x7099… --manager 0x5FbD… --account alice")]
pub(crate) struct ProposerAdd {
    /// Who may propose
    #[arg(value_parser = address)]
    address: Address,
    #[command(flatten)]
    order: Order,
}

/// Let an account propose no longer
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand upgrade proposer remove 0x7099… --manager 0x5FbD… --account alice")]
pub(crate) struct ProposerRemove {
    /// Who may propose no longer
    #[arg(value_parser = address)]
    address: Address,
    #[command(flatten)]
    order: Order,
}

impl Proposer {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        let (account, order, allowed) = match self {
            Self::Add(command) => (command.address, &command.order, true),
            Self::Remove(command) => (command.address, &command.order, false),
        };
        let purpose = if allowed { "let" } else { "no longer let" };
        let call = IChugSplashManager::setProposerCall { account, allowed };
        order.by_owner(global, format!("{purpose} {account} propose"), &call).await
    }
}
