//! Paths to variables.

use super::{Encoding, LayoutError, StorageLayout, Type, Variable};
use crate::config::reader::parse_address;
use alloy::{
    dyn_abi::{DynSolType, DynSolValue},
    primitives::{U256, keccak256},
};

/// `variable`, then `[key or index]` and `.member`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path<'a> {
    variable: &'a str,
    steps: Vec<Step<'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step<'a> {
    Index(&'a str),
    Member(&'a str),
}

impl<'a> Path<'a> {
    /// Reads a path. References in it are resolved before.
    pub(crate) fn parse(text: &'a str) -> Result<Self, LayoutError> {
        let end = text.find(['[', '.']).unwrap_or(text.len());
        let (variable, mut rest) = text.split_at(end);
        if variable.trim().is_empty() {
            return Err(LayoutError::BadPath(text.to_owned()));
        }
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let bad = || LayoutError::BadPath(rest.to_owned());
            if let Some(inner) = rest.strip_prefix('[') {
                let (key, after) = index(inner).ok_or_else(bad)?;
                steps.push(Step::Index(key));
                rest = after;
            } else {
                let inner = rest.strip_prefix('.').ok_or_else(bad)?;
                let (member, after) = inner.split_at(inner.find(['[', '.']).unwrap_or(inner.len()));
                if member.is_empty() {
                    return Err(bad());
                }
                steps.push(Step::Member(member));
                rest = after;
            }
        }
        Ok(Self { variable, steps })
    }
}

/// What stands in brackets, and what comes after; a key in quotes may have brackets inside.
fn index(inner: &str) -> Option<(&str, &str)> {
    for quote in ['"', '\''] {
        if let Some(quoted) = inner.strip_prefix(quote) {
            let end = quoted.find(quote)?;
            let after = quoted.get(end + 1..)?.strip_prefix(']')?;
            return Some((inner.get(..end + 2)?, after));
        }
    }
    let (key, after) = inner.split_once(']')?;
    let key = key.trim();
    (!key.is_empty()).then_some((key, after))
}

/// A place in storage and what lies there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Located<'a> {
    pub(crate) slot: U256,
    /// bytes from the lowest
    pub(crate) offset: u8,
    pub(crate) ty: &'a Type,
}

/// Finds a variable.
pub(crate) fn locate<'a>(layout: &'a StorageLayout, path: &Path<'_>) -> Result<Located<'a>, LayoutError> {
    let mut candidates = layout.storage.iter().filter(|variable| variable.label == path.variable);
    let variable = candidates.next().ok_or_else(|| LayoutError::Unknown { known: layout.names() })?;
    if candidates.next().is_some() {
        let why = format!("{} is there twice, in the contract and in one it inherits from", path.variable);
        return Err(LayoutError::Malformed(why));
    }
    let mut place = member(layout, U256::ZERO, variable)?;
    for step in &path.steps {
        place = match step {
            Step::Member(name) => {
                let no_step = || LayoutError::NoSuchStep {
                    ty: place.ty.label.clone(),
                    step: format!("member `{name}`"),
                };
                let members = place.ty.members.as_ref().ok_or_else(no_step)?;
                let found = members.iter().find(|member| member.label == *name).ok_or_else(no_step)?;
                member(layout, place.slot, found)?
            }
            Step::Index(key) => match place.ty.encoding {
                Encoding::Mapping => entry(layout, place, key)?,
                Encoding::Inplace if place.ty.base.is_some() => {
                    let out =
                        || LayoutError::OutOfBounds { index: (*key).to_owned(), ty: place.ty.label.clone() };
                    element(layout, place, key.parse().map_err(|_| out())?)?
                }
                Encoding::DynamicArray => {
                    return Err(LayoutError::Unsupported { ty: place.ty.label.clone() });
                }
                _ => {
                    let step = format!("element `{key}`");
                    return Err(LayoutError::NoSuchStep { ty: place.ty.label.clone(), step });
                }
            },
        };
    }
    Ok(place)
}

/// A member of a struct that begins at `base`, or a variable, with `base` zero.
pub(crate) fn member<'a>(
    layout: &'a StorageLayout,
    base: U256,
    variable: &Variable,
) -> Result<Located<'a>, LayoutError> {
    let ty = layout.type_of(&variable.ty)?;
    Ok(Located { slot: base.wrapping_add(variable.slot), offset: variable.offset, ty })
}

/// Elements of a fixed array.
pub(crate) fn length(ty: &Type) -> Result<u64, LayoutError> {
    // The compiler gives the length in the label alone: `uint256[2][3]` are three elements.
    let malformed = || LayoutError::Malformed(format!("{} is no fixed array", ty.label));
    let (_, last) = ty.label.rsplit_once('[').ok_or_else(malformed)?;
    last.strip_suffix(']').and_then(|digits| digits.parse().ok()).ok_or_else(malformed)
}

/// An element of the fixed array at `place`. Elements share slots where several fit into one, and none lies in two.
pub(crate) fn element<'a>(
    layout: &'a StorageLayout,
    place: Located<'_>,
    index: u64,
) -> Result<Located<'a>, LayoutError> {
    let length = length(place.ty)?;
    if index >= length {
        return Err(LayoutError::OutOfBounds { index: index.to_string(), ty: place.ty.label.clone() });
    }
    let ty = layout.type_of(place.ty.base.as_deref().unwrap_or_default())?;
    let malformed = || LayoutError::Malformed(format!("{} takes {} bytes", ty.label, ty.number_of_bytes));
    let size = u64::try_from(ty.number_of_bytes).ok().filter(|size| *size > 0).ok_or_else(malformed)?;
    // Not above 16 bytes: packed. A struct or array of few bytes still has slots of its own, as its size says 32.
    let (slots, offset) = if size <= 16 {
        let per_slot = 32 / size;
        (U256::from(index / per_slot), (index % per_slot) * size)
    } else {
        (U256::from(index) * U256::from(size.div_ceil(32)), 0)
    };
    let offset = u8::try_from(offset).map_err(|_| malformed())?;
    Ok(Located { slot: place.slot.wrapping_add(slots), offset, ty })
}

/// The value of a mapping's key: at `keccak256(key ++ slot)`, the key as a word, or as it is if it is dynamic.
pub(crate) fn entry<'a>(
    layout: &'a StorageLayout,
    place: Located<'_>,
    key: &str,
) -> Result<Located<'a>, LayoutError> {
    let malformed = || LayoutError::Malformed(format!("{} lacks key or value", place.ty.label));
    let key_type = layout.type_of(place.ty.key.as_deref().ok_or_else(malformed)?)?;
    let value_type = layout.type_of(place.ty.value.as_deref().ok_or_else(malformed)?)?;
    let mut preimage = key_bytes(key_type, key)?;
    preimage.extend(place.slot.to_be_bytes::<32>());
    Ok(Located { slot: keccak256(preimage).into(), offset: 0, ty: value_type })
}

fn key_bytes(ty: &Type, text: &str) -> Result<Vec<u8>, LayoutError> {
    let bad = |why: String| LayoutError::BadKey { key: text.to_owned(), ty: ty.label.clone(), why };
    let value = match elementary(ty)? {
        DynSolType::String => {
            let unquoted = text.strip_prefix(['"', '\'']).and_then(|text| text.strip_suffix(['"', '\'']));
            return Ok(unquoted.unwrap_or(text).as_bytes().to_vec());
        }
        DynSolType::Address => DynSolValue::Address(parse_address(text).map_err(bad)?),
        ty => ty.coerce_str(text).map_err(|error| bad(error.to_string()))?,
    };
    match value {
        DynSolValue::Bytes(bytes) => Ok(bytes),
        value => value.as_word().map(|word| word.to_vec()).ok_or_else(|| bad("it is no word".into())),
    }
}

/// The ABI type of what lies in one place; contracts are addresses, enums are numbers.
pub(crate) fn elementary(ty: &Type) -> Result<DynSolType, LayoutError> {
    let label = ty.label.as_str();
    let unsupported = || LayoutError::Unsupported { ty: label.to_owned() };
    if label == "address payable" || label.starts_with("contract ") {
        return Ok(DynSolType::Address);
    }
    if label.starts_with("enum ") {
        let bytes = usize::try_from(ty.number_of_bytes).map_err(|_| unsupported())?;
        return Ok(DynSolType::Uint(bytes * 8));
    }
    // The parser takes `Contract.Name` for an enum of one byte; here it is a user-defined value type.
    match DynSolType::parse(label).map(|found| (found.sol_type_name() == label, found)) {
        Ok((
            true,
            found @ (DynSolType::Bool
            | DynSolType::Int(_)
            | DynSolType::Uint(_)
            | DynSolType::FixedBytes(_)
            | DynSolType::Address
            | DynSolType::String
            | DynSolType::Bytes),
        )) => Ok(found),
        _ => Err(unsupported()),
    }
}
