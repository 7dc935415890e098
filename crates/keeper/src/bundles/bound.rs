//! The same things in `errand-bundle`'s types and in those of the contracts' bindings, and their names.

use errand_bindings::IChugSplashManager::{self, BundleHeader as BoundHeader, Status};
use errand_bundle::{Action, BundleHeader};

/// A header as the pure crate has it.
pub fn plain_header(header: &BoundHeader) -> BundleHeader {
    let h = header.clone();
    BundleHeader {
        actionRoot: h.actionRoot,
        deployCount: h.deployCount,
        switchCount: h.switchCount,
        totalGas: h.totalGas,
        maxTxs: h.maxTxs,
        maxBaseFee: h.maxBaseFee,
        callValue: h.callValue,
        budget: h.budget,
        ess: h.ess,
        eps: h.eps,
        uri: h.uri,
    }
}

/// A header as the contracts' bindings have it.
pub fn bound_header(header: &BundleHeader) -> BoundHeader {
    let h = header.clone();
    BoundHeader {
        actionRoot: h.actionRoot,
        deployCount: h.deployCount,
        switchCount: h.switchCount,
        totalGas: h.totalGas,
        maxTxs: h.maxTxs,
        maxBaseFee: h.maxBaseFee,
        callValue: h.callValue,
        budget: h.budget,
        ess: h.ess,
        eps: h.eps,
        uri: h.uri,
    }
}

/// An action as the contracts' bindings have it.
pub fn bound_action(action: &Action) -> IChugSplashManager::Action {
    let kind = IChugSplashManager::ActionKind::try_from(action.kind as u8);
    IChugSplashManager::Action {
        kind: kind.unwrap_or(IChugSplashManager::ActionKind::__Invalid),
        target: action.target,
        gas: action.gas,
        data: action.data.clone(),
    }
}

/// A status as people know it.
pub const fn status_name(status: Status) -> &'static str {
    match status {
        Status::EMPTY => "EMPTY",
        Status::PROPOSED => "PROPOSED",
        Status::APPROVED => "APPROVED",
        Status::PAUSED => "PAUSED",
        Status::STALLED => "STALLED",
        Status::COMPLETED => "COMPLETED",
        Status::FAILED => "FAILED",
        Status::CANCELLED => "CANCELLED",
        Status::__Invalid => "INVALID",
    }
}
