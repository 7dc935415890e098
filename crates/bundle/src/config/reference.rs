//! `{{ Name }}`: the address of a contract of the bundle.

use super::error::{ConfigError, Place, Problem};
use alloy::primitives::Address;

/// What a reference means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reference {
    /// where users find the contract: its proxy, if it has one
    Contract(String),
    /// `{{ Name.implementation }}`: the code behind its proxy
    Implementation(String),
}

impl Reference {
    /// The contract that is referred to.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Contract(name) | Self::Implementation(name) => name,
        }
    }
}

/// A text in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    Reference(Reference),
}

/// Whether names may be like this.
pub(crate) fn require_name(at: Place, name: &str) -> Result<(), ConfigError> {
    let mut chars = name.chars();
    let good = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if good { Ok(()) } else { Err(ConfigError::new(at, Problem::BadName { name: name.to_owned() })) }
}

/// Takes a text apart.
pub(crate) fn pieces(at: Place, text: &str) -> Result<Vec<Piece<'_>>, ConfigError> {
    let bad = |text: &str| ConfigError::new(at, Problem::BadReference { text: text.to_owned() });
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inner, behind) = after.split_once("}}").ok_or_else(|| bad(text))?;
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        let reference = match inner.trim().split_once('.') {
            None => Reference::Contract(inner.trim().to_owned()),
            Some((name, "implementation")) => Reference::Implementation(name.to_owned()),
            Some(_) => return Err(bad(text)),
        };
        require_name(at, reference.name()).map_err(|_| bad(text))?;
        pieces.push(Piece::Reference(reference));
        rest = behind;
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

/// Finds the address of a reference.
pub(crate) trait Resolve {
    fn resolve(&mut self, at: Place, reference: &Reference) -> Result<Address, ConfigError>;
}

impl<F: FnMut(Place, &Reference) -> Result<Address, ConfigError>> Resolve for F {
    fn resolve(&mut self, at: Place, reference: &Reference) -> Result<Address, ConfigError> {
        self(at, reference)
    }
}

/// The text with every reference replaced by its address, and, where the text is nothing but one reference, that
/// address.
pub(crate) fn expand(
    at: Place,
    text: &str,
    resolver: &mut dyn Resolve,
) -> Result<(String, Option<Address>), ConfigError> {
    let pieces = pieces(at, text)?;
    if let [Piece::Reference(reference)] = pieces.as_slice() {
        let address = resolver.resolve(at, reference)?;
        return Ok((address.to_string(), Some(address)));
    }
    let mut expanded = String::new();
    for piece in &pieces {
        match piece {
            Piece::Text(text) => expanded.push_str(text),
            Piece::Reference(reference) => {
                expanded.push_str(&resolver.resolve(at, reference)?.to_string());
            }
        }
    }
    Ok((expanded, None))
}
