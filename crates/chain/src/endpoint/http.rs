//! JSON-RPC over HTTP. alloy's own transport writes the whole URL into its log spans.

use alloy::{
    rpc::json_rpc::{RequestPacket, ResponsePacket},
    transports::{
        TransportError, TransportErrorKind, TransportFut, TransportResult,
        http::{Client, reqwest::header::RETRY_AFTER},
    },
};
use std::{
    task::{Context, Poll},
    time::Duration,
};
use url::Url;

#[derive(Clone)]
pub(super) struct Http {
    client: Client,
    url: Url,
}

impl Http {
    pub(super) fn new(url: Url) -> Self {
        Self { client: Client::new(), url }
    }

    async fn post(self, request: RequestPacket) -> TransportResult<ResponsePacket> {
        let response =
            self.client.post(self.url).json(&request).send().await.map_err(TransportErrorKind::custom)?;
        let status = response.status();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let body = response.bytes().await.map_err(TransportErrorKind::custom)?;
        // Some nodes answer with a proper JSON-RPC error under an HTTP error: that is the answer, unless it is
        // about load, when the status and the pause it asks for say more.
        let overloaded = status.as_u16() == 429 || status.is_server_error();
        match serde_json::from_slice::<ResponsePacket>(&body) {
            Ok(response) if !overloaded => Ok(response),
            Err(error) if status.is_success() => Err(TransportError::deser_err(error, excerpt(&body))),
            _ => Err(TransportErrorKind::http_error_with_retry_after(
                status.as_u16(),
                excerpt(&body),
                retry_after,
            )),
        }
    }
}

/// What an error shows of a body, which may be megabytes long and hold what a terminal obeys.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let printable = text.split(|letter: char| letter.is_control() || letter.is_whitespace());
    printable.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

impl tower::Service<RequestPacket> for Http {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<TransportResult<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        Box::pin(self.clone().post(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_as_one_short_line_without_control_characters() {
        assert_eq!(excerpt(b"<html>\r\n <body>\x1b[2J\x07hello</body>"), "<html> <body> [2J hello</body>");
        assert_eq!(excerpt(&[b'x'; 5_000]).len(), 200);
    }
}
