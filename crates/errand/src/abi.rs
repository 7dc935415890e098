//! Names for what contracts say: call data and values as text, from the ABIs of all contracts of the project.

use alloy::{
    dyn_abi::{DynSolValue, JsonAbiExt},
    hex,
    json_abi::{Error, Function, Param},
    primitives::{Bytes, Selector, U256},
};
use serde_json::Value;
use std::{collections::HashMap, fmt::Write, sync::OnceLock};

/// Bytes of a value that are shown before it is cut.
const SHOWN_BYTES: usize = 64;

/// The errors and functions of all contracts by selector. A selector is its signature: where contracts share
/// one, any of their entries decodes it.
pub(crate) struct KnownAbi {
    pub(crate) errors: HashMap<Selector, Error>,
    pub(crate) functions: HashMap<Selector, Function>,
}

/// What `build.rs` collected, and the interfaces that no contract has an ABI file for.
pub(crate) fn known() -> &'static KnownAbi {
    static KNOWN: OnceLock<KnownAbi> = OnceLock::new();
    KNOWN.get_or_init(|| {
        // A file of the build that does not parse would leave the tables empty, which a test would notice.
        let entries: Vec<Value> =
            serde_json::from_str(include_str!(concat!(env!("OUT_DIR"), "/abi.json"))).unwrap_or_default();
        let mut known = KnownAbi { errors: HashMap::new(), functions: HashMap::new() };
        for entry in entries {
            match entry.get("type").and_then(Value::as_str) {
                Some("error") => {
                    if let Ok(error) = serde_json::from_value::<Error>(entry) {
                        known.errors.entry(error.selector()).or_insert(error);
                    }
                }
                Some("function") => {
                    if let Ok(function) = serde_json::from_value::<Function>(entry) {
                        known.functions.entry(function.selector()).or_insert(function);
                    }
                }
                _ => {}
            }
        }
        for line in include_str!("../../../abi/errand.sol").lines().map(str::trim) {
            if let Ok(error) = Error::parse(line) {
                known.errors.entry(error.selector()).or_insert(error);
            } else if let Ok(function) = Function::parse(line) {
                known.functions.entry(function.selector()).or_insert(function);
            }
        }
        known
    })
}

/// Call data with the function's name and its arguments, where the function is known.
pub(crate) fn call_text(data: &Bytes) -> Option<String> {
    let (selector, arguments) = data.split_first_chunk::<4>()?;
    let function = known().functions.get(&Selector::from(*selector))?;
    let values = function.abi_decode_input(arguments).ok()?;
    Some(format!("{}({})", function.name, arguments_text(&function.inputs, &values)))
}

/// Call data for people: decoded where the function is known, else selector and length.
pub(crate) fn call_or_bytes_text(data: &Bytes) -> String {
    call_text(data).unwrap_or_else(|| match data.len() {
        0 => "no call data".to_owned(),
        length => format!("{} ({length} bytes)", bytes_text(data)),
    })
}

/// Values with the names of their parameters.
pub(crate) fn arguments_text(parameters: &[Param], values: &[DynSolValue]) -> String {
    let mut text = String::new();
    for (index, value) in values.iter().enumerate() {
        let name = parameters.get(index).map(|parameter| parameter.name.as_str()).unwrap_or_default();
        if index != 0 {
            text.push_str(", ");
        }
        if !name.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{name}: ");
        }
        text.push_str(&value_text(value));
    }
    text
}

/// One value.
pub(crate) fn value_text(value: &DynSolValue) -> String {
    let list = |values: &[DynSolValue]| values.iter().map(value_text).collect::<Vec<_>>().join(", ");
    match value {
        DynSolValue::Bool(value) => value.to_string(),
        DynSolValue::Int(value, _) => value.to_string(),
        DynSolValue::Uint(value, _) => uint_text(*value),
        DynSolValue::FixedBytes(word, size) => {
            hex::encode_prefixed(word.as_slice().get(..*size).unwrap_or_default())
        }
        DynSolValue::Address(address) => address.to_string(),
        DynSolValue::Function(function) => function.to_string(),
        DynSolValue::Bytes(bytes) => bytes_text(bytes),
        DynSolValue::String(text) => format!("{text:?}"),
        DynSolValue::Array(values) | DynSolValue::FixedArray(values) => format!("[{}]", list(values)),
        DynSolValue::Tuple(values) => format!("({})", list(values)),
    }
}

fn uint_text(value: U256) -> String {
    if value == U256::MAX { "max".to_owned() } else { value.to_string() }
}

fn bytes_text(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN_BYTES) {
        Some(start) if bytes.len() > SHOWN_BYTES => {
            format!("{}… ({} bytes)", hex::encode_prefixed(start), bytes.len())
        }
        _ => hex::encode_prefixed(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::{primitives::Address, sol_types::SolCall};
    use errand_bindings::{IAutoToken, IRegistry};

    #[test]
    fn a_known_call_has_names() {
        let data = IRegistry::cancelHashedReqCall {
            id: U256::from(7),
            r: IRegistry::Request { callData: vec![1, 2].into(), ..IRegistry::Request::default() },
        };
        let text = call_text(&data.abi_encode().into()).unwrap();
        assert!(text.starts_with("cancelHashedReq(id: 7, r: (0x0000"), "{text}");
        assert!(text.contains("0x0102"), "{text}");
    }

    #[test]
    fn an_unlimited_amount_is_not_78_digits() {
        let data = IAutoToken::approveCall { spender: Address::ZERO, value: U256::MAX }.abi_encode();
        let text = call_text(&data.into()).unwrap();
        assert!(text.starts_with("approve(spender: 0x") && text.ends_with("value: max)"), "{text}");
    }

    #[test]
    fn an_unknown_call_is_shown_as_bytes() {
        assert_eq!(call_or_bytes_text(&Bytes::new()), "no call data");
        assert_eq!(call_or_bytes_text(&vec![0xde, 0xad, 0xbe, 0xef].into()), "0xdeadbeef (4 bytes)");
        assert!(call_or_bytes_text(&vec![0xde; 200].into()).contains("… (200 bytes)"));
    }
}
