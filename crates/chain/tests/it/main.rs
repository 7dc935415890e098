//! Against real nodes, and against canned replies where a real node does not fail on demand.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests may panic like the tests themselves"
)]

mod deployment;
mod endpoint;
mod feed;
mod feed_faults;
mod load;
mod logs;
mod writes;

use alloy::{
    primitives::{Address, B256, Bytes, U256, hex},
    providers::Provider,
    rpc::{
        json_rpc::{
            ErrorPayload, RequestPacket, Response, ResponsePacket, ResponsePayload, SerializedRequest,
        },
        types::{Block, Header, TransactionRequest},
    },
    transports::{
        TransportError, TransportFut,
        mock::{Asserter, MockTransport},
    },
};
use errand_chain::{Endpoint, EndpointOptions};
use errand_testkit::Anvil;
use eyre::Result;
use serde_json::{Value, json, value::to_raw_value};
use std::{
    task::{Context, Poll},
    time::Duration,
};

/// Options that make faults cost a test little time.
fn fast() -> EndpointOptions {
    EndpointOptions {
        timeout: Duration::from_secs(30),
        retries: 3,
        backoff: Duration::from_millis(10),
        max_backoff: Duration::from_secs(3),
        ..Default::default()
    }
}

async fn connect(url: &str) -> Result<Endpoint> {
    Ok(Endpoint::connect(&[url.parse()?], fast()).await?)
}

/// An endpoint that answers with what the asserter is given; the chain id is answered already.
async fn mocked() -> Result<(Endpoint, Asserter)> {
    let asserter = Asserter::new();
    asserter.push_success(&"0x7a69");
    let options = EndpointOptions { retries: 0, ..fast() };
    let endpoint = Endpoint::over(MockTransport::new(asserter.clone()), options).await?;
    Ok((endpoint, asserter))
}

/// A block as a node answers with it, without transactions.
fn block(number: u64, hash: u64, parent: u64) -> Block<B256> {
    let inner = alloy::consensus::Header { number, parent_hash: word(parent), ..Default::default() };
    Block { header: Header { hash: word(hash), inner, ..Default::default() }, ..Default::default() }
}

/// A node that answers each call by a rule of the test: a result, or the message of an error.
#[derive(Clone)]
struct Rule<F>(F);

impl<F> tower::Service<RequestPacket> for Rule<F>
where
    F: Fn(&str, &Value) -> Result<Value, &'static str> + Clone + Send + Sync + 'static,
{
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        let answer = |request: &SerializedRequest| {
            let params =
                request.params().map_or(Value::Null, |params| serde_json::from_str(params.get()).unwrap());
            let payload = match self.0(request.method(), &params) {
                Ok(result) => ResponsePayload::Success(to_raw_value(&result).unwrap()),
                Err(message) => ResponsePayload::Failure(ErrorPayload {
                    code: -32000,
                    message: message.into(),
                    data: None,
                }),
            };
            Response { id: request.id().clone(), payload }
        };
        let response = match &request {
            RequestPacket::Single(request) => ResponsePacket::Single(answer(request)),
            RequestPacket::Batch(requests) => ResponsePacket::Batch(requests.iter().map(answer).collect()),
        };
        Box::pin(async move { Ok(response) })
    }
}

/// An endpoint on a node that answers by a rule; the chain id and block 1 are answered already.
async fn ruled<F>(rule: F) -> Result<Endpoint>
where
    F: Fn(&str, &Value) -> Result<Value, &'static str> + Clone + Send + Sync + 'static,
{
    ruled_blocks(|| block(1, 1, 0), rule).await
}

/// An endpoint on a node that answers by a rule and has these blocks, whatever number it is asked for.
async fn ruled_blocks<B, F>(blocks: B, rule: F) -> Result<Endpoint>
where
    B: Fn() -> Block<B256> + Clone + Send + Sync + 'static,
    F: Fn(&str, &Value) -> Result<Value, &'static str> + Clone + Send + Sync + 'static,
{
    let rule = move |method: &str, params: &Value| match method {
        "eth_chainId" => Ok(json!("0x7a69")),
        "eth_getBlockByNumber" => Ok(json!(blocks())),
        _ => rule(method, params),
    };
    Ok(Endpoint::over(Rule(rule), EndpointOptions { retries: 0, ..fast() }).await?)
}

fn word(value: u64) -> B256 {
    U256::from(value).into()
}

/// Sends the first two words of its input to storage: key, value.
const STORE: &[u8] = &hex!("6020356000355500");
/// Emits an empty log with the first word of its input as topic.
const EMIT: &[u8] = &hex!("60003560006000a100");
/// Destroys itself in favour of the caller.
const DESTROY: &[u8] = &hex!("33ff");
/// Stores like [`STORE`] if there is input, and destroys itself in favour of the caller if there is none.
const STORE_OR_DESTROY: &[u8] = &hex!("3660065733ff5b6020356000355500");

/// Init code that deploys `code`.
fn init(code: &[u8]) -> Bytes {
    let length = u8::try_from(code.len()).unwrap();
    let mut init = vec![0x60, length, 0x80, 0x60, 0x0b, 0x60, 0x00, 0x39, 0x60, 0x00, 0xf3];
    init.extend_from_slice(code);
    init.into()
}

async fn deploy(anvil: &Anvil, code: &[u8], value: u64) -> Result<Address> {
    let nonce = anvil.provider().get_transaction_count(anvil.account(0)?).await?;
    let transaction = TransactionRequest::default()
        .from(anvil.account(0)?)
        .input(init(code).into())
        .value(U256::from(value))
        .create();
    let receipt = anvil.send(transaction).await?;
    assert!(receipt.status());
    assert_eq!(receipt.contract_address, Some(anvil.account(0)?.create(nonce)));
    assert_eq!(anvil.provider().get_code_at(receipt.contract_address.unwrap()).await?, *code);
    Ok(receipt.contract_address.unwrap())
}

fn call(anvil: &Anvil, to: Address, words: &[u64]) -> Result<TransactionRequest> {
    let input: Vec<u8> = words.iter().flat_map(|value| word(*value).0).collect();
    // A fixed limit: the node would estimate on the state before the block that the transaction gets into.
    Ok(TransactionRequest::default()
        .from(anvil.account(0)?)
        .to(to)
        .input(Bytes::from(input).into())
        .gas_limit(200_000))
}
