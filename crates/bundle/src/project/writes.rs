//! Storage of proxies: variables by name and slots as they are, into bytes of slots.

use super::{Book, code::Code};
use crate::{
    config::{
        ConfigError, Place, Problem,
        reference::{Reference, expand},
    },
    layout::{self, LayoutError, Path, SlotWrite},
};
use alloy::primitives::{B256, b256};

/// Slots of ERC-1967: implementation, admin, beacon. The actor refuses to write them.
pub(crate) const RESERVED_SLOTS: [B256; 3] = [
    b256!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"),
    b256!("b53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103"),
    b256!("a3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50"),
];

/// Bytes of a slot, and what they are for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedWrite {
    /// the variable, or the slot
    pub name: String,
    /// where it stands in the file
    pub at: Place,
    /// what is written
    pub write: SlotWrite,
}

pub(super) fn resolve(code: &Code<'_>, book: &Book<'_>) -> Result<Vec<NamedWrite>, ConfigError> {
    let contract = code.contract;
    let first =
        contract.storage.iter().map(|(key, _)| key.at).chain(contract.slots.iter().map(|raw| raw.at)).next();
    if let Some(at) = first.filter(|_| !contract.kind.is_proxied()) {
        return Err(ConfigError::new(at, Problem::StorageWithoutProxy { contract: contract.name.clone() }));
    }
    let mut writes = Vec::new();
    let mut resolver = |at: Place, reference: &Reference| book.address(at, reference);
    for (key, value) in &contract.storage {
        let bad = |problem: LayoutError| {
            ConfigError::new(key.at, Problem::BadVariable { variable: key.name.clone(), problem })
        };
        let layout = code.artifact.layout.as_ref().ok_or_else(|| bad(LayoutError::NoLayout))?;
        let (path, _) = expand(key.at, &key.name, &mut resolver)?;
        let place = Path::parse(&path).and_then(|path| layout::locate(layout, &path)).map_err(bad)?;
        let found = layout::encode(layout, &key.name, place, value, &mut resolver)?;
        let named = found.into_iter().map(|write| NamedWrite { name: key.name.clone(), at: key.at, write });
        writes.extend(named);
    }
    for raw in &contract.slots {
        let write = SlotWrite { slot: raw.slot, offset: raw.offset, value: raw.value.clone() };
        writes.push(NamedWrite { name: format!("slot {}", raw.slot), at: raw.at, write });
    }
    if let Some(reserved) = writes.iter().find(|found| RESERVED_SLOTS.contains(&found.write.slot)) {
        return Err(ConfigError::new(reserved.at, Problem::ReservedSlot { slot: reserved.write.slot }));
    }
    writes.sort_by_key(|found| (found.write.slot, found.write.offset));
    for pair in writes.windows(2) {
        if let [low, high] = pair
            && low.write.slot == high.write.slot
            && usize::from(low.write.offset) + low.write.value.len() > usize::from(high.write.offset)
        {
            let (first, second) = if low.at <= high.at { (low, high) } else { (high, low) };
            let problem = Problem::OverlappingWrites {
                contract: contract.name.clone(),
                slot: low.write.slot,
                first: first.name.clone(),
                second: second.name.clone(),
            };
            return Err(ConfigError::new(second.at, problem));
        }
    }
    Ok(writes)
}
