//! What the chain says about bundles: who executed, for how much; and what every block showed of an upgrade.

use crate::scene::Scene;
use alloy::{
    primitives::{Address, B256, U256, b256},
    providers::Provider,
    rpc::types::Filter,
    serde::displayfromstr,
    sol_types::SolEvent,
};
use errand_bindings::{
    IChugSplashManager::{ActionsExecuted, BundleCompleted, DeploySkipped, Status},
    ISimpleLockESS::{BondExcused, BondForfeited, Claimed},
};
use errand_bundle::file::{DEFAULT_MAX_BYTES, Published, read};
use eyre::{OptionExt, Result, WrapErr};
use serde::Serialize;
use std::{collections::BTreeMap, fs, ops::RangeInclusive, path::Path};

/// ERC-1967's slots of the implementation and of the admin.
const IMPLEMENTATION_SLOT: B256 = b256!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc");
const ADMIN_SLOT: B256 = b256!("b53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103");
/// What a bundle pays over what it costs, where it clears no storage.
pub(crate) const PAID_OVER_COST: RangeInclusive<f64> = 1.19..=1.21;
/// As before, where it clears one of a few slots: what the EVM refunds for it cannot be seen by the manager.
pub(crate) const PAID_OVER_COST_CLEARING: RangeInclusive<f64> = 1.19..=1.26;

/// The ProxyAdmin of a transparent proxy.
pub(crate) async fn admin_of(scene: &Scene, proxy: Address) -> Result<Address> {
    let word = scene.provider().get_storage_at(proxy, ADMIN_SLOT.into()).await?;
    Ok(Address::from_word(word.into()))
}

/// A published bundle, as executors read it.
pub(crate) fn published(path: &Path) -> Result<Published> {
    let bytes = fs::read(path).wrap_err_with(|| path.display().to_string())?;
    Ok(read(&bytes, DEFAULT_MAX_BYTES)?)
}

/// The project's proxies.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Proxies {
    pub(crate) vault: Address,
    pub(crate) controller: Address,
    token: Address,
    price_feed: Address,
}

impl Proxies {
    /// Those of version 1's bundle, and those that were there before.
    pub(crate) fn read(scene: &Scene, bundle: &Path) -> Result<Self> {
        let published = published(bundle)?;
        let proxy = |name: &str| {
            let wanted = format!("{name} (proxy)");
            let mut named = published.names.iter().zip(&published.actions);
            let (_, action) =
                named.find(|(name, _)| **name == wanted).ok_or_eyre("the bundle lacks a proxy")?;
            Ok::<_, eyre::Report>(action.target)
        };
        Ok(Self {
            vault: proxy("Vault")?,
            controller: proxy("Controller")?,
            token: scene.project.legacy.token,
            price_feed: scene.project.legacy.price_feed,
        })
    }

    const fn all(&self) -> [Address; 4] {
        [self.vault, self.controller, self.token, self.price_feed]
    }
}

/// What the proxies have behind them after a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) name: &'static str,
    pub(crate) block: u64,
    pub(crate) implementations: Vec<Address>,
}

impl Version {
    /// As it is now.
    pub(crate) async fn read(scene: &Scene, proxies: &Proxies, name: &'static str) -> Result<Self> {
        let block = scene.provider().get_block_number().await?;
        let implementations = implementations(scene, proxies, block).await?;
        Ok(Self { name, block, implementations })
    }
}

/// By proxy, after a block; zero where a proxy has none, or is not there yet.
async fn implementations(scene: &Scene, proxies: &Proxies, block: u64) -> Result<Vec<Address>> {
    let mut found = Vec::new();
    for proxy in proxies.all() {
        let word =
            scene.provider().get_storage_at(proxy, IMPLEMENTATION_SLOT.into()).block_id(block.into()).await?;
        found.push(Address::from_word(word.into()));
    }
    Ok(found)
}

/// How many blocks since the first version showed a part of a version: implementations that together are none of
/// those that the project had before or after a step.
pub(crate) async fn mixed_blocks(scene: &Scene, proxies: &Proxies, versions: &[Version]) -> Result<usize> {
    let first = versions.first().ok_or_eyre("no version")?.block;
    let mut mixed = 0;
    for block in first..=scene.provider().get_block_number().await? {
        let seen = implementations(scene, proxies, block).await?;
        mixed += usize::from(!versions.iter().any(|version| version.implementations == seen));
    }
    Ok(mixed)
}

/// What one executor did in a bundle, from receipts and events.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Executor {
    pub(crate) address: Address,
    pub(crate) actions: usize,
    /// of the transactions that executed
    pub(crate) gas_used: u64,
    #[serde(with = "displayfromstr")]
    pub(crate) paid_wei: U256,
    /// of the transactions that executed
    #[serde(with = "displayfromstr")]
    pub(crate) cost_wei: U256,
    pub(crate) bond: Bond,
}

/// What became of a bond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Bond {
    /// never posted
    None,
    /// still posted
    Posted,
    /// the executor has it back, or can take it
    Returned,
    /// the project has it
    Forfeited,
}

/// A bundle that was carried out.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bundle {
    pub(crate) name: String,
    pub(crate) bundle_id: B256,
    pub(crate) status: String,
    pub(crate) actions: usize,
    pub(crate) executors: Vec<Executor>,
    pub(crate) paid_over_cost: f64,
    #[serde(with = "displayfromstr")]
    pub(crate) project_spent_wei: U256,
    /// deploys whose code was there already
    pub(crate) deploys_skipped: usize,
}

impl Bundle {
    /// Reads what happened since `from`.
    pub(crate) async fn read(scene: &Scene, name: &str, id: B256, from: u64) -> Result<Self> {
        let (manager, lock) = (*scene.manager.address(), *scene.lock.address());
        let filter = Filter::new().address(manager).topic1(id).from_block(from);
        let mut executors: BTreeMap<Address, Executor> = BTreeMap::new();
        let (mut project_spent_wei, mut deploys_skipped, mut actions) = (U256::ZERO, 0, 0);
        for log in scene.provider().get_logs(&filter).await? {
            if let Ok(event) = ActionsExecuted::decode_log(&log.inner) {
                let hash = log.transaction_hash.ok_or_eyre("a log of no transaction")?;
                let receipt =
                    scene.provider().get_transaction_receipt(hash).await?.ok_or_eyre("no receipt")?;
                let executor =
                    executors.entry(event.executor).or_insert_with(|| Executor::new(event.executor));
                executor.actions += event.count.to::<usize>();
                executor.gas_used += receipt.gas_used;
                executor.paid_wei += event.payment;
                executor.cost_wei += U256::from(receipt.gas_used) * U256::from(receipt.effective_gas_price);
                actions += event.count.to::<usize>();
            } else if let Ok(event) = BundleCompleted::decode_log(&log.inner) {
                project_spent_wei = event.paid;
            } else if DeploySkipped::decode_log(&log.inner).is_ok() {
                deploys_skipped += 1;
            }
        }
        // All of the lock's events of a bundle have the project and its id first.
        let filter = Filter::new().address(lock).topic1(manager.into_word()).topic2(id).from_block(from);
        for log in scene.provider().get_logs(&filter).await? {
            let (address, bond) = if let Ok(event) = Claimed::decode_log(&log.inner) {
                (event.executor, Bond::Posted)
            } else if let Ok(event) = BondExcused::decode_log(&log.inner) {
                (event.executor, Bond::Returned)
            } else if let Ok(event) = BondForfeited::decode_log(&log.inner) {
                (event.executor, Bond::Forfeited)
            } else {
                continue;
            };
            executors.entry(address).or_insert_with(|| Executor::new(address)).bond = bond;
        }
        let executors: Vec<Executor> = executors.into_values().collect();
        let sum = |of: fn(&Executor) -> U256| executors.iter().map(of).sum::<U256>();
        let (paid, cost) = (sum(|executor| executor.paid_wei), sum(|executor| executor.cost_wei));
        let status = scene.manager.statusOf(id).call().await?;
        Ok(Self {
            name: name.to_owned(),
            bundle_id: id,
            status: if status == Status::COMPLETED { "COMPLETED".to_owned() } else { format!("{status:?}") },
            actions,
            paid_over_cost: f64::from(paid) / f64::from(cost),
            project_spent_wei,
            deploys_skipped,
            executors,
        })
    }

    /// What did not come as it should. `planned`: number of actions; `killed`: who was, in the middle, so that another
    /// one finished.
    pub(crate) fn faults(
        &self,
        planned: usize,
        killed: Option<Address>,
        paid_over_cost: &RangeInclusive<f64>,
    ) -> Vec<String> {
        let mut faults = Vec::new();
        let mut expect = |is_so: bool, fault: String| {
            if !is_so {
                faults.push(format!("bundle {}: {fault}", self.name));
            }
        };
        expect(self.status == "COMPLETED", format!("its status is {}", self.status));
        expect(self.actions == planned, format!("{} of {planned} actions were executed", self.actions));
        let of = |bond| {
            let executors = self.executors.iter().filter(move |executor| executor.bond == bond);
            executors.map(|executor| executor.address).collect::<Vec<_>>()
        };
        let (lost, returned) = (of(Bond::Forfeited), of(Bond::Returned));
        let expected: Vec<_> = killed.into_iter().collect();
        expect(lost == expected, format!("{lost:?} lost their bonds, not {expected:?}"));
        let is_one = returned.len() == 1 && killed.is_none_or(|killed| returned != [killed]);
        expect(is_one, format!("{returned:?} had their bonds back"));
        let worked = |address: &Address| {
            self.executors.iter().any(|executor| executor.address == *address && executor.actions > 0)
        };
        let idle: Vec<_> = lost.iter().chain(&returned).filter(|address| !worked(address)).collect();
        expect(idle.is_empty(), format!("{idle:?} posted a bond and did nothing"));
        let paid: U256 = self.executors.iter().map(|executor| executor.paid_wei).sum();
        expect(
            paid == self.project_spent_wei,
            format!("{paid} wei were paid, and {} spent", self.project_spent_wei),
        );
        for executor in self.executors.iter().filter(|executor| executor.actions > 0) {
            let ratio = f64::from(executor.paid_wei) / f64::from(executor.cost_wei);
            expect(
                paid_over_cost.contains(&ratio),
                format!("{} was paid {ratio:.4} of its cost", executor.address),
            );
        }
        faults
    }

    /// Whether the lock of the bundle is settled, and its bond paid.
    pub(crate) async fn is_settled(scene: &Scene, id: B256) -> Result<bool> {
        let manager = *scene.manager.address();
        let lock = scene.lock.lockOf(manager, id).call().await?;
        Ok(lock.executor.is_zero())
    }
}

impl Executor {
    fn new(address: Address) -> Self {
        let (paid_wei, cost_wei) = (U256::ZERO, U256::ZERO);
        Self { address, actions: 0, gas_used: 0, paid_wei, cost_wei, bond: Bond::None }
    }
}
