//! Values of variables as bytes of slots.

use super::{
    Encoding, LayoutError, StorageLayout,
    path::{Located, element, elementary, entry, length, member},
};
use crate::{
    config::{
        ConfigError, Data, Problem, Value,
        reference::{Resolve, expand},
    },
    project::coerce,
};
use alloy::{
    dyn_abi::{DynSolType, DynSolValue},
    primitives::{B256, Bytes, U256, keccak256},
};

/// Bytes of one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotWrite {
    /// the slot
    pub slot: B256,
    /// bytes from the lowest
    pub offset: u8,
    /// 1 to 32 bytes, highest first
    pub value: Bytes,
}

/// The writes that give what lies at `place` the value. `variable` is for messages.
pub(crate) fn encode(
    layout: &StorageLayout,
    variable: &str,
    place: Located<'_>,
    value: &Value,
    resolver: &mut dyn Resolve,
) -> Result<Vec<SlotWrite>, ConfigError> {
    let wrong = |problem: LayoutError| {
        ConfigError::new(value.at, Problem::BadVariable { variable: variable.to_owned(), problem })
    };
    let mut writes = Vec::new();
    match place.ty.encoding {
        Encoding::Mapping => {
            for (key, value) in entries(value, "a table by key")? {
                let (key, _) = expand(value.at, key, resolver)?;
                let located = entry(layout, place, &key).map_err(wrong)?;
                writes.extend(encode(layout, &format!("{variable}[{key}]"), located, value, resolver)?);
            }
        }
        Encoding::DynamicArray => {
            return Err(wrong(LayoutError::Unsupported { ty: place.ty.label.clone() }));
        }
        Encoding::Inplace if place.ty.base.is_some() => {
            let values = value.array()?;
            let expected = length(place.ty).map_err(wrong)?;
            if u64::try_from(values.len()) != Ok(expected) {
                let wanted = place.ty.label.clone();
                let expected = usize::try_from(expected).unwrap_or(usize::MAX);
                let problem = Problem::WrongArgumentCount { wanted, expected, found: values.len() };
                return Err(value.error(problem));
            }
            for (index, value) in (0..).zip(values) {
                let located = element(layout, place, index).map_err(wrong)?;
                writes.extend(encode(layout, &format!("{variable}[{index}]"), located, value, resolver)?);
            }
        }
        Encoding::Inplace if place.ty.members.is_some() => {
            let members = place.ty.members.as_deref().unwrap_or_default();
            for (name, value) in entries(value, "a table by member")? {
                let found = members.iter().find(|member| member.label == name).ok_or_else(|| {
                    let known = members.iter().map(|member| member.label.as_str()).collect::<Vec<_>>();
                    wrong(LayoutError::Unknown { known: known.join(", ") })
                })?;
                let located = member(layout, place.slot, found).map_err(wrong)?;
                writes.extend(encode(layout, &format!("{variable}.{name}"), located, value, resolver)?);
            }
        }
        Encoding::Inplace | Encoding::Bytes => {
            let ty = elementary(place.ty).map_err(wrong)?;
            let encoded = coerce::value(value, &ty, &[], resolver)?;
            writes.extend(elementary_writes(place, &ty, &encoded).map_err(wrong)?);
        }
    }
    Ok(writes)
}

fn entries<'a>(value: &'a Value, expected: &'static str) -> Result<Vec<(&'a str, &'a Value)>, ConfigError> {
    match &value.data {
        Data::Table(entries) => Ok(entries.iter().map(|(key, value)| (key.name.as_str(), value)).collect()),
        _ => Err(value.wrong_type(expected)),
    }
}

fn elementary_writes(
    place: Located<'_>,
    ty: &DynSolType,
    value: &DynSolValue,
) -> Result<Vec<SlotWrite>, LayoutError> {
    let malformed =
        || LayoutError::Malformed(format!("{} takes {} bytes", place.ty.label, place.ty.number_of_bytes));
    match value {
        DynSolValue::String(text) => return Ok(dynamic(place.slot, text.as_bytes())),
        DynSolValue::Bytes(bytes) => return Ok(dynamic(place.slot, bytes)),
        _ => {}
    }
    let size = usize::try_from(place.ty.number_of_bytes).map_err(|_| malformed())?;
    let word = value.as_word().ok_or_else(malformed)?;
    // Fixed bytes are at the upper end of their word, everything else at the lower.
    let bytes = match ty {
        DynSolType::FixedBytes(_) => word.get(..size),
        _ => 32usize.checked_sub(size).and_then(|start| word.get(start..)),
    };
    let bytes = bytes.ok_or_else(malformed)?;
    if bytes.is_empty() || usize::from(place.offset) + bytes.len() > 32 {
        return Err(malformed());
    }
    Ok(vec![SlotWrite { slot: place.slot.into(), offset: place.offset, value: bytes.to_vec().into() }])
}

/// `string` and `bytes`: up to 31 bytes lie in the slot with twice their length in the lowest byte; of longer ones the
/// slot holds twice the length and one, and they lie from `keccak256(slot)` on.
fn dynamic(slot: U256, bytes: &[u8]) -> Vec<SlotWrite> {
    let whole =
        |slot: U256, word: [u8; 32]| SlotWrite { slot: slot.into(), offset: 0, value: word.to_vec().into() };
    let padded = |chunk: &[u8]| {
        let mut word = [0; 32];
        word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        word
    };
    if bytes.len() < 32 {
        let length = U256::from(bytes.len() * 2);
        return vec![whole(slot, (U256::from_be_bytes(padded(bytes)) | length).to_be_bytes())];
    }
    let first: U256 = keccak256(slot.to_be_bytes::<32>()).into();
    let mut writes = vec![whole(slot, U256::from(bytes.len() * 2 + 1).to_be_bytes())];
    for (index, chunk) in bytes.chunks(32).enumerate() {
        writes.push(whole(first.wrapping_add(U256::from(index)), padded(chunk)));
    }
    writes
}
