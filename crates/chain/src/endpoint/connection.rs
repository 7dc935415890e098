//! The connection in use, and how it is replaced.

use super::{EndpointError, EndpointOptions, NodeUrl, RpcStats, http::Http, url::Route};
use alloy::{
    network::Ethereum,
    providers::{Provider, RootProvider},
    pubsub::{ConnectionHandle, PubSubConnect, PubSubFrontend, Subscription},
    rpc::{
        client::RpcClient,
        json_rpc::{ErrorPayload, ResponsePacket, ResponsePayload},
        types::Header,
    },
    transports::{
        BoxTransport, IntoBoxTransport, TransportError, TransportErrorKind, TransportResult, ipc::IpcConnect,
        ws::WsConnect,
    },
};
use serde_json::value::RawValue;
use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;

/// A connection to a node that has named its chain.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    /// Tells one connection from the next.
    pub(super) id: u64,
    /// The node; `None` for a transport that was handed in.
    pub(super) url: Option<NodeUrl>,
    pub(super) transport: BoxTransport,
    /// The same connection as one that can be subscribed on.
    pushing: Option<PubSubFrontend>,
    pub(super) chain_id: u64,
}

impl Connection {
    /// The error without secrets of the URL.
    pub(super) fn scrub(&self, error: TransportError) -> TransportError {
        match &self.url {
            Some(url) => scrub(url, error),
            None => error,
        }
    }

    /// The response without secrets of the URL in what the node refused.
    pub(super) fn scrub_answers(&self, mut response: ResponsePacket) -> ResponsePacket {
        let Some(url) = self.url.as_ref().filter(|_| response.is_error()) else { return response };
        let answers = match &mut response {
            ResponsePacket::Single(answer) => std::slice::from_mut(answer),
            ResponsePacket::Batch(answers) => answers.as_mut_slice(),
        };
        for answer in answers {
            if let ResponsePayload::Failure(refusal) = &mut answer.payload {
                scrub_refusal(url, refusal);
            }
        }
        response
    }
}

/// The nodes of one chain, and the connection to one of them.
#[derive(Debug)]
pub(super) struct Connections {
    urls: Vec<NodeUrl>,
    /// The node to connect to, modulo their number.
    turn: AtomicUsize,
    pub(super) options: EndpointOptions,
    pub(super) stats: RpcStats,
    /// The chain that the first connection found, 0 before.
    chain_id: AtomicU64,
    opened: AtomicU64,
    current: Mutex<Option<Arc<Connection>>>,
    /// Held while a connection is made, so that one is made at a time.
    connecting: tokio::sync::Mutex<()>,
    /// A transport that was handed in; there is no other.
    fixed: Option<BoxTransport>,
}

impl Connections {
    pub(super) fn to(urls: Vec<NodeUrl>, options: EndpointOptions) -> Self {
        let chain_id = AtomicU64::new(options.chain_id.unwrap_or_default());
        Self {
            urls,
            turn: AtomicUsize::new(0),
            options,
            stats: RpcStats::default(),
            chain_id,
            opened: AtomicU64::new(0),
            current: Mutex::new(None),
            connecting: tokio::sync::Mutex::new(()),
            fixed: None,
        }
    }

    pub(super) fn fixed(transport: BoxTransport, options: EndpointOptions) -> Self {
        Self { fixed: Some(transport), ..Self::to(Vec::new(), options) }
    }

    pub(super) fn url(&self) -> String {
        let turn = self.turn.load(Ordering::Relaxed);
        match self.urls.get(turn % self.urls.len().max(1)) {
            Some(url) => url.to_string(),
            None => "a transport without URL".to_owned(),
        }
    }

    /// The connection in use, made anew if there is none.
    pub(super) async fn current(&self) -> Result<Arc<Connection>, EndpointError> {
        if let Some(connection) = self.open() {
            return Ok(connection);
        }
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(connection) = self.open() {
            return Ok(connection);
        }
        let mut result = self.connect().await;
        for _ in 1..self.urls.len() {
            if result.is_ok() {
                break;
            }
            self.turn.fetch_add(1, Ordering::Relaxed);
            result = self.connect().await;
        }
        let connection = Arc::new(result?);
        if connection.id > 0 {
            self.stats.reconnects.fetch_add(1, Ordering::Relaxed);
            tracing::info!(url = self.url(), "connected again");
        }
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&connection));
        Ok(connection)
    }

    fn open(&self) -> Option<Arc<Connection>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets the connection, so that the next call makes another one, to the next node if there are several.
    pub(super) fn give_up(&self, id: u64) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if self.fixed.is_none() && current.as_ref().is_some_and(|connection| connection.id == id) {
            *current = None;
            self.turn.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether another node could be asked instead.
    pub(super) fn has_others(&self) -> bool {
        self.urls.len() > 1
    }

    async fn connect(&self) -> Result<Connection, EndpointError> {
        let turn = self.turn.load(Ordering::Relaxed);
        let url = self.urls.get(turn % self.urls.len().max(1)).cloned();
        let shown = self.url();
        let unreachable = |error: TransportError| {
            let (answers, text) = match &error {
                TransportError::Transport(TransportErrorKind::HttpError(http))
                | TransportError::Transport(TransportErrorKind::HttpErrorWithRetryAfter {
                    error: http,
                    ..
                }) => (true, format!("HTTP status {} and `{}`", http.status, http.body)),
                TransportError::DeserError { text, .. } => (true, format!("`{text}`")),
                TransportError::ErrorResp(refusal) => (true, format!("`{}`", refusal.message)),
                other => (false, describe(other)),
            };
            let reason = url.as_ref().map_or_else(|| text.clone(), |url| url.scrub(&text));
            let url = shown.clone();
            if answers {
                EndpointError::NoNode { url, reason }
            } else {
                EndpointError::Unreachable { url, reason }
            }
        };
        let within = self.options.timeout;
        let (transport, pushing) = match (&self.fixed, &url) {
            (Some(transport), _) => (transport.clone(), None),
            (None, Some(url)) => open(url, within).await.map_err(unreachable)?,
            (None, None) => return Err(EndpointError::NoUrl),
        };
        let probe = RootProvider::<Ethereum>::new(RpcClient::new(transport.clone(), true));
        self.stats.count("eth_chainId");
        self.stats.round_trips.fetch_add(1, Ordering::Relaxed);
        let actual = in_time(within, probe.get_chain_id()).await.map_err(unreachable)?;
        let expected = self
            .chain_id
            .compare_exchange(0, actual, Ordering::Relaxed, Ordering::Relaxed)
            .map_or_else(|expected| expected, |_| actual);
        if actual != expected {
            return Err(EndpointError::WrongChain { url: shown, expected, actual });
        }
        let id = self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(Connection { id, url, transport, pushing, chain_id: actual })
    }

    pub(super) async fn subscribe_heads(&self) -> Result<Option<(Subscription<Header>, u64)>, EndpointError> {
        let connection = self.current().await?;
        let Some(pushing) = &connection.pushing else { return Ok(None) };
        let provider = RootProvider::<Ethereum>::new(RpcClient::new(pushing.clone(), true));
        self.stats.count("eth_subscribe");
        self.stats.round_trips.fetch_add(1, Ordering::Relaxed);
        let subscribe = async { provider.subscribe_blocks().await };
        match in_time(self.options.timeout, subscribe).await {
            Ok(subscription) => Ok(Some((subscription, connection.id))),
            Err(error) => {
                self.give_up(connection.id);
                Err(EndpointError::Rpc { method: "eth_subscribe", error: connection.scrub(error) })
            }
        }
    }
}

async fn in_time<T>(
    limit: Duration,
    attempt: impl Future<Output = TransportResult<T>>,
) -> TransportResult<T> {
    timeout(limit, attempt).await.unwrap_or_else(|_| Err(TransportErrorKind::custom(TimedOut(limit))))
}

/// No answer came.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
pub(crate) struct TimedOut(pub(super) Duration);

async fn open(url: &NodeUrl, within: Duration) -> TransportResult<(BoxTransport, Option<PubSubFrontend>)> {
    let frontend = match &url.route {
        Route::Http(url) => return Ok((Http::new(url.clone()).into_box_transport(), None)),
        Route::Ws(url) => in_time(within, Once(WsConnect::new(url.as_str())).into_service()).await?,
        Route::Ipc(path) => in_time(within, Once(IpcConnect::from(path.clone())).into_service()).await?,
    };
    Ok((frontend.clone().into_box_transport(), Some(frontend)))
}

/// A connection that is not repaired underneath: alloy's own repair loses what was pushed meanwhile, does not
/// ask for the chain, and gives up for good after some attempts.
struct Once<C>(C);

impl<C: PubSubConnect> PubSubConnect for Once<C> {
    fn is_local(&self) -> bool {
        self.0.is_local()
    }

    async fn connect(&self) -> TransportResult<ConnectionHandle> {
        self.0.connect().await
    }

    async fn try_reconnect(&self) -> TransportResult<ConnectionHandle> {
        Err(TransportErrorKind::non_retryable_str("the connection is gone"))
    }
}

/// An error with its causes: reqwest says why only in them.
fn describe(error: &TransportError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// The error with every secret of the URL taken out, of the same kind as far as others depend on it.
fn scrub(url: &NodeUrl, error: TransportError) -> TransportError {
    match error {
        TransportError::Transport(TransportErrorKind::HttpError(http)) => {
            TransportErrorKind::http_error(http.status, url.scrub(&http.body))
        }
        TransportError::Transport(TransportErrorKind::HttpErrorWithRetryAfter { error, retry_after }) => {
            TransportErrorKind::http_error_with_retry_after(
                error.status,
                url.scrub(&error.body),
                Some(retry_after),
            )
        }
        TransportError::Transport(TransportErrorKind::NonRetryable(error)) => {
            TransportErrorKind::non_retryable_str(&url.scrub(&error.to_string()))
        }
        TransportError::Transport(TransportErrorKind::Custom(error)) if error.is::<TimedOut>() => {
            TransportError::Transport(TransportErrorKind::Custom(error))
        }
        TransportError::Transport(TransportErrorKind::Custom(_)) => {
            TransportErrorKind::custom_str(&url.scrub(&describe(&error)))
        }
        TransportError::DeserError { err, text } => {
            TransportError::DeserError { err, text: url.scrub(&text) }
        }
        TransportError::ErrorResp(mut refusal) => {
            scrub_refusal(url, &mut refusal);
            TransportError::ErrorResp(refusal)
        }
        other => other,
    }
}

fn scrub_refusal(url: &NodeUrl, refusal: &mut ErrorPayload) {
    refusal.message = url.scrub(&refusal.message).into();
    refusal.data = refusal.data.take().and_then(|data| RawValue::from_string(url.scrub(data.get())).ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://alice:wonderland@node.example/v3/0123456789abcdef?apikey=tellnobody";

    #[test]
    fn no_error_shows_a_secret() {
        let url: NodeUrl = URL.parse().unwrap();
        let leak = format!("while asking {URL}: wonderland 0123456789abcdef tellnobody alice");
        let garbage = serde_json::from_str::<u64>("x").unwrap_err();
        let payload = || ErrorPayload {
            code: -32000,
            message: leak.clone().into(),
            data: serde_json::value::to_raw_value(&leak).ok(),
        };
        for error in [
            TransportErrorKind::http_error(500, leak.clone()),
            TransportErrorKind::http_error_with_retry_after(429, leak.clone(), Some(Duration::from_secs(1))),
            TransportErrorKind::non_retryable_str(&leak),
            TransportErrorKind::custom_str(&leak),
            TransportError::deser_err(garbage, &leak),
            TransportError::ErrorResp(payload()),
        ] {
            let scrubbed = scrub(&url, error);
            let shown = format!("{scrubbed} {scrubbed:?} {}", describe(&scrubbed));
            for secret in ["wonderland", "0123456789abcdef", "tellnobody", "alice"] {
                assert!(!shown.contains(secret), "{secret} in {shown}");
            }
            assert!(shown.contains("while asking"), "{shown}");
        }
    }
}
