//! Gas, batches and money.

use crate::fixtures::{config, site};
use alloy::primitives::{Address, B256, Bytes, U256};
use errand_bundle::{
    BundleHeader, Step,
    bundle::{Batch, Bundle, BundleError, GasRules, Measured, TX_GAS_CAP, Terms, bundle},
    bundle_id,
    config::Caps,
    plan::Planned,
};
use proptest::prelude::*;

const OVERHEAD: u64 = 100_000;

fn caps() -> Caps {
    config("").caps
}

fn terms(caps: &Caps) -> Terms<'_> {
    Terms {
        nonce: U256::from(4),
        caps,
        uri: "https://example.org/b.json",
        user_bond: U256::from(1000),
        base_fee: U256::from(1),
        chain_takes_data_fee: false,
        covers_data_fee: false,
    }
}

/// FlatFeeEPS at 20 %.
fn flat(gas: U256, base_fee: U256) -> Option<U256> {
    gas.checked_mul(base_fee)?.checked_mul(U256::from(12)).map(|paid| paid / U256::from(10))
}

fn deploy(bytes: usize) -> Planned {
    let step = Step::Deploy { salt: B256::ZERO, init_code: vec![1; bytes].into() };
    Planned { name: "D".into(), target: Address::ZERO, step }
}

fn call(bytes: usize, value: u64) -> Planned {
    let step = Step::Call { value: U256::from(value), data: Bytes::from(vec![0; bytes]) };
    Planned { name: "C".into(), target: Address::with_last_byte(9), step }
}

fn measured(share: u64) -> Measured {
    Measured { frame: share / 2, share }
}

fn make(planned: &[Planned], gas: &[Measured]) -> Result<Bundle, BundleError> {
    bundle(site(), planned, gas, &GasRules::ethereum(OVERHEAD), &terms(&caps()), &flat)
}

#[test]
fn a_bundle_states_its_sums_and_its_money() {
    let planned = [deploy(100), deploy(10), call(4, 5), call(0, 7)];
    let made = make(&planned, &[measured(1000), measured(201), measured(100), measured(300)]).unwrap();
    let h = &made.header;
    // 15 % margin, rounded up
    let gas: Vec<u64> = made.actions.iter().map(|action| action.gas).collect();
    assert_eq!(gas, [1150, 232, 115, 345]);
    assert_eq!((h.deployCount, h.switchCount), (U256::from(2), U256::from(2)));
    assert_eq!((h.totalGas, h.callValue), (U256::from(1842), U256::from(12)));
    assert_eq!(h.actionRoot, made.tree.root());
    // one transaction does it, so two are paid
    assert_eq!(made.batches.len(), 1);
    assert_eq!(h.maxTxs, U256::from(2));
    let at_most = U256::from(1842 + 2 * OVERHEAD);
    let worst = flat(at_most, U256::from(30_000_000_000u64)).unwrap();
    assert_eq!(made.costs.worst, Some(worst));
    assert_eq!(h.budget, worst);
    assert_eq!(made.costs.least_budget, flat(at_most, U256::from(2)).unwrap());
    assert_eq!(made.costs.deposit, worst + U256::from(1012));
    assert_eq!(made.id, bundle_id(31337, site().manager, U256::from(4), h));
    assert_ne!(made.id, bundle_id(31337, site().manager, U256::from(5), h));
}

#[test]
fn the_id_binds_every_field() {
    let made = make(&[deploy(1), call(0, 1)], &[measured(10), measured(10)]).unwrap();
    let id = |header: &BundleHeader| bundle_id(1, Address::ZERO, U256::ZERO, header);
    let base = id(&made.header);
    let changes: [fn(&mut BundleHeader); 11] = [
        |h| h.actionRoot.0[0] ^= 1,
        |h| h.deployCount += U256::ONE,
        |h| h.switchCount += U256::ONE,
        |h| h.totalGas += U256::ONE,
        |h| h.maxTxs += U256::ONE,
        |h| h.maxBaseFee += U256::ONE,
        |h| h.callValue += U256::ONE,
        |h| h.budget += U256::ONE,
        |h| h.ess.0[0] ^= 1,
        |h| h.eps.0[0] ^= 1,
        |h| h.uri.push('x'),
    ];
    for change in changes {
        let mut header = made.header.clone();
        change(&mut header);
        assert_ne!(id(&header), base);
    }
    assert_ne!(bundle_id(2, Address::ZERO, U256::ZERO, &made.header), base);
    assert_ne!(bundle_id(1, Address::with_last_byte(1), U256::ZERO, &made.header), base);
}

#[test]
fn a_switch_that_does_not_fit_is_refused_with_the_number() {
    let planned: Vec<Planned> = (0..20).map(|_| call(4, 0)).collect();
    let fits = make(&planned, &[measured(450_000); 20]).unwrap();
    assert!(fits.batches[0].gas <= TX_GAS_CAP);
    let error = make(&planned, &[measured(800_000); 20]).unwrap_err();
    let BundleError::SwitchTooLarge { needed, cap } = error else { panic!("{error}") };
    assert_eq!(cap, 16_777_216);
    // at least what is committed and spent besides
    assert!(needed > 20 * (920_000 + 400_000) && needed < 28_000_000, "{needed}");
    // exactly at the cap it is taken
    let single = |share| make(&[call(4, 0)], &[Measured { frame: share, share }]);
    let mut at_cap = 13_000_000;
    assert!(single(at_cap).is_ok());
    while single(at_cap + 1000).is_ok() {
        at_cap += 1000;
    }
    assert!(
        matches!(single(at_cap + 1000), Err(BundleError::SwitchTooLarge { needed, .. }) if needed - TX_GAS_CAP < 1300)
    );
    let long: Vec<Planned> = (0..3).map(|_| call(50_000, 0)).collect();
    assert!(matches!(make(&long, &[measured(1000); 3]), Err(BundleError::SwitchTooLong { .. })));
}

#[test]
fn deploys_that_do_not_fit_are_named() {
    let error = make(&[deploy(4)], &[measured(16_000_000)]).unwrap_err();
    assert!(matches!(error, BundleError::DeployTooLarge { ref name, .. } if name == "D"), "{error}");
    let error = make(&[deploy(140_000)], &[measured(1000)]).unwrap_err();
    assert!(matches!(error, BundleError::DeployTooLong { .. }), "{error}");
}

#[test]
fn measurements_and_money_that_are_wrong() {
    assert_eq!(make(&[deploy(4)], &[]).unwrap_err(), BundleError::NotMeasured { actions: 1, measured: 0 });
    let error = make(&[deploy(4)], &[Measured { frame: 2, share: 1 }]).unwrap_err();
    assert!(matches!(error, BundleError::BadMeasurement { .. }));
    assert!(matches!(make(&[], &[]), Err(BundleError::Actions(_))));
    assert!(matches!(make(&[call(0, 1), deploy(1)], &[measured(1); 2]), Err(BundleError::Actions(_))));
    let huge = Measured { frame: 0, share: 1 << 60 };
    assert!(make(&[deploy(1)], &[huge]).is_err());

    let one = [deploy(1)];
    let rules = GasRules::ethereum(OVERHEAD);
    let mut poor = caps();
    poor.budget = Some(U256::from(1));
    let error = bundle(site(), &one, &[measured(9)], &rules, &terms(&poor), &flat).unwrap_err();
    assert!(matches!(error, BundleError::BudgetTooLow { .. }), "{error}");
    let error = bundle(site(), &one, &[measured(9)], &rules, &terms(&caps()), &|_, _| None).unwrap_err();
    assert!(matches!(error, BundleError::NoPrice { .. }), "{error}");
    let mut rich = caps();
    rich.budget = Some(U256::from(1) << 88);
    let error = bundle(site(), &one, &[measured(9)], &rules, &terms(&rich), &flat).unwrap_err();
    assert_eq!(error, BundleError::TooLarge { field: "budget" });
    let caps = caps();
    let mut rollup = terms(&caps);
    rollup.chain_takes_data_fee = true;
    let error = bundle(site(), &one, &[measured(9)], &rules, &rollup, &flat).unwrap_err();
    assert_eq!(error, BundleError::DataFeeNotCovered);
    rollup.covers_data_fee = true;
    bundle(site(), &one, &[measured(9)], &rules, &rollup, &flat).unwrap();
}

/// Whether a transaction runs short although every action burns all it is committed: gas is given to frames by
/// EIP-150, and what an action costs outside its frame is spent before it.
fn runs_short(made: &Bundle, gas: &[Measured], batch: &Batch) -> bool {
    let deploys = usize::try_from(made.header.deployCount).unwrap();
    let mut left = batch.gas - OVERHEAD;
    let spend = |left: &mut u64, index: usize| {
        let outside = gas[index].share - gas[index].frame;
        let committed = made.actions[index].gas;
        if *left < outside || (*left - outside) - (*left - outside) / 64 < committed {
            return true;
        }
        *left -= outside + committed;
        false
    };
    let range = batch.first..batch.first + batch.count;
    let (before, switch): (Vec<usize>, Vec<usize>) = range.partition(|index| *index < deploys);
    if before.into_iter().any(|index| spend(&mut left, index)) {
        return true;
    }
    left -= left / 64;
    switch.into_iter().any(|index| spend(&mut left, index))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn batches_hold_everything_in_order_and_cannot_run_short(
        deploys in prop::collection::vec((1usize..49_000, 30_000u64..9_000_000, 0u64..400_000), 0..12),
        switch in prop::collection::vec((0usize..400, 5_000u64..300_000, 0u64..60_000), 0..12),
    ) {
        prop_assume!(!deploys.is_empty() || !switch.is_empty());
        let planned: Vec<Planned> = deploys.iter().map(|(bytes, ..)| deploy(*bytes))
            .chain(switch.iter().map(|(bytes, ..)| call(*bytes, 1))).collect();
        let gas: Vec<Measured> = deploys.iter().chain(&switch)
            .map(|(_, frame, outside)| Measured { frame: *frame, share: frame + outside }).collect();
        let made = make(&planned, &gas).unwrap();
        let mut next = 0;
        for (place, batch) in made.batches.iter().enumerate() {
            prop_assert_eq!(batch.first, next);
            next += batch.count;
            // only the last may hold a part of the switch, and then all of it
            prop_assert!(next <= deploys.len() || place + 1 == made.batches.len());
            prop_assert!(batch.gas <= TX_GAS_CAP);
            prop_assert!(!runs_short(&made, &gas, batch));
            let data = made.call_data(batch);
            prop_assert_eq!(data.len() + 256, batch.bytes);
            let tokens: u64 = data.iter().map(|byte| if *byte == 0 { 1 } else { 4 }).sum();
            prop_assert!(batch.gas >= 21_000 + 10 * tokens);
        }
        prop_assert_eq!(next, planned.len());
    }
}

#[test]
fn deploys_are_packed_as_far_as_they_fit() {
    // 5 million each with margin: two and the fixed part, not three
    let gas = [Measured { frame: 4_400_000, share: 4_400_000 }; 6];
    let planned: Vec<Planned> = (0..6).map(|_| deploy(10)).collect();
    let made = make(&planned, &gas).unwrap();
    let counts: Vec<usize> = made.batches.iter().map(|batch| batch.count).collect();
    assert_eq!(counts, [3, 3]);
    // and by bytes
    let planned: Vec<Planned> = (0..5).map(|_| deploy(40_000)).collect();
    let made = make(&planned, &gas[..5]).unwrap();
    assert!(made.batches.iter().all(|batch| batch.bytes <= 128 * 1024));
    let made = make(&planned, &[measured(1000); 5]).unwrap();
    let counts: Vec<usize> = made.batches.iter().map(|batch| batch.count).collect();
    assert_eq!(counts, [3, 2]);
}
