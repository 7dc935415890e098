//! `errand request`: calls that are made later.

mod cancel;
mod list;
mod new;
mod show;
mod warnings;
mod why;

use crate::{
    abi::{call_or_bytes_text, call_text},
    amount::eth_text,
    cli::Global,
    commands::yes_no,
    history::{Execution, Record, Status},
    session::Session,
};
use alloy::primitives::{Address, U256};
use clap::Subcommand;
use errand_keeper::Outstanding;
use errand_types::RequestId;
use eyre::Result;
use serde_json::{Value, json};

/// Register calls, look at them, cancel them
///
/// A Request is a call that is made as soon as it can succeed: the condition is in the contract that is called,
/// which reverts until it holds. Executors try it after every block and are paid from the Request's deposit, or
/// in AUTO from your wallet.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: a call, from registering it to taking it back:
  errand request new --target 0x5FbD… --account alice \\
      --call 'pay(address,uint256)' 0x7099… 1ether
  errand request why 0
  errand request cancel 0 --account alice")]
pub(crate) enum Command {
    New(Box<new::New>),
    List(list::List),
    Show(show::Show),
    Why(why::Why),
    Cancel(cancel::Cancel),
}

impl Command {
    pub(crate) async fn run(&self, global: &Global) -> Result<()> {
        match self {
            Self::New(command) => command.run(global).await,
            Self::List(command) => command.run(global).await,
            Self::Show(command) => command.run(global).await,
            Self::Why(command) => command.run(global).await,
            Self::Cancel(command) => command.run(global).await,
        }
    }
}

/// All fields of a Request.
fn entry_json(entry: &Outstanding) -> Value {
    let request = &entry.request;
    json!({
        "id": entry.id,
        "user": request.user,
        "target": request.target,
        "referer": request.referer,
        "callData": request.callData,
        "call": call_text(&request.callData),
        "initEthSentWei": request.initEthSent.to_string(),
        "ethForCallWei": request.ethForCall.to_string(),
        "verifyUser": request.verifyUser,
        "insertFeeAmount": request.insertFeeAmount,
        "payWithAuto": request.payWithAUTO,
        "isAlive": request.isAlive,
        "addedAtBlock": entry.added_at,
        "lastExecutedAtBlock": entry.last_executed_at,
    })
}

fn entry_rows(session: &Session, entry: &Outstanding) -> Vec<(&'static str, String)> {
    let request = &entry.request;
    let referer = match request.referer {
        Address::ZERO => "none".to_owned(),
        referer => session.address_text(referer),
    };
    vec![
        ("request", entry.id.to_string()),
        ("user", session.address_text(request.user)),
        ("target", session.address_text(request.target)),
        ("call", call_or_bytes_text(&request.callData)),
        ("value", eth_text(U256::from(request.ethForCall))),
        ("deposit", format!("{}, value included", eth_text(U256::from(request.initEthSent)))),
        ("pays in", if request.payWithAUTO { "AUTO, when executed".to_owned() } else { "ETH".to_owned() }),
        ("recurring", yes_no(request.isAlive).to_owned()),
        ("verify user", yes_no(request.verifyUser).to_owned()),
        ("insert fee", yes_no(request.insertFeeAmount).to_owned()),
        ("referer", referer),
        ("registered", format!("block {}", entry.added_at)),
    ]
}

fn execution_json(execution: &Execution) -> Value {
    json!({
        "block": execution.block,
        "transaction": execution.transaction,
        "executor": execution.executor,
        (if execution.paid_in_auto { "feeAutoBase" } else { "feeWei" }): execution.fee.to_string(),
    })
}

const fn status_name(record: &Record) -> &'static str {
    match record.status {
        Status::Outstanding => "outstanding",
        Status::Executed(_) => "executed",
        Status::Cancelled { .. } => "cancelled",
    }
}

/// The number of a Request.
fn request_id(text: &str) -> Result<RequestId, String> {
    text.parse().map_err(|_| "a Request has a number, such as 7: `errand request list` shows it".to_owned())
}
