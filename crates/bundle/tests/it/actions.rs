//! Leaves, trees, proofs and ids, against the vectors that the contracts are tested with.

use crate::{evm::Evm, fixtures::artifact};
use alloy::{
    primitives::{Address, B256, Bytes, U256, address},
    sol,
    sol_types::SolCall,
};
use errand_bundle::{
    Action, ActionKind, BundleHeader, Step, Tree,
    action::StepError,
    artifact::Artifact,
    bundle_id, create3,
    create3::Template,
    header::{Totals, TotalsError, check_deploy_targets},
    tree::verify,
};
use proptest::prelude::*;
use serde_json::Value;

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test/vectors/merkle-actions.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn get<T: std::str::FromStr<Err: std::fmt::Debug>>(value: &Value) -> T {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned).parse().unwrap()
}

fn kind(number: u64) -> ActionKind {
    ActionKind::try_from(u8::try_from(number).unwrap()).unwrap()
}

#[test]
fn trees_are_those_of_the_contracts() {
    let vectors = vectors();
    let trees = vectors["trees"].as_array().unwrap();
    assert!(trees.len() >= 7);
    for vector in trees {
        let actions: Vec<Action> = vector["actions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|action| Action {
                kind: kind(action["kind"].as_u64().unwrap()),
                target: get(&action["target"]),
                gas: action["gas"].as_u64().unwrap(),
                data: get(&action["data"]),
            })
            .collect();
        let tree = Tree::of(&actions).unwrap();
        let leaves: Vec<B256> = vector["leaves"].as_array().unwrap().iter().map(get).collect();
        assert_eq!(tree.leaves()[..leaves.len()], leaves);
        assert_eq!(tree.root(), get::<B256>(&vector["root"]));
        for proof in vector["proofs"].as_array().unwrap() {
            let index = usize::try_from(proof["index"].as_u64().unwrap()).unwrap();
            let siblings: Vec<B256> = proof["proof"].as_array().unwrap().iter().map(get).collect();
            assert_eq!(tree.proof(index), Some(siblings));
        }
    }
}

#[test]
fn ids_are_those_of_the_contracts() {
    let vectors = vectors();
    let ids = vectors["bundleIds"].as_array().unwrap();
    assert!(!ids.is_empty());
    for vector in ids {
        let header = &vector["header"];
        let header = BundleHeader {
            actionRoot: get(&header["actionRoot"]),
            deployCount: get(&header["deployCount"]),
            switchCount: get(&header["switchCount"]),
            totalGas: get(&header["totalGas"]),
            maxTxs: get(&header["maxTxs"]),
            maxBaseFee: get(&header["maxBaseFee"]),
            callValue: get(&header["callValue"]),
            budget: get(&header["budget"]),
            ess: get(&header["ess"]),
            eps: get(&header["eps"]),
            uri: header["uri"].as_str().unwrap().to_owned(),
        };
        let id = bundle_id(get(&vector["chainId"]), get(&vector["manager"]), get(&vector["nonce"]), &header);
        assert_eq!(id, get::<B256>(&vector["bundleId"]));
    }
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = |most| prop::collection::vec(any::<u8>(), 0..most).prop_map(Bytes::from);
    prop_oneof![
        (any::<[u8; 32]>(), bytes(200))
            .prop_map(|(salt, init_code)| Step::Deploy { salt: salt.into(), init_code }),
        (any::<[u8; 32]>(), prop::collection::vec(any::<u8>(), 1..=32), any::<prop::sample::Index>())
            .prop_map(|(slot, value, at)| {
                let offset = u8::try_from(at.index(33 - value.len())).unwrap();
                Step::SetStorage { slot: slot.into(), offset, value: value.into() }
            }),
        any::<[u8; 20]>().prop_map(|to| Step::SetImplementation { implementation: to.into() }),
        (any::<[u64; 4]>(), bytes(100))
            .prop_map(|(value, data)| Step::Call { value: U256::from_limbs(value), data }),
    ]
}

proptest! {
    #[test]
    fn what_an_action_says_comes_back_from_its_data(step in step(), target: [u8; 20], gas: u64) {
        let action = step.to_action(target.into(), gas);
        prop_assert_eq!(action.step().unwrap(), step);
        prop_assert_eq!(action.target, Address::from(target));
    }

    #[test]
    fn data_of_strangers_never_panic(kind in 0u64..4, data in prop::collection::vec(any::<u8>(), 0..300)) {
        let action = Action { kind: self::kind(kind), target: Address::ZERO, gas: 0, data: data.into() };
        if let Ok(step) = action.step() {
            // what can be read says the same when it is written again
            prop_assert_eq!(step.to_action(Address::ZERO, 0).step().unwrap(), step);
        }
    }

    #[test]
    fn every_leaf_has_a_proof_and_no_other_leaf_has_it(leaves in prop::collection::vec(any::<[u8; 32]>(), 1..70), other: [u8; 32]) {
        let leaves: Vec<B256> = leaves.into_iter().map(B256::from).collect();
        let tree = Tree::new(leaves.clone()).unwrap();
        for (index, leaf) in leaves.iter().enumerate() {
            let proof = tree.proof(index).unwrap();
            prop_assert!(verify(tree.root(), *leaf, &proof));
            prop_assert!(!verify(tree.root(), other.into(), &proof));
        }
        prop_assert_eq!(tree.proof(leaves.len()), None);
    }

    #[test]
    fn a_leaf_binds_everything(step in step(), gas in 0u64..1_000_000, index in 0u64..65_535) {
        let action = step.to_action(Address::ZERO, gas);
        let leaf = action.leaf(index);
        prop_assert_ne!(action.leaf(index + 1), leaf);
        prop_assert_ne!(Action { gas: gas + 1, ..action.clone() }.leaf(index), leaf);
        prop_assert_ne!(Action { target: Address::with_last_byte(1), ..action.clone() }.leaf(index), leaf);
        let kind = if action.kind == ActionKind::CALL { ActionKind::DEPLOY } else { ActionKind::CALL };
        prop_assert_ne!(Action { kind, ..action }.leaf(index), leaf);
    }

    #[test]
    fn salts_follow_name_and_closure(names in prop::collection::btree_set("[a-z]{1,6}", 1..6), hashes: [[u8; 32]; 6]) {
        let templates: Vec<Template<'_>> = names.iter().zip(hashes)
            .map(|(name, hash)| Template { name, code_hash: hash.into() }).collect();
        let closure = create3::closure(&templates);
        let mut shuffled = templates.clone();
        shuffled.reverse();
        prop_assert_eq!(create3::closure(&shuffled), closure);
        for changed in 0..templates.len() {
            let mut other = templates.clone();
            other[changed].code_hash.0[31] ^= 1;
            prop_assert_ne!(create3::closure(&other), closure);
        }
        prop_assert_ne!(create3::salt("a", closure), create3::salt("b", closure));
    }
}

#[test]
fn no_actions_have_no_root() {
    assert!(Tree::of(&[]).is_none());
    assert_eq!(Totals::of(&[]), Err(TotalsError::NoActions));
}

#[test]
fn a_value_beyond_its_slot_is_refused() {
    let step = Step::SetStorage { slot: B256::ZERO, offset: 31, value: vec![1, 2].into() };
    let error = step.to_action(Address::ZERO, 0).step().unwrap_err();
    assert_eq!(error, StepError::ValueOutOfSlot { offset: U256::from(31), length: 2 });
    let empty = Step::SetStorage { slot: B256::ZERO, offset: 0, value: Bytes::new() };
    assert!(matches!(empty.to_action(Address::ZERO, 0).step(), Err(StepError::ValueOutOfSlot { .. })));
}

#[test]
fn totals_count_both_phases_and_refuse_a_late_deploy() {
    let deploy = Step::Deploy { salt: B256::ZERO, init_code: Bytes::new() }.to_action(Address::ZERO, 5);
    let call = Step::Call { value: U256::from(7), data: Bytes::new() }.to_action(Address::ZERO, 6);
    let totals = Totals::of(&[deploy.clone(), call.clone(), call.clone()]).unwrap();
    assert_eq!((totals.deploys, totals.switch, totals.gas), (1, 2, 17));
    assert_eq!(totals.call_value, U256::from(14));
    let late = Totals::of(&[call, deploy.clone()]);
    assert_eq!(late, Err(TotalsError::DeployAfterSwitch { index: 1 }));
    let wrong = check_deploy_targets(Address::ZERO, &[deploy]);
    assert!(matches!(wrong, Err(TotalsError::WrongDeployTarget { index: 0, .. })));
}

sol! {
    function deploy(bytes32 salt, bytes initCode) returns (address);
}

#[test]
fn addresses_are_where_solady_deploys() {
    let code = |name: &str| Artifact::parse(&artifact(name).unwrap()).unwrap().link(|_| None).unwrap();
    let mut evm = Evm::new();
    let deployer = evm.deploy(&code("Deployer"));
    for salt in [B256::ZERO, B256::repeat_byte(0x5a), create3::salt("Token", B256::ZERO)] {
        let input = deployCall { salt, initCode: code("Token") }.abi_encode();
        let deployed = Address::from_word(B256::from_slice(&evm.call(deployer, &input)));
        assert_eq!(create3::address_of(deployer, salt), deployed);
    }
    // another deployer, another address
    let other = address!("00000000000000000000000000000000000000d1");
    assert_ne!(create3::address_of(deployer, B256::ZERO), create3::address_of(other, B256::ZERO));
}
