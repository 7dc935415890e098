use crate::world::head;
use errand_sim::{BaseFeeRule, Fork, next_block};
use errand_types::BlockHead;

fn base_fee(base_fee: u64, gas_used: u64) -> u64 {
    let head = BlockHead { base_fee, gas_used, gas_limit: 30_000_000, ..head(100) };
    next_block(&head, BaseFeeRule::ETHEREUM, 0).base_fee
}

#[test]
fn the_base_fee_moves_by_an_eighth_at_most() {
    assert_eq!(base_fee(1_000_000_000, 15_000_000), 1_000_000_000);
    assert_eq!(base_fee(1_000_000_000, 30_000_000), 1_125_000_000);
    assert_eq!(base_fee(1_000_000_000, 0), 875_000_000);
    // Vectors of EIP-1559's reference tests, scaled to this gas limit.
    assert_eq!(base_fee(1_000_000_000, 13_500_000), 987_500_000);
    assert_eq!(base_fee(1_000_000_000, 16_500_000), 1_012_500_000);
}

#[test]
fn a_tiny_base_fee_rises_by_one_and_stays_when_it_would_fall_by_less() {
    assert_eq!(base_fee(1, 30_000_000), 2);
    assert_eq!(base_fee(7, 0), 7);
    assert_eq!(base_fee(0, 30_000_000), 1);
}

#[test]
fn a_rule_without_numbers_keeps_the_base_fee() {
    let rule = BaseFeeRule { elasticity: 0, change_denominator: 0 };
    assert_eq!(next_block(&head(100), rule, 0).base_fee, 7);
}

#[test]
fn the_next_block_is_later_than_its_parent_and_not_before_the_prediction() {
    let head = head(100);
    let next = |predicted| next_block(&head, BaseFeeRule::default(), predicted);
    assert_eq!(next(0).timestamp, head.timestamp + 1);
    assert_eq!(next(head.timestamp + 12).timestamp, head.timestamp + 12);
    assert_eq!((next(0).number, next(0).gas_limit), (101, 30_000_000));
}

#[test]
fn forks_read_back_what_they_print() {
    for fork in [Fork::Cancun, Fork::Prague, Fork::Osaka] {
        assert_eq!(fork.to_string().parse(), Ok(fork));
        assert_eq!(fork.to_string().to_uppercase().parse(), Ok(fork));
    }
    assert!("amsterdam".parse::<Fork>().is_err());
}
