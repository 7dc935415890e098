//! Rust types of the contracts, one module per interface, generated from `abi/errand.sol` (`make abi`).
//!
//! What each call, event, error and field means is written in the sources, `contracts/interfaces/`. All
//! interfaces are expanded together, so a struct that several of them use is one Rust type:
//! [`IRegistry::Request`] wherever a Request travels.

pub use contracts::*;

use alloy::{
    hex::{self, FromHexError},
    primitives::{Address, Bytes},
    sol_types::SolValue,
};

/// Creation code of ChugSplashProxy in hexadecimal digits, without its argument.
const CHUG_SPLASH_PROXY_CODE: &str = include_str!("../../../abi/ChugSplashProxy.bin");

/// Creation code of a ChugSplashProxy whose admin is `admin`, a project's actor.
///
/// # Errors
/// When `abi/ChugSplashProxy.bin` is not what `make abi` writes.
pub fn chug_splash_proxy_code(admin: Address) -> Result<Bytes, FromHexError> {
    let mut code = hex::decode(CHUG_SPLASH_PROXY_CODE.trim())?;
    code.extend(admin.abi_encode());
    Ok(code.into())
}

#[allow(missing_docs, clippy::too_many_arguments, reason = "generated; documented in contracts/interfaces")]
mod contracts {
    alloy::sol! {
        #![sol(all_derives, extra_derives(serde::Serialize, serde::Deserialize), rpc)]
        "../../abi/errand.sol"
    }
}
