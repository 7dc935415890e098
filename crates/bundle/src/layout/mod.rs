//! Where a contract's variables are: the compiler's `storageLayout`, and paths such as `balances[0x…].amount` in it.
//! Rules: "Layout of State Variables in Storage and Transient Storage" of the Solidity documentation.

mod encode;
mod path;

pub use encode::SlotWrite;
pub(crate) use encode::encode;
pub(crate) use path::{Path, locate};

use alloy::primitives::U256;
use serde::{Deserialize, Deserializer, de::Error};
use std::collections::BTreeMap;

/// A contract's variables and their types.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StorageLayout {
    /// in their order
    pub storage: Vec<Variable>,
    /// by the compiler's id; null where there are no variables
    #[serde(default, deserialize_with = "null_is_empty")]
    pub types: BTreeMap<String, Type>,
}

/// A variable, or a member of a struct.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Variable {
    /// its name
    pub label: String,
    /// bytes from the lowest of its first slot
    pub offset: u8,
    /// its first slot; of a member, counted from the struct's
    #[serde(deserialize_with = "decimal")]
    pub slot: U256,
    /// id of its type
    #[serde(rename = "type")]
    pub ty: String,
}

/// A type as it lies in storage.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Type {
    /// how it lies
    pub encoding: Encoding,
    /// as it is written in Solidity
    pub label: String,
    /// bytes that it takes
    #[serde(deserialize_with = "decimal")]
    pub number_of_bytes: U256,
    /// of an array: the type of its elements
    pub base: Option<String>,
    /// of a mapping: the type of its keys
    pub key: Option<String>,
    /// of a mapping: the type of its values
    pub value: Option<String>,
    /// of a struct
    pub members: Option<Vec<Variable>>,
}

/// How a type lies in storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// one after the other
    Inplace,
    /// by hashes of keys
    Mapping,
    /// length, and elements elsewhere
    DynamicArray,
    /// short ones in their slot, long ones elsewhere
    Bytes,
}

impl StorageLayout {
    pub(crate) fn type_of(&self, id: &str) -> Result<&Type, LayoutError> {
        self.types.get(id).ok_or_else(|| LayoutError::Malformed(format!("the type {id} is not described")))
    }

    /// Names of all variables, for messages.
    pub(crate) fn names(&self) -> String {
        self.storage.iter().map(|variable| variable.label.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// Why a variable cannot be found or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The artifact has no layout.
    #[error("the artifact has no storageLayout: add it to `extra_output` in foundry.toml and build again")]
    NoLayout,
    /// The layout contradicts itself.
    #[error("the storage layout is malformed: {0}")]
    Malformed(String),
    /// The path cannot be read.
    #[error("the path cannot be read at `{0}`")]
    BadPath(String),
    /// There is no such variable or member.
    #[error("there is none of that name; there are {known}")]
    Unknown {
        /// names that are there
        known: String,
    },
    /// An index is beyond its array.
    #[error("index {index} is beyond {ty}")]
    OutOfBounds {
        /// the index
        index: String,
        /// the array's type
        ty: String,
    },
    /// A key is not of the mapping's type.
    #[error("`{key}` is no key of type {ty}: {why}")]
    BadKey {
        /// the key
        key: String,
        /// its type
        ty: String,
        /// why
        why: String,
    },
    /// A step into a type that has no inside like that.
    #[error("{ty} has no {step}")]
    NoSuchStep {
        /// the type
        ty: String,
        /// `[index]` or `.member`
        step: String,
    },
    /// A type that is not written by name.
    #[error("{ty} cannot be written by name; write its slots under `slots`")]
    Unsupported {
        /// the type
        ty: String,
    },
}

fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
    let text = String::deserialize(deserializer)?;
    U256::from_str_radix(&text, 10).map_err(|error| D::Error::custom(format!("`{text}`: {error}")))
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Type>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
