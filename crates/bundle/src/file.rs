//! The file that is published with a bundle, and whose address is the header's `uri`. Reading one that strangers wrote
//! proves everything in it but the names: limits first, then root, totals and id.

use crate::{
    Action, ActionKind, BundleHeader,
    action::MAX_ACTIONS,
    bundle::Bundle,
    header::{Totals, TotalsError, bundle_id},
};
use alloy::primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// What the file's `format` says.
pub const FORMAT: &str = "errand-bundle-1";

/// The most bytes that are read unless the reader says otherwise: 1,000 actions of the largest creation code, in hex.
pub const DEFAULT_MAX_BYTES: usize = 100 * 1024 * 1024;

/// The most characters of a name.
const MAX_NAME: usize = 1024;

/// A published bundle that is what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// the network
    pub chain_id: u64,
    /// whose bundle it is
    pub manager: Address,
    /// part of the id
    pub nonce: U256,
    /// the id, computed
    pub id: B256,
    /// what was proposed
    pub header: BundleHeader,
    /// in their order
    pub actions: Vec<Action>,
    /// what the publisher says the actions are: proven by nothing
    pub names: Vec<String>,
}

/// Why a file is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It is larger than the reader takes.
    #[error("the file has {size} bytes, at most {max} are read")]
    TooLarge {
        /// bytes
        size: usize,
        /// bytes
        max: usize,
    },
    /// It is no bundle file.
    #[error("malformed: {0}")]
    Malformed(String),
    /// It is of another version.
    #[error("the format is `{0}`, not `{FORMAT}`")]
    UnknownFormat(String),
    /// A name that would trouble a terminal.
    #[error(
        "the name of action {index} is longer than {MAX_NAME}, or not all letters, digits and ASCII signs"
    )]
    BadName {
        /// of the action
        index: usize,
    },
    /// The actions are no bundle, or another one than the header's.
    #[error(transparent)]
    Actions(#[from] TotalsError),
    /// It is another bundle.
    #[error("the file is of bundle {found}, not {expected}")]
    OtherBundle {
        /// wanted
        expected: B256,
        /// computed of what is in the file
        found: B256,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Json {
    format: String,
    chain_id: u64,
    manager: Address,
    #[serde(with = "decimal")]
    nonce: U256,
    bundle_id: B256,
    header: JsonHeader,
    actions: Vec<JsonAction>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JsonHeader {
    action_root: B256,
    #[serde(with = "decimal")]
    deploy_count: U256,
    #[serde(with = "decimal")]
    switch_count: U256,
    #[serde(with = "decimal")]
    total_gas: U256,
    #[serde(with = "decimal")]
    max_txs: U256,
    #[serde(with = "decimal")]
    max_base_fee: U256,
    #[serde(with = "decimal")]
    call_value: U256,
    #[serde(with = "decimal")]
    budget: U256,
    ess: Address,
    eps: Address,
    uri: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonAction {
    name: String,
    kind: String,
    target: Address,
    gas: u64,
    data: Bytes,
}

/// The text to publish.
pub fn write(bundle: &Bundle) -> Result<String, FileError> {
    let h = bundle.header.clone();
    let actions = bundle.actions.iter().zip(&bundle.names).map(|(action, name)| JsonAction {
        name: plain(name),
        kind: action.kind.name().to_owned(),
        target: action.target,
        gas: action.gas,
        data: action.data.clone(),
    });
    let json = Json {
        format: FORMAT.to_owned(),
        chain_id: bundle.site.chain_id,
        manager: bundle.site.manager,
        nonce: bundle.nonce,
        bundle_id: bundle.id,
        header: JsonHeader {
            action_root: h.actionRoot,
            deploy_count: h.deployCount,
            switch_count: h.switchCount,
            total_gas: h.totalGas,
            max_txs: h.maxTxs,
            max_base_fee: h.maxBaseFee,
            call_value: h.callValue,
            budget: h.budget,
            ess: h.ess,
            eps: h.eps,
            uri: h.uri,
        },
        actions: actions.collect(),
    };
    serde_json::to_string_pretty(&json).map_err(|error| FileError::Malformed(error.to_string()))
}

/// Reads bytes of strangers, at most `max_bytes`.
pub fn read(bytes: &[u8], max_bytes: usize) -> Result<Published, FileError> {
    if bytes.len() > max_bytes {
        return Err(FileError::TooLarge { size: bytes.len(), max: max_bytes });
    }
    let json: Json =
        serde_json::from_slice(bytes).map_err(|error| FileError::Malformed(plain(&error.to_string())))?;
    if json.format != FORMAT {
        return Err(FileError::UnknownFormat(plain(&json.format)));
    }
    if json.actions.len() > MAX_ACTIONS {
        return Err(TotalsError::TooManyActions { count: json.actions.len() }.into());
    }
    let (mut actions, mut names) = (Vec::with_capacity(json.actions.len()), Vec::new());
    for (index, action) in json.actions.into_iter().enumerate() {
        let JsonAction { name, kind, target, gas, data } = action;
        if !name.chars().all(is_plain) || name.chars().count() > MAX_NAME {
            return Err(FileError::BadName { index });
        }
        let kind = ActionKind::from_name(&kind)
            .ok_or_else(|| FileError::Malformed(format!("the kind of action {index} is unknown")))?;
        actions.push(Action { kind, target, gas, data });
        names.push(name);
    }
    let h = json.header;
    let header = BundleHeader {
        actionRoot: h.action_root,
        deployCount: h.deploy_count,
        switchCount: h.switch_count,
        totalGas: h.total_gas,
        maxTxs: h.max_txs,
        maxBaseFee: h.max_base_fee,
        callValue: h.call_value,
        budget: h.budget,
        ess: h.ess,
        eps: h.eps,
        uri: h.uri,
    };
    Totals::of(&actions)?.check(&header)?;
    let id = bundle_id(json.chain_id, json.manager, json.nonce, &header);
    if id != json.bundle_id {
        return Err(FileError::OtherBundle { expected: json.bundle_id, found: id });
    }
    let (chain_id, manager, nonce) = (json.chain_id, json.manager, json.nonce);
    Ok(Published { chain_id, manager, nonce, id, header, actions, names })
}

/// Whether a character shows what it is: none that clears a terminal, is invisible or turns the text round.
fn is_plain(c: char) -> bool {
    c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric()
}

/// The text as it may be shown.
fn plain(text: &str) -> String {
    text.chars().take(MAX_NAME).map(|c| if is_plain(c) { c } else { '?' }).collect()
}

impl Published {
    /// Refuses every other bundle than the one that was asked for.
    pub fn require_id(&self, expected: B256) -> Result<(), FileError> {
        if self.id == expected { Ok(()) } else { Err(FileError::OtherBundle { expected, found: self.id }) }
    }
}

/// Numbers as people read them.
mod decimal {
    use super::{Deserialize, Deserializer, Error, Serializer, U256};

    pub(super) fn serialize<S: Serializer>(value: &U256, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
        let text = String::deserialize(deserializer)?;
        U256::from_str_radix(&text, 10).map_err(|error| D::Error::custom(format!("no number: {error}")))
    }
}
