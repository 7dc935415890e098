//! Whether it came as it should.

use crate::{
    keepers::Stats,
    report::Progress,
    requests::{Expected, Kind, PERIOD, Registered},
};
use alloy::primitives::{U256, map::HashMap};

/// A payment of a schedule, in Unix seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payment {
    pub(crate) schedule: U256,
    pub(crate) due_at: u64,
    pub(crate) paid_at: u64,
}

/// What did not come as expected.
pub(crate) fn faults(
    all: &[Registered],
    progress: &Progress,
    payments: &[Payment],
    keepers: &[Stats],
) -> Vec<String> {
    let mut faults = Vec::new();
    for entry in all {
        let times = progress.executed.get(&entry.id).copied().unwrap_or(0);
        let name = entry.kind.name();
        let fits = match entry.expected {
            Expected::Executed(expected) => times == expected,
            Expected::Untouched => times == 0,
            Expected::AtMostOnce => times <= 1,
        };
        if !fits {
            faults.push(format!(
                "Request {} ({name}) was executed {times} times, expected {:?}",
                entry.id, entry.expected
            ));
        }
    }
    let cancelled = all.iter().filter(|entry| entry.kind == Kind::Cancelled).count();
    if progress.cancelled != cancelled {
        faults.push(format!("{} Requests were cancelled, expected {cancelled}", progress.cancelled));
    }
    // Each payment is of a period of its own, and not before that has begun: so there is none twice in a period.
    let mut last: HashMap<U256, u64> = HashMap::default();
    for payment in payments {
        let Payment { schedule, due_at, paid_at } = payment;
        if paid_at < due_at {
            faults.push(format!("schedule {schedule} paid at {paid_at} what is due at {due_at}"));
        }
        if last.insert(*schedule, *due_at).is_some_and(|before| before + PERIOD > *due_at) {
            faults.push(format!("schedule {schedule} paid twice for the period of {due_at}"));
        }
    }
    for keeper in keepers {
        for (start, _) in (1..).zip(&keeper.by_start).filter(|(_, blocks)| **blocks == 0) {
            faults.push(format!("the keeper of {} told of no block after start {start}", keeper.address));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::Address;
    use errand_bindings::IRegistry;

    fn registered() -> Vec<Registered> {
        let wishes = [
            (Kind::LimitBuy, Expected::Executed(1)),
            (Kind::Recurring, Expected::Executed(2)),
            (Kind::NeverExecutable, Expected::Untouched),
            (Kind::Hostile, Expected::AtMostOnce),
            (Kind::Cancelled, Expected::Untouched),
        ];
        let request = IRegistry::Request::default();
        (0..)
            .zip(wishes)
            .map(|(id, (kind, expected))| Registered {
                id,
                kind,
                expected,
                user: Address::ZERO,
                request: request.clone(),
            })
            .collect()
    }

    fn progress(times: &[(u64, u32)], cancelled: usize) -> Progress {
        Progress { executed: times.iter().copied().collect(), cancelled }
    }

    fn good() -> Progress {
        progress(&[(0, 1), (1, 2)], 1)
    }

    fn payment(due_at: u64, paid_at: u64) -> Payment {
        Payment { schedule: U256::from(1), due_at, paid_at }
    }

    fn keeper(by_start: &[usize]) -> Stats {
        Stats {
            address: Address::ZERO,
            blocks: by_start.iter().sum(),
            by_start: by_start.to_vec(),
            rpc_calls_per_block: 0.0,
            p50_block_ms: 0.0,
            p99_block_ms: 0.0,
            sent: 0,
            reverted: 0,
        }
    }

    #[test]
    fn what_comes_as_expected_has_no_fault() {
        // The second payment is late and catches up.
        let payments = [payment(100, 101), payment(100 + PERIOD, 101 + PERIOD)];
        let keepers = [keeper(&[9, 3]), keeper(&[12])];
        let faults_of = |progress| faults(&registered(), &progress, &payments, &keepers);
        assert!(faults_of(good()).is_empty());
        assert!(faults_of(progress(&[(0, 1), (1, 2), (3, 1)], 1)).is_empty(), "chance may execute it");
    }

    #[test]
    fn each_wrong_number_of_executions_is_a_fault() {
        let wrong: [&[(u64, u32)]; 6] = [
            &[(1, 2)],
            &[(0, 2), (1, 2)],
            &[(0, 1), (1, 1)],
            &[(0, 1), (1, 2), (2, 1)],
            &[(0, 1), (1, 2), (3, 2)],
            &[(0, 1), (1, 2), (4, 1)],
        ];
        for times in wrong {
            assert_eq!(faults(&registered(), &progress(times, 1), &[], &[]).len(), 1, "{times:?}");
        }
        assert_eq!(
            faults(&registered(), &progress(&[(0, 1), (1, 2)], 0), &[], &[]).len(),
            1,
            "not cancelled"
        );
    }

    #[test]
    fn payments_twice_in_a_period_or_before_it_are_faults() {
        let wrong = [
            [payment(100, 101), payment(100, 102)],
            [payment(100, 101), payment(100 + PERIOD - 1, 101 + PERIOD)],
            [payment(100, 101), payment(100 + PERIOD, 99 + PERIOD)],
        ];
        for payments in wrong {
            assert_eq!(faults(&registered(), &good(), &payments, &[]).len(), 1, "{payments:?}");
        }
    }

    #[test]
    fn a_keeper_that_does_nothing_after_its_restart_is_a_fault() {
        assert_eq!(faults(&registered(), &good(), &[], &[keeper(&[9, 0])]).len(), 1);
    }
}
