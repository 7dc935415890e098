//! Where a node is, without its secrets showing.

use std::{fmt, path::PathBuf, str::FromStr};
use url::Url;

/// Why a text does not name a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeUrlError {
    /// It is no URL.
    #[error("not a URL: expected http(s)://…, ws(s)://…, ipc:///path or /path")]
    NotAUrl,
    /// Its scheme is none that nodes are reached by.
    #[error("unknown scheme: expected http(s)://…, ws(s)://…, ipc:///path or /path")]
    UnknownScheme,
}

/// How a node is reached.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Http(Url),
    Ws(Url),
    Ipc(PathBuf),
}

/// Where a node is: `http(s)://…`, `ws(s)://…`, or the path of a socket, as `ipc:///path` or `/path`.
///
/// Providers put their keys into user, path and query: what is printed of a URL has none of them.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeUrl {
    pub(crate) route: Route,
}

impl NodeUrl {
    /// What must not be shown: every part of the URL that may be a key. Longest first, so that no secret is cut
    /// in two by a shorter one within it.
    fn secrets(&self) -> Vec<String> {
        let (Route::Http(url) | Route::Ws(url)) = &self.route else { return Vec::new() };
        let mut secrets: Vec<String> = [url.username(), url.password().unwrap_or_default()]
            .into_iter()
            .chain(url.path().split('/').filter(|part| is_key(part)))
            .map(str::to_owned)
            .chain(url.query().map(str::to_owned))
            .chain(url.query_pairs().map(|(_, value)| value.into_owned()))
            .chain(url.fragment().map(str::to_owned))
            .filter(|secret| !secret.is_empty())
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
    }

    /// Whether the node is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        match &self.route {
            Route::Ipc(_) => true,
            Route::Http(url) | Route::Ws(url) => alloy::transports::utils::guess_local_url(url),
        }
    }

    /// `text` without the secrets of this URL.
    pub(crate) fn scrub(&self, text: &str) -> String {
        self.secrets().iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

/// Whether a part of a path may be a key rather than a word such as `v3` or `mainnet`.
fn is_key(part: &str) -> bool {
    part.len() >= 12 || (part.len() >= 6 && part.bytes().any(|byte| byte.is_ascii_digit()))
}

impl FromStr for NodeUrl {
    type Err = NodeUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with('/') {
            return Ok(Self { route: Route::Ipc(PathBuf::from(text)) });
        }
        let url: Url = text.parse().map_err(|_| NodeUrlError::NotAUrl)?;
        let route = match url.scheme() {
            "http" | "https" => Route::Http(url),
            "ws" | "wss" => Route::Ws(url),
            "ipc" | "file" => Route::Ipc(PathBuf::from(url.path())),
            _ => return Err(NodeUrlError::UnknownScheme),
        };
        Ok(Self { route })
    }
}

impl fmt::Display for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.route {
            Route::Ipc(path) => write!(f, "{}", path.display()),
            Route::Http(url) | Route::Ws(url) => {
                let mut shown = url.clone();
                // Both fail only for URLs without a host, which have neither user nor password.
                let _ = shown.set_username("");
                let _ = shown.set_password(None);
                shown.set_query(None);
                shown.set_fragment(None);
                if !matches!(url.path(), "" | "/") {
                    shown.set_path("/***");
                }
                f.write_str(shown.as_str())
            }
        }
    }
}

impl fmt::Debug for NodeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
