//! Creation code: templates, closures, and the order of deployment.

use super::{Placed, Proxy, coerce};
use crate::{
    artifact::Artifact,
    config::{
        self, ConfigError, Data, Kind, Problem,
        reference::{Reference, Resolve},
    },
    create3::{self, Template},
    project::Contract,
};
use alloy::{
    dyn_abi::DynSolValue,
    primitives::{Address, B256, Bytes, keccak256},
};
use std::collections::{BTreeMap, BTreeSet};

/// A contract of the file with its artifact.
pub(super) struct Code<'a> {
    pub(super) contract: &'a config::Contract,
    pub(super) artifact: Artifact,
    /// `file:name` of a library to the contract that is it
    libraries: BTreeMap<String, String>,
}

/// Loads the artifacts and finds the libraries among the contracts.
pub(super) fn load<'a>(
    contracts: &'a [config::Contract],
    artifacts: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Code<'a>>, ConfigError> {
    let mut codes = Vec::with_capacity(contracts.len());
    for contract in contracts {
        let name = contract.artifact.clone();
        let missing = Problem::MissingArtifact { artifact: name.clone() };
        let json = artifacts(&name).ok_or_else(|| ConfigError::new(contract.artifact_at, missing))?;
        let artifact = Artifact::parse(&json).map_err(|problem| {
            ConfigError::new(contract.artifact_at, Problem::BadArtifact { artifact: name, problem })
        })?;
        codes.push(Code { contract, artifact, libraries: BTreeMap::new() });
    }
    // A library runs as its caller: what is behind a proxy is none.
    let sources: Vec<(String, String)> = codes
        .iter()
        .filter(|code| !code.contract.kind.is_proxied())
        .map(|code| {
            let source = code.artifact.source.clone();
            (code.contract.name.clone(), source.unwrap_or_else(|| code.contract.artifact.clone()))
        })
        .collect();
    for code in &mut codes {
        for library in code.artifact.libraries() {
            // An artifact that does not tell its source is known by the library's bare name.
            let bare = library.rsplit(':').next().unwrap_or(library);
            let mut matching = sources
                .iter()
                .filter(|(_, source)| source == library || source == bare)
                .map(|(name, _)| name);
            let (contract, library) = (code.contract.name.clone(), library.to_owned());
            let problem = match (matching.next(), matching.next()) {
                (Some(name), None) => {
                    code.libraries.insert(library, name.clone());
                    continue;
                }
                (None, _) => Problem::UnlinkedLibrary { contract, library },
                (Some(_), Some(_)) => Problem::AmbiguousLibrary { contract, library },
            };
            return Err(ConfigError::new(code.contract.at, problem));
        }
    }
    Ok(codes)
}

impl Code<'_> {
    /// Creation code, linked, with arguments, the addresses being the resolver's.
    pub(super) fn init_code(&self, resolver: &mut dyn Resolve) -> Result<Bytes, ConfigError> {
        let at = self.contract.at;
        let mut linked = BTreeMap::new();
        for (library, name) in &self.libraries {
            linked.insert(library, resolver.resolve(at, &Reference::Contract(name.clone()))?);
        }
        let link = |library: &str| linked.get(&library.to_owned()).copied();
        let mut code = self.artifact.link(link).map(|code| code.to_vec()).unwrap_or_default();
        code.extend(self.arguments(resolver)?);
        Ok(code.into())
    }

    fn arguments(&self, resolver: &mut dyn Resolve) -> Result<Vec<u8>, ConfigError> {
        let contract = self.contract;
        let inputs = self.artifact.abi.constructor.as_ref().map_or(&[][..], |found| found.inputs.as_slice());
        let what = format!("the constructor of `{}`", contract.name);
        let Some(args) = &contract.args else {
            if inputs.is_empty() {
                return Ok(Vec::new());
            }
            let wanted = coerce::describe(inputs);
            let problem = Problem::MissingConstructorArguments { contract: contract.name.clone(), wanted };
            return Err(ConfigError::new(contract.at, problem));
        };
        if let (Data::Table(entries), true) = (&args.data, inputs.is_empty())
            && !entries.is_empty()
        {
            let problem = Problem::WrongArgumentCount { wanted: what, expected: 0, found: entries.len() };
            return Err(ConfigError::new(args.at, problem));
        }
        let what = format!("{what} {}", coerce::describe(inputs));
        let values = coerce::params(args, &what, inputs, resolver)?;
        Ok(DynSolValue::Tuple(values).abi_encode_params())
    }
}

/// What every contract's creation code refers to, and the hashes that salts are made of.
pub(super) struct Closures {
    references: BTreeMap<String, BTreeSet<String>>,
    closures: BTreeMap<String, B256>,
}

impl Closures {
    pub(super) fn salt(&self, name: &str) -> B256 {
        create3::salt(name, self.closures.get(name).copied().unwrap_or_default())
    }

    pub(super) fn references(&self, name: &str) -> BTreeSet<String> {
        self.references.get(name).cloned().unwrap_or_default()
    }
}

/// Hashes templates, with stand-ins for addresses, and follows references to their end.
pub(super) fn closures(codes: &[Code<'_>]) -> Result<Closures, ConfigError> {
    let names: BTreeSet<&str> = codes.iter().map(|code| code.contract.name.as_str()).collect();
    let mut references = BTreeMap::new();
    let mut hashes = BTreeMap::new();
    for code in codes {
        let mut found = BTreeSet::new();
        let template = code.init_code(&mut |at, reference: &Reference| {
            let name = reference.name();
            if !names.contains(name) {
                let known = names.iter().copied().collect::<Vec<_>>().join(", ");
                return Err(ConfigError::new(at, Problem::UnknownReference { name: name.into(), known }));
            }
            found.insert(name.to_owned());
            Ok(stand_in(codes, reference))
        })?;
        hashes.insert(code.contract.name.clone(), keccak256(&template));
        references.insert(code.contract.name.clone(), found);
    }
    let closures = hashes.keys().map(|name| {
        let reached = reach(name, &references);
        let templates: Vec<Template<'_>> = reached
            .iter()
            .filter_map(|name| hashes.get(*name).map(|hash| Template { name, code_hash: *hash }))
            .collect();
        (name.clone(), create3::closure(&templates))
    });
    let closures = closures.collect();
    Ok(Closures { references, closures })
}

/// What a reference is in a template. It says what is referred to: a proxy that the file names is its address, and what
/// changes its kind changes what its name leads to.
fn stand_in(codes: &[Code<'_>], reference: &Reference) -> Address {
    let name = reference.name();
    let kind = codes.iter().find(|code| code.contract.name == name).map(|code| code.contract.kind);
    match (reference, kind) {
        (Reference::Implementation(_), _) => create3::stand_in(&format!("{name}.implementation")),
        (Reference::Contract(_), Some(Kind::ChugSplash { proxy: None })) => {
            create3::stand_in(&format!("{name}.proxy"))
        }
        (Reference::Contract(_), kind) => {
            kind.and_then(|kind| kind.given_proxy()).unwrap_or_else(|| create3::stand_in(name))
        }
    }
}

/// `start` and all it refers to, directly or not.
fn reach<'a>(start: &'a str, references: &'a BTreeMap<String, BTreeSet<String>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![start];
    while let Some(name) = waiting.pop() {
        if reached.insert(name) {
            waiting.extend(references.get(name).into_iter().flatten().map(String::as_str));
        }
    }
    reached
}

/// Where a contract and its proxy are.
pub(super) fn placed(code: &Code<'_>, actor: Address, salt: B256) -> Placed {
    let proxy = match code.contract.kind {
        Kind::Plain => None,
        Kind::ChugSplash { proxy: None } => {
            let salt = create3::salt(&code.contract.name, B256::ZERO);
            Some(Proxy { address: create3::address_of(actor, salt), salt: Some(salt) })
        }
        kind => kind.given_proxy().map(|address| Proxy { address, salt: None }),
    };
    Placed { code_at: create3::address_of(actor, salt), proxy }
}

/// What is referred to before what refers to it; within a circle, and where nothing decides, by name.
pub(super) fn in_order(contracts: Vec<Contract>) -> Vec<Contract> {
    let mut left: BTreeMap<String, Contract> =
        contracts.into_iter().map(|contract| (contract.name.clone(), contract)).collect();
    let mut ordered = Vec::with_capacity(left.len());
    while let Some(first) = left.keys().next().cloned() {
        // Depth first, without recursion: a contract comes out when all it refers to has been visited.
        let mut path = vec![first];
        let mut visited = BTreeSet::new();
        while let Some(name) = path.last().cloned() {
            visited.insert(name.clone());
            let next = left.get(&name).and_then(|contract| {
                contract.refers_to.iter().find(|to| left.contains_key(*to) && !visited.contains(*to)).cloned()
            });
            match next {
                Some(next) => path.push(next),
                None => {
                    path.pop();
                    ordered.extend(left.remove(&name));
                }
            }
        }
    }
    ordered
}
