//! Names for what contracts say: call data and values as text, from the ABIs of all contracts of the project.

use alloy::{
    dyn_abi::{DynSolValue, JsonAbiExt},
    hex,
    json_abi::{Error, Function, Param},
    primitives::{Bytes, Selector, U256},
};
use serde_json::Value;
use std::{collections::HashMap, sync::OnceLock};

/// Bytes of a value that are shown before it is cut.
const SHOWN_BYTES: usize = 64;
/// Calls within calls are decoded so deep: Requests carry one, and what strangers nest deeper is their own joke.
const MAX_DEPTH: usize = 3;

/// Errors that libraries raise in assembly, so that no ABI lists them: of solady's CREATE3, where a constructor fails.
const LIBRARY_ERRORS: [&str; 1] = ["error DeploymentFailed()"];

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
        for line in include_str!("../../../abi/errand.sol").lines().map(str::trim).chain(LIBRARY_ERRORS) {
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
pub(crate) fn call_text(data: &[u8]) -> Option<String> {
    nested_call_text(data, MAX_DEPTH)
}

fn nested_call_text(data: &[u8], depth: usize) -> Option<String> {
    let (selector, arguments) = data.split_first_chunk::<4>()?;
    let function = known().functions.get(&Selector::from(*selector))?;
    let values = function.abi_decode_input(arguments).ok()?;
    Some(format!("{}({})", function.name, parameters_text(&function.inputs, &values, depth)))
}

/// Call data for people: decoded where the function is known, else selector and length.
pub(crate) fn call_or_bytes_text(data: &Bytes) -> String {
    call_text(data).unwrap_or_else(|| match data.len() {
        0 => "no call data".to_owned(),
        length => format!("{} ({length} bytes)", bytes_text(data)),
    })
}

/// Values with the names of their parameters; call data among them are decoded down to `depth`.
fn parameters_text(parameters: &[Param], values: &[DynSolValue], depth: usize) -> String {
    let texts = values.iter().enumerate().map(|(index, value)| match parameters.get(index) {
        Some(parameter) if !parameter.name.is_empty() => {
            format!("{}: {}", parameter.name, component_text(&parameter.components, value, depth))
        }
        Some(parameter) => component_text(&parameter.components, value, depth),
        None => value_text(value),
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// One value, with the names of a struct's fields.
fn component_text(fields: &[Param], value: &DynSolValue, depth: usize) -> String {
    match value {
        DynSolValue::Tuple(values) => format!("({})", parameters_text(fields, values, depth)),
        DynSolValue::Array(values) | DynSolValue::FixedArray(values) => {
            let texts: Vec<_> = values.iter().map(|value| component_text(fields, value, depth)).collect();
            format!("[{}]", texts.join(", "))
        }
        DynSolValue::Bytes(bytes) if depth > 0 => {
            nested_call_text(bytes, depth - 1).unwrap_or_else(|| bytes_text(bytes))
        }
        other => value_text(other),
    }
}

/// One value without names.
pub(crate) fn value_text(value: &DynSolValue) -> String {
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
        // Quotes and escapes: the text of a stranger must not control the terminal.
        DynSolValue::String(text) => format!("{text:?}"),
        DynSolValue::Array(_) | DynSolValue::FixedArray(_) | DynSolValue::Tuple(_) => {
            component_text(&[], value, 0)
        }
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
    fn a_known_call_has_names_also_within_another() {
        let inner = IAutoToken::transferCall { to: Address::ZERO, value: U256::from(5) }.abi_encode();
        let data = IRegistry::cancelHashedReqCall {
            id: U256::from(7),
            r: IRegistry::Request { callData: inner.into(), ..IRegistry::Request::default() },
        };
        let text = call_text(&data.abi_encode()).unwrap();
        assert!(text.starts_with("cancelHashedReq(id: 7, r: (user: 0x0000"), "{text}");
        assert!(text.contains("callData: transfer(to: 0x0000"), "{text}");
    }

    #[test]
    fn nesting_ends() {
        let mut data = Vec::new();
        for _ in 0..5 {
            let request = IRegistry::Request { callData: data.into(), ..IRegistry::Request::default() };
            data = IRegistry::cancelHashedReqCall { id: U256::ZERO, r: request }.abi_encode();
        }
        assert_eq!(call_text(&data).unwrap().matches("cancelHashedReq").count(), 1 + MAX_DEPTH);
    }

    #[test]
    fn an_unlimited_amount_is_not_78_digits() {
        let data = IAutoToken::approveCall { spender: Address::ZERO, value: U256::MAX }.abi_encode();
        let text = call_text(&data).unwrap();
        assert!(text.starts_with("approve(spender: 0x") && text.ends_with("value: max)"), "{text}");
    }

    #[test]
    fn an_unknown_call_is_shown_as_bytes() {
        assert_eq!(call_or_bytes_text(&Bytes::new()), "no call data");
        assert_eq!(call_or_bytes_text(&vec![0xde, 0xad, 0xbe, 0xef].into()), "0xdeadbeef (4 bytes)");
        assert!(call_or_bytes_text(&vec![0xde; 200].into()).contains("… (200 bytes)"));
    }
}
