//! `trace_replayBlockTransactions` with `stateDiff`.

use super::diff::{Diff, check_transactions};
use crate::{Endpoint, EndpointError};
use alloy::{
    eips::BlockNumberOrTag,
    primitives::{Address, B256, Bytes},
    rpc::types::trace::parity::{AccountDiff, Delta},
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What one transaction changed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Replay {
    transaction_hash: Option<B256>,
    state_diff: Option<BTreeMap<Address, AccountDiff>>,
}

pub(super) async fn ask(endpoint: &Endpoint, number: u64) -> Result<Vec<Replay>, EndpointError> {
    let params = (BlockNumberOrTag::Number(number), ["stateDiff"]);
    endpoint.request("trace_replayBlockTransactions", params).await
}

/// `destroyable`: whether an account of an earlier transaction can be destroyed, as before Cancun (EIP-6780).
pub(super) fn diff(replays: Vec<Replay>, transactions: &[B256], destroyable: bool) -> Result<Diff, String> {
    check_transactions(replays.iter().map(|replay| replay.transaction_hash), transactions)?;
    let mut diff = Diff::default();
    for replay in replays {
        let accounts = replay.state_diff.ok_or("a transaction has no state diff")?;
        for (address, account) in accounts {
            apply(&mut diff, address, account, destroyable);
        }
    }
    Ok(diff)
}

fn apply(diff: &mut Diff, address: Address, account: AccountDiff, destroyable: bool) {
    // Nodes built on revm name new code only of accounts that are new themselves. An account that is given code
    // otherwise, a delegation (EIP-7702) or a contract where there was a balance, has a new nonce at least.
    if account.code.is_unchanged() && !account.nonce.is_unchanged() {
        diff.maybe_recoded.insert(address);
    }
    // They show an account that is destroyed as one that lost its balance, or as one that did not change.
    let emptied = matches!(&account.balance, Delta::Changed(change) if change.to.is_zero());
    let unchanged =
        account.balance.is_unchanged() && account.nonce.is_unchanged() && account.code.is_unchanged();
    if destroyable && (emptied || unchanged) {
        diff.maybe_destroyed.insert(address);
    }
    // Parts of an account come and go together, so any of them tells; its balance is always there.
    if matches!(account.balance, Delta::Added(_) | Delta::Removed(_)) {
        diff.clear_storage(address);
    }
    if let Some(balance) = after(account.balance) {
        diff.set_balance(address, balance);
    }
    if let Some(nonce) = after(account.nonce) {
        diff.set_nonce(address, nonce.to());
    }
    if let Some(code) = after::<Bytes>(account.code) {
        diff.set_code(address, code);
    }
    for (key, value) in account.storage {
        if let Some(value) = after(value) {
            diff.set_slot(address, key, value);
        }
    }
}

/// The value afterwards, if it changed: what was removed is zero or empty.
fn after<T: Default>(delta: Delta<T>) -> Option<T> {
    match delta {
        Delta::Unchanged => None,
        Delta::Added(value) => Some(value),
        Delta::Removed(_) => Some(T::default()),
        Delta::Changed(change) => Some(change.to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{U256, address, b256};
    use errand_types::{AccountWrite, Slot};
    use serde_json::json;

    const A: Address = address!("00000000000000000000000000000000000000aa");
    const TX: B256 = b256!("0000000000000000000000000000000000000000000000000000000000000001");

    fn parse(diffs: serde_json::Value) -> Result<Diff, String> {
        let replays: Vec<Replay> = diffs
            .as_array()
            .unwrap()
            .iter()
            .map(|diff| json!({ "output": "0x", "trace": [], "transactionHash": TX, "stateDiff": { A.to_string(): diff } }))
            .map(|replay| serde_json::from_value(replay).unwrap())
            .collect();
        let transactions = vec![TX; replays.len()];
        diff(replays, &transactions, false)
    }

    fn slot(key: u64) -> Slot {
        Slot { address: A, key: U256::from(key) }
    }

    fn word(value: u64) -> String {
        B256::from(U256::from(value)).to_string()
    }

    #[test]
    fn every_kind_of_change_is_read() {
        let diff = parse(json!([{
            "balance": { "*": { "from": "0x5", "to": "0x3" } },
            "nonce": "=",
            "code": "=",
            "storage": {
                word(1): { "*": { "from": word(7), "to": word(8) } },
                word(2): { "*": { "from": word(7), "to": word(0) } },
                word(3): { "+": word(9) },
                word(4): { "-": word(9) },
                word(5): "=",
            },
        }]))
        .unwrap();
        let expected = AccountWrite { balance: Some(U256::from(3)), ..Default::default() };
        assert_eq!(diff.writes.accounts[&A], expected);
        assert_eq!(diff.writes.slots[&slot(1)], U256::from(8));
        assert_eq!(diff.writes.slots[&slot(2)], U256::ZERO);
        assert_eq!(diff.writes.slots[&slot(3)], U256::from(9));
        assert_eq!(diff.writes.slots[&slot(4)], U256::ZERO);
        assert_eq!(diff.writes.slots.len(), 4);
    }

    #[test]
    fn account_that_dies_takes_its_slots_along() {
        let written = json!({
            "balance": "=", "nonce": "=", "code": "=",
            "storage": { word(1): { "*": { "from": word(0), "to": word(8) } } },
        });
        let dies = json!({
            "balance": { "-": "0x5" }, "nonce": { "-": "0x1" }, "code": { "-": "0x00" }, "storage": {},
        });
        let born = json!({
            "balance": { "+": "0x9" }, "nonce": { "+": "0x1" }, "code": { "+": "0x6001" },
            "storage": { word(2): { "+": word(4) } },
        });
        let dead = parse(json!([written, dies])).unwrap();
        let gone = AccountWrite {
            balance: Some(U256::ZERO),
            nonce: Some(0),
            code: Some(Bytes::new()),
            storage_cleared: true,
        };
        assert_eq!(dead.writes.accounts[&A], gone);
        assert!(dead.writes.slots.is_empty());
        let again = parse(json!([written, dies, born])).unwrap();
        assert!(again.writes.accounts[&A].storage_cleared);
        assert_eq!(again.writes.accounts[&A].nonce, Some(1));
        assert_eq!(again.writes.slots.into_iter().collect::<Vec<_>>(), [(slot(2), U256::from(4))]);
    }

    #[test]
    fn what_the_diff_may_not_show_is_named() {
        let with = |balance: serde_json::Value, nonce: serde_json::Value| -> Vec<Replay> {
            let account = json!({ "balance": balance, "nonce": nonce, "code": "=", "storage": {} });
            let replay = json!({ "transactionHash": TX, "stateDiff": { A.to_string(): account } });
            vec![serde_json::from_value(replay).unwrap()]
        };
        let emptied = json!({ "*": { "from": "0x5", "to": "0x0" } });
        let lowered = json!({ "*": { "from": "0x5", "to": "0x1" } });
        let used = json!({ "*": { "from": "0x5", "to": "0x6" } });
        for (balance, nonce, recoded, destroyed) in [
            (json!("="), used, true, false),
            (emptied, json!("="), false, true),
            (lowered, json!("="), false, false),
            (json!("="), json!("="), false, true),
        ] {
            for destroyable in [true, false] {
                let diff = diff(with(balance.clone(), nonce.clone()), &[TX], destroyable).unwrap();
                assert_eq!(diff.maybe_recoded.contains(&A), recoded);
                assert_eq!(diff.maybe_destroyed.contains(&A), destroyed && destroyable);
            }
        }
    }

    #[test]
    fn traces_of_other_transactions_are_refused() {
        let replay =
            |hash: Option<B256>| Replay { transaction_hash: hash, state_diff: Some(BTreeMap::new()) };
        let diff = |replays, transactions: &[B256]| diff(replays, transactions, false);
        assert!(diff(vec![], &[TX]).unwrap_err().contains("0 traces for 1"));
        assert!(diff(vec![replay(Some(B256::ZERO))], &[TX]).unwrap_err().contains("another trace"));
        assert!(diff(vec![replay(None)], &[TX]).is_ok());
        let without = Replay { transaction_hash: Some(TX), state_diff: None };
        assert!(diff(vec![without], &[TX]).unwrap_err().contains("no state diff"));
    }
}
