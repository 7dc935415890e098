//! What a keeper quoted, against the receipt: every kind of Request, one at a time and together.

use crate::common::{ALWAYS, Running, Stage, until};
use alloy::{
    primitives::{Address, U256, Uint, hex},
    providers::Provider,
    sol_types::SolValue,
};
use errand_bindings::{
    IPriceOracle,
    IRegistry::{self, newReqPaySpecificCall},
};
use errand_keeper::{
    Outstanding,
    pricing::{PAY_AUTO_BPS, PAY_ETH_BPS},
    report::SentReport,
};
use tempfile::tempdir;

const DEPOSIT: u64 = 50_000_000_000_000_000;
const VALUE: u64 = 12_345;
/// What the other words of the call are.
const WORD: u64 = 0x1234_5678;

/// A kind of Request, and a target of its own.
#[derive(Clone, Copy, Debug)]
struct Kind {
    verify_user: bool,
    insert_fee: bool,
    in_auto: bool,
    recurring: bool,
    value: u64,
}

impl Kind {
    /// All that can be registered and paid.
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for bits in 0..16u8 {
            let is = |bit: u8| bits & (1 << bit) != 0;
            let (verify_user, insert_fee, in_auto, valued) = (is(0), is(1), is(2), is(3));
            let value = if valued { VALUE } else { 0 };
            all.push(Self { verify_user, insert_fee, in_auto, recurring: false, value });
            if in_auto && !valued {
                all.push(Self { verify_user, insert_fee, in_auto, recurring: true, value });
            }
        }
        all
    }

    fn forwarder(self, stage: &Stage) -> Address {
        let contracts = &stage.contracts;
        match (self.verify_user, self.insert_fee) {
            (false, false) => contracts.plain_forwarder,
            (true, false) => contracts.user_forwarder,
            (false, true) => contracts.fee_forwarder,
            (true, true) => contracts.user_fee_forwarder,
        }
    }

    /// Puts a target at an address that takes calls of the kind's forwarder only, and writes down what it gets: the
    /// words of the call in slots 0 and 1, its wei in slot 2. A recurring one is due while slot 3 is 0.
    async fn target(self, stage: &Stage, number: u8) -> Address {
        let target = Address::with_last_byte(number);
        // sload(3) == 0 ? sstore(3, 1) : revert
        let due = if self.recurring { "600354156028575f5ffd5b6001600355" } else { "" };
        let forwarder = hex::encode(self.forwarder(stage));
        // caller == forwarder ? sstore(0, word 0), sstore(1, word 1), sstore(2, callvalue) : revert
        let code = format!("0x3373{forwarder}14601d575f5ffd5b{due}6004355f556024356001553460025500");
        stage.anvil.set_code(target, code.parse().unwrap()).await.unwrap();
        target
    }

    async fn register(self, stage: &Stage, number: u8) -> Outstanding {
        let first = if self.verify_user { stage.user().into_word().into() } else { U256::from(WORD) };
        let call = newReqPaySpecificCall {
            target: self.target(stage, number).await,
            referer: Address::ZERO,
            callData: [&[0x11; 4][..], &(first, U256::from(WORD)).abi_encode()].concat().into(),
            ethForCall: Uint::from(self.value),
            verifyUser: self.verify_user,
            insertFeeAmount: self.insert_fee,
            payWithAUTO: self.in_auto,
            isAlive: self.recurring,
        };
        let deposit = if self.in_auto { self.value } else { self.value + DEPOSIT };
        stage.register_call(U256::from(deposit), call).await
    }

    /// Sees that the target got what the kind says.
    async fn assert_called(self, stage: &Stage, request: &Outstanding, fee: U256) {
        let target = request.request.target;
        let slot =
            async |key: u64| stage.anvil.provider().get_storage_at(target, U256::from(key)).await.unwrap();
        let (first, second) = match (self.verify_user, self.insert_fee) {
            (false, false) => (U256::from(WORD), U256::from(WORD)),
            (false, true) => (fee, U256::from(WORD)),
            (true, false) => (stage.user().into_word().into(), U256::from(WORD)),
            (true, true) => (stage.user().into_word().into(), fee),
        };
        assert_eq!((slot(0).await, slot(1).await), (first, second), "{self:?}");
        assert_eq!(slot(2).await, U256::from(self.value), "{self:?}");
        assert_eq!(stage.anvil.provider().get_balance(target).await.unwrap(), U256::from(self.value));
    }
}

/// What the keeper sent since it had told so many reports.
fn sent_since(keeper: &Running, told: usize) -> Vec<SentReport> {
    keeper.reports().split_off(told).into_iter().flat_map(|report| report.sent).collect()
}

/// Sees that a transaction used and earned what was quoted, and returns the fees by Request.
async fn assert_as_quoted(stage: &Stage, sent: &SentReport) -> Vec<(u64, U256)> {
    let receipt = stage.anvil.provider().get_transaction_receipt(sent.tx.unwrap()).await.unwrap().unwrap();
    assert!(receipt.status());
    assert_eq!(sent.gas, receipt.gas_used, "gas of {:?}", sent.requests);
    let price = U256::from(receipt.effective_gas_price);
    assert_eq!(sent.balance.cost, U256::from(receipt.gas_used) * price, "cost of {:?}", sent.requests);
    let executed: Vec<_> = receipt
        .logs()
        .iter()
        .filter(|log| log.address() == stage.contracts.registry)
        .filter_map(|log| log.log_decode::<IRegistry::HashedReqExecuted>().ok())
        .map(|log| log.inner.data)
        .collect();
    assert_eq!(executed.len(), sent.requests.len(), "every entry succeeds");
    let ether = U256::from(10).pow(U256::from(18));
    let oracle = stage.fixture.address("FixedPriceOracle").unwrap();
    let oracle = IPriceOracle::new(oracle, stage.anvil.provider());
    let auto_per_eth = oracle.autoPerEth().call().await.unwrap();
    let worth = |event: &IRegistry::HashedReqExecuted| match event.paidInAUTO {
        true => event.fee * ether / auto_per_eth,
        false => event.fee,
    };
    let income: U256 = executed.iter().map(worth).sum();
    // Each fee in AUTO is rounded when it is valued.
    let off = sent.balance.income.abs_diff(income);
    assert!(off <= U256::from(executed.len()), "income of {:?}: {off} wei off", sent.requests);
    // What is charged is what the node says was used, whichever way it is paid.
    let charged = |event: &IRegistry::HashedReqExecuted| {
        let bps = if event.paidInAUTO { PAY_AUTO_BPS } else { PAY_ETH_BPS };
        worth(event) * U256::from(10_000) / U256::from(bps) / price
    };
    let charged: U256 = executed.iter().map(charged).sum();
    let permille = charged.to::<u64>() * 1_000 / receipt.gas_used;
    assert!((980..=1_020).contains(&permille), "{charged} gas charged for {}", receipt.gas_used);
    executed.iter().map(|event| (event.id.to(), event.fee)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn quotes_are_what_receipts_say() {
    let stage = Stage::set().await;
    let folder = tempdir().unwrap();
    stage.give_auto(stage.user(), 1_000_000, stage.contracts.auto_payments).await;
    let mut policy = stage.policy(1);
    policy.max_opening_gas = 1_000_000;
    let keeper = stage.keeper_with(1, folder.path(), policy.clone());
    // The first of a turn asks the gate; the first in AUTO makes a balance.
    for in_auto in [false, true] {
        let deposit = if in_auto { 0 } else { DEPOSIT };
        let opening = stage.register_with(ALWAYS, U256::from(deposit), in_auto, false).await;
        until("the turn is opened", || async { stage.executed().await.contains(&opening.id.0) }).await;
    }
    stage.mine_and_see(&keeper, 1).await;

    let kinds = Kind::all();
    assert_eq!(kinds.len(), 20);
    for (number, kind) in (0x20..).zip(&kinds) {
        let told = keeper.reports().len();
        let request = kind.register(&stage, number).await;
        until("it is executed", || async { stage.executed().await.contains(&request.id.0) }).await;
        stage.seen_by(&keeper).await;
        let sent = sent_since(&keeper, told);
        assert_eq!(sent.len(), 1, "{kind:?}: {sent:?}");
        let fees = assert_as_quoted(&stage, &sent[0]).await;
        kind.assert_called(&stage, &request, fees[0].1).await;
    }

    keeper.stop().await;

    // All together, once they are all there.
    let mut requests = Vec::new();
    for (number, kind) in (0x60..).zip(&kinds) {
        requests.push(kind.register(&stage, number).await);
    }
    let keeper = stage.keeper_with(1, folder.path(), policy);
    until("all are executed", || async {
        let executed = stage.executed().await;
        requests.iter().all(|request| executed.contains(&request.id.0))
    })
    .await;
    let sent = sent_since(&keeper, 0);
    assert!(sent.len() == 1 && sent[0].requests.len() == kinds.len(), "{sent:?}");
    let fees = assert_as_quoted(&stage, &sent[0]).await;
    for (kind, request) in kinds.iter().zip(&requests) {
        let (_, fee) = fees.iter().find(|(id, _)| *id == request.id.0).unwrap();
        kind.assert_called(&stage, request, *fee).await;
    }
    keeper.stop().await;
}
