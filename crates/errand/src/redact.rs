//! Keeps secrets in node addresses out of everything that is printed.

use std::{
    io::{self, Write},
    ops::Range,
};
use tracing_subscriber::fmt::MakeWriter;

const SCHEMES: [&str; 4] = ["https://", "http://", "wss://", "ws://"];

/// Replaces user, password, path and query of every URL in `text`: providers put keys into any of them.
pub(crate) fn redact(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = next_url(rest) {
        let (before, tail) = rest.split_at(found.start);
        let (url, after) = tail.split_at(found.len());
        result.push_str(before);
        result.push_str(&redact_url(url));
        rest = after;
    }
    result.push_str(rest);
    result
}

fn next_url(text: &str) -> Option<Range<usize>> {
    let start = SCHEMES.iter().filter_map(|scheme| text.find(scheme)).min()?;
    let length = text
        .get(start..)?
        .find(|c: char| {
            c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ')' | ']' | '>' | ',' | ';' | '|')
        })
        .unwrap_or(text.len() - start);
    Some(start..start + length)
}

fn redact_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "***".to_owned() };
    let (authority, tail) = match rest.find(['/', '?', '#']) {
        Some(end) => rest.split_at(end),
        None => (rest, ""),
    };
    // A password may hold an @ that is not escaped: the host is what follows the last one.
    let authority = match authority.rsplit_once('@') {
        Some((_, host)) => format!("***@{host}"),
        None => authority.to_owned(),
    };
    // Punctuation of the sentence around is no secret, but a lone slash is all that certainly is none.
    let tail = match tail {
        "" | "/" | "/:" | "/." => tail.to_owned(),
        _ => "/***".to_owned(),
    };
    format!("{scheme}://{authority}{tail}")
}

/// Writes log lines to standard error without secrets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RedactedStderr;

impl Write for RedactedStderr {
    // The subscriber hands over whole lines, so that no URL is cut in two.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(redact(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for RedactedStderr {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_where_a_key_may_be_is_redacted() {
        for (url, expected) in [
            ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
            ("http://127.0.0.1:8545/", "http://127.0.0.1:8545/"),
            ("https://user:pw@node.example", "https://***@node.example"),
            ("https://us@er:p@w@node.example:1", "https://***@node.example:1"),
            ("https://node.example/v3/secret", "https://node.example/***"),
            ("wss://node.example?key=secret", "wss://node.example/***"),
            ("ws://node.example#secret", "ws://node.example/***"),
        ] {
            assert_eq!(redact(url), expected);
        }
    }

    #[test]
    fn text_around_urls_stays() {
        assert_eq!(
            redact("error for url (https://a.example/k1), then wss://b.example/k2: refused"),
            "error for url (https://a.example/***), then wss://b.example/*** refused"
        );
        assert_eq!(redact("nothing here, not even http:/x"), "nothing here, not even http:/x");
    }
}
