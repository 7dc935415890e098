//! The demo: a local chain with everything deployed by the users' scripts, Requests of eight kinds, a market
//! that moves, and three keepers with 50, 30 and 20 % of the stake, one of which is killed and started again.
//!
//! It ends by itself. Exit code 0: everything that should have been executed was, nothing else, nothing twice.

mod contracts;
mod keepers;
mod market;
mod report;
mod requests;
mod scene;
mod verdict;

use crate::{
    keepers::Stats,
    market::Market,
    report::{Progress, Report},
    scene::{BLOCK_SECONDS, Scene},
};
use errand_testkit::KeeperProcess;
use eyre::{OptionExt, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// More blocks than the set-up makes.
const SETUP_SECONDS: u64 = 1_000;
/// Seconds after which the demo gives up.
const PATIENCE: u64 = 170;
/// When one keeper is killed, when it is started again, and when users cancel, in seconds after the start.
const KILL_AT: u64 = 28;
const RESTART_AT: u64 = 38;
const CANCEL_AT: u64 = 20;
/// The keeper that is killed: the one with the most stake.
const VICTIM: usize = 0;
/// Seconds that go on after the last expected execution, to see whether anything runs twice.
const ENCORE: u64 = 6;

#[tokio::main]
async fn main() -> Result<()> {
    let binary = errand_testkit::errand()?;
    let folder = errand_testkit::root()?.join("target/demo");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;

    let scene = Scene::set(|step| println!("· {step}")).await?;
    println!("· registering Requests");
    // Every transaction so far made a block, each a second after the last: the chain's clock runs ahead of
    // ours. The play begins at a time that it cannot have reached yet.
    let start = now()? + SETUP_SECONDS;
    let all = requests::register(&scene, start).await?;
    println!("· {} Requests are registered; the chain now makes a block every second", all.len());
    scene.anvil.call::<_, ()>("evm_setAutomine", (false,)).await?;
    scene.anvil.call::<_, serde_json::Value>("evm_setNextBlockTimestamp", (start,)).await?;
    scene.anvil.call::<_, ()>("evm_setIntervalMining", (BLOCK_SECONDS,)).await?;

    let mut keepers = (0..scene::STAKES.len())
        .map(|index| {
            let account = scene::executor_account(index)?;
            KeeperProcess::new(&binary, &scene.anvil, account, &folder, &format!("keeper-{index}"))
        })
        .collect::<Result<Vec<_>>>()?;
    for keeper in &mut keepers {
        keeper.start(&scene.anvil, &scene.deployment, &[])?;
    }
    println!("· three keepers run; their logs are in {}", folder.display());
    play(&scene, &all, &mut keepers).await?;

    for keeper in &mut keepers {
        keeper.kill()?;
    }
    let stats = keepers.iter().map(Stats::of).collect();
    let report = Report::make(&scene, &all, stats).await?;
    let path: PathBuf = folder.join("report.json");
    report.write(&path)?;
    report.print(&scene)?;
    println!("report: {}", path.display());
    for fault in report.faults() {
        eprintln!("✗ {fault}");
    }
    ensure!(report.is_good(), "{} things did not come as expected", report.faults().len());
    println!("everything that should have been executed was, once each, and nothing else");
    Ok(())
}

/// Runs market, users and keepers until everything expected has happened, or patience ends.
async fn play(scene: &Scene, all: &[requests::Registered], keepers: &mut [KeeperProcess]) -> Result<()> {
    let mut market = Market::open(scene).await?;
    let bar = ProgressBar::new(1).with_style(ProgressStyle::with_template(
        "{spinner} {elapsed:>4} [{wide_bar}] {pos}/{len} executions {msg}",
    )?);
    let begun = Instant::now();
    let mut done_at = None;
    for second in 0.. {
        market.step(second).await?;
        match second {
            CANCEL_AT => {
                requests::cancel(scene, all).await?;
                bar.println("· users cancel four Requests");
            }
            KILL_AT => {
                keepers.get_mut(VICTIM).ok_or_eyre("no keeper")?.kill()?;
                bar.println("· kill -9 of the keeper with the most stake");
            }
            RESTART_AT => {
                keepers.get_mut(VICTIM).ok_or_eyre("no keeper")?.start(
                    &scene.anvil,
                    &scene.deployment,
                    &[],
                )?;
                bar.println("· it is started again, on its journal");
            }
            _ => {}
        }
        for keeper in keepers.iter_mut() {
            keeper.check()?;
        }
        let progress = Progress::read(scene).await?;
        let (done, due) = progress.expected(all);
        bar.set_length(due.into());
        bar.set_position(done.into());
        bar.set_message(format!("· 1 ETH = {:.0} tokens", market::target_price(second)));
        if bar.is_hidden() && second % 10 == 0 {
            println!("  {second:>3} s: {done} of {due} executions");
        }
        if done == due && second > RESTART_AT && done_at.is_none() {
            done_at = Some(second);
        }
        if done_at.is_some_and(|at| second >= at + ENCORE) || second >= PATIENCE {
            break;
        }
        let next = begun + Duration::from_secs(second + 1);
        tokio::time::sleep_until(next.into()).await;
    }
    bar.finish();
    Ok(())
}

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}
