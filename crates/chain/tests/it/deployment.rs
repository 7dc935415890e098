//! A deployment is used only if it is there.

use crate::{STORE, connect, deploy};
use alloy::primitives::{Address, B256, keccak256};
use errand_chain::{Deployment, DeploymentError};
use errand_testkit::Anvil;
use eyre::Result;
use serde_json::{Value, json};
use std::{fs, path::PathBuf};
use tempfile::TempDir;

fn record(name: &str, value: &Value) -> Result<(TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(name);
    fs::write(&path, value.to_string())?;
    Ok((folder, path))
}

fn contract(address: Address, code_hash: B256) -> Value {
    json!({ "Registry": {
        "address": address, "block": 3, "arguments": "0x0102", "codeHash": code_hash, "commit": "unknown",
    } })
}

#[tokio::test]
async fn record_of_what_is_there_is_accepted() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let address = deploy(&anvil, STORE, 0).await?;
    let (folder, path) = record("31337.json", &contract(address, keccak256(STORE)))?;
    let deployment = Deployment::of_chain(folder.path(), 31337)?;
    deployment.verify(&connect(&anvil.http_url()).await?).await?;
    assert_eq!(deployment.path(), path);
    let registry = deployment.contract("Registry")?;
    assert_eq!((registry.address, registry.block), (address, 3));
    assert_eq!(registry.arguments.as_ref(), [1, 2]);
    let missing = deployment.contract("Router").unwrap_err();
    assert!(matches!(&missing, DeploymentError::NoContract { name, .. } if name == "Router"));
    Ok(())
}

#[tokio::test]
async fn record_of_what_is_not_there_is_refused() -> Result<()> {
    let anvil = Anvil::spawn().await?;
    let endpoint = connect(&anvil.http_url()).await?;
    let address = deploy(&anvil, STORE, 0).await?;

    let (_folder, path) = record("5.json", &contract(address, keccak256(STORE)))?;
    let error = Deployment::load(&path)?.verify(&endpoint).await.unwrap_err();
    assert!(matches!(error, DeploymentError::OtherChain { file: 5, node: 31337, .. }), "{error}");

    let (_folder, path) = record("mine.json", &contract(address, B256::ZERO))?;
    let error = Deployment::load(&path)?.verify(&endpoint).await.unwrap_err();
    assert!(
        matches!(&error, DeploymentError::OtherCode { actual, .. } if *actual == keccak256(STORE)),
        "{error}"
    );

    let (_folder, path) = record("mine.json", &contract(Address::repeat_byte(1), B256::ZERO))?;
    let error = Deployment::load(&path)?.verify(&endpoint).await.unwrap_err();
    assert!(matches!(error, DeploymentError::NoCode { .. }), "{error}");
    Ok(())
}

#[test]
fn record_that_cannot_be_read_says_what_to_do() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let missing = Deployment::of_chain(folder.path(), 7).unwrap_err().to_string();
    assert!(missing.contains("7.json") && missing.contains("Deploy.s.sol"), "{missing}");
    assert!(missing.contains("--deployment"), "{missing}");

    for text in ["", "[]", r#"{"Registry":{"address":"0x12"}}"#, "{\"Registry\":"] {
        let path = folder.path().join("7.json");
        fs::write(&path, text)?;
        let error = Deployment::load(&path).unwrap_err();
        assert!(matches!(error, DeploymentError::Malformed { .. }), "{text}: {error}");
    }
    let unreadable = Deployment::load(folder.path()).unwrap_err();
    assert!(matches!(unreadable, DeploymentError::Unreadable { .. }), "{unreadable}");
    Ok(())
}
