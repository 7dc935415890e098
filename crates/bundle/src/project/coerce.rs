//! Values of `upgrade.toml` as values of ABI types.

use crate::config::{
    ConfigError, Data, Problem, Value,
    reader::parse_address,
    reference::{Resolve, expand},
};
use alloy::{
    dyn_abi::{DynSolType, DynSolValue, Specifier},
    json_abi::Param,
};

/// The parameters' values: an array in their order, or a table by their names.
pub(crate) fn params(
    value: &Value,
    what: &str,
    params: &[Param],
    resolver: &mut dyn Resolve,
) -> Result<Vec<DynSolValue>, ConfigError> {
    let types = params
        .iter()
        .map(|param| param.resolve().map_err(|error| value.bad(param.ty.clone(), error)))
        .collect::<Result<Vec<_>, _>>()?;
    members(value, what, &types, params, resolver)
}

/// The value as one of the type. `components` are the members' names and types where it is a struct, or an array of
/// some.
pub(crate) fn value(
    value: &Value,
    ty: &DynSolType,
    components: &[Param],
    resolver: &mut dyn Resolve,
) -> Result<DynSolValue, ConfigError> {
    match (ty, &value.data) {
        (DynSolType::Array(inner), _) => {
            Ok(DynSolValue::Array(elements(value, inner, components, resolver)?))
        }
        (DynSolType::FixedArray(inner, length), _) => {
            let values = elements(value, inner, components, resolver)?;
            if values.len() != *length {
                let wanted = ty.sol_type_name().into_owned();
                let found = values.len();
                return Err(value.error(Problem::WrongArgumentCount { wanted, expected: *length, found }));
            }
            Ok(DynSolValue::FixedArray(values))
        }
        (DynSolType::Tuple(types), _) => {
            let name = ty.sol_type_name();
            Ok(DynSolValue::Tuple(members(value, &name, types, components, resolver)?))
        }
        (DynSolType::String, Data::Text(text)) => {
            Ok(DynSolValue::String(expand(value.at, text, resolver)?.0))
        }
        (DynSolType::Address, Data::Text(text)) => {
            if let (_, Some(address)) = expand(value.at, text, resolver)? {
                return Ok(DynSolValue::Address(address));
            }
            parse_address(text).map(DynSolValue::Address).map_err(|why| value.bad("address", why))
        }
        (DynSolType::Bool, Data::Bool(flag)) => Ok(DynSolValue::Bool(*flag)),
        (DynSolType::Bytes | DynSolType::FixedBytes(_), Data::Text(text)) => {
            let name = ty.sol_type_name();
            if !text.starts_with("0x") {
                return Err(value.bad(name, "bytes begin with 0x"));
            }
            let parsed = ty.coerce_str(text).map_err(|error| value.bad(name.clone(), error))?;
            if matches!(ty, DynSolType::FixedBytes(size) if text.len() != 2 + 2 * size) {
                return Err(value.bad(name, "it has another length"));
            }
            Ok(parsed)
        }
        (DynSolType::Uint(_) | DynSolType::Int(_), Data::Text(text) | Data::Integer(text)) => {
            let digits = text.replace('_', "");
            // The parser draws its errors over several lines.
            ty.coerce_str(&digits).map_err(|_| {
                let plain = digits.strip_prefix('-').unwrap_or(&digits);
                let is_number = !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit());
                let why = if is_number { "it does not fit into that" } else { "it is no whole number" };
                value.bad(ty.sol_type_name(), why)
            })
        }
        (DynSolType::Function, _) => Err(value.bad("function", "function types are not supported")),
        _ => Err(value.bad(ty.sol_type_name(), format!("it is {}", value.found()))),
    }
}

fn elements(
    list: &Value,
    inner: &DynSolType,
    components: &[Param],
    resolver: &mut dyn Resolve,
) -> Result<Vec<DynSolValue>, ConfigError> {
    list.array()?.iter().map(|element| value(element, inner, components, resolver)).collect()
}

fn members(
    given: &Value,
    what: &str,
    types: &[DynSolType],
    params: &[Param],
    resolver: &mut dyn Resolve,
) -> Result<Vec<DynSolValue>, ConfigError> {
    let components = |index: usize| params.get(index).map_or(&[][..], |param| param.components.as_slice());
    match &given.data {
        Data::Array(values) => {
            if values.len() != types.len() {
                let (wanted, expected, found) = (what.to_owned(), types.len(), values.len());
                return Err(given.error(Problem::WrongArgumentCount { wanted, expected, found }));
            }
            let pairs = values.iter().zip(types).enumerate();
            pairs.map(|(index, (member, ty))| value(member, ty, components(index), resolver)).collect()
        }
        Data::Table(entries) => {
            if let Some((key, _)) =
                entries.iter().find(|(key, _)| !params.iter().any(|param| param.name == key.name))
            {
                let known = params.iter().map(|param| param.name.as_str()).collect::<Vec<_>>().join(", ");
                let problem = Problem::UnknownParameter { name: key.name.clone(), known };
                return Err(ConfigError::new(key.at, problem));
            }
            let pairs = params.iter().zip(types).enumerate();
            pairs
                .map(|(index, (param, ty))| {
                    let found = entries.iter().find(|(key, _)| key.name == param.name);
                    let missing = || given.error(Problem::MissingParameter { name: param.name.clone() });
                    value(&found.ok_or_else(missing)?.1, ty, components(index), resolver)
                })
                .collect()
        }
        _ => Err(given.wrong_type("an array, or a table by name")),
    }
}

/// Parameters as people read them: `(address owner, uint256 cap)`.
pub(crate) fn describe(params: &[Param]) -> String {
    let each: Vec<String> = params
        .iter()
        .map(|param| format!("{} {}", param.selector_type(), param.name).trim().to_owned())
        .collect();
    format!("({})", each.join(", "))
}
