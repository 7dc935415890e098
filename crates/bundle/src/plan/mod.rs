//! What is to be done, given what is there: DEPLOY, SET_STORAGE, SET_IMPLEMENTATION, CALL, in this order. Gas comes
//! later, when it was measured: see [`crate::bundle`].

mod inverse;

pub use inverse::{Inverse, Kept, inverse, inverse_questions};

use crate::{
    Step,
    config::Kind,
    project::{Contract, NamedWrite, Project},
};
use alloy::primitives::{Address, B256, Bytes};

/// The most bytes of creation code that the EVM takes (EIP-3860).
pub const MAX_INIT_CODE: usize = 49_152;

/// What is known of the chain. `None` everywhere: it is not known, and there is no plan without it.
pub trait Existing {
    /// Whether an account has code.
    fn has_code(&self, account: Address) -> Option<bool>;
    /// The implementation of a proxy; zero: it has none.
    fn implementation(&self, proxy: Address) -> Option<Address>;
    /// What is in a slot.
    fn slot(&self, account: Address, slot: B256) -> Option<B256>;
}

/// All that [`plan`] may ask, so that it can be read from a node at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Questions {
    /// of which it is asked whether they have code
    pub accounts: Vec<Address>,
    /// of which the implementation is asked, if they have code
    pub proxies: Vec<Address>,
    /// slots of accounts that have code
    pub slots: Vec<(Address, B256)>,
}

/// An action before its gas is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// for people
    pub name: String,
    /// what it is done to
    pub target: Address,
    /// what is done
    pub step: Step,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// in their order
    pub actions: Vec<Planned>,
    /// contracts whose code is there already
    pub unchanged: Vec<(String, Address)>,
    /// what has to be seen to before the plan is proposed
    pub checks: Vec<Check>,
}

/// Something that no plan can see by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// The actor must have adopted the proxy, with this kind.
    Adopted {
        /// whose proxy
        contract: String,
        /// the proxy
        proxy: Address,
        /// kind by the file
        kind: Kind,
    },
    /// The new implementation must leave the variables of the old one where they are.
    StorageLayout {
        /// whose code
        contract: String,
        /// what is in front of it
        proxy: Address,
        /// the old implementation
        from: Address,
        /// the new one
        to: Address,
    },
    /// A simulation of the whole bundle must show that the actor can upgrade the proxy once more: the function that
    /// upgrades a UUPS proxy is in its implementation.
    StillUpgradeable {
        /// whose code
        contract: String,
        /// the proxy
        proxy: Address,
        /// the new implementation
        implementation: Address,
    },
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The chain was not asked, or did not answer.
    #[error("unknown: {what}")]
    Unknown {
        /// what is not known
        what: String,
    },
    /// The file names a proxy that is not there.
    #[error("`{contract}`: there is no proxy at {proxy}")]
    ProxyMissing {
        /// whose
        contract: String,
        /// where
        proxy: Address,
    },
    /// Creation code that no chain takes.
    #[error("the creation code of `{name}` has {size} bytes, at most {MAX_INIT_CODE} are taken")]
    InitCodeTooLarge {
        /// of what
        name: String,
        /// bytes
        size: usize,
    },
    /// Everything is as the file says.
    #[error("there is nothing to do: everything is as the file says")]
    NothingToDo,
    /// Everything that can go back is as it was before.
    #[error("there is nothing to take back: storage and implementations are as they were before the bundle")]
    NothingToTakeBack,
}

/// What [`plan`] is going to ask about `project`.
pub fn questions(project: &Project) -> Questions {
    let mut questions = Questions { accounts: Vec::new(), proxies: Vec::new(), slots: Vec::new() };
    for contract in &project.contracts {
        questions.accounts.push(contract.code_at);
        if let Some(proxy) = contract.proxy {
            questions.accounts.push(proxy.address);
            questions.proxies.push(proxy.address);
            questions.slots.extend(contract.writes.iter().map(|named| (proxy.address, named.write.slot)));
        }
    }
    questions.slots.dedup();
    questions
}

/// Plans `project`. `proxy_init_code` is the creation code of ChugSplashProxy with the actor as its admin.
pub fn plan(project: &Project, proxy_init_code: &Bytes, existing: &dyn Existing) -> Result<Plan, PlanError> {
    let mut plan = Plan { actions: Vec::new(), unchanged: Vec::new(), checks: Vec::new() };
    let (mut proxies, mut codes) = (Vec::new(), Vec::new());
    let (mut storage, mut implementations) = (Vec::new(), Vec::new());
    for contract in &project.contracts {
        if has_code(existing, contract.code_at)? {
            plan.unchanged.push((contract.name.clone(), contract.code_at));
        } else {
            let name = if contract.proxy.is_some() {
                format!("{} (implementation)", contract.name)
            } else {
                contract.name.clone()
            };
            codes.push(deploy(name, contract.code_at, contract.salt, &contract.init_code)?);
        }
        let Some(proxy) = contract.proxy else { continue };
        let there = has_code(existing, proxy.address)?;
        match (there, proxy.salt) {
            (true, _) => {}
            (false, Some(salt)) => {
                let name = format!("{} (proxy)", contract.name);
                proxies.push(deploy(name, proxy.address, salt, proxy_init_code)?);
            }
            (false, None) => {
                return Err(PlanError::ProxyMissing {
                    contract: contract.name.clone(),
                    proxy: proxy.address,
                });
            }
        }
        let front = Front { contract, proxy: proxy.address, existing: there.then_some(existing) };
        storage.extend(front.storage()?);
        implementations.extend(front.implementation(&mut plan.checks)?);
    }
    let calls = project.calls.iter().map(|call| Planned {
        name: call.name.clone(),
        target: call.target,
        step: Step::Call { value: call.value, data: call.data.clone() },
    });
    // Proxies first: a constructor may look at the address that it is given.
    plan.actions =
        proxies.into_iter().chain(codes).chain(storage).chain(implementations).chain(calls).collect();
    if plan.actions.is_empty() { Err(PlanError::NothingToDo) } else { Ok(plan) }
}

fn deploy(name: String, target: Address, salt: B256, init_code: &Bytes) -> Result<Planned, PlanError> {
    if init_code.len() > MAX_INIT_CODE {
        return Err(PlanError::InitCodeTooLarge { name, size: init_code.len() });
    }
    Ok(Planned { name, target, step: Step::Deploy { salt, init_code: init_code.clone() } })
}

fn has_code(existing: &dyn Existing, account: Address) -> Result<bool, PlanError> {
    let unknown = || PlanError::Unknown { what: format!("whether {account} has code") };
    existing.has_code(account).ok_or_else(unknown)
}

fn implementation_of(existing: &dyn Existing, proxy: Address) -> Result<Address, PlanError> {
    let unknown = || PlanError::Unknown { what: format!("the implementation of {proxy}") };
    existing.implementation(proxy).ok_or_else(unknown)
}

fn slot_of(existing: &dyn Existing, account: Address, slot: B256) -> Result<B256, PlanError> {
    let unknown = || PlanError::Unknown { what: format!("slot {slot} of {account}") };
    existing.slot(account, slot).ok_or_else(unknown)
}

/// The bytes of `word` that a value of `length` bytes at `offset` takes.
fn bytes_at(word: B256, offset: u8, length: usize) -> Bytes {
    let end = 32usize.saturating_sub(offset.into());
    word.get(end.saturating_sub(length)..end).unwrap_or_default().to_vec().into()
}

/// A proxy, and what is to be behind it.
struct Front<'a> {
    contract: &'a Contract,
    proxy: Address,
    /// `None`: the proxy is new, so its storage is empty
    existing: Option<&'a dyn Existing>,
}

impl Front<'_> {
    /// Writes of what is not there yet; neighbours in a slot are one.
    fn storage(&self) -> Result<Vec<Planned>, PlanError> {
        let mut writes: Vec<NamedWrite> = Vec::new();
        for named in &self.contract.writes {
            let write = &named.write;
            let word = match self.existing {
                Some(existing) => slot_of(existing, self.proxy, write.slot)?,
                None => B256::ZERO,
            };
            if bytes_at(word, write.offset, write.value.len()) == write.value {
                continue;
            }
            match writes.last_mut() {
                // Ascending by slot and offset: the earlier one is the lower part.
                Some(low)
                    if low.write.slot == write.slot
                        && usize::from(low.write.offset) + low.write.value.len()
                            == usize::from(write.offset) =>
                {
                    low.write.value = [write.value.as_ref(), low.write.value.as_ref()].concat().into();
                    low.name = format!("{}, {}", low.name, named.name);
                }
                _ => writes.push(named.clone()),
            }
        }
        let planned = writes.into_iter().map(|named| Planned {
            name: format!("{}.{}", self.contract.name, named.name),
            target: self.proxy,
            step: Step::SetStorage {
                slot: named.write.slot,
                offset: named.write.offset,
                value: named.write.value,
            },
        });
        Ok(planned.collect())
    }

    /// The switch to the new implementation, if it is another one, and what has to be seen to.
    fn implementation(&self, checks: &mut Vec<Check>) -> Result<Option<Planned>, PlanError> {
        let (contract, proxy, to) = (self.contract.name.clone(), self.proxy, self.contract.code_at);
        if matches!(self.contract.kind, Kind::Transparent { .. } | Kind::Uups { .. }) {
            let kind = self.contract.kind;
            checks.push(Check::Adopted { contract: contract.clone(), proxy, kind });
        }
        if let Some(existing) = self.existing {
            let from = implementation_of(existing, proxy)?;
            if from == to {
                return Ok(None);
            }
            if !from.is_zero() {
                checks.push(Check::StorageLayout { contract: contract.clone(), proxy, from, to });
            }
        }
        if matches!(self.contract.kind, Kind::Uups { .. }) {
            checks.push(Check::StillUpgradeable { contract: contract.clone(), proxy, implementation: to });
        }
        let step = Step::SetImplementation { implementation: to };
        Ok(Some(Planned { name: contract, target: proxy, step }))
    }
}
