//! A journal without space: what cannot be recorded is not sent.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod common;

use alloy::{
    primitives::Address,
    providers::{DynProvider, Provider, ProviderBuilder},
    signers::local::PrivateKeySigner,
};
use common::{Bed, config, count, names};
use errand_journal::{Identity, Journal, JournalError};
use errand_submit::{Builder, SubmitError, latest_head};
use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

const CHILD: &str = "ERRAND_TEST_FULL_DISK";
const NAME: &str = "nothing_is_sent_that_cannot_be_recorded_and_nothing_is_lost_meanwhile";

/// Leaves so many bytes free.
fn fill(ballast: &Path, free: usize) {
    let mut file = File::create(ballast).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(free as u64)).unwrap();
}

async fn in_pool(provider: &DynProvider) -> u64 {
    let status: serde_json::Value = provider.client().request_noparams("txpool_status").await.unwrap();
    u64::from_str_radix(status["pending"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

async fn on_a_small_disk(arguments: &str) {
    let [url, directory, account, key] = arguments.split('|').collect::<Vec<_>>().try_into().unwrap();
    let provider = ProviderBuilder::default().connect_http(url.parse().unwrap()).erased();
    let identity = Identity {
        chain_id: 31337,
        genesis: Default::default(),
        registry: Address::ZERO,
        account: account.parse().unwrap(),
    };
    let directory = PathBuf::from(directory);
    let (path, ballast) = (directory.join("journal.db"), directory.join("ballast"));
    let journal = Journal::open(&path, identity).unwrap();
    let wallet = key.parse::<PrivateKeySigner>().unwrap().into();
    let builder = Builder::new(provider.clone(), wallet, journal).config(config());
    let (submitter, _) = builder.start(latest_head(&provider).await.unwrap()).await.unwrap();
    let mine = async || {
        let _: () = provider.client().request("anvil_mine", ("0x1",)).await.unwrap();
        submitter.on_head(latest_head(&provider).await.unwrap()).await
    };
    // Full already, full between intent and transaction, and somewhere between.
    let mut refused = 0;
    for (number, free) in [0, 4096, 8192, 12_288, 16_384, 24_576].into_iter().enumerate() {
        let before = in_pool(&provider).await;
        fill(&ballast, free);
        match submitter.submit(count(number as u64)).await {
            Ok(_) => assert_eq!(in_pool(&provider).await, before + 1),
            Err(SubmitError::Journal(JournalError::DiskFull)) => {
                refused += 1;
                assert_eq!(in_pool(&provider).await, before, "{free} bytes free: it was sent");
            }
            Err(error) => panic!("{error}"),
        }
        fs::remove_file(&ballast).unwrap();
    }
    assert!(refused >= 2, "the disk was never full");
    let sent = submitter.submit(count(100)).await.unwrap();
    fill(&ballast, 0);
    let error = mine().await.unwrap_err();
    assert!(matches!(error, SubmitError::Journal(JournalError::DiskFull)), "{error}");
    fs::remove_file(&ballast).unwrap();
    let mut events = Vec::new();
    for _ in 0..6 {
        events.extend(mine().await.unwrap());
    }
    let ours: Vec<_> = events.into_iter().filter(|event| event.intent == sent.intent).collect();
    assert_eq!(names(&ours), ["mined", "confirmed"]);
    assert!(submitter.in_flight().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_that_cannot_be_recorded_and_nothing_is_lost_meanwhile() {
    if let Ok(arguments) = std::env::var(CHILD) {
        return on_a_small_disk(&arguments).await;
    }
    let bed = Bed::new().await;
    let directory = tempfile::tempdir().unwrap();
    let key = alloy::hex::encode(bed.anvil.signer(0).unwrap().to_bytes());
    let arguments = format!("{}|{}|{}|{key}", bed.anvil.http_url(), directory.path().display(), bed.account);
    // In a namespace of its own the test may mount, wherever the system lets users have one.
    let script = format!("mount -t tmpfs -o size=1m tmpfs '{}' && exec \"$@\"", directory.path().display());
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(CHILD, arguments)
        .output();
    match output {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("1 passed"), "the child has no test {NAME}: {said}");
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(!said.contains("running 1 test"), "{said}{complaint}");
            eprintln!("skipped: no mount without rights here: {complaint}");
        }
        Err(error) => eprintln!("skipped: no `unshare` here: {error}"),
    }
}
