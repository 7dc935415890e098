//! Collects every error and function of `abi/*.json` into one list, so that reverts and call data of any of
//! the contracts can be named.

use std::{collections::BTreeMap, env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../abi");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut entries = BTreeMap::new();
    for file in fs::read_dir(&folder)? {
        let path = file?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let abi: Vec<serde_json::Value> = serde_json::from_str(&fs::read_to_string(&path)?)?;
        for entry in abi {
            if entry.get("type").is_some_and(|kind| kind == "error" || kind == "function") {
                entries.insert(entry.to_string(), entry);
            }
        }
    }
    let list: Vec<_> = entries.into_values().collect();
    fs::write(Path::new(&env::var("OUT_DIR")?).join("abi.json"), serde_json::to_string(&list)?)?;
    Ok(())
}
