//! `upgrade.toml` with its artifacts: every reference resolved, every address known, every value encoded. Nothing is
//! asked of the chain.

mod calls;
mod code;
pub(crate) mod coerce;
mod writes;

pub use calls::ResolvedCall;
pub use writes::NamedWrite;

use crate::config::{Config, ConfigError, Kind, Place, Problem, reference::Reference};
use alloy::primitives::{Address, B256, Bytes};
use code::Code;
use std::collections::{BTreeMap, BTreeSet};

/// The contracts that a project's bundles live with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// the network
    pub chain_id: u64,
    /// holds the money, knows the bundles
    pub manager: Address,
    /// deploys, owns the proxies, calls
    pub actor: Address,
    /// what the manager was created by
    pub registry: Address,
    /// selection strategy
    pub ess: Address,
    /// payment strategy
    pub eps: Address,
}

impl Site {
    /// Whether the actor refuses to touch `target`.
    pub fn refuses(&self, target: Address) -> bool {
        [self.manager, self.actor, self.registry, self.ess, self.eps].contains(&target)
    }
}

/// All contracts of an upgrade, ready to be planned.
#[derive(Debug, Clone)]
pub struct Project {
    /// where it happens
    pub site: Site,
    /// in the order in which they are deployed: what is referred to first, where there is no circle
    pub contracts: Vec<Contract>,
    /// in their order
    pub calls: Vec<ResolvedCall>,
}

/// A contract with everything resolved.
#[derive(Debug, Clone)]
pub struct Contract {
    /// its name in the file
    pub name: String,
    /// how it is reached
    pub kind: Kind,
    /// where its code is, or is going to be: behind the proxy, if there is one
    pub code_at: Address,
    /// of its deployment
    pub salt: B256,
    /// creation code, linked, with arguments
    pub init_code: Bytes,
    /// what is in front of it
    pub proxy: Option<Proxy>,
    /// contracts that its creation code names
    pub refers_to: BTreeSet<String>,
    /// what its storage is to be
    pub writes: Vec<NamedWrite>,
    /// `file:name` of its source, if the artifact says it
    pub source: Option<String>,
}

/// The proxy in front of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proxy {
    /// its address, which is the contract's for everybody else
    pub address: Address,
    /// of its deployment by the actor; `None`: the file names a proxy that is there
    pub salt: Option<B256>,
}

impl Contract {
    /// Where users find it.
    pub fn address(&self) -> Address {
        self.proxy.map_or(self.code_at, |proxy| proxy.address)
    }
}

impl Project {
    /// Resolves `config`. `artifacts` gives the JSON text of an artifact by the name that the file uses.
    pub fn new(
        config: &Config,
        site: Site,
        artifacts: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        config.require_network(site.chain_id)?;
        let codes = code::load(&config.contracts, artifacts)?;
        let closures = code::closures(&codes)?;
        let mut addresses = BTreeMap::new();
        for code in &codes {
            let salt = closures.salt(&code.contract.name);
            addresses.insert(code.contract.name.clone(), code::placed(code, site.actor, salt));
        }
        let mut contracts = Vec::with_capacity(codes.len());
        let book = Book { addresses: &addresses };
        for code in &codes {
            contracts.push(resolved(code, &closures, &book, &site)?);
        }
        let calls = calls::resolve(&config.calls, &codes, &book, &site)?;
        let pairs: Vec<_> = config.calls.iter().zip(&calls).collect();
        calls::require_no_proxy_functions(&pairs, &contracts)?;
        Ok(Self { site, contracts: code::in_order(contracts), calls })
    }

    /// The contract of that name.
    pub fn contract(&self, name: &str) -> Option<&Contract> {
        self.contracts.iter().find(|contract| contract.name == name)
    }
}

fn resolved(
    code: &Code<'_>,
    closures: &code::Closures,
    book: &Book<'_>,
    site: &Site,
) -> Result<Contract, ConfigError> {
    let contract = code.contract;
    let placed = book.place(contract.at, &contract.name)?;
    if let Some(proxy) = contract.kind.given_proxy().filter(|proxy| site.refuses(*proxy)) {
        return Err(ConfigError::new(contract.at, Problem::TargetRefused { target: proxy }));
    }
    Ok(Contract {
        name: contract.name.clone(),
        kind: contract.kind,
        code_at: placed.code_at,
        salt: closures.salt(&contract.name),
        init_code: code.init_code(&mut |at, reference: &Reference| book.address(at, reference))?,
        proxy: placed.proxy,
        refers_to: closures.references(&contract.name),
        writes: writes::resolve(code, book)?,
        source: code.artifact.source.clone(),
    })
}

/// Where everything is.
struct Book<'a> {
    addresses: &'a BTreeMap<String, Placed>,
}

/// Where a contract is.
#[derive(Debug, Clone, Copy)]
struct Placed {
    code_at: Address,
    proxy: Option<Proxy>,
}

impl Book<'_> {
    fn place(&self, at: Place, name: &str) -> Result<Placed, ConfigError> {
        self.addresses.get(name).copied().ok_or_else(|| {
            let known = self.addresses.keys().cloned().collect::<Vec<_>>().join(", ");
            ConfigError::new(at, Problem::UnknownReference { name: name.to_owned(), known })
        })
    }

    fn address(&self, at: Place, reference: &Reference) -> Result<Address, ConfigError> {
        let placed = self.place(at, reference.name())?;
        match reference {
            Reference::Contract(_) => Ok(placed.proxy.map_or(placed.code_at, |proxy| proxy.address)),
            Reference::Implementation(name) if placed.proxy.is_none() => {
                Err(ConfigError::new(at, Problem::NotBehindProxy { name: name.clone() }))
            }
            Reference::Implementation(_) => Ok(placed.code_at),
        }
    }
}
