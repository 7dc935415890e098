//! `debug_traceBlockByHash` with the prestate tracer in diff mode.

use super::diff::{Diff, check_transactions};
use crate::{Endpoint, EndpointError};
use alloy::primitives::{Address, B256, Bytes, U256};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What the code of an account that delegates to another one begins with (EIP-7702).
const DELEGATION: [u8; 3] = [0xef, 0x01, 0x00];

/// What one transaction changed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trace {
    tx_hash: Option<B256>,
    result: Option<PrePost>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct PrePost {
    pre: BTreeMap<Address, Account>,
    post: BTreeMap<Address, Account>,
}

/// In `pre` an account as it was, its storage only as far as it changed; in `post` what changed.
#[derive(Debug, Default, Deserialize)]
struct Account {
    balance: Option<U256>,
    nonce: Option<u64>,
    code: Option<Bytes>,
    #[serde(default)]
    storage: BTreeMap<B256, B256>,
}

pub(super) async fn ask(endpoint: &Endpoint, hash: B256) -> Result<Vec<Trace>, EndpointError> {
    let tracer = serde_json::json!({ "tracer": "prestateTracer", "tracerConfig": { "diffMode": true } });
    endpoint.request("debug_traceBlockByHash", (hash, tracer)).await
}

pub(super) fn diff(traces: Vec<Trace>, transactions: &[B256]) -> Result<Diff, String> {
    check_transactions(traces.iter().map(|trace| trace.tx_hash), transactions)?;
    let mut diff = Diff::default();
    for Trace { result, error, .. } in traces {
        let PrePost { pre, mut post } = match (result, error) {
            (Some(result), None) => result,
            (_, error) => return Err(error.unwrap_or_else(|| "a transaction has no diff".to_owned())),
        };
        for (address, before) in pre {
            apply(&mut diff, address, &before, post.remove(&address));
        }
        for (address, after) in post {
            apply(&mut diff, address, &Account::default(), Some(after));
        }
    }
    Ok(diff)
}

fn apply(diff: &mut Diff, address: Address, before: &Account, after: Option<Account>) {
    // An account without `post` was destroyed, or lost the last of its slots that changed: nodes differ.
    if after.is_none() {
        diff.maybe_destroyed.insert(address);
    }
    let after = after.unwrap_or_default();
    // One that had delegated may have taken that back: empty code is left out of `post` like unchanged code.
    if after.code.is_none() && before.code.as_ref().is_some_and(|code| code.starts_with(&DELEGATION)) {
        diff.maybe_recoded.insert(address);
    }
    if let Some(balance) = after.balance {
        diff.set_balance(address, balance);
    }
    if let Some(nonce) = after.nonce {
        diff.set_nonce(address, nonce);
    }
    if let Some(code) = after.code {
        diff.set_code(address, code);
    }
    // A slot that became zero is in `pre` alone.
    for key in before.storage.keys().filter(|key| !after.storage.contains_key(*key)) {
        diff.set_slot(address, *key, B256::ZERO);
    }
    for (key, value) in after.storage {
        diff.set_slot(address, key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{address, b256};
    use errand_types::{AccountWrite, Slot};
    use serde_json::{Value, json};

    const A: Address = address!("00000000000000000000000000000000000000aa");
    const TX: B256 = b256!("0000000000000000000000000000000000000000000000000000000000000001");

    fn parse(pre: Value, post: Value) -> Diff {
        let trace = json!({ "txHash": TX, "result": { "pre": pre, "post": post } });
        diff(vec![serde_json::from_value(trace).unwrap()], &[TX]).unwrap()
    }

    fn word(value: u64) -> String {
        B256::from(U256::from(value)).to_string()
    }

    #[test]
    fn what_changed_is_read_and_slots_that_became_zero_too() {
        let diff = parse(
            json!({ A.to_string(): {
                "balance": "0x5", "nonce": 1, "code": "0x6001",
                "storage": { word(1): word(7), word(2): word(7) },
            } }),
            json!({ A.to_string(): { "balance": "0x3", "storage": { word(1): word(8), word(3): word(9) } } }),
        );
        let expected = AccountWrite { balance: Some(U256::from(3)), ..Default::default() };
        assert_eq!(diff.writes.accounts[&A], expected);
        let slots: BTreeMap<Slot, U256> = diff.writes.slots.into_iter().collect();
        let expected = [(1, 8), (2, 0), (3, 9)]
            .map(|(key, value)| (Slot { address: A, key: U256::from(key) }, U256::from(value)));
        assert_eq!(slots, BTreeMap::from(expected));
        assert!(diff.maybe_recoded.is_empty() && diff.maybe_destroyed.is_empty());
    }

    #[test]
    fn new_account_is_in_post_alone() {
        let diff =
            parse(json!({}), json!({ A.to_string(): { "balance": "0x3", "nonce": 1, "code": "0x00" } }));
        assert_eq!(diff.writes.accounts[&A].nonce, Some(1));
        assert_eq!(diff.writes.accounts[&A].code, Some(Bytes::from_static(&[0])));
        assert!(diff.maybe_recoded.is_empty() && diff.maybe_destroyed.is_empty());
    }

    #[test]
    fn account_without_post_may_be_destroyed() {
        let diff = parse(
            json!({ A.to_string(): { "balance": "0x5", "nonce": 1, "storage": { word(1): word(7) } } }),
            json!({}),
        );
        assert!(diff.maybe_destroyed.contains(&A));
        assert_eq!(diff.writes.slots[&Slot { address: A, key: U256::from(1) }], U256::ZERO);
    }

    #[test]
    fn delegation_may_have_been_taken_back() {
        let code = format!("0xef0100{}", "11".repeat(20));
        let delegated = json!({ A.to_string(): { "balance": "0x5", "nonce": 1, "code": code } });
        let diff = parse(delegated.clone(), json!({ A.to_string(): { "nonce": 2 } }));
        assert!(diff.maybe_recoded.contains(&A));
        let other = format!("0xef0100{}", "22".repeat(20));
        let diff = parse(delegated, json!({ A.to_string(): { "nonce": 2, "code": other } }));
        assert!(diff.maybe_recoded.is_empty() && diff.maybe_destroyed.is_empty());
    }

    #[test]
    fn trace_with_an_error_is_refused() {
        let trace: Trace =
            serde_json::from_value(json!({ "txHash": TX, "error": "execution timeout" })).unwrap();
        assert_eq!(diff(vec![trace], &[TX]).unwrap_err(), "execution timeout");
    }
}
