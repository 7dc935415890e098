//! The demo of upgrades: a project of five contracts, two of which name each other, gets them through bundles that
//! two competing keepers execute, one of which is killed in the middle.
//!
//! It ends by itself. Exit code 0: everything came as the report says it should.

mod chain;
mod contracts;
mod project;
mod report;
mod scene;

use crate::{
    chain::{Bundle, PAID_OVER_COST, PAID_OVER_COST_CLEARING, Proxies, Version},
    contracts::{Controller, Owned, PriceFeed, Token, Vault},
    report::Report,
    scene::{BLOCK_SECONDS, EXECUTORS, Scene},
};
use alloy::{
    primitives::{
        Address, B256, U256,
        utils::{format_ether, parse_ether},
    },
    providers::Provider,
};
use errand_bindings::IChugSplashManager::Status;
use errand_testkit::KeeperProcess;
use eyre::{OptionExt, Result, ensure};
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// What the keepers are told: batches of one or two deploys, so that there is a middle to be killed in; and no
/// tip, so that what a bundle pays compares with what it costs.
const KEEPER: [&str; 5] = ["--max-batch-gas", "1500000", "--tip", "0", "--explain"];
/// Seconds after which an upgrade is given up.
const PATIENCE: Duration = Duration::from_secs(90);
/// US dollars per ETH.
const PRICE: u64 = 3_000;
/// The inverse of version 2's bundle.
const INVERSE: &str = "inverse";
/// Of the vault of version 2, after those of version 1.
const FEE_SLOT: U256 = U256::from_limbs([4, 0, 0, 0]);
/// Between two looks at the chain.
const POLL: Duration = Duration::from_millis(50);

#[tokio::main]
async fn main() -> Result<()> {
    let binary = errand_testkit::errand()?;
    let folder = errand_testkit::root()?.join("target/demo-upgrade");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;

    let scene = Scene::set(&binary, &folder).await?;
    let mut play = Play::open(scene, &binary, &folder).await?;
    let report = play.acts().await?;
    let path = folder.join("report.json");
    report.write(&path)?;
    report.print();
    println!("report: {}", path.display());
    for fault in &report.faults {
        eprintln!("✗ {fault}");
    }
    ensure!(report.faults.is_empty(), "{} things did not come as expected", report.faults.len());
    println!("every upgrade went through, at no block was a part of it visible, and everybody was paid");
    Ok(())
}

/// The demo while it runs.
struct Play {
    scene: Scene,
    keepers: Vec<KeeperProcess>,
    proxies: Proxies,
    /// what the proxies had behind them before, and after each step
    versions: Vec<Version>,
    bundles: Vec<Bundle>,
    faults: Vec<String>,
}

impl Play {
    /// Registers the project, hands over what it has, and starts the keepers.
    async fn open(scene: Scene, binary: &Path, folder: &Path) -> Result<Self> {
        let owner = scene.project.owner;
        scene.run(&["upgrade", "register", "--salt", "demo"]).await?;
        let (token, feed) = (scene.project.legacy.token, scene.project.legacy.price_feed);
        let admin = chain::admin_of(&scene, token).await?;
        println!("\n· the owner hands the proxies over to {}", scene.actor);
        for owned in [admin, feed] {
            let call = Owned::transferOwnershipCall { to: scene.actor };
            scene.send(owner, owned, U256::ZERO, call).await?;
        }
        scene.run(&["upgrade", "adopt", &token.to_string(), "transparent"]).await?;
        scene.run(&["upgrade", "adopt", &feed.to_string(), "uups"]).await?;
        println!("\n· somebody holds 100 tokens, and the price is {PRICE}");
        let amount = parse_ether("100")?;
        scene.send(owner, token, U256::ZERO, Token::mintCall { to: scene.user, amount }).await?;

        let anvil = &scene.anvil;
        anvil.set_automine(false).await?;
        anvil.call::<_, ()>("evm_setIntervalMining", (BLOCK_SECONDS,)).await?;
        let mut keepers = Vec::new();
        for (index, account) in EXECUTORS.into_iter().enumerate() {
            let mut keeper =
                KeeperProcess::new(binary, anvil, account, folder, &format!("keeper-{}", index + 1))?;
            keeper.start(anvil, &scene.deployment, &KEEPER)?;
            keepers.push(keeper);
        }
        println!("· two keepers run; their logs are in {}", folder.display());
        Ok(Self {
            scene,
            keepers,
            proxies: Proxies::default(),
            versions: Vec::new(),
            bundles: Vec::new(),
            faults: Vec::new(),
        })
    }

    async fn acts(&mut self) -> Result<Report> {
        println!("\n━━ version 1: five contracts, two of them in a circle");
        self.plan(&["upgrade", "plan", "upgrade.toml", "--previous", project::BEFORE], "1").await?;
        self.proxies = Proxies::read(&self.scene, &self.scene.project.published("1"))?;
        self.note("before").await?;
        self.carry_out("1", &[], true).await?;
        self.note("version 1").await?;
        self.use_version1().await?;
        self.withdraw().await?;

        println!("\n━━ version 2: the vault takes a fee; token and price feed stay as they are");
        self.scene.project.change()?;
        self.restart_keepers(&[])?;
        self.plan(&["upgrade", "plan", "upgrade.toml"], "2").await?;
        self.carry_out("2", &[], false).await?;
        self.note("version 2").await?;
        self.use_version2().await?;

        println!("\n━━ rollback: the code of version 1 again, in one transaction of the owner's");
        self.scene.run(&["upgrade", "rollback"]).await?;
        self.note("rollback").await?;
        self.expect(
            self.implementations("rollback")? == self.implementations("version 1")?,
            "the rollback did not bring version 1 back",
        );

        println!("\n━━ inverse: the storage of version 1 again, by a bundle");
        let taken = self.scene.project.published("2").display().to_string();
        let uri = format!("file://{}", self.scene.project.published(INVERSE).display());
        self.plan(&["upgrade", "plan", "--inverse", &taken, "--uri", &uri], INVERSE).await?;
        println!("\n· the keepers carry it out for its sake: its fee does not pay a claim");
        let manager = self.scene.manager.address().to_string();
        self.restart_keepers(&["--own-project", &manager])?;
        self.carry_out(INVERSE, &["--inverse", &taken], false).await?;
        self.note("inverse").await?;
        self.use_inverse().await?;
        self.withdraw().await?;

        for keeper in &mut self.keepers {
            keeper.kill()?;
        }
        let mixed = chain::mixed_blocks(&self.scene, &self.proxies, &self.versions).await?;
        Report::make(std::mem::take(&mut self.bundles), mixed, std::mem::take(&mut self.faults))
    }

    /// A user pays in, as far as controller and price feed let him; what the token held before is still there.
    async fn use_version1(&mut self) -> Result<()> {
        let (user, token) = (self.scene.user, self.scene.project.legacy.token);
        let Proxies { vault, controller, .. } = self.proxies;
        // The price that was set before is as old as the epoch for the new code.
        let call = PriceFeed::setCall { newPrice: U256::from(PRICE) };
        self.scene
            .send(self.scene.project.owner, self.scene.project.legacy.price_feed, U256::ZERO, call)
            .await?;
        self.scene.send(user, vault, parse_ether("10")?, Vault::depositCall {}).await?;
        let call = Token::transferCall { to: vault, amount: parse_ether("1")? };
        self.scene.send(user, token, U256::ZERO, call).await?;
        let held = self.scene.read(token, Token::balanceOfCall { account: user }).await?;
        self.expect(held == parse_ether("99")?, format!("the user holds {held} of the token"));
        let circle = (
            self.scene.read(vault, Vault::CONTROLLERCall {}).await?,
            self.scene.read(controller, Controller::VAULTCall {}).await?,
        );
        self.expect(circle == (controller, vault), "vault and controller do not know each other");
        let limit = self.scene.read(controller, Controller::limitCall {}).await?;
        let expected = parse_ether("50000")? / U256::from(PRICE);
        self.expect(limit == expected, format!("the limit is {limit}, not {expected}"));
        println!("· a user paid 10 ETH in, and has a token sent");
        Ok(())
    }

    /// The deposit of before is there; a fee is taken; what did not change was not deployed again.
    async fn use_version2(&mut self) -> Result<()> {
        let (user, vault) = (self.scene.user, self.proxies.vault);
        let fee_bps = self.scene.read(vault, Vault::feeBpsCall {}).await?;
        self.expect(fee_bps == 25, format!("the fee is {fee_bps} bps"));
        let owner = self.scene.project.owner;
        let before = self.scene.provider().get_balance(owner).await?;
        self.scene.send(user, vault, U256::ZERO, Vault::withdrawCall { amount: parse_ether("4")? }).await?;
        let fee = self.scene.provider().get_balance(owner).await? - before;
        self.expect(fee == parse_ether("0.01")?, format!("the fee on 4 ETH is {fee} wei"));
        let (old, new) = (self.implementations("version 1")?, self.implementations("version 2")?);
        let changed: Vec<bool> = old.iter().zip(&new).map(|(old, new)| old != new).collect();
        // Vault, controller, token, price feed
        self.expect(changed == [true, true, false, false], format!("changed are {changed:?}"));
        println!("· a user took 4 ETH back; the owner got a fee of {} ETH", format_ether(fee));
        Ok(())
    }

    /// No fee and the old cap, and the code that the rollback brought back; the deposit is there.
    async fn use_inverse(&mut self) -> Result<()> {
        let (user, vault) = (self.scene.user, self.proxies.vault);
        let fee = self.scene.provider().get_storage_at(vault, FEE_SLOT).await?;
        self.expect(fee.is_zero(), format!("the fee's slot holds {fee}"));
        let cap = self.scene.read(vault, Vault::capCall {}).await?;
        self.expect(cap == parse_ether("100")?, format!("the cap is {cap}"));
        let (old, new) = (self.implementations("version 1")?, self.implementations("inverse")?);
        self.expect(old == new, "the inverse changed implementations");
        self.scene.send(user, vault, U256::ZERO, Vault::withdrawCall { amount: parse_ether("6")? }).await?;
        let left = self.scene.read(vault, Vault::balanceOfCall { account: user }).await?;
        self.expect(left.is_zero(), format!("{left} of the user's are still in the vault"));
        println!("· the user took his last 6 ETH back, and paid no fee");
        Ok(())
    }

    /// Plans; the bundle is written to where it is published.
    async fn plan(&self, command: &[&str], name: &str) -> Result<()> {
        let published = self.scene.project.published(name);
        let out = published.display().to_string();
        let mut arguments = command.to_vec();
        arguments.extend(["--output", &out]);
        self.scene.run(&arguments).await
    }

    /// Proposes, funds and approves the bundle, and waits until it is completed and its bond is settled.
    /// `is_taken_over`: the first executor is killed in the middle, another one finishes.
    /// `verify`: what `errand upgrade verify` has to know besides.
    async fn carry_out(&mut self, name: &str, verify: &[&str], is_taken_over: bool) -> Result<()> {
        let file = self.scene.project.published(name).display().to_string();
        let published = chain::published(&self.scene.project.published(name))?;
        let (id, deploys) = (published.id, published.header.deployCount.to::<usize>());
        let id_text = id.to_string();
        let from = self.scene.provider().get_block_number().await?;
        self.scene.run(&["upgrade", "propose", &file]).await?;
        self.scene.run(&["upgrade", "fund", "--for-bundle", &id_text]).await?;
        let funded = self.scene.manager.accounts().call().await?.free;
        self.scene.run(&["upgrade", "approve", &id_text]).await?;
        let mut watch = self.scene.command(&["upgrade", "watch", &id_text])?.spawn()?;
        let killed = if is_taken_over { Some(self.kill_the_holder(id, deploys).await?) } else { None };
        let begun = Instant::now();
        while self.scene.manager.statusOf(id).call().await? != Status::COMPLETED
            || !Bundle::is_settled(&self.scene, id).await?
            || watch.try_wait()?.is_none()
        {
            if let Err(error) = self.check_patience(begun, "the bundle") {
                watch.kill()?;
                return Err(error);
            }
            tokio::time::sleep(POLL).await;
        }
        let watched = watch.wait()?;
        self.expect(watched.success(), format!("errand upgrade watch ended with {watched}"));
        let mut arguments = vec!["upgrade", "verify", &id_text];
        arguments.extend(verify);
        self.scene.run(&arguments).await?;
        let bundle = Bundle::read(&self.scene, name, id, from).await?;
        let paid_over_cost = if name == INVERSE { PAID_OVER_COST_CLEARING } else { PAID_OVER_COST };
        self.faults.extend(bundle.faults(published.actions.len(), killed, &paid_over_cost));
        // The bond of who was killed is the project's; what was not spent is free again.
        let bond = self.scene.lock.bondAmount().call().await?;
        let kept = if killed.is_some() { bond } else { U256::ZERO };
        let free = self.scene.manager.accounts().call().await?.free;
        let expected = funded + kept - bundle.project_spent_wei - published.header.callValue;
        self.expect(free == expected, format!("{free} wei are free after bundle {name}, not {expected}"));
        self.bundles.push(bundle);
        Ok(())
    }

    /// Kills the keeper that holds the lock when half of the deploys are done; the time of its lock goes by.
    async fn kill_the_holder(&mut self, id: B256, deploys: usize) -> Result<Address> {
        let begun = Instant::now();
        while self.scene.manager.bundle(id).call().await?.nextIndex.to::<usize>() * 2 < deploys {
            self.check_patience(begun, "the first half of the deploys")?;
            tokio::time::sleep(POLL).await;
        }
        let lock = self.scene.lock.lockOf(*self.scene.manager.address(), id).call().await?;
        // Its node dies with it: what it sent and no block holds yet is lost.
        let anvil = &self.scene.anvil;
        let _: () = anvil.call("evm_setIntervalMining", (0,)).await?;
        for keeper in &mut self.keepers {
            if keeper.address() == lock.executor {
                keeper.kill()?;
            }
        }
        let _: () = anvil.call("anvil_dropAllTransactions", ()).await?;
        let _: () = anvil.call("evm_setIntervalMining", (BLOCK_SECONDS,)).await?;
        let done = self.scene.manager.bundle(id).call().await?.nextIndex;
        println!("· kill -9 of the keeper of {}, {done} of {deploys} deploys are done", lock.executor);
        self.expect(done < U256::from(deploys), "the keeper was killed too late");
        let seconds = self.scene.lock.lockSeconds().call().await?;
        println!("· {seconds} seconds go by on the chain");
        self.scene.anvil.call::<_, serde_json::Value>("evm_increaseTime", (seconds.to::<u64>(),)).await?;
        Ok(lock.executor)
    }

    fn check_patience(&mut self, begun: Instant, what: &str) -> Result<()> {
        for keeper in &mut self.keepers {
            keeper.check()?;
        }
        ensure!(begun.elapsed() < PATIENCE, "{what} takes more than {} seconds", PATIENCE.as_secs());
        Ok(())
    }

    /// Starts the keepers again, with these arguments besides.
    fn restart_keepers(&mut self, arguments: &[&str]) -> Result<()> {
        let arguments = [&KEEPER, arguments].concat();
        for keeper in &mut self.keepers {
            keeper.kill()?;
            keeper.start(&self.scene.anvil, &self.scene.deployment, &arguments)?;
        }
        Ok(())
    }

    async fn withdraw(&mut self) -> Result<()> {
        let free = self.scene.manager.accounts().call().await?.free;
        let owner = self.scene.project.owner;
        let before = self.scene.provider().get_balance(owner).await?;
        self.scene.run(&["upgrade", "withdraw", "--all"]).await?;
        let got = self.scene.provider().get_balance(owner).await? - before;
        // Less the gas of it.
        let least = free - parse_ether("0.01")?;
        self.expect(got <= free && got >= least, format!("the owner got {got} of {free} wei"));
        let left = self.scene.manager.accounts().call().await?.free;
        self.expect(left.is_zero(), format!("{left} wei are left after everything was withdrawn"));
        Ok(())
    }

    /// Remembers the implementations as they are now.
    async fn note(&mut self, name: &'static str) -> Result<()> {
        self.versions.push(Version::read(&self.scene, &self.proxies, name).await?);
        Ok(())
    }

    fn implementations(&self, name: &str) -> Result<Vec<Address>> {
        let version = self.versions.iter().find(|version| version.name == name);
        Ok(version.ok_or_eyre("no such version")?.implementations.clone())
    }

    fn expect(&mut self, is_so: bool, fault: impl Into<String>) {
        if !is_so {
            self.faults.push(fault.into());
        }
    }
}
