//! How two lists of actions differ, leaf by leaf: what signers see of a bundle besides its hash.

use crate::Action;
use std::fmt;

/// One leaf of two lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafDiff {
    /// of the leaf
    pub index: usize,
    /// how they compare
    pub difference: Difference,
}

/// How a leaf that was computed compares with one that was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// they are the same
    Same,
    /// all that differs
    Differs(Vec<Field>),
    /// it was computed, but not published
    Missing,
    /// it was published, but not computed
    Extra,
}

/// A part of an action that differs: what was computed and what was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// kinds, by name
    Kind(&'static str, &'static str),
    /// targets
    Target(alloy::primitives::Address, alloy::primitives::Address),
    /// committed gas
    Gas(u64, u64),
    /// the first byte of the data that differs, and both lengths
    Data {
        /// counted from 0; the shorter length where one is the beginning of the other
        at: usize,
        /// bytes computed
        computed: usize,
        /// bytes published
        published: usize,
    },
}

/// Compares what was `computed` from source with what was `published`, by index.
pub fn diff(computed: &[Action], published: &[Action]) -> Vec<LeafDiff> {
    let count = computed.len().max(published.len());
    (0..count)
        .map(|index| {
            let difference = match (computed.get(index), published.get(index)) {
                (Some(computed), Some(published)) => compare(computed, published),
                (Some(_), None) => Difference::Missing,
                (None, _) => Difference::Extra,
            };
            LeafDiff { index, difference }
        })
        .collect()
}

fn compare(a: &Action, b: &Action) -> Difference {
    let mut fields = Vec::new();
    if a.kind != b.kind {
        fields.push(Field::Kind(a.kind.name(), b.kind.name()));
    }
    if a.target != b.target {
        fields.push(Field::Target(a.target, b.target));
    }
    if a.gas != b.gas {
        fields.push(Field::Gas(a.gas, b.gas));
    }
    if a.data != b.data {
        let at = a.data.iter().zip(&b.data).take_while(|(a, b)| a == b).count();
        fields.push(Field::Data { at, computed: a.data.len(), published: b.data.len() });
    }
    if fields.is_empty() { Difference::Same } else { Difference::Differs(fields) }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("same"),
            Self::Missing => f.write_str("missing: not published"),
            Self::Extra => f.write_str("extra: not in the source"),
            Self::Differs(fields) => {
                let each: Vec<String> = fields.iter().map(ToString::to_string).collect();
                write!(f, "differs in {}", each.join("; "))
            }
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(computed, published) => write!(f, "kind: {published} instead of {computed}"),
            Self::Target(computed, published) => write!(f, "target: {published} instead of {computed}"),
            Self::Gas(computed, published) => write!(f, "gas: {published} instead of {computed}"),
            Self::Data { at, computed, published } if computed == published => {
                write!(f, "data at byte {at}")
            }
            Self::Data { at, computed, published } => {
                write!(f, "data at byte {at}: {published} bytes instead of {computed}")
            }
        }
    }
}
