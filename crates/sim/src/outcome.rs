//! What comes out of a run.

use crate::reads::ReadSet;
use alloy::primitives::{Address, Bytes, Log, U256};
use errand_types::StateKeys;
use revm::{context_interface::result::InvalidTransaction as RevmInvalid, interpreter::InstructionResult};
use serde::{Deserialize, Serialize};

/// A run: what happened, and what that depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What happened.
    pub outcome: Outcome,
    /// What the outcome depends on. Of an unknown outcome it holds nothing and is never valid.
    pub reads: ReadSet,
}

impl Run {
    /// Whether the outcome may be kept for a later block, as long as [`ReadSet::is_valid`] says so.
    pub const fn is_cacheable(&self) -> bool {
        self.reads.is_cacheable()
    }
}

/// What happened. For a call, gas is what the target's frame spent, before refunds; for a transaction it is
/// what the receipt would say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It returned.
    Success {
        /// Gas used.
        gas_used: u64,
        /// What it returned.
        output: Bytes,
        /// The events it emitted, in order.
        logs: Vec<Log>,
    },
    /// It reverted.
    Revert {
        /// Gas used.
        gas_used: u64,
        /// The reason it gave.
        output: Bytes,
    },
    /// It failed and used up its gas.
    Halt {
        /// Gas used.
        gas_used: u64,
        /// Why it failed.
        reason: HaltReason,
    },
    /// It is not known what would happen. Never to be read as "would fail".
    Unknown(Unknown),
}

impl Outcome {
    /// Whether it returned.
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Success { .. })
    }

    /// Gas used, if that is known.
    pub const fn gas_used(&self) -> Option<u64> {
        match self {
            Self::Success { gas_used, .. } | Self::Revert { gas_used, .. } | Self::Halt { gas_used, .. } => {
                Some(*gas_used)
            }
            Self::Unknown(_) => None,
        }
    }

    /// What is missing in the mirror, if that is why the outcome is unknown.
    pub const fn missing(&self) -> Option<&StateKeys> {
        match self {
            Self::Unknown(Unknown::Missing(keys)) => Some(keys),
            _ => None,
        }
    }
}

/// Why a run failed with all its gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HaltReason {
    /// It ran out of gas.
    OutOfGas,
    /// It reached the INVALID opcode.
    Invalid,
    /// It jumped to where no jump may go.
    BadJump,
    /// Its stack ran over or under.
    Stack,
    /// It read return data that is not there.
    OutOfBounds,
    /// It changed state inside a static call.
    StaticViolation,
    /// A contract could not be created: collision, size or first byte.
    Create,
    /// A precompile refused its input.
    Precompile,
    /// Anything else.
    Other,
}

impl From<InstructionResult> for HaltReason {
    fn from(result: InstructionResult) -> Self {
        use InstructionResult as R;
        match result {
            R::OutOfGas
            | R::MemoryOOG
            | R::MemoryLimitOOG
            | R::PrecompileOOG
            | R::InvalidOperandOOG
            | R::ReentrancySentryOOG => Self::OutOfGas,
            R::InvalidFEOpcode => Self::Invalid,
            R::InvalidJump => Self::BadJump,
            R::StackUnderflow | R::StackOverflow => Self::Stack,
            R::OutOfOffset => Self::OutOfBounds,
            R::CallNotAllowedInsideStatic | R::StateChangeDuringStaticCall => Self::StaticViolation,
            R::CreateCollision
            | R::CreateContractSizeLimit
            | R::CreateContractStartingWithEF
            | R::CreateInitCodeSizeLimit
            | R::NonceOverflow => Self::Create,
            R::PrecompileError => Self::Precompile,
            _ => Self::Other,
        }
    }
}

/// Why it is not known what would happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Unknown {
    /// The mirror lacks these keys. The run went on with zeros to find several at once, so that some of them
    /// may turn out not to matter; load them, insert them and run again.
    #[error("{} keys of state are not loaded", .0.len())]
    Missing(StateKeys),
    /// The hash of this block is not known here.
    #[error("the hash of block {0} is not known")]
    BlockHash(u64),
    /// It called code that only the chain's own nodes have.
    #[error("{0} is a precompile of the chain")]
    ForeignPrecompile(Address),
    /// It reached an opcode that the fork does not have: the configured fork may be wrong.
    #[error("an opcode that the configured fork does not have")]
    Opcode,
    /// No block could include the transaction.
    #[error("invalid transaction: {0}")]
    Invalid(InvalidTransaction),
    /// A transaction before it in the sequence could not be included.
    #[error("a transaction before it is invalid")]
    Predecessor,
    /// The machine failed.
    #[error("the simulation failed: {0}")]
    Internal(String),
}

/// Why no block could include a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum InvalidTransaction {
    /// The origin cannot pay gas limit × gas price + value.
    #[error("{balance} wei are not enough for {required}")]
    InsufficientFunds {
        /// Wei that are needed.
        required: U256,
        /// Wei that are there.
        balance: U256,
    },
    /// The gas price is below the base fee.
    #[error("the gas price is below the base fee")]
    BelowBaseFee,
    /// The gas limit is above the block's.
    #[error("the gas limit is above the block's")]
    AboveBlockGasLimit,
    /// The gas limit is above what one transaction may have (EIP-7825).
    #[error("the gas limit is above the cap of a transaction, {cap}")]
    AboveGasCap {
        /// The cap.
        cap: u64,
    },
    /// The gas limit does not cover the intrinsic gas or the floor price of the calldata (EIP-7623).
    #[error("the gas limit is below the {required} that the transaction costs before it runs")]
    BelowIntrinsicGas {
        /// Gas that is needed.
        required: u64,
    },
    /// The origin is a contract (EIP-3607).
    #[error("the origin is a contract")]
    OriginHasCode,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<RevmInvalid> for InvalidTransaction {
    fn from(error: RevmInvalid) -> Self {
        match error {
            RevmInvalid::LackOfFundForMaxFee { fee, balance } => {
                Self::InsufficientFunds { required: *fee, balance: *balance }
            }
            RevmInvalid::GasPriceLessThanBasefee => Self::BelowBaseFee,
            RevmInvalid::CallerGasLimitMoreThanBlock => Self::AboveBlockGasLimit,
            RevmInvalid::TxGasLimitGreaterThanCap { cap, .. } => Self::AboveGasCap { cap },
            RevmInvalid::CallGasCostMoreThanGasLimit { initial_gas, .. } => {
                Self::BelowIntrinsicGas { required: initial_gas }
            }
            RevmInvalid::GasFloorMoreThanGasLimit { gas_floor, .. } => {
                Self::BelowIntrinsicGas { required: gas_floor }
            }
            RevmInvalid::RejectCallerWithCode => Self::OriginHasCode,
            other => Self::Other(other.to_string()),
        }
    }
}
