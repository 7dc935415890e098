//! Where the actor deploys. CREATE3: a small proxy is created by CREATE2, and it creates the contract, so that the
//! address depends on the deployer and the salt alone and contracts can name each other before any exists.

use alloy::{
    primitives::{Address, B256, b256, keccak256},
    sol_types::SolValue,
};

/// Hash of the creation code `0x67363d3d37363d34f03d5260086018f3` of the proxy in solady's `utils/CREATE3.sol`, which
/// `ProjectActor` uses.
pub const PROXY_INIT_CODE_HASH: B256 =
    b256!("21c35dbe1b344a2488cf3321d6ce542f8e9f305544ff09e4993a62319a497c1f");

/// The address that `deployer` deploys at with `salt`: what the proxy of that salt creates with its nonce 1, as
/// `CREATE3.predictDeterministicAddress` computes it (EIP-1014 for the proxy, EIP-161 for its first nonce).
pub fn address_of(deployer: Address, salt: B256) -> Address {
    deployer.create2(salt, PROXY_INIT_CODE_HASH).create(1)
}

/// A contract's part in a closure: its name and its creation code as it is before references are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template<'a> {
    /// the name that others refer to it by
    pub name: &'a str,
    /// hash of creation code and constructor arguments, with a [`stand_in`] for every address that is not known yet
    pub code_hash: B256,
}

/// The hash over a contract and all it refers to, directly or not: `keccak256(abi.encode((string,bytes32)[]))`,
/// ascending by name.
pub fn closure(templates: &[Template<'_>]) -> B256 {
    let mut sorted = templates.to_vec();
    sorted.sort_by_key(|template| template.name);
    sorted.dedup();
    let encoded: Vec<(String, B256)> =
        sorted.into_iter().map(|template| (template.name.to_owned(), template.code_hash)).collect();
    keccak256(encoded.abi_encode())
}

/// The salt of a contract: `keccak256(abi.encode(name, closure))`. Another closure means another address; the same
/// one keeps it. A proxy's closure is zero: its address outlives every version.
pub fn salt(name: &str, closure: B256) -> B256 {
    keccak256((name, closure).abi_encode_params())
}

/// What stands for an address in a template: the last 20 bytes of `keccak256("errand.reference." ++ what)`, `what` being
/// a contract's name, followed by `.proxy` or `.implementation` where it has a proxy.
pub fn stand_in(what: &str) -> Address {
    Address::from_word(keccak256(format!("errand.reference.{what}")))
}
