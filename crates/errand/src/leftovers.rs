//! What a call leaves on a forwarder. A forwarder calls whatever anybody asks of it, so the tokens and the
//! approvals that it has are anybody's.

use alloy::{
    primitives::{Address, Bytes, Log, U256},
    sol,
    sol_types::{SolCall, SolEvent},
};
use std::collections::BTreeMap;

mod fungible {
    use super::sol;
    sol! {
        event Transfer(address indexed from, address indexed to, uint256 amount);
        event Approval(address indexed owner, address indexed spender, uint256 amount);
    }
}

mod unique {
    use super::sol;
    sol! {
        event Transfer(address indexed from, address indexed to, uint256 indexed id);
        event Approval(address indexed owner, address indexed approved, uint256 indexed id);
        event ApprovalForAll(address indexed owner, address indexed operator, bool approved);
    }
}

sol! {
    event TransferSingle(address indexed operator, address indexed from, address indexed to, uint256 id, uint256 amount);
    event TransferBatch(address indexed operator, address indexed from, address indexed to, uint256[] ids, uint256[] amounts);
    function approve(address spender, uint256 amount);
    function increaseAllowance(address spender, uint256 amount);
    function setApprovalForAll(address operator, bool approved);
}

/// What one token says about the forwarder, per id; the id of a fungible token is `None`.
#[derive(Default)]
struct Holding {
    received: U256,
    given: U256,
}

/// What an execution that emitted `logs` leaves on `forwarder`, in words: one text for each token and kind.
pub(crate) fn left_behind(logs: &[Log], forwarder: Address) -> Vec<String> {
    let mut holdings: BTreeMap<(Address, Option<U256>), Holding> = BTreeMap::new();
    let mut approvals: BTreeMap<(Address, Address, Option<U256>), U256> = BTreeMap::new();
    for log in logs {
        let mut moved = |from: Address, to: Address, id: Option<U256>, amount: U256| {
            let holding = holdings.entry((log.address, id)).or_default();
            if to == forwarder {
                holding.received = holding.received.saturating_add(amount);
            }
            if from == forwarder {
                holding.given = holding.given.saturating_add(amount);
            }
        };
        // The two kinds of Transfer, and of Approval, differ in the number of topics alone.
        if let Ok(log) = fungible::Transfer::decode_log(log) {
            moved(log.from, log.to, None, log.amount);
        } else if let Ok(log) = unique::Transfer::decode_log(log) {
            moved(log.from, log.to, Some(log.id), U256::from(1));
        } else if let Ok(log) = TransferSingle::decode_log(log) {
            moved(log.from, log.to, Some(log.id), log.amount);
        } else if let Ok(log) = TransferBatch::decode_log(log) {
            for (id, amount) in log.ids.iter().zip(&log.amounts) {
                moved(log.from, log.to, Some(*id), *amount);
            }
        } else if let Ok(approval) = fungible::Approval::decode_log(log) {
            if approval.owner == forwarder {
                approvals.insert((log.address, approval.spender, None), approval.amount);
            }
        } else if let Ok(approval) = unique::Approval::decode_log(log) {
            if approval.owner == forwarder && !approval.approved.is_zero() {
                approvals.insert((log.address, approval.approved, Some(approval.id)), U256::from(1));
            }
        } else if let Ok(approval) = unique::ApprovalForAll::decode_log(log)
            && approval.owner == forwarder
        {
            let approved = U256::from(u8::from(approval.approved));
            approvals.insert((log.address, approval.operator, None), approved);
        }
    }
    let tokens = holdings.iter().filter(|(_, holding)| holding.received > holding.given).map(
        |((token, id), holding)| {
            let amount = holding.received.saturating_sub(holding.given);
            format!("{} of the token {token} on the forwarder {forwarder}", quantity(*id, amount))
        },
    );
    // Many tokens emit nothing when an allowance is used, so what went out is taken off.
    let used = |token: Address, id| holdings.get(&(token, id)).map_or(U256::ZERO, |holding| holding.given);
    let rights = approvals.iter().filter(|((token, _, id), amount)| **amount > used(*token, *id)).map(
        |((token, spender, _), _)| {
            format!("an approval of the forwarder {forwarder} for {spender} at the token {token}")
        },
    );
    tokens.chain(rights).collect()
}

fn quantity(id: Option<U256>, amount: U256) -> String {
    match id {
        Some(id) => format!("{amount} with the id {id}"),
        None => format!("{amount} base units"),
    }
}

/// Whether the call itself would approve: what it approves is then the forwarder's.
pub(crate) fn is_approval(call_data: &Bytes) -> bool {
    [approveCall::SELECTOR, increaseAllowanceCall::SELECTOR, setApprovalForAllCall::SELECTOR]
        .iter()
        .any(|selector| call_data.starts_with(selector))
}

/// Whether one of the call's words is this address.
pub(crate) fn names(call_data: &Bytes, address: Address) -> bool {
    let word = address.into_word();
    call_data.get(4..).is_some_and(|inputs| inputs.chunks_exact(32).any(|chunk| chunk == word.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::LogData;

    const FORWARDER: Address = Address::repeat_byte(0xf0);
    const TOKEN: Address = Address::repeat_byte(0x70);
    const OTHER: Address = Address::repeat_byte(0x0e);

    fn log(data: LogData) -> Log {
        Log { address: TOKEN, data }
    }

    fn transfer(from: Address, to: Address, amount: u64) -> Log {
        log(fungible::Transfer { from, to, amount: U256::from(amount) }.encode_log_data())
    }

    fn approval(amount: u64) -> Log {
        log(fungible::Approval { owner: FORWARDER, spender: OTHER, amount: U256::from(amount) }
            .encode_log_data())
    }

    #[test]
    fn tokens_that_stay_are_told_and_those_that_pass_through_are_not() {
        let left = left_behind(&[transfer(OTHER, FORWARDER, 5), transfer(FORWARDER, OTHER, 2)], FORWARDER);
        assert!(left.len() == 1 && left[0].starts_with("3 base units of the token"), "{left:?}");
        assert!(
            left_behind(&[transfer(OTHER, FORWARDER, 5), transfer(FORWARDER, OTHER, 5)], FORWARDER)
                .is_empty()
        );
        assert!(left_behind(&[transfer(OTHER, TOKEN, 5)], FORWARDER).is_empty());
    }

    #[test]
    fn an_approval_that_is_not_used_up_is_told() {
        let left = left_behind(&[approval(5)], FORWARDER);
        assert!(left.len() == 1 && left[0].starts_with("an approval"), "{left:?}");
        assert!(left_behind(&[approval(5), approval(0)], FORWARDER).is_empty());
        let through = [transfer(OTHER, FORWARDER, 5), approval(5), transfer(FORWARDER, OTHER, 5)];
        assert!(left_behind(&through, FORWARDER).is_empty());
    }

    #[test]
    fn tokens_with_ids_are_told_apart() {
        let id = |id| U256::from(id);
        let unique = |from, to, number| log(unique::Transfer { from, to, id: id(number) }.encode_log_data());
        let left = left_behind(
            &[
                unique(OTHER, FORWARDER, 1),
                unique(OTHER, FORWARDER, 2),
                unique(FORWARDER, OTHER, 1),
                log(TransferBatch {
                    operator: OTHER,
                    from: OTHER,
                    to: FORWARDER,
                    ids: vec![id(8), id(9)],
                    amounts: vec![id(0), id(4)],
                }
                .encode_log_data()),
                log(unique::ApprovalForAll { owner: FORWARDER, operator: OTHER, approved: true }
                    .encode_log_data()),
            ],
            FORWARDER,
        );
        assert_eq!(left.len(), 3, "{left:?}");
        assert!(left[0].starts_with("1 with the id 2") && left[1].starts_with("4 with the id 9"), "{left:?}");
    }

    #[test]
    fn calls_that_approve_or_name_the_forwarder_are_known() {
        let call = approveCall { spender: OTHER, amount: U256::from(1) }.abi_encode().into();
        assert!(is_approval(&call) && names(&call, OTHER) && !names(&call, FORWARDER));
        assert!(!is_approval(&Bytes::new()) && !names(&Bytes::new(), OTHER));
    }
}
