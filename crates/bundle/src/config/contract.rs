//! `[contracts.…]` and `[[calls]]`.

use super::{
    error::{ConfigError, Place, Problem},
    reader::{Data, Key, Table, Value},
    reference::require_name,
};
use alloy::primitives::{Address, B256, Bytes, U256};

/// How a contract is reached and upgraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `plain`: deployed as it is; another version has another address
    Plain,
    /// `chugsplash`: behind a ChugSplashProxy, which is deployed where there is none
    ChugSplash {
        /// the proxy, if it is not the one that this name gets
        proxy: Option<Address>,
    },
    /// `transparent`: behind an adopted OpenZeppelin TransparentUpgradeableProxy
    Transparent {
        /// the proxy
        proxy: Address,
    },
    /// `uups`: behind an adopted OpenZeppelin UUPS proxy
    Uups {
        /// the proxy
        proxy: Address,
    },
}

impl Kind {
    /// Whether there is a proxy in front.
    pub const fn is_proxied(&self) -> bool {
        !matches!(self, Self::Plain)
    }

    /// The proxy that the file names.
    pub const fn given_proxy(&self) -> Option<Address> {
        match self {
            Self::Plain => None,
            Self::ChugSplash { proxy } => *proxy,
            Self::Transparent { proxy } | Self::Uups { proxy } => Some(*proxy),
        }
    }
}

/// A contract of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// what others refer to it by
    pub name: String,
    /// where the name stands
    pub at: Place,
    /// name of the artifact; the contract's name if the file gives none
    pub artifact: String,
    /// where that stands
    pub artifact_at: Place,
    /// how it is reached
    pub kind: Kind,
    /// constructor arguments, an array or a table by parameter
    pub args: Option<Value>,
    /// values by variable
    pub storage: Vec<(Key, Value)>,
    /// values by slot
    pub slots: Vec<RawWrite>,
}

/// Bytes of a slot, given as such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawWrite {
    /// where it stands
    pub at: Place,
    /// the slot
    pub slot: B256,
    /// bytes from the lowest
    pub offset: u8,
    /// 1 to 32 bytes
    pub value: Bytes,
}

/// A call after the switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// where it stands
    pub at: Place,
    /// address or reference
    pub target: Value,
    /// wei
    pub value: U256,
    /// what is sent
    pub data: CallData,
}

/// What a call sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallData {
    /// a function, by its name in the target's artifact or by its signature, and arguments
    Function {
        /// a text
        function: Value,
        /// an array or a table; `None`: there are none
        args: Option<Value>,
    },
    /// bytes
    Raw(Bytes),
}

pub(super) fn contracts(value: Value) -> Result<Vec<Contract>, ConfigError> {
    let Data::Table(entries) = value.data else { return Err(value.wrong_type("a table")) };
    let mut contracts: Vec<Contract> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        contracts.push(contract(key, value)?);
    }
    let mut in_order: Vec<&Contract> = contracts.iter().collect();
    in_order.sort_by_key(|contract| contract.at);
    for (place, later) in in_order.iter().enumerate() {
        for earlier in in_order.iter().take(place) {
            let why = if later.name.eq_ignore_ascii_case(&earlier.name) {
                "they differ in nothing but case"
            } else if later.kind.given_proxy().is_some()
                && later.kind.given_proxy() == earlier.kind.given_proxy()
            {
                "both are behind the same proxy"
            } else {
                continue;
            };
            let problem = Problem::NameClash { name: later.name.clone(), other: earlier.name.clone(), why };
            return Err(ConfigError::new(later.at, problem));
        }
    }
    Ok(contracts)
}

fn contract(key: Key, value: Value) -> Result<Contract, ConfigError> {
    let Key { at, name } = key;
    require_name(at, &name)?;
    let mut table = Table::new(format!("[contracts.{name}]"), value)?;
    let (artifact, artifact_at) = match table.optional("artifact") {
        Some(value) => (value.text()?.to_owned(), value.at),
        None => (name.clone(), at),
    };
    let kind = kind(&mut table)?;
    let args = table.optional("args");
    let storage = match table.optional("storage") {
        Some(value) => value.entries()?.to_vec(),
        None => Vec::new(),
    };
    let slots = match table.optional("slots") {
        Some(value) => value.array()?.iter().cloned().map(raw_write).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    table.finish()?;
    Ok(Contract { name, at, artifact, artifact_at, kind, args, storage, slots })
}

fn kind(table: &mut Table) -> Result<Kind, ConfigError> {
    let kind = table.required("kind")?;
    let proxy = match table.optional("proxy") {
        Some(value) => Some((value.address()?, value.at)),
        None => None,
    };
    let (table_name, at) = (table.name.clone(), table.at);
    let given = |proxy: Option<(Address, Place)>| {
        let missing = Problem::MissingKey { key: "proxy", table: table_name };
        proxy.map(|(address, _)| address).ok_or(ConfigError::new(at, missing))
    };
    Ok(match (kind.text()?, proxy) {
        ("plain", None) => Kind::Plain,
        ("plain", Some((_, at))) => {
            let why = "a plain contract has no `proxy`".to_owned();
            return Err(ConfigError::new(at, Problem::Conflict(why)));
        }
        ("chugsplash", proxy) => Kind::ChugSplash { proxy: proxy.map(|(address, _)| address) },
        ("transparent", proxy) => Kind::Transparent { proxy: given(proxy)? },
        ("uups", proxy) => Kind::Uups { proxy: given(proxy)? },
        _ => return Err(kind.bad("kind", "kinds are plain, chugsplash, transparent and uups")),
    })
}

fn raw_write(value: Value) -> Result<RawWrite, ConfigError> {
    let at = value.at;
    let mut table = Table::new("slots", value)?;
    let slot = table.required("slot")?.word()?;
    let offset = table.optional("offset");
    let bytes = table.required("value")?;
    table.finish()?;
    let value = bytes.bytes()?;
    let (offset, offset_at) = match offset {
        Some(offset) => (offset.number::<u8>("offset in bytes")?, offset.at),
        None => (0, bytes.at),
    };
    if value.is_empty() || usize::from(offset) + value.len() > 32 {
        let problem = Problem::BadValue {
            expected: "part of a slot".into(),
            value: value.to_string(),
            why: format!("{} bytes at offset {offset} are not within 32 bytes", value.len()),
        };
        return Err(ConfigError::new(offset_at, problem));
    }
    Ok(RawWrite { at, slot, offset, value })
}

pub(super) fn calls(value: Value) -> Result<Vec<Call>, ConfigError> {
    value.array()?.iter().cloned().map(call).collect()
}

fn call(value: Value) -> Result<Call, ConfigError> {
    let at = value.at;
    let mut table = Table::new("[[calls]]", value)?;
    let target = table.required("target")?;
    let value = table.optional("value").map(|value| value.amount()).transpose()?.unwrap_or_default();
    let function = table.optional("function");
    let args = table.optional("args");
    let data = table.optional("data");
    table.finish()?;
    let data = match (function, args, data) {
        (Some(function), args, None) => CallData::Function { function, args },
        (None, None, Some(data)) => CallData::Raw(data.bytes()?),
        (None, None, None) if !value.is_zero() => CallData::Raw(Bytes::new()),
        _ => {
            let why = "a call has either `function` and `args`, or `data`, or `value` alone".to_owned();
            return Err(ConfigError::new(at, Problem::Conflict(why)));
        }
    };
    Ok(Call { at, target, value, data })
}
