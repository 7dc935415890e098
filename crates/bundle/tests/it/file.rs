//! The published file, and what strangers may make of it.

use crate::fixtures::{config, site};
use alloy::primitives::{Address, B256, U256};
use errand_bundle::{
    Action, Step,
    bundle::{Bundle, GasRules, Measured, Terms, bundle},
    diff::{Difference, Field, diff},
    file::{DEFAULT_MAX_BYTES, FileError, read, write},
    header::TotalsError,
    plan::Planned,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn made(data: &[u8]) -> Bundle {
    let planned: Vec<Planned> = (0..4u8)
        .map(|index| Planned {
            name: format!("action {index}"),
            target: Address::with_last_byte(index),
            step: if index < 2 {
                Step::Deploy { salt: B256::with_last_byte(index), init_code: data.to_vec().into() }
            } else {
                Step::Call { value: U256::from(index), data: data.to_vec().into() }
            },
        })
        .collect();
    let caps = config("").caps;
    let terms = Terms {
        nonce: U256::from(1),
        caps: &caps,
        uri: "file:bundle.json",
        user_bond: U256::ZERO,
        base_fee: U256::from(1),
        chain_takes_data_fee: false,
        covers_data_fee: false,
    };
    let gas = [Measured { frame: 1000, share: 2000 }; 4];
    bundle(site(), &planned, &gas, &GasRules::ethereum(100_000), &terms, &|gas, fee| gas.checked_mul(fee))
        .unwrap()
}

proptest! {
    #[test]
    fn what_is_written_is_read(data in prop::collection::vec(any::<u8>(), 0..300)) {
        let made = made(&data);
        let read = read(write(&made).unwrap().as_bytes(), DEFAULT_MAX_BYTES).unwrap();
        prop_assert_eq!(&read.header, &made.header);
        prop_assert_eq!(&read.actions, &made.actions);
        prop_assert_eq!(&read.names, &made.names);
        prop_assert_eq!((read.id, read.nonce, read.chain_id, read.manager), (made.id, made.nonce, 31337, site().manager));
        prop_assert!(read.require_id(made.id).is_ok());
        prop_assert!(read.require_id(B256::ZERO).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(read(&bytes, DEFAULT_MAX_BYTES).is_err());
    }

    #[test]
    fn no_byte_can_be_changed_unseen(at: prop::sample::Index, to: u8) {
        let made = made(b"code");
        let text = write(&made).unwrap();
        let mut bytes = text.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(read) = read(&bytes, DEFAULT_MAX_BYTES) {
            // names and white space prove nothing; all else is what it was
            prop_assert_eq!((read.id, read.header, read.actions), (made.id, made.header, made.actions));
        }
    }

    #[test]
    fn one_changed_byte_of_data_is_found(leaf in 0usize..4, at: prop::sample::Index, bit in 0u8..8) {
        let made = made(b"some code that is long enough");
        let mut published = made.actions.clone();
        let mut data = published[leaf].data.to_vec();
        let at = at.index(data.len());
        data[at] ^= 1 << bit;
        published[leaf].data = data.into();
        for found in diff(&made.actions, &published) {
            let expected = if found.index == leaf {
                let length = published[leaf].data.len();
                Difference::Differs(vec![Field::Data { at, computed: length, published: length }])
            } else {
                Difference::Same
            };
            prop_assert_eq!(found.difference, expected);
        }
    }
}

fn tampered(change: impl FnOnce(&mut Value)) -> FileError {
    let mut json: Value = serde_json::from_str(&write(&made(b"code")).unwrap()).unwrap();
    change(&mut json);
    read(json.to_string().as_bytes(), DEFAULT_MAX_BYTES).unwrap_err()
}

#[test]
fn strangers_are_not_believed() {
    let text = write(&made(b"code")).unwrap();
    let size = text.len();
    assert_eq!(read(text.as_bytes(), size - 1), Err(FileError::TooLarge { size, max: size - 1 }));
    assert!(matches!(tampered(|json| json["format"] = "x".into()), FileError::UnknownFormat(_)));
    assert!(matches!(tampered(|json| json["more"] = 1.into()), FileError::Malformed(_)));
    assert!(matches!(tampered(|json| json["header"]["budget"] = "0x1".into()), FileError::Malformed(_)));
    assert!(matches!(tampered(|json| json["actions"][0]["kind"] = "MINT".into()), FileError::Malformed(_)));
    let mismatch = |field: &'static str, error: FileError| {
        assert!(
            matches!(error, FileError::Actions(TotalsError::HeaderMismatch { field: found, .. }) if found == field),
            "{field}: {error}"
        );
    };
    mismatch("actionRoot", tampered(|json| json["actions"][1]["gas"] = 2301.into()));
    mismatch("totalGas", tampered(|json| json["header"]["totalGas"] = "1".into()));
    mismatch("deployCount", tampered(|json| json["header"]["deployCount"] = "3".into()));
    mismatch("callValue", tampered(|json| json["header"]["callValue"] = "6".into()));
    // what the actions do not tell, the id does
    for (field, value) in [("budget", "7"), ("uri", "http://elsewhere")] {
        let error = tampered(|json| json["header"][field] = value.into());
        assert!(matches!(error, FileError::OtherBundle { .. }), "{error}");
    }
    assert!(matches!(tampered(|json| json["nonce"] = "2".into()), FileError::OtherBundle { .. }));
    // a name that would redraw the signer's terminal
    let error = tampered(|json| json["actions"][2]["name"] = "\u{1b}[2Jall is well".into());
    assert_eq!(error, FileError::BadName { index: 2 });
    let error = tampered(|json| json["\u{1b}[2J"] = 1.into());
    assert!(matches!(error, FileError::Malformed(ref why) if !why.contains('\u{1b}')), "{error}");
    // or turn it round
    let error = tampered(|json| json["actions"][0]["name"] = "Vault\u{202e}tluaV".into());
    assert_eq!(error, FileError::BadName { index: 0 });
    assert_eq!(tampered(|json| json["actions"] = json!([])), FileError::Actions(TotalsError::NoActions));
}

#[test]
fn what_is_published_can_be_read_whatever_its_names_are() {
    let mut odd = made(b"code");
    odd.names = vec!["a\u{1b}[2J".into(), "b\u{202e}".into(), "n".repeat(5000), "Vault.names['é']".into()];
    let names = read(write(&odd).unwrap().as_bytes(), DEFAULT_MAX_BYTES).unwrap().names;
    assert_eq!(names, ["a?[2J".to_owned(), "b?".into(), "n".repeat(1024), "Vault.names['é']".into()]);
}

#[test]
fn more_actions_than_a_bundle_has_are_refused() {
    let action = json!({"name": "", "kind": "CALL", "target": Address::ZERO, "gas": 0, "data": "0x"});
    let error = tampered(|json| json["actions"] = vec![action; 65_537].into());
    assert_eq!(error, FileError::Actions(TotalsError::TooManyActions { count: 65_537 }));
}

#[test]
fn leaves_that_are_missing_or_extra_or_other_are_told_apart() {
    let actions = made(b"code").actions;
    let missing = diff(&actions, &actions[..3]);
    assert_eq!(missing[3].difference, Difference::Missing);
    assert!(missing[..3].iter().all(|leaf| leaf.difference == Difference::Same));
    assert_eq!(diff(&actions[..3], &actions)[3].difference, Difference::Extra);
    let other = Action { gas: 1, target: Address::ZERO, ..actions[1].clone() };
    let shown = diff(&actions[1..2], &[other])[0].difference.to_string();
    let (zero, one) = (Address::ZERO, Address::with_last_byte(1));
    assert_eq!(shown, format!("differs in target: {zero} instead of {one}; gas: 1 instead of 2300"));
    let longer = Action { data: [actions[0].data.as_ref(), &[1]].concat().into(), ..actions[0].clone() };
    let length = actions[0].data.len();
    let shown = diff(&actions[..1], &[longer])[0].difference.to_string();
    assert_eq!(shown, format!("differs in data at byte {length}: {} bytes instead of {length}", length + 1));
}
