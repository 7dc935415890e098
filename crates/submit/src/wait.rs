//! The simple path for one transaction.

use crate::{SubmitError, Submitter, TxRequest};
use alloy::{providers::DynProvider, rpc::types::TransactionReceipt};
use std::time::Duration;

/// Sends a transaction and watches the chain until it is confirmed: for a command that a user waits for. It
/// asks the node for its head every `poll`; without an answer it goes on asking.
///
/// # Errors
/// [`SubmitError::NotExecuted`] when the nonce was used without executing the request, also when it reverted.
pub async fn send_and_wait(
    submitter: &Submitter,
    provider: &DynProvider,
    request: TxRequest,
    poll: Duration,
) -> Result<TransactionReceipt, SubmitError> {
    let _ = (submitter, provider, request, poll);
    todo!()
}
