//! Constructors that use what a later action brings.

use alloy::{
    primitives::{Address, Bytes, U256},
    sol_types::{SolCall, SolError},
};
use errand_bindings::{IChugSplashProxy, IChugSplashRegistry, IProjectActor};
use errand_bundle::{Step, bundle::TX_GAS_CAP, plan::Planned};
use errand_keeper::{
    Simulator,
    bundles::rehearsal::{Project, Rehearsal},
};
use errand_sim::{Act, Played, Stage};
use errand_types::CallSpec;
use eyre::Result;
use std::collections::BTreeSet;

/// The later action without which the constructor of action `failed` cannot do, if that is why it fails.
///
/// Every proxy that is deployed was touched by that, so touching tells nothing of those. Hence the deployments up to
/// the failed one are run once more without the proxies that have no implementation yet: what its constructor then
/// touches and none before it did, it uses. The first one that is missing ends it.
pub(super) async fn lacking(
    rehearsal: &Rehearsal,
    simulator: &mut Simulator,
    project: &Project,
    actions: &[Planned],
    failed: usize,
    reason: &Bytes,
) -> Result<Option<usize>> {
    let later = || actions.iter().enumerate().skip(failed.saturating_add(1));
    let bare: BTreeSet<Address> = later()
        .filter(|(_, action)| matches!(action.step, Step::SetImplementation { .. }))
        .map(|(_, action)| action.target)
        .collect();
    let site = &rehearsal.site;
    let mut acts = Vec::new();
    if let Some(salt) = project.unregistered {
        let register = IChugSplashRegistry::registerCall { owner: project.owner, salt };
        acts.push(act(rehearsal, project.owner, site.registry, register.abi_encode()));
    }
    for (index, action) in actions.iter().enumerate().take(failed.saturating_add(1)) {
        let Step::Deploy { salt, init_code } = &action.step else { continue };
        if index == failed || !bare.contains(&action.target) {
            let deploy = IProjectActor::deployCall { salt: *salt, initCode: init_code.clone() };
            acts.push(act(rehearsal, site.manager, site.actor, deploy.abi_encode()));
        }
    }
    let stage = Stage { is_unlimited: true, ..Stage::default() };
    let played = simulator.rehearse(&acts, &stage).await?;
    let Some((last, before)) = played.split_last() else { return Ok(None) };
    // What a run depends on includes what the runs before it do.
    let known = before.last().map(|played| touched(simulator, played)).unwrap_or_default();
    let used = &touched(simulator, last) - &known;
    let lacks_implementation = mentions(reason, &IChugSplashProxy::NoImplementation::SELECTOR);
    let mut used = later().filter(|(_, action)| used.contains(&action.target));
    Ok(used
        .find(|(_, action)| match action.step {
            Step::Deploy { .. } => true,
            Step::SetImplementation { .. } => lacks_implementation,
            _ => false,
        })
        .map(|(index, _)| index))
}

fn touched(simulator: &Simulator, played: &Played) -> BTreeSet<Address> {
    let accounts = played.run.reads.accounts().iter();
    accounts.filter_map(|(id, _)| simulator.mirror().address_of(*id)).collect()
}

/// Whether an error is revert data, or within the error that they are.
fn mentions(reason: &[u8], selector: &[u8; 4]) -> bool {
    reason.windows(selector.len()).any(|bytes| bytes == selector)
}

/// A transaction of a contract's, for nothing.
fn act(rehearsal: &Rehearsal, from: Address, to: Address, data: Vec<u8>) -> Act {
    let call = CallSpec {
        origin: from,
        caller: from,
        to,
        data: data.into(),
        value: U256::ZERO,
        gas_limit: TX_GAS_CAP,
        gas_price: 0,
    };
    Act { call, block: rehearsal.block, credit: U256::ZERO }
}
