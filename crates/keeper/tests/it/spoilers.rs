//! What strangers, clocks and other bundles could do to a keeper's work on bundles.

use crate::{
    common::until,
    market::{Market, Wish, refusal, refused},
};
use alloy::{
    primitives::{Address, B256, Bytes, U256, address, hex},
    sol_types::SolCall,
};
use errand_bindings::{IChugSplashManager, IChugSplashManager::Status, ISimpleLockESS};
use errand_keeper::bundles::{Hindrance, Step};
use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};
use tempfile::tempdir;

const LIAR: Address = address!("0x00000000000000000000000000000000000c0002");

/// A strategy that answers `who` to whatever it is asked, and that no lock is over: it has selected him, and has a bond
/// of his that is larger than all ETH.
fn liar(who: Address) -> Bytes {
    let mut code = vec![0x5f, 0x35, 0x60, 0xe0, 0x1c, 0x63];
    code.extend(ISimpleLockESS::outcomeOfCall::SELECTOR);
    code.extend([0x14, 0x60, 0]);
    let target = code.len() - 1;
    code.push(0x57);
    for word in 0..5u8 {
        code.push(0x73);
        code.extend(who);
        code.extend([0x60, word * 32, 0x52]);
    }
    // return(0, 224)
    code.extend([0x60, 0xe0, 0x5f, 0xf3]);
    code[target] = u8::try_from(code.len()).unwrap();
    // jumpdest, return(0, 64)
    code.extend([0x5b, 0x60, 0x40, 0x5f, 0xf3]);
    code.into()
}

/// An address for a bundle's file where connections are counted, and never answered.
async fn counting() -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/bundle.json", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            open.push(stream);
        }
    });
    (uri, count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_strategy_ends_no_claims_and_his_file_is_not_fetched() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let executor = market.stage.anvil.account(1).unwrap();
    market.stage.anvil.set_code(LIAR, liar(executor)).await.unwrap();
    let ess = ISimpleLockESS::new(LIAR, market.stage.anvil.provider());
    assert_eq!(ess.lockOf(LIAR, Default::default()).call().await.unwrap().executor, executor);
    assert!(!ess.outcomeOf(LIAR, Default::default()).call().await.unwrap().over);
    assert!(ess.bondAmount().call().await.unwrap() > U256::from(u128::MAX));

    let mut theirs = market.project(1).await;
    theirs.site.ess = LIAR;
    let (uri, count) = counting().await;
    let planned = theirs.deploys(8, 3_000);
    let lying = theirs.approve(&planned, Wish { uri: Some(uri.clone()), ..Default::default() }).await;
    let mut honest = market.project(2).await;
    let bundle = honest.approve_worthy().await;
    let keeper = market.keeper(1, folder.path());
    refused(&keeper, &lying, |why| matches!(why, Hindrance::UnknownStrategy { strategy: LIAR, .. })).await;
    honest.reaches(&bundle, Status::COMPLETED).await;
    market.stage.mine_and_see(&keeper, 2).await;
    assert_eq!(count.load(Ordering::Relaxed), 0, "its file is fetched");

    // Of a strategy that is trusted it is; and not any more once the bundle is over.
    let planned = honest.deploys(3, 3_000);
    let silent = honest.approve(&planned, Wish { uri: Some(uri), ..Default::default() }).await;
    until("its file is fetched", || async { count.load(Ordering::Relaxed) == 1 }).await;
    refused(&keeper, &silent, |why| matches!(why, Hindrance::NoContent { .. })).await;
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_clock_is_ahead_does_not_take_its_lock_for_over() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let market = Market::open_with(&["--timestamp", &(now - 3_600).to_string()]).await;
    assert!(market.stage.head().await.timestamp < now - 3_000);
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let bundle = project.approve_worthy().await;
    let keeper = market.keeper(1, folder.path());
    project.reaches(&bundle, Status::COMPLETED).await;
    let reports = keeper.stop().await;
    let claims = reports.iter().flat_map(|report| &report.bundles);
    let claims = claims.filter(|told| told.step == Some(Step::Claim) && told.tx.is_some()).count();
    assert_eq!(claims, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_is_taken_once_whichever_bundles_tell_of_it() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let bundle = project.approve_worthy().await;
    let executor = market.let_owe(1, &project, &bundle).await;
    market.settle(executor, &project, &bundle).await;
    // It is the project that owes it, not the bundle.
    let second = project.approve_worthy().await;
    assert_ne!(second.id, bundle.id);
    let keeper = market.keeper(1, folder.path());
    project.reaches(&second, Status::COMPLETED).await;
    market.stage.mine_and_see(&keeper, 3).await;
    let reports = keeper.stop().await;
    let told = reports.iter().flat_map(|report| &report.bundles);
    let taken = told.filter(|told| told.step == Some(Step::WithdrawOwed) && told.tx.is_some()).count();
    assert_eq!(taken, 1);
    let mined: Vec<_> = reports.iter().flat_map(|report| &report.mined).collect();
    assert!(mined.iter().all(|mined| mined.success), "{mined:?}");
    let manager = IChugSplashManager::new(project.site.manager, market.stage.anvil.provider());
    assert_eq!(manager.owedTo(executor).call().await.unwrap(), U256::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_reads_without_end_costs_a_bounded_time() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    // Goes from slot to slot: what is in one is where the next one is. Each has to be read before the next is known.
    let endless = address!("0x00000000000000000000000000000000000c0003");
    market.stage.anvil.set_code(endless, "0x5f5b54600156".parse().unwrap()).await.unwrap();
    for step in 0..600u64 {
        let next = B256::from(U256::from((step + 1) * (step + 1)));
        let call = (endless, U256::from(step * step), next);
        let _: bool = market.stage.anvil.call("anvil_setStorageAt", call).await.unwrap();
    }
    // staticcall(gas, endless); what the junk behind it is committed for is its to use up
    let mut code = hex!("5f5f5f5f73").to_vec();
    code.extend(endless);
    code.extend(hex!("5afa5060015ff3"));
    code.resize(20_000, 0xfe);
    let reader = project.deploy_code("reader", code.into());
    let mut planned = project.deploys(4, 3_000);
    planned.push(reader);
    let bundle = project.approve(&planned, Wish::default()).await;
    let keeper = market.keeper(1, folder.path());
    refused(&keeper, &bundle, |why| matches!(why, Hindrance::Unknown { .. })).await;
    let calls = keeper.reports().iter().map(|report| report.rpc_calls).max().unwrap();
    println!("{calls} calls");
    assert!((20..60).contains(&calls), "{calls} calls in a look");
    // Nor is that tried again with each block.
    market.stage.mine_and_see(&keeper, 3).await;
    let calls: u64 = keeper.reports().iter().rev().take(3).map(|report| report.rpc_calls).sum();
    assert!(calls < 100, "{calls} calls for three blocks");
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_file_no_more_is_read_than_its_committed_gas_pays_for() {
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    let mut project = market.project(1).await;
    let planned = project.deploys(8, 3_000);
    let uri = market.files.path().join("padded.json");
    let wish = Wish { uri: Some(uri.display().to_string()), ..Default::default() };
    let bundle = project.approve(&planned, wish).await;
    let pays_for = bundle.header.totalGas.to::<usize>() / 2 + (1 << 20);
    let file = errand_bundle::file::write(&bundle).unwrap();
    // White space at the end changes nothing in JSON.
    let padded = |length: usize| file.clone() + &" ".repeat(length - file.len());
    fs::write(&uri, padded(pays_for + 1)).unwrap();
    let keeper = market.keeper(1, folder.path());
    market.stage.seen_by(&keeper).await;
    until("it is too large", || async {
        market.stage.mine_and_see(&keeper, 1).await;
        let reports = keeper.reports();
        refusal(reports.last().unwrap(), &bundle)
            .is_some_and(|why| why.to_string().contains(&format!("more than {pays_for} bytes")))
    })
    .await;
    fs::write(&uri, padded(pays_for)).unwrap();
    project.reaches(&bundle, Status::COMPLETED).await;
    keeper.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_bundles_are_looked_at_by_turns() {
    const STRANGE: usize = 70;
    let market = Market::open().await;
    let folder = tempdir().unwrap();
    market.stage.anvil.set_code(LIAR, liar(Address::ZERO)).await.unwrap();
    let mut strange = BTreeSet::new();
    for salt in 1..=u8::try_from(STRANGE).unwrap() {
        let mut theirs = market.project(salt).await;
        theirs.site.ess = LIAR;
        let planned = vec![theirs.deploy("small", 50)];
        strange.insert(theirs.approve(&planned, Wish::default()).await.id);
    }
    let mut project = market.project(0).await;
    let bundle = project.approve_worthy().await;
    let keeper = market.keeper(1, folder.path());
    market.stage.mine_and_see(&keeper, 3).await;
    project.reaches(&bundle, Status::COMPLETED).await;
    let reports = keeper.stop().await;
    let [first, second, ..] = reports.as_slice() else { panic!("{reports:?}") };
    assert_eq!(first.bundles.len(), 64);
    assert!(first.bundles.iter().all(|told| told.step.is_none()), "no claim before all were seen: {first:?}");
    let seen: BTreeSet<_> =
        [first, second].iter().flat_map(|look| &look.bundles).map(|told| told.id).collect();
    assert!(seen.is_superset(&strange) && seen.contains(&bundle.id), "all in two looks");
    // What money of the keeper's is in has its place beside them.
    assert!(reports.iter().all(|report| report.bundles.len() <= 64 + 1));
}
