//! `errand auto`: the AUTO that pays for executions.

use crate::{
    amount::{auto_text, eth_text},
    cli::{Global, Signing},
    commands::{sent_json, sent_text},
    keys::KeyArgs,
    output::pairs,
    send::{Account, Step},
    session::{Asking, Session},
};
use alloy::primitives::{Address, U256};
use clap::{Args, Subcommand};
use errand_bindings::IAutoToken;
use errand_types::AutoOrMax;
use eyre::Result;
use serde_json::json;

/// Look at and approve the AUTO that pays for executions
///
/// Requests can pay in AUTO: the fee is 10 % on top of the gas instead of 30 %, and is taken from the user's
/// wallet when the Request is executed, not before. For that the contract AutoPayments needs an allowance.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: let executions be paid from your wallet, up to 100 AUTO in all:
  errand auto balance --account alice
  errand auto approve 100auto --account alice")]
pub(crate) enum Command {
    Balance(Balance),
    Approve(Approve),
}

impl Command {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        match self {
            Self::Balance(command) => command.run(global).await,
            Self::Approve(command) => command.run(global).await,
        }
    }
}

/// Show what an account could pay with
///
/// Shows an account's ETH and AUTO, what it allows AutoPayments to take, and the lesser of balance and
/// allowance: what its Requests can pay with at this moment.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand auto balance 0x70997970C51812dc3A010C7d01b50e0d17dc79C8
  errand auto balance --account alice --json")]
pub(crate) struct Balance {
    /// The account. Default: that of the key
    #[arg(value_parser = crate::calldata::address)]
    address: Option<Address>,
    #[command(flatten)]
    key: KeyArgs,
}

impl Balance {
    async fn run(&self, global: &Global) -> Result<()> {
        let address = match self.address {
            Some(address) => address,
            None => self.key.load_or("name the account: `errand auto balance ADDRESS`")?.address(),
        };
        let session = Session::open(global).await?;
        let funds = AutoFunds::read(&session, address).await?;
        let eth = session.balance(address).await?;
        let credit =
            session.registry().creditOf(address).call().await.asking("the credit at the Registry")?;
        let value = json!({
            "address": address,
            "ethWei": eth.to_string(),
            "autoBase": funds.balance.to_string(),
            "allowanceAutoBase": funds.allowance.to_string(),
            "availableAutoBase": funds.available().to_string(),
            "creditWei": credit.to_string(),
        });
        session.format.print(&value, || {
            pairs([
                ("account", session.address_text(address)),
                ("ETH", eth_text(eth)),
                ("AUTO", auto_text(funds.balance)),
                ("allowance", format!("{} to AutoPayments", auto_text(funds.allowance))),
                ("can pay now", auto_text(funds.available())),
                ("credit", format!("{} of refunds that could not be pushed", eth_text(credit))),
            ])
        })
    }
}

/// Allow executions to be paid from your AUTO
///
/// Sets the allowance from which executions of your Requests are paid. Only the Registry can have it used, and
/// only to pay the executor of a Request of yours. Zero takes it back.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand auto approve 100auto --account alice
  errand auto approve max --account alice     no limit but your balance
  errand auto approve 0 --account alice       take it back")]
pub(crate) struct Approve {
    /// Such as 100auto; `max` for no limit
    amount: AutoOrMax,
    #[command(flatten)]
    signing: Signing,
}

impl Approve {
    async fn run(&self, global: &Global) -> Result<()> {
        let session = Session::open(global).await?;
        let account = Account::load(&session, &self.signing)?;
        let value = self.amount.base_units();
        let approve = IAutoToken::approveCall { spender: session.contracts.auto_payments, value };
        let purpose = format!("let executions be paid from {} of yours", auto_text(value));
        let sent = account.send(&[Step::call(purpose, session.contracts.auto_token, &approve)]).await?;
        session.format.print(&sent_json(&sent), || sent_text(&sent))
    }
}

/// What an account can pay fees in AUTO with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AutoFunds {
    pub(crate) balance: U256,
    pub(crate) allowance: U256,
}

impl AutoFunds {
    pub(crate) async fn read(session: &Session, owner: Address) -> Result<Self> {
        let token = session.auto_token();
        Ok(Self {
            balance: token.balanceOf(owner).call().await.asking("the AUTO balance")?,
            allowance: token
                .allowance(owner, session.contracts.auto_payments)
                .call()
                .await
                .asking("the allowance for AutoPayments")?,
        })
    }

    pub(crate) fn available(self) -> U256 {
        self.balance.min(self.allowance)
    }
}
