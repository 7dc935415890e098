//! The transport under every call: it counts, limits the time, repeats reads and replaces broken connections.

use super::{
    EndpointError,
    connection::{Connections, TimedOut},
    retry::{asked_pause, is_rate_limit, is_read, may_pass},
};
use alloy::{
    rpc::json_rpc::{Id, RequestPacket, ResponsePacket},
    transports::{TransportError, TransportErrorKind, TransportFut, TransportResult},
};
use backon::{ExponentialBuilder, Retryable};
use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};
use tower::{Service, ServiceExt};

#[derive(Clone, Debug)]
pub(super) struct EndpointTransport(pub(super) Arc<Connections>);

impl EndpointTransport {
    async fn send(self, request: RequestPacket) -> TransportResult<ResponsePacket> {
        let options = &self.0.options;
        let attempts = if request.method_names().all(is_read) { options.retries } else { 0 };
        let pauses = ExponentialBuilder::default()
            .with_min_delay(options.backoff)
            .with_max_delay(options.max_backoff)
            .with_max_times(attempts)
            .with_jitter();
        (|| self.attempt(&request))
            .retry(pauses)
            .sleep(tokio::time::sleep)
            .when(may_pass)
            .adjust(|error, pause| {
                pause
                    .map(|pause| asked_pause(error).map_or(pause, |asked| asked.max(pause)))
                    .map(|pause| pause.min(options.max_backoff))
            })
            .notify(|error, pause| {
                self.0.stats.retries.fetch_add(1, Ordering::Relaxed);
                let method = request.method_names().next().unwrap_or_default();
                tracing::debug!(url = self.0.url(), method, %error, ?pause, "trying again");
            })
            .await
    }

    async fn attempt(&self, request: &RequestPacket) -> TransportResult<ResponsePacket> {
        let Connections { stats, options, .. } = &*self.0;
        let connection = self.0.current().await.map_err(|error| match error {
            EndpointError::Rpc { error, .. } => error,
            wrong @ EndpointError::WrongChain { .. } => TransportErrorKind::non_retryable(wrong),
            other => TransportErrorKind::custom(other),
        })?;
        request.method_names().for_each(|method| stats.count(method));
        stats.round_trips.fetch_add(1, Ordering::Relaxed);
        let call = connection.transport.clone().oneshot(request.clone());
        let result = match tokio::time::timeout(options.timeout, call).await {
            Ok(result) => result.and_then(|response| matching(request, connection.scrub_answers(response))),
            Err(_) => {
                stats.timeouts.fetch_add(1, Ordering::Relaxed);
                Err(TransportErrorKind::custom(TimedOut(options.timeout)))
            }
        };
        result.map_err(|error| {
            if !error.is_error_resp() {
                stats.failures.fetch_add(1, Ordering::Relaxed);
            }
            // A node that is overloaded is not replaced by another connection to it.
            let overloaded = error.is_error_resp()
                || error.as_transport_err().is_some_and(TransportErrorKind::is_http_error);
            if self.0.has_others() || !overloaded {
                self.0.give_up(connection.id);
            }
            connection.scrub(error)
        })
    }
}

/// The response, if it answers the request and all of it. An answer that the node was asked too often becomes
/// an error here, where it can be waited out.
fn matching(request: &RequestPacket, response: ResponsePacket) -> TransportResult<ResponsePacket> {
    if let Some(refusal) = response.iter_errors().find(|error| is_rate_limit(error)) {
        return Err(TransportError::ErrorResp(refusal.clone()));
    }
    // Errors may come without the id, or one for all.
    if response.is_error() && response.responses().len() == 1 {
        return Ok(response);
    }
    let answered: HashSet<&Id> = response.response_ids().collect();
    match request.requests().iter().find(|request| !answered.contains(request.id())) {
        Some(missing) => Err(TransportErrorKind::missing_batch_response(missing.id().clone())),
        None => Ok(response),
    }
}

impl Service<RequestPacket> for EndpointTransport {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<TransportResult<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}
