//! What executed actions left on the chain.

use super::project::{IMPLEMENTATION_SLOT, Project};
use crate::session::{Session, rpc_problem};
use alloy::{
    eips::BlockId,
    primitives::{Address, B256, Bytes, U256, hex, map::HashMap},
    providers::Provider,
    rpc::types::{
        TransactionRequest,
        state::{AccountOverride, StateOverride},
    },
};
use errand_bindings::IChugSplashManager::Status;
use errand_bundle::{Action, Step, create3::PROXY_INIT_CODE_HASH};
use eyre::Result;
use std::fmt;

/// What was found about one action.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) index: usize,
    pub(crate) effect: Effect,
}

/// How the chain compares with an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It is as the action says.
    AsPlanned,
    /// It was made; nothing of it can be seen.
    Made,
    /// Code is there, but the constructor cannot be run again to compare it.
    NotComparable,
    /// There is none.
    NoCode,
    /// There is code that the creation code does not give.
    OtherCode,
    /// Something else is there.
    Other(String),
    /// It is not executed yet.
    Open,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsPlanned => f.write_str("as planned"),
            Self::Made => f.write_str("made"),
            Self::NotComparable => f.write_str("deployed, code not compared"),
            Self::NoCode => f.write_str("NO CODE"),
            Self::OtherCode => f.write_str("OTHER CODE"),
            Self::Other(found) => write!(f, "DIFFERS: {found}"),
            Self::Open => f.write_str("not yet"),
        }
    }
}

/// Looks at what the first `done` actions left. The switch happens at once: it is looked at when it is complete.
pub(crate) async fn check(
    project: &Project<'_>,
    actor: Address,
    status: Status,
    actions: &[Action],
    done: usize,
) -> Result<Vec<Finding>> {
    let mut findings = Vec::with_capacity(actions.len());
    for (index, action) in actions.iter().enumerate() {
        let effect = if index >= done {
            Effect::Open
        } else {
            match action.step()? {
                Step::Deploy { salt, init_code } => {
                    deployed(project.session, actor, salt, action.target, init_code).await?
                }
                Step::SetStorage { .. } | Step::SetImplementation { .. } if status != Status::COMPLETED => {
                    Effect::Open
                }
                Step::SetStorage { slot, offset, value } => {
                    let word = slot_of(project.session, action.target, slot).await?;
                    let end = 32usize.saturating_sub(offset.into());
                    let found = word.get(end.saturating_sub(value.len())..end).unwrap_or_default();
                    if found == value.as_ref() {
                        Effect::AsPlanned
                    } else {
                        Effect::Other(hex::encode_prefixed(found))
                    }
                }
                Step::SetImplementation { implementation } => {
                    let word = slot_of(project.session, action.target, IMPLEMENTATION_SLOT).await?;
                    let found = Address::from_word(word);
                    if found == implementation { Effect::AsPlanned } else { Effect::Other(found.to_string()) }
                }
                Step::Call { .. } => Effect::Made,
            }
        };
        findings.push(Finding { index, effect });
    }
    Ok(findings)
}

async fn slot_of(session: &Session, account: Address, slot: B256) -> Result<B256> {
    let word = session.provider.get_storage_at(account, U256::from_be_bytes(slot.0)).await;
    word.map(B256::from).map_err(|error| rpc_problem("a storage slot", &error))
}

/// Runs the constructor again and compares the code that it gives. The creation code is put where the contract is, so
/// that it sees its own address, the caller that CREATE3 gives it, and empty storage.
async fn deployed(
    session: &Session,
    actor: Address,
    salt: B256,
    target: Address,
    init_code: Bytes,
) -> Result<Effect> {
    let code = session.provider.get_code_at(target).await;
    let code = code.map_err(|error| rpc_problem("the code of a contract", &error))?;
    if code.is_empty() {
        return Ok(Effect::NoCode);
    }
    let call = TransactionRequest::default().from(actor.create2(salt, PROXY_INIT_CODE_HASH)).to(target);
    let account =
        AccountOverride { code: Some(init_code), state: Some(HashMap::default()), ..Default::default() };
    let overrides = StateOverride::from_iter([(target, account)]);
    let given = session.provider.call(call).block(BlockId::latest()).overrides(overrides).await;
    Ok(match given {
        Ok(given) if given == code => Effect::AsPlanned,
        Ok(_) => Effect::OtherCode,
        // What a constructor asks of others may have changed, or the node runs no such calls.
        Err(_) => Effect::NotComparable,
    })
}
