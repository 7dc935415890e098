//! Bundle ids, and the totals that a header states of its actions.

use crate::{
    action::{Action, ActionKind, BundleHeader, MAX_ACTIONS, Step, StepError},
    create3,
    tree::Tree,
};
use alloy::{
    primitives::{Address, B256, U256, keccak256},
    sol_types::SolValue,
};

/// The id of a proposal: `keccak256(abi.encode(chain id, manager, nonce, header))`, as
/// `IChugSplashManager.bundleIdOf` says.
pub fn bundle_id(chain_id: u64, manager: Address, nonce: U256, header: &BundleHeader) -> B256 {
    keccak256((U256::from(chain_id), manager, nonce, header.clone()).abi_encode_params())
}

/// What a header states of its actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// root over the actions
    pub root: B256,
    /// the first so many are DEPLOY
    pub deploys: usize,
    /// all others
    pub switch: usize,
    /// committed gas units of all
    pub gas: u64,
    /// wei that the CALL actions send
    pub call_value: U256,
}

impl Totals {
    /// Counts and sums up. The actions must be well-formed, DEPLOY first.
    pub fn of(actions: &[Action]) -> Result<Self, TotalsError> {
        if actions.len() > MAX_ACTIONS {
            return Err(TotalsError::TooManyActions { count: actions.len() });
        }
        let root = Tree::of(actions).ok_or(TotalsError::NoActions)?.root();
        let deploys = actions.iter().take_while(|action| action.kind == ActionKind::DEPLOY).count();
        let (mut gas, mut call_value) = (0u64, U256::ZERO);
        for (index, action) in actions.iter().enumerate() {
            if index >= deploys && action.kind == ActionKind::DEPLOY {
                return Err(TotalsError::DeployAfterSwitch { index });
            }
            gas = gas.checked_add(action.gas).ok_or(TotalsError::Overflow { index })?;
            let step = action.step().map_err(|problem| TotalsError::Malformed { index, problem })?;
            if let Step::Call { value, .. } = step {
                call_value = call_value.checked_add(value).ok_or(TotalsError::Overflow { index })?;
            }
        }
        Ok(Self { root, deploys, switch: actions.len() - deploys, gas, call_value })
    }

    /// Whether `header` states just these; else the first field that differs.
    pub fn check(&self, header: &BundleHeader) -> Result<(), TotalsError> {
        let fields = [
            ("actionRoot", U256::from_be_bytes(header.actionRoot.0), U256::from_be_bytes(self.root.0)),
            ("deployCount", header.deployCount, U256::from(self.deploys)),
            ("switchCount", header.switchCount, U256::from(self.switch)),
            ("totalGas", header.totalGas, U256::from(self.gas)),
            ("callValue", header.callValue, self.call_value),
        ];
        match fields.into_iter().find(|(_, stated, computed)| stated != computed) {
            Some((field, stated, computed)) => Err(TotalsError::HeaderMismatch { field, stated, computed }),
            None => Ok(()),
        }
    }
}

/// Sees that every DEPLOY names the address that `actor` would deploy at; another one stalls the bundle.
pub fn check_deploy_targets(actor: Address, actions: &[Action]) -> Result<(), TotalsError> {
    for (index, action) in actions.iter().enumerate() {
        if action.kind != ActionKind::DEPLOY {
            continue;
        }
        if let Step::Deploy { salt, .. } =
            action.step().map_err(|problem| TotalsError::Malformed { index, problem })?
        {
            let expected = create3::address_of(actor, salt);
            if action.target != expected {
                return Err(TotalsError::WrongDeployTarget { index, expected, given: action.target });
            }
        }
    }
    Ok(())
}

/// Why a list of actions is no bundle, or not that of a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TotalsError {
    /// There is nothing to compute a root of.
    #[error("there are no actions")]
    NoActions,
    /// There are more actions than a bundle has.
    #[error("{count} actions are more than {MAX_ACTIONS}")]
    TooManyActions {
        /// actions
        count: usize,
    },
    /// A DEPLOY comes after an action of the switch.
    #[error("action {index} is a DEPLOY after the first action of the switch")]
    DeployAfterSwitch {
        /// its index
        index: usize,
    },
    /// Gas or value do not fit.
    #[error("the sum overflows at action {index}")]
    Overflow {
        /// its index
        index: usize,
    },
    /// An action's data are not what its kind wants.
    #[error("action {index}: {problem}")]
    Malformed {
        /// its index
        index: usize,
        /// what is wrong
        problem: StepError,
    },
    /// A DEPLOY names another address than its salt gives.
    #[error("action {index} deploys at {expected}, but says {given}")]
    WrongDeployTarget {
        /// its index
        index: usize,
        /// by its salt
        expected: Address,
        /// in the action
        given: Address,
    },
    /// The header states something else.
    #[error("the header's {field} is {stated:#x}, the actions give {computed:#x}")]
    HeaderMismatch {
        /// the header's field
        field: &'static str,
        /// in the header
        stated: U256,
        /// of the actions
        computed: U256,
    },
}
