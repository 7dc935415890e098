//! Faults between node and client.

use eyre::Result;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What the proxy does with what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Both directions pass.
    Pass,
    /// Connections stay open and nothing comes back: a socket that fell silent.
    Silent,
    /// Answers come back and what the node pushes does not: a subscription that was forgotten.
    Mute,
    /// Connections are closed, and new ones at once: a node that is down.
    Down,
}

#[derive(Debug)]
struct Shared {
    /// The port of what it stands in front of.
    target: AtomicU16,
    mode: watch::Sender<Mode>,
    scripted: Mutex<VecDeque<String>>,
    connections: AtomicU64,
}

/// A TCP proxy in front of a node, for HTTP and WebSockets alike, that fails when told to.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy in front of what listens on a port of this machine.
    pub async fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let own = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            target: AtomicU16::new(port),
            mode: watch::Sender::new(Mode::Pass),
            scripted: Mutex::default(),
            connections: AtomicU64::new(0),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { port: own, shared, task })
    }

    /// Where it listens for HTTP.
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where it listens for WebSockets.
    pub fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Leads new connections to another port: the node came back, or another one in its place. Nobody can count
    /// on getting a certain port himself.
    pub fn lead_to(&self, port: u16) {
        self.shared.target.store(port, Ordering::Relaxed);
    }

    /// Changes what happens from now on, also on open connections.
    pub fn set(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
    }

    /// Answers the next HTTP request, which does not reach the node, with this status line, these headers
    /// (each ending in `\r\n`) and this body, and closes its connection.
    pub fn answer_next(&self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        let response = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
        );
        self.answer_next_raw(&response);
    }

    /// Answers the next HTTP request with these bytes and closes its connection: half a response, garbage.
    pub fn answer_next_raw(&self, response: &str) {
        self.scripted().push_back(response.to_owned());
    }

    /// Answers that were prepared and not given yet.
    pub fn pending_answers(&self) -> usize {
        self.scripted().len()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    fn scripted(&self) -> std::sync::MutexGuard<'_, VecDeque<String>> {
        self.shared.scripted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::Relaxed);
        // A connection that breaks is what is being tested.
        let shared = Arc::clone(&shared);
        tokio::spawn(async move { drop(serve(client, shared).await) });
    }
}

async fn serve(mut client: TcpStream, shared: Arc<Shared>) -> Result<()> {
    if *shared.mode.borrow() == Mode::Down {
        return Ok(());
    }
    let node = TcpStream::connect(("127.0.0.1", shared.target.load(Ordering::Relaxed))).await?;
    let (mut from_node, mut to_node) = node.into_split();
    let (mut from_client, mut to_client) = client.split();
    let mut mode = shared.mode.subscribe();
    tokio::select! {
        result = back(&mut from_node, &mut to_client, &shared) => result,
        result = forth(&mut from_client, &mut to_node, &shared) => match result? {
            None => Ok(()),
            Some(answer) => Ok(client.write_all(answer.as_bytes()).await?),
        },
        _ = async { mode.wait_for(|mode| *mode == Mode::Down).await.is_ok() } => Ok(()),
    }
}

/// Passes requests on, until one is to be answered here.
async fn forth(
    client: &mut (impl AsyncRead + Unpin),
    node: &mut (impl AsyncWrite + Unpin),
    shared: &Shared,
) -> Result<Option<String>> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = client.read(&mut buffer).await?;
        if length == 0 {
            return Ok(None);
        }
        let answer = shared.scripted.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        if answer.is_some() {
            return Ok(answer);
        }
        node.write_all(buffer.get(..length).unwrap_or_default()).await?;
    }
}

/// What tells a pushed message from an answer.
const PUSHED: &[u8] = b"eth_subscription";

/// Passes answers back, except while the proxy is silent; what came meanwhile is lost.
async fn back(
    node: &mut (impl AsyncRead + Unpin),
    client: &mut (impl AsyncWrite + Unpin),
    shared: &Shared,
) -> Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = node.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        let bytes = buffer.get(..length).unwrap_or_default();
        let pushed = || bytes.windows(PUSHED.len()).any(|window| window == PUSHED);
        let mode = *shared.mode.borrow();
        if mode == Mode::Pass || (mode == Mode::Mute && !pushed()) {
            client.write_all(bytes).await?;
        }
    }
}
