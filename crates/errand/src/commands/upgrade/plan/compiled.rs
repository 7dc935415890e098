//! Parts of artifacts that only a plan looks at.

use super::super::source::Source;
use crate::revert::revert_text;
use alloy::{dyn_abi::JsonAbiExt, hex, json_abi::JsonAbi};
use serde_json::Value;

/// A part of the artifact of a contract of the file; `None` where it has none.
pub(super) fn part(source: &Source, contract: &str, pointer: &str) -> Option<Value> {
    let contract = source.config.contracts.iter().find(|found| found.name == contract)?;
    let artifact: Value = serde_json::from_str(&source.artifact_text(&contract.artifact)?).ok()?;
    artifact.pointer(pointer).filter(|part| !part.is_null()).cloned()
}

/// Why something reverted, with the errors of the file's contracts too.
pub(super) fn reason(source: &Source, data: &[u8]) -> String {
    let Some((selector, arguments)) = data.split_at_checked(4) else { return revert_text(data) };
    for contract in &source.config.contracts {
        let abi = part(source, &contract.name, "/abi");
        let abi = abi.and_then(|abi| serde_json::from_value::<JsonAbi>(abi).ok());
        let known = abi.into_iter().flat_map(|abi| abi.errors.into_values().flatten());
        for error in known.filter(|error| error.selector() == selector) {
            let Ok(values) = error.abi_decode_input(arguments) else { continue };
            let values: Vec<_> = values.iter().map(crate::abi::value_text).collect();
            return format!("{}({})", error.name, values.join(", "));
        }
    }
    revert_text(data)
}

/// The runtime code of an artifact, with zeros where immutable variables and libraries come.
pub(super) fn is_code_of(deployed: &Value, code: &[u8]) -> bool {
    let object = deployed.pointer("/object").and_then(Value::as_str).unwrap_or_default();
    let places = |pointer: &str| -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let mut visit = vec![deployed.pointer(pointer).cloned().unwrap_or_default()];
        while let Some(value) = visit.pop() {
            let number = |name: &str| value.get(name).and_then(Value::as_u64);
            match (&value, number("start"), number("length")) {
                (_, Some(start), Some(length)) => found.push((start as usize, length as usize)),
                (Value::Object(entries), ..) => visit.extend(entries.values().cloned()),
                (Value::Array(entries), ..) => visit.extend(entries.iter().cloned()),
                _ => {}
            }
        }
        found
    };
    let mut digits = object.trim_start_matches("0x").as_bytes().to_vec();
    let links = places("/linkReferences");
    for (start, length) in &links {
        if let Some(range) = digits.get_mut(start * 2..(start + length) * 2) {
            range.fill(b'0');
        }
    }
    let Ok(mut expected) = hex::decode(&digits) else { return false };
    let mut code = code.to_vec();
    for (start, length) in links.into_iter().chain(places("/immutableReferences")) {
        for bytes in [&mut expected, &mut code] {
            if let Some(range) = bytes.get_mut(start..start + length) {
                range.fill(0);
            }
        }
    }
    !code.is_empty() && expected == code
}
