//! Faults of single calls: a relay in front of a node that treats each JSON-RPC message as a rule says.

use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use eyre::{OptionExt, Result};
use serde_json::{Value, json};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What happens to a message: a call, or a batch of calls.
#[derive(Clone, Debug)]
pub enum Rule {
    /// It passes.
    Pass,
    /// It reaches the node, its answer reaches nobody: the connection closes.
    LoseAnswer,
    /// It passes after so long.
    Late(Duration),
    /// The node never hears of it, and the connection stays open without an answer.
    Hang,
    /// The node never hears of it; this is the result.
    Answer(Value),
    /// The node never hears of it; this is the error's code and message.
    Error(i64, &'static str),
}

type RuleOf = Box<dyn Fn(&Value) -> Rule + Send>;

struct Shared {
    port: u16,
    rule: Mutex<RuleOf>,
    messages: Mutex<Vec<Value>>,
}

fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A relay in front of what listens for HTTP on a port of this machine.
pub struct Relay {
    port: u16,
    provider: DynProvider,
    shared: Arc<Shared>,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("port", &self.port).finish_non_exhaustive()
    }
}

impl Relay {
    /// Starts a relay that lets everything pass.
    pub async fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let own = listener.local_addr()?.port();
        let rule: RuleOf = Box::new(|_| Rule::Pass);
        let shared = Arc::new(Shared { port, rule: Mutex::new(rule), messages: Mutex::default() });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A connection that breaks is what is being tested.
                let shared = Arc::clone(&serving);
                tokio::spawn(async move { drop(serve(client, &shared).await) });
            }
        });
        let url = format!("http://127.0.0.1:{own}").parse()?;
        let provider = ProviderBuilder::default().connect_http(url).erased();
        Ok(Self { port: own, provider, shared })
    }

    /// Where it listens.
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A bare provider that asks through it.
    pub const fn provider(&self) -> &DynProvider {
        &self.provider
    }

    /// What happens from now on.
    pub fn rule(&self, rule: impl Fn(&Value) -> Rule + Send + 'static) {
        *locked(&self.shared.rule) = Box::new(rule);
    }

    /// What happens to one method from now on, also to batches of it; all others pass.
    pub fn rule_for(&self, method: &'static str, rule: impl Fn() -> Rule + Send + 'static) {
        self.rule(move |message| if methods(message).contains(&method) { rule() } else { Rule::Pass });
    }

    /// The methods called so far, and forgets them.
    pub fn methods(&self) -> Vec<String> {
        let messages = self.calls();
        messages.iter().flat_map(|message| methods(message)).map(str::to_owned).collect()
    }

    /// The messages so far, and forgets them.
    pub fn calls(&self) -> Vec<Value> {
        std::mem::take(&mut locked(&self.shared.messages))
    }
}

/// The methods that a message calls.
pub fn methods(message: &Value) -> Vec<&str> {
    let calls = message.as_array().map_or(std::slice::from_ref(message), Vec::as_slice);
    calls.iter().filter_map(|call| call.get("method")?.as_str()).collect()
}

async fn serve(mut client: TcpStream, shared: &Shared) -> Result<()> {
    loop {
        let (head, body) = message(&mut client).await?;
        let call: Value = serde_json::from_slice(&body)?;
        let rule = locked(&shared.rule)(&call);
        locked(&shared.messages).push(call.clone());
        let reply = |part: &str, value: Value| {
            let one = |call: &Value| {
                let id = call.get("id").cloned().unwrap_or_default();
                json!({ "jsonrpc": "2.0", "id": id, part: value })
            };
            let answer = match call.as_array() {
                Some(calls) => calls.iter().map(one).collect(),
                None => one(&call),
            };
            answer.to_string().into_bytes()
        };
        let answer = match rule {
            Rule::Hang => std::future::pending().await,
            Rule::Answer(result) => reply("result", result),
            Rule::Error(code, message) => reply("error", json!({ "code": code, "message": message })),
            Rule::Pass | Rule::LoseAnswer | Rule::Late(_) => {
                if let Rule::Late(pause) = rule {
                    tokio::time::sleep(pause).await;
                }
                let mut node = TcpStream::connect(("127.0.0.1", shared.port)).await?;
                node.write_all(&[head, body].concat()).await?;
                let (_, answer) = message(&mut node).await?;
                if matches!(rule, Rule::LoseAnswer) {
                    return Ok(());
                }
                answer
            }
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        client.write_all(&[head.into_bytes(), answer].concat()).await?;
    }
}

/// Head and body of an HTTP message that says its length.
async fn message(stream: &mut TcpStream) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        eyre::ensure!(stream.read_buf(&mut read).await? > 0, "the connection is closed");
    };
    let mut body = read.split_off(end);
    let head = String::from_utf8(read.clone())?.to_lowercase();
    let length = head.split("content-length:").nth(1).and_then(|rest| rest.lines().next());
    let length = length.ok_or_eyre("no length")?.trim().parse()?;
    while body.len() < length {
        eyre::ensure!(stream.read_buf(&mut body).await? > 0, "the connection is closed");
    }
    Ok((read, body))
}
