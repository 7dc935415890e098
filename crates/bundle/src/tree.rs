//! The Merkle tree over a bundle's actions, by the rules that stand in `MerkleActions.sol`: leaves by ascending index,
//! pairs from the left, the smaller hash first, an odd last node moves up unchanged, nothing is padded.
//!
//! Small enough to stand here: the rule of an odd node is ours, the hash itself is alloy's.

use crate::action::Action;
use alloy::primitives::{B256, keccak256};

/// A tree with all its levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// From the leaves to the level with one node; never empty.
    levels: Vec<Vec<B256>>,
    root: B256,
}

impl Tree {
    /// The tree over `leaves`; `None` of no leaves, which have no root.
    pub fn new(leaves: Vec<B256>) -> Option<Self> {
        let mut levels = vec![leaves];
        loop {
            match levels.last()?.as_slice() {
                [] => return None,
                [root] => {
                    let root = *root;
                    return Some(Self { levels, root });
                }
                level => {
                    let above = level.chunks(2).map(parent).collect();
                    levels.push(above);
                }
            }
        }
    }

    /// The tree over actions, the first of which has index 0.
    pub fn of(actions: &[Action]) -> Option<Self> {
        Self::new((0..).zip(actions).map(|(index, action)| action.leaf(index)).collect())
    }

    /// The root.
    pub const fn root(&self) -> B256 {
        self.root
    }

    /// The leaves by ascending index.
    pub fn leaves(&self) -> &[B256] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    /// The proof of the leaf at `index`: siblings from the lowest level up. `None` where there is no such leaf.
    pub fn proof(&self, index: usize) -> Option<Vec<B256>> {
        self.leaves().get(index)?;
        let siblings = self.levels.iter().enumerate().filter_map(|(height, level)| {
            let place = index.checked_shr(u32::try_from(height).ok()?)?;
            level.get(place ^ 1).copied()
        });
        Some(siblings.collect())
    }
}

/// Whether `leaf` is in the tree of `root`.
pub fn verify(root: B256, leaf: B256, proof: &[B256]) -> bool {
    proof.iter().fold(leaf, |node, sibling| parent(&[node, *sibling])) == root
}

/// The node above one or two.
fn parent(pair: &[B256]) -> B256 {
    match pair {
        [a, b] => {
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            keccak256([low.as_slice(), high.as_slice()].concat())
        }
        _ => pair.first().copied().unwrap_or_default(),
    }
}
