//! A call to be simulated.

use alloy::primitives::{Address, Bytes, U256};
use serde::{Deserialize, Serialize};

/// A message call on top of a state: what a simulation is asked to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSpec {
    /// The account that ORIGIN returns: the executor.
    pub origin: Address,
    /// The account that CALLER returns in the first frame.
    pub caller: Address,
    /// The account that is called.
    pub to: Address,
    /// Input of the call.
    pub data: Bytes,
    /// Wei sent along. The caller of a single call is funded with it for the run; the origin of a whole
    /// transaction has to have it.
    pub value: U256,
    /// Gas of the first frame; for a whole transaction, its gas limit.
    pub gas_limit: u64,
    /// What GASPRICE returns, in wei per gas.
    pub gas_price: u128,
}
