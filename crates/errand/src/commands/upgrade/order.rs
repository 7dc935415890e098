//! A transaction for the project: sent with a key, or printed for a Safe or a timelock.

use super::project::Project;
use crate::{
    abi::call_or_bytes_text,
    amount::eth_text,
    calldata::address,
    cli::{Global, Signing},
    commands::{sent_json, sent_text},
    output::pairs,
    revert::{revert_data, would_revert},
    send::{Account, Sent, Step},
    session::{Session, rpc_problem},
};
use alloy::{
    primitives::{Address, B256, hex},
    providers::Provider,
    rpc::types::TransactionRequest,
    sol_types::SolCall,
};
use clap::{Args, builder::BoolishValueParser};
use eyre::Result;
use serde_json::json;

/// Which project it is.
#[derive(Args, Clone, Debug)]
pub(crate) struct ManagerArg {
    /// The project's manager, as `errand upgrade register` tells it
    #[arg(long, value_name = "ADDRESS", env = "ERRAND_MANAGER", value_parser = address)]
    pub(crate) manager: Address,
}

/// A bundle's id as people write it.
pub(crate) fn bundle_id(text: &str) -> Result<B256, String> {
    text.parse().map_err(|_| {
        "a bundle's id is 0x and 64 hexadecimal digits; `errand upgrade list` tells those of a project"
            .to_owned()
    })
}

/// Which bundle of which project it is.
#[derive(Args, Clone, Debug)]
pub(crate) struct BundleArg {
    /// The bundle's id
    #[arg(value_name = "ID", value_parser = bundle_id)]
    pub(crate) id: B256,
    #[command(flatten)]
    pub(crate) manager: ManagerArg,
}

/// What the owner does with a project.
#[derive(Args, Clone, Debug)]
pub(crate) struct Order {
    #[command(flatten)]
    pub(crate) manager: ManagerArg,
    #[command(flatten)]
    pub(crate) placing: Placing,
}

/// Who makes the transaction.
#[derive(Args, Clone, Debug)]
pub(crate) struct Placing {
    /// Print the transaction for a Safe or a timelock instead of sending it. No key is needed
    #[arg(long, env = "ERRAND_CALLDATA", value_parser = BoolishValueParser::new())]
    pub(crate) calldata: bool,
    #[command(flatten)]
    pub(crate) signing: Signing,
}

impl Placing {
    /// The account that is going to sign; `None`: the transaction is printed.
    pub(crate) fn account<'a>(&'a self, session: &'a Session) -> Result<Option<Account<'a>>> {
        if self.calldata { Ok(None) } else { Account::load(session, &self.signing).map(Some) }
    }

    /// Sends it. `None`: it was printed.
    pub(crate) async fn place(
        &self,
        project: &Project<'_>,
        account: Option<&Account<'_>>,
        step: &Step,
    ) -> Result<Option<Sent>> {
        if let Some(account) = account {
            return Ok(account.send(std::slice::from_ref(step)).await?.pop());
        }
        require_success(project, step).await?;
        let session = project.session;
        let data = hex::encode_prefixed(&step.data);
        let chain = session.endpoint.chain_id();
        let value = json!({
            "chainId": chain,
            "purpose": step.purpose,
            "to": step.to,
            "valueWei": step.value.to_string(),
            "data": data,
        });
        session.format.print(&value, || {
            pairs([
                ("to do", step.purpose.clone()),
                ("chain", chain.to_string()),
                ("to", step.to.to_string()),
                ("value", format!("{} wei ({})", step.value, eth_text(step.value))),
                ("call", call_or_bytes_text(&step.data)),
                ("data", data),
            ])
        })?;
        Ok(None)
    }

    /// Sends it and tells what was sent, and no more.
    pub(crate) async fn carry_out(
        &self,
        project: &Project<'_>,
        account: Option<&Account<'_>>,
        step: &Step,
        afterwards: &str,
    ) -> Result<()> {
        let Some(sent) = self.place(project, account, step).await? else { return Ok(()) };
        let sent = [sent];
        project.session.format.print(&sent_json(&sent), || match afterwards {
            "" => sent_text(&sent),
            _ => format!("{}\n\n{afterwards}", sent_text(&sent)),
        })
    }
}

impl Order {
    /// Opens the project, sees that the account is the owner and that `call` is what it can do now.
    pub(crate) async fn by_owner(
        &self,
        global: &Global,
        purpose: impl Into<String>,
        call: &impl SolCall,
    ) -> Result<()> {
        let session = Session::open(global).await?;
        let account = self.placing.account(&session)?;
        let project = Project::open(&session, self.manager.manager).await?;
        project.require_owner(account.as_ref()).await?;
        let step = Step::call(purpose, project.address, call);
        self.placing.carry_out(&project, account.as_ref(), &step, "").await
    }
}

/// Runs the step as the owner, who is going to make it, would. Not where it sends ETH: what the owner has now says
/// little about what a Safe is going to have.
async fn require_success(project: &Project<'_>, step: &Step) -> Result<()> {
    if !step.value.is_zero() {
        return Ok(());
    }
    let owner = project.owner().await?;
    let call = TransactionRequest::default().from(owner).to(step.to).input(step.data.clone().into());
    match project.session.provider.call(call).await {
        Ok(_) => Ok(()),
        Err(error) => Err(match revert_data(&error) {
            Some(data) => would_revert("printed", &step.purpose, &data).into(),
            None => rpc_problem("a simulation", &error),
        }),
    }
}
