//! What a revert means: every error of the project's contracts, Solidity's own two, and errors inside errors.

use crate::{
    abi::{known, value_text},
    amount::auto_text,
    problem::Problem,
};
use alloy::{
    dyn_abi::{DynSolValue, JsonAbiExt},
    hex,
    primitives::{Selector, U256},
    sol_types::{Panic, PanicKind, Revert, SolError},
    transports::{RpcError, TransportErrorKind},
};
use errand_bindings::{IRegistry, IStakeManager};

/// Errors carry errors at most this deep: deeper is somebody's joke.
const MAX_DEPTH: usize = 8;

/// The text of revert data. Never the raw data: what is not known is named with its selector and length.
pub(crate) fn revert_text(data: &[u8]) -> String {
    nested_text(data, MAX_DEPTH)
}

/// That a step would revert, and where the user can mend that, how.
pub(crate) fn would_revert(nothing_was: &str, purpose: &str, data: &[u8]) -> Problem {
    let problem =
        Problem::new(format!("nothing was {nothing_was}: to {purpose} would revert: {}", revert_text(data)));
    if let Ok(error) = IStakeManager::InsufficientStake::abi_decode(data) {
        return problem.hint(format!("of {} staked, no more can be removed", auto_text(error.staked)));
    }
    match selector_of(data).unwrap_or_default().0 {
        IStakeManager::ZeroAmount::SELECTOR => problem.hint("say an amount above 0"),
        IStakeManager::InvalidWorker::SELECTOR => problem.hint("say an account that can sign"),
        IRegistry::TargetRefused::SELECTOR => problem.hint("a target is none of Errand's own contracts"),
        _ => problem,
    }
}

/// The name of the outermost error, for machines.
pub(crate) fn revert_name(data: &[u8]) -> Option<&str> {
    let selector = selector_of(data)?;
    match selector.0 {
        Revert::SELECTOR => Some("Error"),
        Panic::SELECTOR => Some("Panic"),
        _ => known().errors.get(&selector).map(|error| error.name.as_str()),
    }
}

/// The revert that a node reports as the answer to a call, if that is what its error is.
pub(crate) fn revert_data(error: &RpcError<TransportErrorKind>) -> Option<Vec<u8>> {
    let answer = error.as_error_resp()?;
    match answer.as_revert_data() {
        Some(data) => Some(data.to_vec()),
        None if answer.message.contains("revert") => Some(Vec::new()),
        None => None,
    }
}

fn selector_of(data: &[u8]) -> Option<Selector> {
    data.first_chunk::<4>().map(|selector| Selector::from(*selector))
}

fn nested_text(data: &[u8], depth: usize) -> String {
    let Some(selector) = selector_of(data) else {
        return match data {
            [] => "no reason given".to_owned(),
            _ => format!("unknown error ({} bytes)", data.len()),
        };
    };
    let unknown = || format!("unknown error {selector} ({} bytes)", data.len());
    if depth == 0 {
        return unknown();
    }
    match selector.0 {
        Revert::SELECTOR => string_text(data).unwrap_or_else(unknown),
        Panic::SELECTOR => {
            Panic::abi_decode(data).map(|panic| panic_text(panic.code)).unwrap_or_else(|_| unknown())
        }
        _ => match known().errors.get(&selector) {
            Some(error) => {
                let arguments = data.get(4..).unwrap_or_default();
                match error.abi_decode_input(arguments) {
                    Ok(values) => {
                        let shown: Vec<_> = error
                            .inputs
                            .iter()
                            .zip(&values)
                            .map(|(parameter, value)| {
                                format!("{}: {}", parameter.name, argument_text(value, depth))
                            })
                            .collect();
                        if shown.is_empty() {
                            error.name.clone()
                        } else {
                            format!("{}({})", error.name, shown.join(", "))
                        }
                    }
                    // Registries cut reasons to 256 bytes.
                    Err(_) => format!("{}(… cut after {} bytes)", error.name, data.len()),
                }
            }
            None => unknown(),
        },
    }
}

/// Bytes within an error are the error of a call beneath.
fn argument_text(value: &DynSolValue, depth: usize) -> String {
    match value {
        DynSolValue::Bytes(reason) => nested_text(reason, depth - 1),
        other => value_text(other),
    }
}

/// The text of `Error(string)`, also of one that was cut.
fn string_text(data: &[u8]) -> Option<String> {
    if let Ok(revert) = Revert::abi_decode(data) {
        return Some(format!("{:?}", revert.reason));
    }
    let length: usize = U256::from_be_slice(data.get(36..68)?).try_into().ok()?;
    let present = data.get(68..)?;
    let shown = present.get(..length.min(present.len()))?;
    Some(format!("{:?}{}", String::from_utf8_lossy(shown), if shown.len() < length { " (cut)" } else { "" }))
}

fn panic_text(code: U256) -> String {
    let meaning = u32::try_from(code).ok().and_then(PanicKind::from_number).map(PanicKind::as_str);
    let code = hex::encode(code.to_be_bytes_trimmed_vec());
    format!("Panic(0x{code}: {})", meaning.unwrap_or("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::{
        primitives::{Address, Bytes},
        sol_types::SolInterface,
    };
    use errand_bindings::{IAutoPayments, IForwarder, IRegistry, IStakeManager};

    #[test]
    fn every_error_of_the_bindings_is_known() {
        let selectors = IRegistry::IRegistryErrors::selectors()
            .chain(IStakeManager::IStakeManagerErrors::selectors())
            .chain(IAutoPayments::IAutoPaymentsErrors::selectors())
            .chain(IForwarder::IForwarderErrors::selectors());
        for selector in selectors {
            assert!(known().errors.contains_key(&Selector::from(selector)), "{}", hex::encode(selector));
        }
    }

    #[test]
    fn solidity_errors_are_told_in_words() {
        assert_eq!(revert_text(&Revert::from("too early").abi_encode()), "\"too early\"");
        let overflow = Panic { code: U256::from(0x11) }.abi_encode();
        assert!(revert_text(&overflow).starts_with("Panic(0x11: "), "{}", revert_text(&overflow));
        assert_eq!(revert_name(&overflow), Some("Panic"));
        // Of solady, where a constructor fails.
        assert_eq!(revert_text(&hex!("30116425")), "DeploymentFailed");
    }

    #[test]
    fn errors_inside_errors_are_unwrapped() {
        let innermost = Revert::from("too early").abi_encode();
        let failed = IRegistry::CallFailed { id: U256::from(7), reason: innermost.into() }.abi_encode();
        let none = IRegistry::NoneSucceeded { reason: failed.into() }.abi_encode();
        assert_eq!(revert_text(&none), "NoneSucceeded(reason: CallFailed(id: 7, reason: \"too early\"))");
        assert_eq!(revert_name(&none), Some("NoneSucceeded"));

        let silent = IRegistry::CallFailed { id: U256::from(7), reason: Bytes::new() }.abi_encode();
        assert_eq!(revert_text(&silent), "CallFailed(id: 7, reason: no reason given)");
    }

    #[test]
    fn nesting_ends() {
        let mut data = IRegistry::EmptyBatch {}.abi_encode();
        for _ in 0..20 {
            data = IRegistry::NoneSucceeded { reason: data.into() }.abi_encode();
        }
        assert!(revert_text(&data).contains("unknown error"));
    }

    #[test]
    fn values_are_readable() {
        let error = IRegistry::NotUser { caller: Address::ZERO, user: Address::repeat_byte(0x11) };
        assert_eq!(
            revert_text(&error.abi_encode()),
            "NotUser(caller: 0x0000000000000000000000000000000000000000, user: 0x1111111111111111111111111111111111111111)"
        );
        assert_eq!(revert_text(&IRegistry::EmptyBatch {}.abi_encode()), "EmptyBatch");
    }

    #[test]
    fn unknown_and_broken_data_are_never_shown_raw() {
        assert_eq!(revert_text(&[]), "no reason given");
        assert_eq!(revert_text(&[1, 2]), "unknown error (2 bytes)");
        assert_eq!(revert_text(&[0xff; 36]), "unknown error 0xffffffff (36 bytes)");
        assert_eq!(revert_name(&[0xff; 36]), None);
        let mut cut = IRegistry::CallFailed { id: U256::from(7), reason: vec![1; 300].into() }.abi_encode();
        cut.truncate(256);
        assert_eq!(revert_text(&cut), "CallFailed(… cut after 256 bytes)");
    }

    #[test]
    fn a_text_that_was_cut_is_shown_as_far_as_it_goes() {
        let mut long = Revert::from("x".repeat(400).as_str()).abi_encode();
        long.truncate(256);
        assert_eq!(revert_text(&long), format!("\"{}\" (cut)", "x".repeat(256 - 68)));
        // a length that lies
        let mut lying = Revert::from("x").abi_encode();
        lying[36..68].fill(0xff);
        assert_eq!(revert_text(&lying), "unknown error 0x08c379a0 (100 bytes)");
    }
}
