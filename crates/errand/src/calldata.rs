//! Call data from a function's signature and arguments, as `cast` users write them.

use alloy::{
    dyn_abi::{DynSolType, DynSolValue, JsonAbiExt, Specifier},
    json_abi::Function,
    primitives::{Address, Bytes},
};

/// Why no call data can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    #[error("`{signature}` is no function signature: {reason}")]
    Signature { signature: String, reason: String },
    #[error("`{signature}` takes {expected} argument(s), {given} given")]
    Count { signature: String, expected: usize, given: usize },
    #[error("argument {position}{name} is no {kind}: `{value}` ({reason})")]
    Argument { position: usize, name: String, kind: String, value: String, reason: String },
    #[error("`{signature}` does not encode: {reason}")]
    Encoding { signature: String, reason: String },
}

impl CallError {
    /// What to write instead.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Argument { kind, .. } if kind == "address" => "an address is 0x and 40 hexadecimal digits",
            Self::Argument { kind, .. } if kind.starts_with("uint") || kind.starts_with("int") => {
                "a number is written in digits, in hexadecimal (0x…) or with one of the units wei, gwei and ether"
            }
            Self::Argument { kind, .. } if kind.ends_with(')') || kind.ends_with(']') => {
                "arrays are written [1,2] and tuples (1,0xab), in quotes that keep the shell away"
            }
            Self::Argument { kind, .. } if kind.starts_with("bytes") => {
                "bytes are written in hexadecimal, as 0x and two digits for each"
            }
            Self::Argument { .. } => "each argument has to fit the type that the signature gives it",
            Self::Signature { .. } | Self::Count { .. } | Self::Encoding { .. } => {
                "write --call 'name(type,type)' and one argument for each type behind it"
            }
        }
    }
}

/// The type of one input of a function, counted from 0.
pub(crate) fn input_kind(signature: &str, index: usize) -> Option<String> {
    let function = Function::parse(signature).ok()?;
    Some(function.inputs.get(index)?.resolve().ok()?.to_string())
}

/// Encodes a call, for example of `pay(address,uint256)` with two arguments. Arrays are written `[1,2]`,
/// tuples `(1,0xab…)`, numbers also in hexadecimal or with a unit (`1ether`).
pub(crate) fn encode_call(signature: &str, arguments: &[String]) -> Result<Bytes, CallError> {
    if signature.trim().is_empty() {
        return Err(CallError::Signature {
            signature: signature.to_owned(),
            reason: "it is empty".to_owned(),
        });
    }
    let function = Function::parse(signature).map_err(|error| CallError::Signature {
        signature: signature.to_owned(),
        reason: first_line(&error),
    })?;
    let signature = function.signature();
    if function.inputs.len() != arguments.len() {
        return Err(CallError::Count { signature, expected: function.inputs.len(), given: arguments.len() });
    }
    let values = function
        .inputs
        .iter()
        .zip(arguments)
        .zip(1..)
        .map(|((parameter, text), position)| {
            let kind = parameter.resolve().map_err(|error| CallError::Signature {
                signature: signature.clone(),
                reason: first_line(&error),
            })?;
            value(&kind, text).map_err(|reason| CallError::Argument {
                position,
                name: if parameter.name.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", parameter.name)
                },
                kind: kind.to_string(),
                value: text.clone(),
                reason,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let encoded = function
        .abi_encode_input(&values)
        .map_err(|error| CallError::Encoding { signature, reason: first_line(&error) })?;
    Ok(encoded.into())
}

fn value(kind: &DynSolType, text: &str) -> Result<DynSolValue, String> {
    // The parser takes an address of any length; a digit that is lost must not become another address.
    if matches!(kind, DynSolType::Address) {
        return address(text).map(DynSolValue::Address);
    }
    kind.coerce_str(text).map_err(|error| match first_line(&error) {
        // The parser may have no more to say than what it was given.
        reason if reason == text => "it cannot be read".to_owned(),
        reason => reason,
    })
}

/// An address as people write it. One in mixed case carries a checksum (ERC-55), which finds mistyped digits.
pub(crate) fn address(text: &str) -> Result<Address, String> {
    let address: Address =
        text.parse().map_err(|_| "an address is 0x and 40 hexadecimal digits".to_owned())?;
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let is_mixed = digits.contains(|digit: char| digit.is_ascii_lowercase())
        && digits.contains(|digit: char| digit.is_ascii_uppercase());
    if is_mixed && !address.to_string().ends_with(digits) {
        return Err("its checksum is wrong: a digit is mistyped, or upper and lower case are".to_owned());
    }
    Ok(address)
}

fn first_line(error: &impl ToString) -> String {
    let text = error.to_string();
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "^").collect();
    lines.last().copied().unwrap_or("malformed").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::{
        primitives::{U256, hex},
        sol,
        sol_types::SolCall,
    };

    sol! {
        function pay(address to, uint256 amount, bytes memo);
        function many(uint256[] amounts, (address, bool) pair);
    }

    fn encode(signature: &str, arguments: &[&str]) -> Result<Bytes, CallError> {
        encode_call(signature, &arguments.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_call_is_encoded_as_the_compiler_does() {
        let to = Address::repeat_byte(0x11);
        let expected =
            payCall { to, amount: U256::from(1_000_000_000u64), memo: hex!("0102").into() }.abi_encode();
        let call = encode("pay(address,uint256,bytes)", &[&to.to_string(), "1gwei", "0x0102"]);
        assert_eq!(call, Ok(expected.into()));

        let expected =
            manyCall { amounts: vec![U256::from(1), U256::from(255)], pair: (to, true) }.abi_encode();
        assert_eq!(
            encode("many(uint256[],(address,bool))", &["[1,0xff]", &format!("({to},true)")]),
            Ok(expected.into())
        );
    }

    #[test]
    fn the_argument_at_fault_is_named() {
        let error = encode("pay(address to,uint256 amount,bytes memo)", &["0x11", "1", "0x"]).unwrap_err();
        assert!(error.to_string().starts_with("argument 1 (to) is no address: `0x11`"), "{error}");
        let to = Address::ZERO.to_string();
        let error = encode("pay(address,uint256,bytes)", &[&to, "one", "0x"]).unwrap_err();
        assert!(error.to_string().starts_with("argument 2 is no uint256: `one`"), "{error}");
        let error = encode("pay(address,uint256,bytes)", &[&to, "-1", "0x"]).unwrap_err();
        assert!(matches!(error, CallError::Argument { position: 2, .. }), "{error}");
        let error = encode("small(uint8)", &["256"]).unwrap_err();
        assert!(matches!(error, CallError::Argument { position: 1, .. }), "{error}");
    }

    #[test]
    fn a_mistyped_address_is_found_by_its_checksum() {
        let right = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
        for text in [right, &right.to_lowercase(), &right[2..]] {
            assert_eq!(address(text).unwrap().to_string(), right);
        }
        assert!(address(&right.replace('7', "8")).unwrap_err().contains("checksum"));
        assert!(address("0x7099").unwrap_err().contains("40 hexadecimal digits"));
    }

    #[test]
    fn the_type_of_an_input_is_known() {
        assert_eq!(input_kind("pay(address,uint)", 1).as_deref(), Some("uint256"));
        assert_eq!(input_kind("pay(address,uint256)", 2), None);
    }

    #[test]
    fn a_wrong_count_or_signature_is_refused() {
        assert!(matches!(encode("pay(address)", &[]), Err(CallError::Count { expected: 1, given: 0, .. })));
        for signature in ["", "pay", "pay(", "pay(adress)", "pay(uint7)", "pay(address to"] {
            let result = encode(signature, &["0x0000000000000000000000000000000000000000"]);
            assert!(matches!(result, Err(CallError::Signature { .. })), "{signature}: {result:?}");
        }
    }
}
