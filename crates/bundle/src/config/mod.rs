//! `upgrade.toml`: what a project wants deployed, written and called, and what it may cost. The format is described in
//! `docs/upgrade-toml.md`. Reading it needs nothing else; what its names mean is found out by [`crate::project`].

mod contract;
mod error;
pub(crate) mod reader;
pub(crate) mod reference;

pub use contract::{Call, CallData, Contract, Kind, RawWrite};
pub use error::{ConfigError, Place, Problem};
pub use reader::{Data, Key, Value};

use alloy::primitives::{Address, B256, U256, keccak256};
use reader::Table;

/// A whole `upgrade.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `[project]`
    pub project: ProjectSettings,
    /// `[strategies]`
    pub strategies: Strategies,
    /// `[caps]`
    pub caps: Caps,
    /// `[contracts.…]`, ascending by name
    pub contracts: Vec<Contract>,
    /// `[[calls]]`, in their order
    pub calls: Vec<Call>,
}

/// Whose upgrade it is, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectSettings {
    /// the network; planning for another one is refused
    pub chain_id: u64,
    /// where `chainId` stands
    pub chain_id_at: Place,
    /// how the manager is found
    pub manager: ManagerOf,
    /// where the actions are going to be published; empty: said later
    pub uri: String,
}

/// How the project's manager is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagerOf {
    /// by its address
    Address(Address),
    /// by what it was registered with
    Registered {
        /// its first owner
        owner: Address,
        /// `salt`: 32 bytes as they are, any other text by its keccak256
        salt: B256,
    },
}

/// Who executes, and what it is paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strategies {
    /// selection strategy
    pub ess: Named,
    /// payment strategy
    pub eps: Named,
}

/// A contract by address, or by its name in the network's `deployments` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// its address
    Address(Address),
    /// its name
    Name(String, Place),
}

/// What the upgrade may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// wei per gas above which nothing is executed; `U256::MAX`: no cap
    pub max_base_fee: U256,
    /// wei for executors; `None`: what the committed gas costs at the cap
    pub budget: Option<U256>,
    /// transactions that are paid their fixed part; `None`: twice as many as are needed
    pub max_txs: Option<u32>,
    /// added to measured gas, in percent
    pub gas_margin_percent: u32,
}

/// Added to measured gas unless the file says otherwise.
pub const DEFAULT_GAS_MARGIN_PERCENT: u32 = 15;

impl Config {
    /// Reads the text of an `upgrade.toml`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut root = Table::new("the file", reader::read(text)?)?;
        let project = project(root.required("project")?)?;
        let strategies = strategies(root.required("strategies")?)?;
        let caps = caps(root.required("caps")?)?;
        let contracts = root.optional("contracts").map(contract::contracts).transpose()?.unwrap_or_default();
        let calls = root.optional("calls").map(contract::calls).transpose()?.unwrap_or_default();
        root.finish()?;
        Ok(Self { project, strategies, caps, contracts, calls })
    }

    /// Refuses the file for another network than the one that a node is on.
    pub fn require_network(&self, connected: u64) -> Result<(), ConfigError> {
        let stated = self.project.chain_id;
        if stated == connected {
            return Ok(());
        }
        Err(ConfigError::new(self.project.chain_id_at, Problem::WrongNetwork { stated, connected }))
    }
}

fn project(value: Value) -> Result<ProjectSettings, ConfigError> {
    let mut table = Table::new("[project]", value)?;
    let chain_id = table.required("chainId")?;
    let owner = table.optional("owner");
    let salt = table.optional("salt");
    let manager = match (table.optional("manager"), owner, salt) {
        (Some(manager), None, None) => ManagerOf::Address(manager.address()?),
        (None, Some(owner), Some(salt)) => {
            let text = salt.text()?;
            let salt = if text.starts_with("0x") { salt.word()? } else { keccak256(text) };
            ManagerOf::Registered { owner: owner.address()?, salt }
        }
        _ => {
            let why = "[project] has either `manager`, or `owner` and `salt`".to_owned();
            return Err(ConfigError::new(table.at, Problem::Conflict(why)));
        }
    };
    let uri = match table.optional("uri") {
        Some(uri) => uri.text()?.to_owned(),
        None => String::new(),
    };
    table.finish()?;
    Ok(ProjectSettings { chain_id: chain_id.number("chain id")?, chain_id_at: chain_id.at, manager, uri })
}

fn strategies(value: Value) -> Result<Strategies, ConfigError> {
    let mut table = Table::new("[strategies]", value)?;
    let ess = named(&table.required("ess")?)?;
    let eps = named(&table.required("eps")?)?;
    table.finish()?;
    Ok(Strategies { ess, eps })
}

fn named(value: &Value) -> Result<Named, ConfigError> {
    let text = value.text()?;
    if text.starts_with("0x") {
        Ok(Named::Address(value.address()?))
    } else {
        reference::require_name(value.at, text)?;
        Ok(Named::Name(text.to_owned(), value.at))
    }
}

fn caps(value: Value) -> Result<Caps, ConfigError> {
    let mut table = Table::new("[caps]", value)?;
    let max_base_fee = table.required("maxBaseFee")?;
    let uncapped = matches!(&max_base_fee.data, Data::Text(text) if text == "none");
    let max_base_fee = if uncapped { U256::MAX } else { max_base_fee.amount()? };
    let budget = table.optional("budget").map(|value| value.amount()).transpose()?;
    if uncapped && budget.is_none() {
        let why = "without a cap on the basefee nothing says what the upgrade can cost: give a `budget`";
        return Err(ConfigError::new(table.at, Problem::Conflict(why.into())));
    }
    let max_txs = match table.optional("maxTxs") {
        Some(value) => match value.number::<u32>("number of transactions")? {
            0 => return Err(value.bad("number of transactions", "it must not be 0")),
            number => Some(number),
        },
        None => None,
    };
    let gas_margin_percent = match table.optional("gasMarginPercent") {
        Some(value) => match value.number::<u32>("percentage")? {
            number @ 0..=1000 => number,
            _ => return Err(value.bad("percentage", "it is more than 1000")),
        },
        None => DEFAULT_GAS_MARGIN_PERCENT,
    };
    table.finish()?;
    Ok(Caps { max_base_fee, budget, max_txs, gas_margin_percent })
}
