//! Files of bundles, wherever a stranger says that they are.

use std::{path::PathBuf, time::Duration};
use tokio::io::AsyncReadExt;
use url::Url;

/// The most time for one answer, and for connecting.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Redirections that are followed.
const REDIRECTS: usize = 3;

/// Reads what is at `uri`, http(s), `file://` or the path of a file, if it has at most so many bytes.
///
/// # Errors
/// Why there is nothing, or too much, in words.
pub async fn fetch(uri: &str, most: usize) -> Result<Vec<u8>, String> {
    let limited = tokio::time::timeout(ANSWER_LIMIT, get(uri, most)).await;
    limited.map_err(|_| format!("no answer within {ANSWER_LIMIT:?}"))?
}

async fn get(uri: &str, most: usize) -> Result<Vec<u8>, String> {
    match Url::parse(uri) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => get_url(url, most).await,
        Ok(url) if url.scheme() == "file" => {
            get_file(url.to_file_path().map_err(|()| "the file's address is no path")?, most).await
        }
        Ok(url) => Err(format!("addresses with `{}:` are not known", url.scheme())),
        Err(_) => get_file(PathBuf::from(uri), most).await,
    }
}

async fn get_url(url: Url, most: usize) -> Result<Vec<u8>, String> {
    let text = |error: reqwest::Error| error.without_url().to_string();
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_LIMIT)
        .timeout(ANSWER_LIMIT)
        .redirect(reqwest::redirect::Policy::limited(REDIRECTS))
        .build()
        .map_err(text)?;
    let mut answer = client.get(url).send().await.and_then(|a| a.error_for_status()).map_err(text)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(text)? {
        if bytes.len() + chunk.len() > most {
            return Err(too_large(most));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

async fn get_file(path: PathBuf, most: usize) -> Result<Vec<u8>, String> {
    let text = |error: std::io::Error| error.to_string();
    // What is no plain file might never end, or block.
    let about = tokio::fs::metadata(&path).await.map_err(text)?;
    if !about.is_file() {
        return Err("there is no plain file".to_owned());
    }
    let file = tokio::fs::File::open(&path).await.map_err(text)?;
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes).await.map_err(text)?;
    if bytes.len() > most { Err(too_large(most)) } else { Ok(bytes) }
}

fn too_large(most: usize) -> String {
    format!("the file has more than {most} bytes, the most that are read of it")
}
