//! A relay in front of the node that treats each JSON-RPC call as a rule says.

use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What happens to a call.
pub(crate) enum Rule {
    /// It passes.
    Pass,
    /// It reaches the node, its answer reaches nobody.
    LoseAnswer,
    /// The node never hears of it, and the connection stays open without an answer.
    Hang,
    /// The node never hears of it; this is the result.
    Answer(Value),
    /// The node never hears of it; this is the error's code and message.
    Error(i64, &'static str),
}

type Rules = Arc<Mutex<Box<dyn Fn(&Value) -> Rule + Send>>>;

pub(crate) struct Relay {
    pub(crate) provider: DynProvider,
    rules: Rules,
    calls: Arc<Mutex<Vec<Value>>>,
}

impl Relay {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let rules: Rules = Arc::new(Mutex::new(Box::new(|_| Rule::Pass)));
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (shared, seen) = (Arc::clone(&rules), Arc::clone(&calls));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, port, Arc::clone(&shared), Arc::clone(&seen)));
            }
        });
        let provider = ProviderBuilder::default().connect_http(url.parse().unwrap()).erased();
        Self { provider, rules, calls }
    }

    pub(crate) fn rule(&self, rule: impl Fn(&Value) -> Rule + Send + 'static) {
        *self.rules.lock().unwrap() = Box::new(rule);
    }

    /// Applies to one method; all others pass.
    pub(crate) fn rule_for(&self, method: &'static str, rule: impl Fn() -> Rule + Send + 'static) {
        self.rule(move |call| if call["method"] == method { rule() } else { Rule::Pass });
    }

    /// The methods called so far, and forgets them.
    pub(crate) fn methods(&self) -> Vec<String> {
        let calls = std::mem::take(&mut *self.calls.lock().unwrap());
        calls.iter().map(|call| call["method"].as_str().unwrap().to_owned()).collect()
    }

    /// The calls so far, and forgets them.
    pub(crate) fn calls(&self) -> Vec<Value> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

async fn serve(mut client: TcpStream, port: u16, rules: Rules, seen: Arc<Mutex<Vec<Value>>>) -> Option<()> {
    loop {
        let (head, body) = message(&mut client).await?;
        let call: Value = serde_json::from_slice(&body).ok()?;
        let rule = rules.lock().ok()?(&call);
        seen.lock().ok()?.push(call.clone());
        let reply = |part: &str, value: Value| json!({ "jsonrpc": "2.0", "id": call["id"], part: value });
        let answer = match rule {
            Rule::Hang => std::future::pending().await,
            Rule::Answer(result) => reply("result", result).to_string().into_bytes(),
            Rule::Error(code, message) => {
                reply("error", json!({ "code": code, "message": message })).to_string().into_bytes()
            }
            Rule::Pass | Rule::LoseAnswer => {
                let mut node = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
                node.write_all(&[head, body].concat()).await.ok()?;
                let (_, answer) = message(&mut node).await?;
                if matches!(rule, Rule::LoseAnswer) {
                    return None;
                }
                answer
            }
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        client.write_all(&[head.into_bytes(), answer].concat()).await.ok()?;
    }
}

/// Head and body of an HTTP message that says its length.
async fn message(stream: &mut TcpStream) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = read.split_off(end);
    let head = String::from_utf8(read.clone()).ok()?.to_lowercase();
    let length = head.split("content-length:").nth(1)?.lines().next()?.trim().parse().ok()?;
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some((read, body))
}
