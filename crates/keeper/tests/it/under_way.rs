//! Which of several transactions under way would fail.

use crate::common::{SWITCH, Stage, TIMER};
use alloy::primitives::{Address, U256};
use errand_chain::StateLoader;
use errand_keeper::Simulator;
use errand_sim::{EnvSeen, Fork, SimConfig};
use errand_types::CallSpec;

/// What is under way, one after the other: what is called, with what, and the highest price.
type Calls<'a> = &'a [(Address, Option<u64>, u128)];

struct Bench {
    stage: Stage,
    executor: Address,
}

impl Bench {
    async fn set() -> Self {
        let stage = Stage::set().await;
        let executor = stage.anvil.account(1).unwrap();
        Self { stage, executor }
    }

    /// The places of those that would fail.
    async fn failing(&self, unknown: EnvSeen, calls: Calls<'_>) -> Vec<usize> {
        let loader = StateLoader::probe(&self.stage.endpoint).await.unwrap();
        let head = self.stage.head().await;
        let mut simulator = Simulator::new(loader, SimConfig::new(31_337, Fork::Osaka), head);
        let next = simulator.next_block(head.timestamp + 1);
        let under_way = calls.iter().enumerate().map(|(place, (to, word, max_gas_price))| {
            let data = word.map(|word| U256::from(word).to_be_bytes_vec()).unwrap_or_default();
            let call = CallSpec {
                origin: self.executor,
                caller: self.executor,
                to: *to,
                data: data.into(),
                value: U256::ZERO,
                gas_limit: 16_000_000,
                gas_price: 0,
            };
            (place, call, *max_gas_price)
        });
        let failing = simulator.failing(&next, 1, unknown, under_way).await.unwrap();
        failing.into_iter().map(|(place, _)| place).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_tried_behind_those_before_it() {
    let bench = Bench::set().await;
    let (dear, known) = (u128::MAX, EnvSeen::UNFORESEEABLE);
    let (on, off, call) = ((SWITCH, Some(1), dear), (SWITCH, Some(0), dear), (SWITCH, None, dear));
    assert_eq!(bench.failing(known, &[call, on, call, call, off, call]).await, [0, 5]);
    // What no block takes holds up what is behind it.
    assert!(bench.failing(known, &[(SWITCH, Some(1), 1), call]).await.is_empty());
    bench.stage.set_slot(SWITCH, 1).await;
    assert_eq!(bench.failing(known, &[call, off, call]).await, [2]);
    assert!(bench.failing(known, &[]).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_makes_one_stand_and_not_those_behind_it() {
    let bench = Bench::set().await;
    let (timer, call) = ((TIMER, None, u128::MAX), (SWITCH, None, u128::MAX));
    bench.stage.set_slot(TIMER, u64::MAX).await;
    assert_eq!(bench.failing(EnvSeen::UNFORESEEABLE, &[timer, call]).await, [0, 1]);
    assert_eq!(bench.failing(EnvSeen::TIMESTAMP, &[timer, call]).await, [1]);
    bench.stage.set_slot(SWITCH, 1).await;
    assert!(bench.failing(EnvSeen::TIMESTAMP, &[timer, call]).await.is_empty());
}
