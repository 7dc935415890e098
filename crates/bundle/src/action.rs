//! What a bundle does. The types are those of `IChugSplashManager`, field for field, so that their encoding is the
//! same.

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol,
    sol_types::SolValue,
};

sol! {
    /// What an action does. See `IChugSplashManager.ActionKind`.
    #[derive(Debug, PartialEq, Eq)]
    enum ActionKind {
        /// (bytes32 salt, bytes initCode)
        DEPLOY,
        /// (bytes32 slot, uint256 offset, bytes value)
        SET_STORAGE,
        /// (address implementation)
        SET_IMPLEMENTATION,
        /// (uint256 value, bytes callData)
        CALL
    }

    /// One action. Its index is its place in the order; the leaf binds it.
    #[derive(Debug, PartialEq, Eq)]
    struct Action {
        ActionKind kind;
        address target;
        /// committed gas units
        uint64 gas;
        bytes data;
    }

    /// What is proposed and approved. See `IChugSplashManager.BundleHeader`.
    #[derive(Debug, PartialEq, Eq)]
    struct BundleHeader {
        bytes32 actionRoot;
        uint256 deployCount;
        uint256 switchCount;
        /// gas units
        uint256 totalGas;
        uint256 maxTxs;
        /// wei per gas
        uint256 maxBaseFee;
        /// wei
        uint256 callValue;
        /// wei
        uint256 budget;
        address ess;
        address eps;
        string uri;
    }

    /// The manager's function that executes; here for the size of its call data.
    function execute(bytes32 bundleId, uint256 firstIndex, Action[] actions, bytes32[][] proofs);
}

/// The most actions that a bundle has.
pub const MAX_ACTIONS: usize = 65_536;

impl ActionKind {
    /// As it is written in files and shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DEPLOY => "DEPLOY",
            Self::SET_STORAGE => "SET_STORAGE",
            Self::SET_IMPLEMENTATION => "SET_IMPLEMENTATION",
            Self::CALL => "CALL",
            Self::__Invalid => "INVALID",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::DEPLOY, Self::SET_STORAGE, Self::SET_IMPLEMENTATION, Self::CALL]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

impl Action {
    /// The leaf of this action at `index`, hashed twice as `MerkleActions` says.
    pub fn leaf(&self, index: u64) -> B256 {
        keccak256(keccak256(self.preimage(index)))
    }

    /// What the leaf is the double hash of: `abi.encode(index, kind, target, gas, data)`.
    pub fn preimage(&self, index: u64) -> Vec<u8> {
        // A static tuple's parameters and five arguments are encoded alike; the kind is one word.
        (U256::from(index), U256::from(self.kind as u8), self.target, self.gas, &self.data)
            .abi_encode_params()
    }

    /// What the action says, decoded from its data.
    pub fn step(&self) -> Result<Step, StepError> {
        let malformed = |error: alloy::sol_types::Error| StepError::Malformed {
            kind: self.kind.name(),
            problem: error.to_string(),
        };
        let step = match self.kind {
            ActionKind::DEPLOY => {
                let (salt, init_code) =
                    <(B256, Bytes)>::abi_decode_params_validate(&self.data).map_err(malformed)?;
                Step::Deploy { salt, init_code }
            }
            ActionKind::SET_STORAGE => {
                let (slot, offset, value) =
                    <(B256, U256, Bytes)>::abi_decode_params_validate(&self.data).map_err(malformed)?;
                let fits =
                    !value.is_empty() && offset.saturating_add(U256::from(value.len())) <= U256::from(32);
                if !fits {
                    return Err(StepError::ValueOutOfSlot { offset, length: value.len() });
                }
                Step::SetStorage { slot, offset: offset.to::<u8>(), value }
            }
            ActionKind::SET_IMPLEMENTATION => Step::SetImplementation {
                implementation: Address::abi_decode_validate(&self.data).map_err(malformed)?,
            },
            ActionKind::CALL => {
                let (value, data) =
                    <(U256, Bytes)>::abi_decode_params_validate(&self.data).map_err(malformed)?;
                Step::Call { value, data }
            }
            ActionKind::__Invalid => return Err(StepError::UnknownKind),
        };
        Ok(step)
    }
}

/// What an action says, by its kind; the target stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The actor deploys at the CREATE3 address of `salt`.
    Deploy {
        /// see [`crate::create3::salt`]
        salt: B256,
        /// creation code with constructor arguments
        init_code: Bytes,
    },
    /// Bytes of one slot of a proxy are written.
    SetStorage {
        /// the slot
        slot: B256,
        /// bytes from the lowest
        offset: u8,
        /// 1 to 32 bytes, highest first
        value: Bytes,
    },
    /// A proxy gets another implementation.
    SetImplementation {
        /// the new one
        implementation: Address,
    },
    /// The actor calls.
    Call {
        /// wei
        value: U256,
        /// selector and arguments
        data: Bytes,
    },
}

impl Step {
    /// The action that says this, with `gas` committed.
    pub fn to_action(&self, target: Address, gas: u64) -> Action {
        let (kind, data) = match self {
            Self::Deploy { salt, init_code } => (ActionKind::DEPLOY, (salt, init_code).abi_encode_params()),
            Self::SetStorage { slot, offset, value } => {
                (ActionKind::SET_STORAGE, (slot, U256::from(*offset), value).abi_encode_params())
            }
            Self::SetImplementation { implementation } => {
                (ActionKind::SET_IMPLEMENTATION, implementation.abi_encode())
            }
            Self::Call { value, data } => (ActionKind::CALL, (value, data).abi_encode_params()),
        };
        Action { kind, target, gas, data: data.into() }
    }
}

/// Why an action's data say nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The kind is none of the four.
    #[error("the kind is unknown")]
    UnknownKind,
    /// The data are not the encoding that the kind wants.
    #[error("the data of a {kind} are malformed: {problem}")]
    Malformed {
        /// name of the kind
        kind: &'static str,
        /// the decoder's words
        problem: String,
    },
    /// The value is empty or goes beyond its slot.
    #[error("{length} bytes at offset {offset} are not within a slot")]
    ValueOutOfSlot {
        /// bytes from the lowest
        offset: U256,
        /// bytes
        length: usize,
    },
}
