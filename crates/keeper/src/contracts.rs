//! The contracts of one deployment that a keeper deals with.

use alloy::primitives::Address;
use errand_chain::{Deployment, DeploymentError};

/// The addresses that belong to one Registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contracts {
    /// The Registry.
    pub registry: Address,
    /// The block in which it was deployed, or one before: where its logs begin.
    pub registry_block: u64,
    /// What users approve for fees in AUTO.
    pub auto_payments: Address,
    /// The AUTO token.
    pub auto_token: Address,
    /// Where Requests without `verifyUser` and `insertFeeAmount` come from.
    pub plain_forwarder: Address,
    /// Where Requests with `verifyUser` come from.
    pub user_forwarder: Address,
    /// Where Requests with `insertFeeAmount` come from.
    pub fee_forwarder: Address,
    /// Where Requests with both come from.
    pub user_fee_forwarder: Address,
}

impl Contracts {
    /// Reads the addresses from a deployment's record.
    pub fn of(deployment: &Deployment) -> Result<Self, DeploymentError> {
        let address = |name| deployment.contract(name).map(|contract| contract.address);
        let registry = deployment.contract("Registry")?;
        Ok(Self {
            registry: registry.address,
            registry_block: registry.block,
            auto_payments: address("AutoPayments")?,
            auto_token: address("AutoToken")?,
            plain_forwarder: address("PlainForwarder")?,
            user_forwarder: address("UserForwarder")?,
            fee_forwarder: address("FeeForwarder")?,
            user_fee_forwarder: address("UserFeeForwarder")?,
        })
    }

    /// The forwarder from which a Request with these flags reaches its target.
    pub const fn forwarder(&self, verify_user: bool, insert_fee_amount: bool) -> Address {
        match (verify_user, insert_fee_amount) {
            (false, false) => self.plain_forwarder,
            (true, false) => self.user_forwarder,
            (false, true) => self.fee_forwarder,
            (true, true) => self.user_fee_forwarder,
        }
    }
}
