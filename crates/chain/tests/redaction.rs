//! Nothing that is logged shows a key. A process of its own: other tests would log into the same place.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic like the tests themselves")]

use alloy::primitives::U256;
use errand_chain::{Endpoint, EndpointError, EndpointOptions, NodeUrl};
use errand_testkit::{Anvil, Proxy, proxy::Mode};
use eyre::Result;
use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

const SECRETS: [&str; 4] = ["alice", "wonderland", "0123456789abcdef", "tellnobody"];

fn url(scheme: &str, port: u16, path: &str) -> Result<NodeUrl> {
    Ok(format!("{scheme}://alice:wonderland@127.0.0.1:{port}/{path}?apikey=tellnobody").parse()?)
}

fn fast() -> EndpointOptions {
    let backoff = Duration::from_millis(10);
    EndpointOptions { timeout: Duration::from_secs(30), retries: 3, backoff, ..Default::default() }
}

fn assert_redacted(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in: {text}");
    }
}

async fn block_number(endpoint: &Endpoint) -> Result<U256, EndpointError> {
    endpoint.request("eth_blockNumber", [(); 0]).await
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut log = self.0.lock().map_err(|_| std::io::ErrorKind::Other)?;
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_that_is_logged_has_a_secret() -> Result<()> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber)?;
    let anvil = Anvil::spawn().await?;
    let proxy = Proxy::to(anvil.port()).await?;
    let port = proxy.http_url().rsplit(':').next().unwrap().parse()?;
    proxy.answer_next("200 OK", "", r#"{"jsonrpc":"2.0","id":0,"result":"0x7a69"}"#);
    let endpoint = Endpoint::connect(&[url("http", port, "v3/0123456789abcdef")?], fast()).await?;
    for status in ["500 Oops", "429 Slow"] {
        proxy.answer_next(status, "", "no /v3/0123456789abcdef for alice");
    }
    block_number(&endpoint).await.unwrap_err();
    assert_eq!((proxy.pending_answers(), endpoint.stats().retries()), (0, 2));
    proxy.set(Mode::Down);
    let error = block_number(&endpoint).await.unwrap_err();
    assert_redacted(&format!("{error} {error:?}"));
    proxy.set(Mode::Pass);
    // The node serves WebSockets at no other path.
    let endpoint = Endpoint::connect(&[url("ws", port, "")?], fast()).await?;
    block_number(&endpoint).await?;
    proxy.set(Mode::Down);
    let error = block_number(&endpoint).await.unwrap_err();
    assert_redacted(&format!("{error} {error:?}"));
    let text = String::from_utf8(log.0.lock().unwrap().clone())?;
    assert!(text.contains("trying again"), "the log was collected");
    for secret in SECRETS {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
    Ok(())
}
