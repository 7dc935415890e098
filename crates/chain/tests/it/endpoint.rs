//! What goes wrong between a node and its client.

use crate::{connect, fast};
use alloy::{
    primitives::{Address, U256},
    providers::Provider,
};
use errand_chain::{Endpoint, EndpointError, EndpointOptions, NodeUrl, NodeUrlError};
use errand_testkit::{Anvil, Proxy, proxy::Mode};
use eyre::Result;
use std::time::{Duration, Instant};

const SECRETS: [&str; 4] = ["alice", "wonderland", "0123456789abcdef", "tellnobody"];

fn secret_url(scheme: &str, port: u16) -> Result<NodeUrl> {
    Ok(format!("{scheme}://alice:wonderland@127.0.0.1:{port}/v3/0123456789abcdef?apikey=tellnobody")
        .parse()?)
}

fn assert_redacted(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in: {text}");
    }
}

async fn block_number(endpoint: &Endpoint) -> Result<U256, EndpointError> {
    endpoint.request("eth_blockNumber", [(); 0]).await
}

#[tokio::test]
async fn every_scheme_connects() -> Result<()> {
    let anvil = Anvil::builder().ipc().spawn().await?;
    let ipc = anvil.ipc_url();
    for url in [anvil.http_url(), anvil.ws_url(), ipc.clone(), format!("ipc://{ipc}")] {
        let endpoint = connect(&url).await?;
        assert_eq!(endpoint.chain_id(), 31337);
        assert_eq!(endpoint.provider().get_block_number().await?, 0, "{url}");
        assert_eq!(endpoint.stats().calls()["eth_blockNumber"], 1);
    }
    Ok(())
}

#[test]
fn url_that_names_no_node_is_refused() {
    assert_eq!("127.0.0.1".parse::<NodeUrl>(), Err(NodeUrlError::NotAUrl));
    assert_eq!("ftp://127.0.0.1".parse::<NodeUrl>(), Err(NodeUrlError::UnknownScheme));
}

#[test]
fn shown_url_has_no_secrets() -> Result<()> {
    let url = secret_url("wss", 8546)?;
    assert_eq!(url.to_string(), "wss://127.0.0.1:8546/***");
    assert_eq!(format!("{url:?}"), url.to_string());
    // A word of letters alone may be a key, too.
    let worded: NodeUrl = "https://node.example/v2/mainnet".parse()?;
    assert_eq!(worded.to_string(), "https://node.example/***");
    assert_eq!("https://node.example".parse::<NodeUrl>()?.to_string(), "https://node.example/");
    Ok(())
}

#[tokio::test]
async fn no_node_is_an_error_without_secrets() -> Result<()> {
    assert!(matches!(Endpoint::connect(&[], fast()).await, Err(EndpointError::NoUrl)));
    for scheme in ["http", "ws"] {
        let error = Endpoint::connect(&[secret_url(scheme, 1)?], fast()).await.unwrap_err();
        assert!(matches!(error, EndpointError::Unreachable { .. }), "{error}");
        assert_redacted(&format!("{error} {error:?}"));
    }
    Ok(())
}

#[tokio::test]
async fn wrong_chain_is_refused_at_once_and_after_a_reconnect() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let options = EndpointOptions { chain_id: Some(1), ..fast() };
    let error = Endpoint::connect(&[anvil.http_url().parse()?], options).await.unwrap_err();
    assert!(matches!(error, EndpointError::WrongChain { expected: 1, actual: 31337, .. }), "{error}");

    let other = Anvil::builder().chain_id(5).spawn().await?;
    for scheme in ["http", "ws"] {
        let proxy = Proxy::to(anvil.port()).await?;
        let url = if scheme == "ws" { proxy.ws_url() } else { proxy.http_url() };
        let endpoint = connect(&url).await?;
        proxy.set(Mode::Down);
        block_number(&endpoint).await.unwrap_err();
        proxy.lead_to(other.port());
        proxy.set(Mode::Pass);
        let error = block_number(&endpoint).await.unwrap_err().to_string();
        assert!(error.contains("on chain 5") && error.contains("31337"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn read_is_repeated_when_the_node_is_busy_and_waits_as_long_as_it_asks() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let proxy = Proxy::to(anvil.port()).await?;
    let endpoint = connect(&proxy.http_url()).await?;
    proxy.answer_next("429 Too Many Requests", "Retry-After: 1\r\n", "");
    let start = Instant::now();
    block_number(&endpoint).await?;
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(endpoint.stats().retries(), 1);
    proxy.answer_next(
        "200 OK",
        "",
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"request rate exceeded"}}"#,
    );
    block_number(&endpoint).await?;
    assert_eq!(endpoint.stats().retries(), 2);
    Ok(())
}

#[tokio::test]
async fn read_is_repeated_when_the_answer_is_garbage_half_or_another_ones() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let proxy = Proxy::to(anvil.port()).await?;
    let endpoint = connect(&proxy.http_url()).await?;
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"jsonrpc\":\"2.0\",";
    proxy.answer_next_raw(half);
    block_number(&endpoint).await?;
    for body in ["<html>", "{\"jsonrpc\":\"2.0\"", "", r#"{"jsonrpc":"2.0","id":99999,"result":"0x7"}"#] {
        proxy.answer_next("200 OK", "", body);
        assert_eq!(block_number(&endpoint).await?, U256::ZERO, "{body}");
    }
    for status in ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable"] {
        proxy.answer_next(status, "", "");
        block_number(&endpoint).await?;
    }
    assert_eq!(endpoint.stats().failures(), 8);
    assert_eq!(endpoint.stats().retries(), 8);
    Ok(())
}

#[tokio::test]
async fn what_may_change_something_is_sent_once() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let proxy = Proxy::to(anvil.port()).await?;
    let endpoint = connect(&proxy.http_url()).await?;
    for status in ["503 Service Unavailable", "429 Too Many Requests"] {
        proxy.answer_next(status, "", "");
        endpoint.request::<_, U256>("eth_sendRawTransaction", ("0x02",)).await.unwrap_err();
    }
    assert_eq!(endpoint.stats().calls()["eth_sendRawTransaction"], 2);
    assert_eq!(endpoint.stats().retries(), 0);
    Ok(())
}

#[tokio::test]
async fn refusal_is_no_reason_to_ask_again() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let endpoint = connect(&anvil.http_url()).await?;
    let result: Result<U256, _> = endpoint.request("eth_getBalance", (Address::ZERO, "nonsense")).await;
    assert!(matches!(result, Err(EndpointError::Rpc { method: "eth_getBalance", .. })));
    assert_eq!((endpoint.stats().retries(), endpoint.stats().failures()), (0, 0));
    assert_eq!(endpoint.stats().reconnects(), 0);
    Ok(())
}

#[tokio::test]
async fn silent_node_is_given_up_in_time_and_found_again() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let proxy = Proxy::to(anvil.port()).await?;
    let options = EndpointOptions { timeout: Duration::from_secs(2), retries: 1, ..fast() };
    for url in [proxy.http_url(), proxy.ws_url()] {
        let endpoint = Endpoint::connect(&[url.parse()?], options.clone()).await?;
        proxy.set(Mode::Silent);
        let start = Instant::now();
        let error = block_number(&endpoint).await.unwrap_err().to_string();
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
        assert!(error.contains("no answer within"), "{error}");
        assert!(endpoint.stats().timeouts() >= 1);
        proxy.set(Mode::Pass);
        block_number(&endpoint).await?;
        assert!(endpoint.stats().reconnects() >= 1, "{url}");
    }
    Ok(())
}

#[tokio::test]
async fn next_node_is_asked_when_one_fails() -> Result<()> {
    let [first, second] = [Anvil::spawn().await?, Anvil::spawn().await?];
    second.mine(7).await?;
    let proxy = Proxy::to(first.port()).await?;
    let urls = [proxy.ws_url().parse()?, second.http_url().parse()?];
    let endpoint = Endpoint::connect(&urls, fast()).await?;
    assert_eq!(block_number(&endpoint).await?, U256::ZERO);
    assert_eq!(endpoint.url(), urls[0].to_string());
    proxy.set(Mode::Down);
    assert_eq!(block_number(&endpoint).await?, U256::from(7));
    assert_eq!(endpoint.url(), urls[1].to_string());
    Ok(())
}
