//! `errand request cancel`

use crate::{
    amount::eth_text,
    cli::{Global, Signing},
    commands::sent_text,
    history,
    problem::Problem,
    send::{Account, Step},
    session::Session,
};
use alloy::primitives::U256;
use clap::Args;
use errand_bindings::IRegistry;
use errand_types::RequestId;
use eyre::Result;
use serde_json::json;

/// Take a Request back, with its deposit
///
/// Takes a Request of yours back: nobody can execute it any more, and its deposit returns to you in the same
/// transaction. Nobody else can cancel it, and nobody can keep you from it.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  errand request cancel 7 --account alice")]
pub(crate) struct Cancel {
    /// Number of the Request
    #[arg(value_parser = super::request_id)]
    id: RequestId,
    #[command(flatten)]
    signing: Signing,
}

impl Cancel {
    pub(super) async fn run(&self, global: &Global) -> Result<()> {
        let session = Session::open(global).await?;
        let account = Account::load(&session, &self.signing)?;
        let record = history::record(&session, self.id).await?;
        let request = &record.entry.request;
        if request.user != account.address() {
            return Err(Problem::new(format!(
                "Request {} belongs to {}, and you are {}",
                self.id,
                request.user,
                account.address()
            ))
            .hint("only its user can cancel a Request: sign with that key")
            .into());
        }
        record.require_outstanding()?;
        let refund = U256::from(request.initEthSent);
        let call = IRegistry::cancelHashedReqCall { id: self.id.into(), r: request.clone() };
        let purpose = format!("cancel Request {} and get {} back", self.id, eth_text(refund));
        let sent = account.send(&[Step::call(purpose, session.contracts.registry, &call)]).await?;
        let value = json!({ "id": self.id, "refundWei": refund.to_string(), "transactions": sent });
        session.format.print(&value, || sent_text(&sent))
    }
}
