//! What users of the journal keep in it: opaque bytes under a kind and an id.

use alloy::eips::BlockNumHash;

/// Opaque bytes under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The id within its kind.
    pub id: Vec<u8>,
    /// The content.
    pub bytes: Vec<u8>,
}

/// Opaque bytes that describe something as of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The block.
    pub block: BlockNumHash,
    /// The content; empty where only the block matters.
    pub bytes: Vec<u8>,
}

/// Writes that happen together or not at all: for example what a block changed in a book, and the block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub(crate) puts: Vec<(&'static str, Record)>,
    pub(crate) deletes: Vec<(&'static str, Vec<u8>)>,
    pub(crate) clears: Vec<&'static str>,
    pub(crate) snapshots: Vec<(&'static str, Snapshot)>,
}

impl Batch {
    /// A batch that writes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a record in place, or replaces it.
    pub fn put(
        &mut self,
        kind: &'static str,
        id: impl Into<Vec<u8>>,
        bytes: impl Into<Vec<u8>>,
    ) -> &mut Self {
        self.puts.push((kind, Record { id: id.into(), bytes: bytes.into() }));
        self
    }

    /// Removes a record; nothing happens where there is none.
    pub fn delete(&mut self, kind: &'static str, id: impl Into<Vec<u8>>) -> &mut Self {
        self.deletes.push((kind, id.into()));
        self
    }

    /// Removes all records of a kind. This comes first, whatever the order of the calls.
    pub fn clear(&mut self, kind: &'static str) -> &mut Self {
        self.clears.push(kind);
        self
    }

    /// Replaces the snapshot of that name.
    pub fn snapshot(&mut self, name: &'static str, snapshot: Snapshot) -> &mut Self {
        self.snapshots.push((name, snapshot));
        self
    }
}
