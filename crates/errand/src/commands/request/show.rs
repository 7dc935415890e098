//! `errand request show`

use crate::{
    cli::Global,
    commands::{
        fee_text,
        request::{entry_json, entry_rows, execution_json, status_name},
    },
    history::{self, Status},
    output::pairs,
    session::Session,
};
use clap::Args;
use errand_types::RequestId;
use eyre::Result;
use serde_json::Value;

/// Show one Request and what became of it
///
/// Shows every field of a Request, its call decoded where the function is known, and what became of it:
/// outstanding, executed (in which block, by whom, for which fee) or cancelled.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand request show 7
  errand request show 7 --json")]
pub(crate) struct Show {
    /// Number of the Request
    #[arg(value_parser = super::request_id)]
    id: RequestId,
}

impl Show {
    pub(super) async fn run(&self, global: &Global) -> Result<()> {
        let session = Session::open(global).await?;
        let record = history::record(&session, self.id).await?;
        let mut value = entry_json(&record.entry);
        if let Some(object) = value.as_object_mut() {
            object.insert("status".to_owned(), status_name(&record).into());
            if let Status::Cancelled { block } = record.status {
                object.insert("cancelledAtBlock".to_owned(), block.into());
            }
            object.insert(
                "executions".to_owned(),
                record.executions.iter().map(execution_json).collect::<Value>(),
            );
        }
        session.format.print(&value, || {
            let mut rows = entry_rows(&session, &record.entry);
            rows.push((
                "status",
                match record.status {
                    Status::Cancelled { block } => format!("cancelled in block {block}"),
                    _ => status_name(&record).to_owned(),
                },
            ));
            for execution in &record.executions {
                rows.push((
                    "executed",
                    format!(
                        "block {} by {} for {}, transaction {}",
                        execution.block,
                        execution.executor,
                        fee_text(execution.fee, execution.paid_in_auto),
                        execution.transaction
                    ),
                ));
            }
            pairs(rows)
        })
    }
}
