//! The simple path for one transaction.

use crate::{Outcome, Route, SubmitError, Submitter, TxRequest, Update, node::Node};
use alloy::{providers::DynProvider, rpc::types::TransactionReceipt};
use errand_types::BlockHead;
use std::time::Duration;

/// Time that a node has for its head.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The node's head, for somebody who has no block feed.
///
/// # Errors
/// [`SubmitError::Node`] or [`SubmitError::Timeout`].
pub async fn latest_head(provider: &DynProvider) -> Result<BlockHead, SubmitError> {
    Node::new(provider.clone(), Route::Public, TIMEOUT).head().await
}

/// Sends a transaction and watches the chain until it is confirmed: for a command that a user waits for. It
/// asks the node for its head every `poll`; without an answer it goes on asking. When the future is dropped,
/// the intent stays open and the next start goes on with it.
///
/// # Errors
/// [`SubmitError::NotExecuted`] when the nonce was used without executing the request, also when it reverted;
/// otherwise those of [`Submitter::submit`].
pub async fn send_and_wait(
    submitter: &Submitter,
    provider: &DynProvider,
    request: TxRequest,
    poll: Duration,
) -> Result<TransactionReceipt, SubmitError> {
    let sent = submitter.submit(request).await?;
    tracing::info!(intent = %sent.intent, nonce = sent.nonce, tx_hash = %sent.tx_hash, update = ?sent.update, "sent");
    let mut receipt = None;
    loop {
        tokio::time::sleep(poll).await;
        let head = match latest_head(provider).await {
            Ok(head) => head,
            Err(error) => {
                tracing::warn!(%error, "waiting for the node");
                continue;
            }
        };
        for event in submitter.on_head(head).await? {
            tracing::info!(intent = %event.intent, nonce = event.nonce, update = ?event.update, "progress");
            if event.intent != sent.intent {
                continue;
            }
            match (event.update, receipt.take()) {
                (Update::Mined { receipt: mined }, _) => receipt = Some(mined),
                (Update::Confirmed { outcome: Outcome::Executed }, Some(mined)) => return Ok(*mined),
                (Update::Confirmed { outcome }, _) => {
                    return Err(SubmitError::NotExecuted { outcome, tx_hash: sent.tx_hash });
                }
                (_, kept) => receipt = kept,
            }
        }
    }
}
