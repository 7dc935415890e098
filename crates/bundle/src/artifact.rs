//! What forge writes about a contract, as far as a bundle needs it.

use crate::layout::StorageLayout;
use alloy::{
    json_abi::JsonAbi,
    primitives::{Address, Bytes, hex},
};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, ops::Range};

/// `file:name` of libraries, and where their addresses belong.
type Links = BTreeMap<String, Vec<usize>>;

/// A contract's creation code, interface and storage.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// functions, constructor and their parameters
    pub abi: JsonAbi,
    /// creation code; zeros where libraries belong
    code: Vec<u8>,
    links: Links,
    /// variables, if the compiler was asked for them
    pub layout: Option<StorageLayout>,
    /// `file:name`, if the artifact says it
    pub source: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json {
    abi: JsonAbi,
    bytecode: Bytecode,
    storage_layout: Option<StorageLayout>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bytecode {
    object: String,
    #[serde(default)]
    link_references: BTreeMap<String, BTreeMap<String, Vec<Hole>>>,
    /// by the declaration's id
    #[serde(default)]
    immutable_references: BTreeMap<String, Vec<Hole>>,
}

/// Bytes that the compiler left out.
#[derive(Deserialize)]
struct Hole {
    start: usize,
    length: usize,
}

impl Bytecode {
    /// The code with zeros where libraries belong, and where these are.
    fn unlinked(&self) -> Result<(Vec<u8>, Links), ArtifactError> {
        let object = self.object.trim_start_matches("0x");
        if object.is_empty() {
            return Err(ArtifactError::NoCode);
        }
        let mut links = Links::new();
        let mut digits = object.as_bytes().to_vec();
        for (file, libraries) in &self.link_references {
            for (name, places) in libraries {
                for Hole { start, length } in places {
                    let outside =
                        || ArtifactError::LinkOutside { library: format!("{file}:{name}"), start: *start };
                    let end = start.checked_add(*length).and_then(|end| end.checked_mul(2));
                    let range = start.saturating_mul(2)..end.ok_or_else(outside)?;
                    let place = digits.get_mut(range).filter(|_| *length == 20).ok_or_else(outside)?;
                    place.fill(b'0');
                    links.entry(format!("{file}:{name}")).or_default().push(*start);
                }
            }
        }
        let code = hex::decode(&digits).map_err(|error| ArtifactError::BadCode(error.to_string()))?;
        Ok((code, links))
    }
}

#[derive(Deserialize)]
struct Metadata {
    settings: Option<Settings>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    #[serde(default)]
    compilation_target: BTreeMap<String, String>,
}

impl Artifact {
    /// Reads a JSON file of forge's `out/`.
    pub fn parse(json: &str) -> Result<Self, ArtifactError> {
        let parsed: Json =
            serde_json::from_str(json).map_err(|error| ArtifactError::Malformed(error.to_string()))?;
        let (code, links) = parsed.bytecode.unlinked()?;
        let source = parsed.metadata.and_then(|metadata| metadata.settings).and_then(|settings| {
            settings.compilation_target.into_iter().next().map(|(file, name)| format!("{file}:{name}"))
        });
        Ok(Self { abi: parsed.abi, code, links, layout: parsed.storage_layout, source })
    }

    /// `file:name` of the libraries that the code is linked with.
    pub fn libraries(&self) -> impl Iterator<Item = &str> {
        self.links.keys().map(String::as_str)
    }

    /// The creation code with the libraries' addresses. `None` if one has none.
    pub fn link(&self, mut address_of: impl FnMut(&str) -> Option<Address>) -> Option<Bytes> {
        let mut code = self.code.clone();
        for (library, places) in &self.links {
            let address = address_of(library)?;
            for start in places {
                code.get_mut(*start..start + 20)?.copy_from_slice(address.as_slice());
            }
        }
        Some(code.into())
    }
}

/// A contract's runtime code, but for what only its deployment decides.
#[derive(Debug, Clone)]
pub struct RuntimeCode {
    code: Vec<u8>,
    /// where immutable variables and libraries belong
    holes: Vec<Range<usize>>,
}

impl RuntimeCode {
    /// Reads the `deployedBytecode` of forge's artifacts.
    pub fn read(part: Value) -> Result<Self, ArtifactError> {
        let parsed: Bytecode =
            serde_json::from_value(part).map_err(|error| ArtifactError::Malformed(error.to_string()))?;
        let (code, links) = parsed.unlinked()?;
        let mut holes: Vec<_> = links.into_values().flatten().map(|start| start..start + 20).collect();
        for Hole { start, length } in parsed.immutable_references.into_values().flatten() {
            let end = start.checked_add(length).filter(|end| *end <= code.len());
            holes.push(start..end.ok_or(ArtifactError::ImmutableOutside { start })?);
        }
        Ok(Self { code, holes })
    }

    /// Whether `code`, as it is on a chain, is this.
    pub fn is(&self, code: &[u8]) -> bool {
        let without = |code: &[u8]| {
            let mut code = code.to_vec();
            for hole in &self.holes {
                code.get_mut(hole.clone())?.fill(0);
            }
            Some(code)
        };
        code.len() == self.code.len() && without(code) == without(&self.code)
    }
}

/// Why an artifact is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// It is not what forge writes.
    #[error("malformed: {0}")]
    Malformed(String),
    /// An interface or an abstract contract.
    #[error("it has no code: it is an interface or abstract")]
    NoCode,
    /// The code is no hex although libraries are left out of it.
    #[error("its code is no hex: {0}")]
    BadCode(String),
    /// A library's place is not within the code.
    #[error("the place of the library {library}, byte {start}, is not in the code")]
    LinkOutside {
        /// `file:name`
        library: String,
        /// byte
        start: usize,
    },
    /// An immutable variable's place is not within the code.
    #[error("the place of an immutable variable, byte {start}, is not in the code")]
    ImmutableOutside {
        /// byte
        start: usize,
    },
}
