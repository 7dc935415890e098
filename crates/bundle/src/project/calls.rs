//! Calls after the switch.

use super::{Book, Contract, Site, code::Code, coerce};
use crate::config::{
    self, CallData, ConfigError, Kind, Place, Problem, Value,
    reader::parse_address,
    reference::{Piece, Reference, pieces},
};
use alloy::{
    dyn_abi::JsonAbiExt,
    json_abi::Function,
    primitives::{Address, Bytes, U256, keccak256},
};

/// What a ChugSplashProxy does for its admin.
const CHUG_SPLASH_FUNCTIONS: [&str; 3] =
    ["upgradeTo(address)", "changeAdmin(address)", "setStorage(bytes32,uint256,bytes)"];
/// What an implementation does for whoever may upgrade it.
const UUPS_FUNCTIONS: [&str; 1] = ["upgradeToAndCall(address,bytes)"];

/// A call with everything resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedCall {
    /// for people: target and function
    pub name: String,
    /// whom the actor calls
    pub target: Address,
    /// wei
    pub value: U256,
    /// selector and arguments
    pub data: Bytes,
}

pub(super) fn resolve(
    calls: &[config::Call],
    codes: &[Code<'_>],
    book: &Book<'_>,
    site: &Site,
) -> Result<Vec<ResolvedCall>, ConfigError> {
    calls.iter().map(|call| one(call, codes, book, site)).collect()
}

fn one(
    call: &config::Call,
    codes: &[Code<'_>],
    book: &Book<'_>,
    site: &Site,
) -> Result<ResolvedCall, ConfigError> {
    let text = call.target.text()?;
    let (target, shown, code) = match pieces(call.target.at, text)?.as_slice() {
        [Piece::Reference(reference)] => {
            let code = codes.iter().find(|code| code.contract.name == reference.name());
            (book.address(call.target.at, reference)?, reference.name().to_owned(), code)
        }
        _ => {
            let target = parse_address(text).map_err(|why| call.target.bad("address or reference", why))?;
            (target, target.to_string(), None)
        }
    };
    if site.refuses(target) {
        return Err(call.target.error(Problem::TargetRefused { target }));
    }
    let (name, data) = match &call.data {
        CallData::Raw(data) if data.is_empty() => (format!("{shown}: ETH"), data.clone()),
        CallData::Raw(data) => (format!("{shown}: {} bytes", data.len()), data.clone()),
        CallData::Function { function, args } => {
            let found = find(function, code)?;
            let data = encode(call.at, &found, args.as_ref(), book)?;
            (format!("{shown}.{}", found.signature()), data)
        }
    };
    Ok(ResolvedCall { name, target, value: call.value, data })
}

/// Refuses calls that would change a proxy past the actor: it is the admin, so its proxies obey it.
pub(super) fn require_no_proxy_functions(
    calls: &[(&config::Call, &ResolvedCall)],
    contracts: &[Contract],
) -> Result<(), ConfigError> {
    for (call, resolved) in calls {
        let behind = contracts
            .iter()
            .find(|contract| contract.proxy.is_some_and(|proxy| proxy.address == resolved.target));
        let Some(contract) = behind else { continue };
        let functions: &[&'static str] = match contract.kind {
            Kind::ChugSplash { .. } => &CHUG_SPLASH_FUNCTIONS,
            Kind::Uups { .. } => &UUPS_FUNCTIONS,
            // Its admin is a contract of its own.
            Kind::Transparent { .. } | Kind::Plain => &[],
        };
        let called = functions.iter().find(|function| {
            let [a, b, c, d, ..] = keccak256(function).0;
            resolved.data.starts_with(&[a, b, c, d])
        });
        if let Some(function) = called {
            let contract = contract.name.clone();
            return Err(call.target.error(Problem::ProxyFunction { contract, function }));
        }
    }
    Ok(())
}

/// The function by name or signature: in the target's artifact, if it has one, else as the signature says.
fn find(function: &Value, code: Option<&Code<'_>>) -> Result<Function, ConfigError> {
    let text = function.text()?.trim();
    let bad = |why: &str| {
        let problem = Problem::BadFunction { function: text.to_owned(), why: why.to_owned() };
        function.error(problem)
    };
    let parsed = || Function::parse(text).map_err(|error| bad(&error.to_string()));
    let Some(code) = code else {
        if !text.contains('(') {
            return Err(bad("the target has no artifact here, so the whole signature is needed"));
        }
        return parsed();
    };
    let name = text.split('(').next().unwrap_or(text);
    let overloads = code.artifact.abi.function(name).map_or(&[][..], Vec::as_slice);
    if text.contains('(') {
        let wanted = parsed()?.signature();
        let found = overloads.iter().find(|overload| overload.signature() == wanted);
        return found.cloned().ok_or_else(|| bad("the target has no such function"));
    }
    match overloads {
        [] => Err(bad("the target has no such function")),
        [only] => Ok(only.clone()),
        _ => Err(bad("the target has several, so the whole signature is needed")),
    }
}

fn encode(
    at: Place,
    function: &Function,
    args: Option<&Value>,
    book: &Book<'_>,
) -> Result<Bytes, ConfigError> {
    let mut resolver = |at: Place, reference: &Reference| book.address(at, reference);
    let values = match args {
        Some(args) => coerce::params(args, &function.signature(), &function.inputs, &mut resolver)?,
        None if function.inputs.is_empty() => Vec::new(),
        None => {
            let (wanted, expected) = (function.signature(), function.inputs.len());
            return Err(ConfigError::new(at, Problem::WrongArgumentCount { wanted, expected, found: 0 }));
        }
    };
    let encoded = function.abi_encode_input(&values).map_err(|error| {
        let problem = Problem::BadFunction { function: function.signature(), why: error.to_string() };
        ConfigError::new(at, problem)
    })?;
    Ok(encoded.into())
}
