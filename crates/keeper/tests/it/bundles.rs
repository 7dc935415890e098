//! What keepers do about bundles.

use crate::{
    common::{Running, SWITCH, until},
    market::{BOND, GWEI, LOCK, Market, Project, Wish, is_a_fifth_more, refused},
};
use alloy::{
    primitives::{Address, B256, Bytes, U256, address, hex, keccak256},
    providers::Provider,
    rpc::types::Log,
    sol_types::{SolCall, SolEvent},
};
use errand_bindings::{
    IChugSplashManager::{self, Status},
    IChugSplashRegistry::BundleAnnounced,
    IExecutorSelectionStrategy, ISimpleLockESS,
};
use errand_bundle::{Step, bundle::Bundle, plan::Planned};
use errand_journal::{Batch, Identity, Journal};
use errand_keeper::{
    book::UNDO_DEPTH,
    bundles::{BundleContracts, BundlePolicy, Bundles, Hindrance, book::BundleBook},
};
use errand_submit::TxRequest;
use errand_types::{ANYONE, BlockDelta, BlockHead};
use tempfile::tempdir;

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_claimed_executed_and_its_bond_taken_back() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let keeper = market.keeper(1, folder.path());
    let executor = market.stage.anvil.account(1).unwrap();
    let before = market.balance(executor).await;
    let bundle = project.approve(&project.upgrade(12, 3_000), Wish::default()).await;
    project.reaches(&bundle, Status::COMPLETED).await;
    // The bond is back, and with it more than was spent.
    until("the bond is back", || async { market.balance(executor).await > before }).await;
    market.stage.mine_and_see(&keeper, 2).await;
    keeper.stop().await;
    assert!(market.lock(&project, &bundle).await.executor.is_zero());
    assert!(is_a_fifth_more(market.paid_and_cost(&project).await));
    assert!(market.balance(executor).await < before + U256::from(BOND));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_of_a_transparent_proxy_is_no_strangers_state() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let proxy = project.adopt_transparent().await;
    let mut planned = project.deploys(12, 3_000);
    let step = Step::SetImplementation { implementation: planned[0].target };
    planned.push(Planned { name: "set".into(), target: proxy, step });
    let keeper = market.keeper(1, folder.path());
    let bundle = project.approve(&planned, Wish::default()).await;
    project.reaches(&bundle, Status::COMPLETED).await;
    // Its storage is written through the admin, too.
    let mut planned: Vec<_> = (0..12).map(|i| project.deploy(&format!("s{i}"), 3_000)).collect();
    let step = Step::SetStorage { slot: B256::with_last_byte(3), offset: 0, value: vec![9; 32].into() };
    planned.push(Planned { name: "store".into(), target: proxy, step });
    let bundle = project.approve(&planned, Wish::default()).await;
    project.reaches(&bundle, Status::COMPLETED).await;
    keeper.stop().await;
}

/// A wish that leaves the first two executors far apart in how long they wait before they claim: at random they may be
/// so close that neither sees the other's claim.
async fn far_apart(market: &Market, project: &Project<'_>, planned: &[Planned]) -> Wish {
    let executors = [1, 2].map(|executor| market.stage.anvil.account(executor).unwrap());
    for more in 0..100 {
        let wish = Wish { max_base_fee: U256::from(20 * GWEI + more), ..Wish::default() };
        let id = project.plan(planned, &wish).await.id;
        let [first, second] =
            executors.map(|executor| keccak256([id.as_slice(), executor.as_slice()].concat())[0]);
        if first.abs_diff(second) > 160 {
            return wish;
        }
    }
    panic!("a hundred ids are alike");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_keepers_one_does_the_work_and_the_other_spends_nothing() {
    let market = Market::open().await;
    let folders = [tempdir().unwrap(), tempdir().unwrap()];
    // They wait for a part of the time between blocks.
    for _ in 0..9 {
        market.pass(12).await;
    }
    let keepers = [market.keeper(1, folders[0].path()), market.keeper(2, folders[1].path())];
    let mut project = market.project(1).await;
    market.stage.seen_by(&keepers[0]).await;
    market.stage.seen_by(&keepers[1]).await;
    let planned = project.upgrade(12, 3_000);
    let wish = far_apart(&market, &project, &planned).await;
    let bundle = project.approve(&planned, wish).await;
    project.reaches(&bundle, Status::COMPLETED).await;
    for keeper in &keepers {
        market.stage.mine_and_see(keeper, 3).await;
    }
    let nonces = [market.nonce(1).await, market.nonce(2).await];
    assert!(nonces.contains(&0), "{nonces:?}");
    for keeper in keepers {
        keeper.stop().await;
    }
}

/// Approves a bundle of several transactions, and has a keeper execute some of them, block by block.
pub(crate) async fn begun(
    market: &Market,
    project: &mut Project<'_>,
    keeper: &Running,
    wish: Wish,
) -> Bundle {
    let bundle = project.approve(&project.upgrade(24, 3_000), wish).await;
    market.stage.anvil.set_automine(false).await.unwrap();
    for _ in 0..20 {
        market.stage.mine_and_see(keeper, 1).await;
        if project.info(&bundle).await.nextIndex > U256::from(5) {
            return bundle;
        }
    }
    panic!("nothing is executed: {:?}", keeper.reports().last());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_half_way_loses_its_bond_to_the_project_and_another_finishes() {
    let market = Market::open().await;
    let folders = [tempdir().unwrap(), tempdir().unwrap()];
    let mut project = market.project(1).await;
    let first = market.keeper_with(1, folders[0].path(), BundlePolicy::default(), 6_000_000);
    let bundle = begun(&market, &mut project, &first, Wish::default()).await;
    first.stop().await;
    market.stage.anvil.set_automine(true).await.unwrap();
    let second = market.keeper_with(2, folders[1].path(), BundlePolicy::default(), 6_000_000);
    refused(&second, &bundle, |why| matches!(why, Hindrance::HeldBy { .. })).await;
    assert_eq!(market.nonce(2).await, 0, "nothing is done while the lock lasts");
    market.pass(LOCK + 1).await;
    until("the second is at work", || async { market.nonce(2).await > 0 }).await;
    market.stage.mine_and_see(&second, 2).await;
    project.reaches(&bundle, Status::COMPLETED).await;
    market.stage.mine_and_see(&second, 3).await;
    second.stop().await;
    let (paid, cost) = market.paid_and_cost(&project).await;
    assert!(is_a_fifth_more((paid, cost)));
    let money = bundle.header.budget + U256::from(BOND) + U256::from(BOND) - paid;
    assert_eq!(market.balance(project.site.manager).await, money, "the first one's bond is the project's");
    assert!(market.lock(&project, &bundle).await.executor.is_zero(), "the second one's is given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_and_does_nothing_twice() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let keeper = || market.keeper_with(1, folder.path(), BundlePolicy::default(), 6_000_000);
    let first = keeper();
    let bundle = begun(&market, &mut project, &first, Wish::default()).await;
    first.stop().await;
    // What it published is gone: the journal has it.
    std::fs::remove_file(&bundle.header.uri).unwrap();
    let second = keeper();
    market.stage.anvil.set_automine(true).await.unwrap();
    market.stage.mine_and_see(&second, 1).await;
    project.reaches(&bundle, Status::COMPLETED).await;
    market.stage.mine_and_see(&second, 5).await;
    second.stop().await;
    assert!(market.lock(&project, &bundle).await.executor.is_zero());
    // A claim, what was executed, and the bond taken back.
    let transactions = project.info(&bundle).await.txCount.saturating_to::<u64>();
    assert_eq!(market.nonce(1).await, transactions + 2);
    assert!(is_a_fifth_more(market.paid_and_cost(&project).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_executed_above_the_cap_and_congestion_is_noted_before_the_lock_is_over() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let keeper = market.keeper_with(1, folder.path(), BundlePolicy::default(), 6_000_000);
    market.stage.seen_by(&keeper).await;
    let bundle = begun(&market, &mut project, &keeper, Wish::default()).await;
    market.base_fee(100 * GWEI).await;
    market.stage.seen_by(&keeper).await;
    refused(&keeper, &bundle, |why| matches!(why, Hindrance::Congested { .. })).await;
    let (done, executor) = (project.info(&bundle).await.nextIndex, market.stage.anvil.account(1).unwrap());

    // Shortly before its end the bond would be lost.
    let balance = market.balance(executor).await;
    market.pass(LOCK - 250).await;
    market.stage.mine_and_see(&keeper, 2).await;
    let filter = alloy::rpc::types::Filter::new()
        .event_signature(ISimpleLockESS::CongestionNoted::SIGNATURE_HASH)
        .from_block(0);
    let provider = market.stage.anvil.provider();
    assert_eq!(provider.get_logs(&filter).await.unwrap().len(), 1, "it is noted, once");
    assert_eq!(project.info(&bundle).await.nextIndex, done, "nothing is executed above the cap");

    // The fee falls with every block, and the lock ends.
    market.pass(LOCK).await;
    market.stage.mine_and_see(&keeper, 20).await;
    assert!(market.balance(executor).await > balance, "the bond is back");
    // Who was excused by congestion waits a lock time; then it goes on.
    market.pass(LOCK).await;
    market.stage.mine_and_see(&keeper, 20).await;
    project.reaches(&bundle, Status::COMPLETED).await;
    market.stage.mine_and_see(&keeper, 2).await;
    keeper.stop().await;
    assert!(market.lock(&project, &bundle).await.executor.is_zero());
    assert!(is_a_fifth_more(market.paid_and_cost(&project).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn claim_and_switch_wait_for_the_cap_too() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let bundle = project.approve(&project.upgrade(12, 3_000), Wish::default()).await;
    market.stage.anvil.set_automine(false).await.unwrap();
    market.base_fee(100 * GWEI).await;
    let keeper = market.keeper_with(1, folder.path(), BundlePolicy::default(), 6_000_000);
    refused(&keeper, &bundle, |why| matches!(why, Hindrance::Congested { .. })).await;
    assert_eq!(market.nonce(1).await, 0);
    market.base_fee(GWEI).await;
    let deploys = U256::from(bundle.header.deployCount);
    let is_deployed = || async { project.info(&bundle).await.nextIndex >= deploys };
    while !is_deployed().await {
        // What is mined next is the last of the deploys with nothing behind it, or the switch, too dear by then.
        let left = deploys - project.info(&bundle).await.nextIndex;
        if left <= U256::from(5) && market.nonce(1).await > 2 {
            break;
        }
        market.stage.mine_and_see(&keeper, 1).await;
    }
    market.base_fee(100 * GWEI).await;
    market.stage.mine_and_see(&keeper, 2).await;
    assert_eq!(project.info(&bundle).await.status, Status::APPROVED, "no switch above the cap");
    market.base_fee(GWEI).await;
    market.stage.mine_and_see(&keeper, 8).await;
    project.reaches(&bundle, Status::COMPLETED).await;
    keeper.stop().await;
    assert!(is_a_fifth_more(market.paid_and_cost(&project).await));
}

/// A contract that is deployed only while the switch is on.
fn switched(project: &Project<'_>) -> Planned {
    // STATICCALL to the switch; JUMPI over REVERT; RETURN of one byte
    let code = format!("5f5f5f5f73{}5afa6021575f5ffd5b60015ff3", alloy::hex::encode(SWITCH));
    project.deploy_code("switched", code.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_fails_after_the_claim_costs_the_keeper_no_bond() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    market.stage.set_slot(SWITCH, 1).await;
    let policy = BundlePolicy { allow_foreign_state: true, ..Default::default() };
    let keeper = market.keeper_with(1, folder.path(), policy, 16_777_216);
    for (salt, is_retried) in [(1, true), (2, false)] {
        let mut project = market.project(salt).await;
        let mut planned = project.deploys(119, 600);
        planned.push(switched(&project));
        planned.extend(project.deploys(125, 600).split_off(120));
        market.stage.set_slot(SWITCH, 1).await;
        market.stage.seen_by(&keeper).await;
        let bundle = project.approve(&planned, Wish::default()).await;
        until("it is claimed", || async { !market.lock(&project, &bundle).await.executor.is_zero() }).await;
        market.stage.set_slot(SWITCH, 0).await;
        project.reaches(&bundle, Status::STALLED).await;
        assert_eq!(project.info(&bundle).await.stalledIndex, U256::from(119));
        until("the bond is back", || async { market.lock(&project, &bundle).await.executor.is_zero() }).await;
        refused(&keeper, &bundle, |why| matches!(why, Hindrance::Status { status: "STALLED" })).await;
        if is_retried {
            project.send(&IChugSplashManager::retryCall {}, U256::ZERO).await;
            let text =
                refused(&keeper, &bundle, |why| matches!(why, Hindrance::Fails { index: 119, .. })).await;
            assert!(text.contains("action 119"), "{text}");
            market.stage.set_slot(SWITCH, 1).await;
            market.stage.mine_and_see(&keeper, 12).await;
            project.reaches(&bundle, Status::COMPLETED).await;
        } else {
            project.send(&IChugSplashManager::closeCall {}, U256::ZERO).await;
            assert_eq!(project.info(&bundle).await.status, Status::FAILED);
        }
        market.stage.mine_and_see(&keeper, 3).await;
        assert!(market.lock(&project, &bundle).await.executor.is_zero());
        assert!(is_a_fifth_more(market.paid_and_cost(&project).await));
    }
    let reports = keeper.stop().await;
    assert!(reports.last().unwrap().bundles.is_empty(), "nothing is left to do: {:?}", reports.last());
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_actions_from_a_server_are_executed() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let keeper = market.keeper(1, folder.path());
    let wish = Wish { is_served: true, ..Default::default() };
    let bundle = project.approve(&project.upgrade(297, 200), wish).await;
    assert_eq!(bundle.actions.len(), 300);
    project.reaches(&bundle, Status::COMPLETED).await;
    market.stage.mine_and_see(&keeper, 3).await;
    keeper.stop().await;
    assert!(market.lock(&project, &bundle).await.executor.is_zero());
    assert!(is_a_fifth_more(market.paid_and_cost(&project).await));
}

/// A strategy without locks: whatever is asked of it as a selection, the answer is everybody.
fn open_to_all() -> Bytes {
    // selector == getSelectedExecutor ? return (ANYONE, 0) : revert
    let mut code = hex!("5f3560e01c63").to_vec();
    code.extend(IExecutorSelectionStrategy::getSelectedExecutorCall::SELECTOR);
    code.extend(hex!("14601157 5f5ffd"));
    code.extend(hex!("5b73"));
    code.extend(ANYONE);
    code.extend(hex!("5f5260405ff3"));
    code.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_open_to_all_is_executed_without_a_bond_and_tips_leave_the_least_profit() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let anvil = &market.stage.anvil;
    let ess = address!("0x00000000000000000000000000000000000c0003");
    anvil.set_code(ess, open_to_all()).await.unwrap();
    let mut project = market.project(1).await;
    project.site.ess = ess;
    let bundle = project.approve_worthy().await;
    anvil.set_automine(false).await.unwrap();
    let mut policy = market.stage.policy(1);
    let least = U256::from(100_000 * GWEI);
    policy.tip = 0;
    policy.rule.min_profit = least;
    let trusting = BundlePolicy { allowed_strategies: vec![ess], ..Default::default() };
    let keeper = market.stage.keeper_of(1, folder.path(), policy, Some((market.contracts.clone(), trusting)));
    let report =
        keeper.told("it is sent", |report| report.bundles.iter().any(|told| told.tx.is_some())).await;
    assert_eq!(report.bundles[0].step, Some(errand_keeper::bundles::Step::Execute), "nothing is claimed");
    anvil.mine(1).await.unwrap();
    project.reaches(&bundle, Status::COMPLETED).await;
    keeper.stop().await;
    assert_eq!(market.nonce(1).await, 1);
    let (paid, _) = market.paid_and_cost(&project).await;
    let receipt = market.receipt(report.bundles[0].tx.unwrap()).await;

    // However often it is replaced, so much is left.
    let journal = market.stage.journal(1, folder.path());
    let request = TxRequest::of(&journal.unsettled().unwrap()[0]).unwrap().unwrap();
    let dearest = U256::from(receipt.effective_gas_price + request.max_tip) * U256::from(receipt.gas_used);
    let kept = paid - dearest;
    assert!(kept >= least && kept < least + U256::from(2 * receipt.gas_used), "{kept} of {paid}");
}

#[test]
fn as_deep_a_reorg_as_can_be_undone_is_recorded() {
    let registry = Address::repeat_byte(7);
    let identity = Identity { chain_id: 1, genesis: B256::ZERO, registry, account: Address::repeat_byte(1) };
    let journal = Journal::in_memory(identity).unwrap();
    let contracts = BundleContracts { registry, registry_block: 0, strategies: Default::default() };
    let head = |number: u64| BlockHead {
        number,
        hash: B256::with_last_byte(u8::try_from(number).unwrap()),
        ..BlockHead::from(&alloy::rpc::types::Header::default())
    };
    let mut bundles = Bundles::new(
        1,
        contracts,
        BundlePolicy::default(),
        journal.clone(),
        BundleBook::new(registry, []),
        head(0),
        Vec::new(),
    );
    let announced = BundleAnnounced {
        manager: Address::repeat_byte(2),
        bundleId: B256::repeat_byte(3),
        status: Status::APPROVED,
        header: Default::default(),
    };
    let inner = alloy::primitives::Log { address: registry, data: announced.encode_log_data() };
    let depth = u64::try_from(UNDO_DEPTH).unwrap();
    let last = depth + 10;
    let keep = |bundles: &mut Bundles| {
        let mut batch = Batch::new();
        bundles.record(&mut batch, false);
        journal.write(batch).unwrap();
        bundles.recorded();
        (journal.records("bundle").unwrap().len(), journal.snapshot("bundles").unwrap().unwrap().block.number)
    };
    for number in 1..=last {
        let logs = if number == last - depth + 1 {
            vec![Log { inner: inner.clone(), ..Default::default() }]
        } else {
            Vec::new()
        };
        let added = BlockDelta::Added { head: head(number), logs: logs.into(), writes: Default::default() };
        bundles.apply(&added).unwrap();
    }
    assert_eq!(keep(&mut bundles), (1, last));
    for number in (last - depth + 1..=last).rev() {
        bundles.apply(&BlockDelta::Removed { head: head(number) }).unwrap();
    }
    assert!(bundles.is_unkept());
    assert_eq!(keep(&mut bundles), (0, last - depth));
}
