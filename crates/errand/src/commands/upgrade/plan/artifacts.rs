//! What forge wrote, found by the names that `upgrade.toml` gives contracts.

use crate::{problem::Problem, revert::revert_text};
use alloy::{dyn_abi::JsonAbiExt, json_abi::JsonAbi};
use eyre::{Result, WrapErr};
use serde_json::Value;
use std::{
    cell::RefCell,
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

/// forge's output folder.
#[derive(Debug)]
pub(crate) struct Artifacts {
    folder: PathBuf,
    /// `Name` to the files that are artifacts of that name.
    files: BTreeMap<String, Vec<PathBuf>>,
    /// Names that several contracts have, with the sources of these.
    ambiguous: RefCell<Option<(String, Vec<String>)>>,
}

impl Artifacts {
    /// The folder that is given, or `out` beside the nearest foundry.toml above `file`.
    pub(crate) fn open(given: Option<&Path>, file: &Path) -> Result<Self> {
        let folder = match given {
            Some(folder) => folder.to_path_buf(),
            None => {
                let file = env::current_dir().wrap_err("the working directory is gone")?.join(file);
                let project = file.ancestors().skip(1).find(|folder| folder.join("foundry.toml").is_file());
                project
                    .ok_or_else(|| {
                        Problem::new(format!("no folder above {} has a foundry.toml", file.display()))
                            .hint("name forge's output with --artifacts DIR")
                    })?
                    .join("out")
            }
        };
        let mut files = BTreeMap::<String, Vec<PathBuf>>::new();
        collect(&folder, &mut files).map_err(|error| {
            Problem::new(format!("the artifacts in {} cannot be read: {error}", folder.display()))
                .hint("run `forge build`, or name forge's output with --artifacts DIR")
        })?;
        files.values_mut().for_each(|found| found.sort());
        Ok(Self { folder, files, ambiguous: RefCell::new(None) })
    }

    /// The artifact that is called `Name`, `File.sol:Name` or `src/File.sol:Name`.
    pub(crate) fn json(&self, name: &str) -> Option<String> {
        let (file, contract) = match name.rsplit_once(':') {
            Some((file, contract)) => (Some(file), contract),
            None => (None, name),
        };
        let mut found = Vec::new();
        for path in self.files.get(contract).into_iter().flatten() {
            let Ok(text) = fs::read_to_string(path) else { continue };
            let source = source_of(&text).unwrap_or_else(|| folder_name(path));
            let fits = |file: &str| source == file || source.ends_with(&format!("/{file}"));
            if file.is_none_or(fits) {
                found.push((source, text));
            }
        }
        if found.len() > 1 {
            let sources = found.iter().map(|(source, _)| source.clone()).collect();
            self.ambiguous.borrow_mut().get_or_insert((name.to_owned(), sources));
        }
        found.into_iter().next().map(|(_, text)| text)
    }

    /// Refuses names that more than one contract had.
    pub(crate) fn require_clear(&self) -> Result<()> {
        let Some((name, sources)) = self.ambiguous.borrow().clone() else { return Ok(()) };
        Err(Problem::new(format!("the artifact `{name}` is ambiguous: it is in {}", sources.join(", ")))
            .hint(format!(
                "name the source too, as in \"src/File.sol:{name}\"; after `forge clean` old ones are gone"
            ))
            .into())
    }

    /// A part of an artifact; `None` where it has none.
    pub(crate) fn part(&self, name: &str, pointer: &str) -> Option<Value> {
        let artifact: Value = serde_json::from_str(&self.json(name)?).ok()?;
        artifact.pointer(pointer).filter(|part| !part.is_null()).cloned()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Why something reverted, with the errors of these contracts too.
    pub(crate) fn reason(&self, names: &[&str], data: &[u8]) -> String {
        let Some((selector, arguments)) = data.split_at_checked(4) else { return revert_text(data) };
        for name in names {
            let abi = self.part(name, "/abi").and_then(|abi| serde_json::from_value::<JsonAbi>(abi).ok());
            let known = abi.into_iter().flat_map(|abi| abi.errors.into_values().flatten());
            for error in known.filter(|error| error.selector() == selector) {
                let Ok(values) = error.abi_decode_input(arguments) else { continue };
                let values: Vec<_> = values.iter().map(crate::abi::value_text).collect();
                return format!("{}({})", error.name, values.join(", "));
            }
        }
        revert_text(data)
    }
}

/// Every artifact below a folder, by the contract's name. What describes whole builds is none.
fn collect(folder: &Path, files: &mut BTreeMap<String, Vec<PathBuf>>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "build-info") {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "json")
            && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
        {
            files.entry(name.to_owned()).or_default().push(path);
        }
    }
    Ok(())
}

/// The source by the compiler's metadata.
fn source_of(text: &str) -> Option<String> {
    let artifact: Value = serde_json::from_str(text).ok()?;
    let target = artifact.pointer("/metadata/settings/compilationTarget")?.as_object()?;
    target.keys().next().cloned()
}

/// The source's name by the folder that forge puts it in.
fn folder_name(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name);
    folder.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
