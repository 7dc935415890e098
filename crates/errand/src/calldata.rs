//! Call data from a function's signature and arguments, as `cast` users write them.

use alloy::{
    dyn_abi::{DynSolType, DynSolValue, JsonAbiExt, Specifier},
    json_abi::Function,
    primitives::Bytes,
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

/// Encodes a call, for example of `pay(address,uint256)` with two arguments. Arrays are written `[1,2]`,
/// tuples `(1,0xab…)`, numbers also in hexadecimal or with a unit (`1ether`).
pub(crate) fn encode_call(signature: &str, arguments: &[String]) -> Result<Bytes, CallError> {
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
        return text.parse().map(DynSolValue::Address).map_err(|error| format!("{error}"));
    }
    kind.coerce_str(text).map_err(|error| first_line(&error))
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
        primitives::{Address, U256, hex},
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
    fn a_wrong_count_or_signature_is_refused() {
        assert!(matches!(encode("pay(address)", &[]), Err(CallError::Count { expected: 1, given: 0, .. })));
        for signature in ["", "pay", "pay(", "pay(adress)", "pay(uint7)", "pay(address to"] {
            let result = encode(signature, &["0x0000000000000000000000000000000000000000"]);
            assert!(matches!(result, Err(CallError::Signature { .. })), "{signature}: {result:?}");
        }
    }
}
