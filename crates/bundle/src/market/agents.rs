//! How executors and owners play.

use super::{Params, game::View};
use serde::Serialize;

/// How an executor plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Behaviour {
    /// claims what pays, executes at once
    Honest,
    /// claims what pays, executes when the lock is about to end
    Late,
    /// claims what pays, waits for a basefee a tenth higher, since it is paid a percentage, or for the lock's end
    Opportunist,
    /// claims three times and does nothing
    Stalling,
    /// claims first and does nothing, so that its mate is selected anew, with the whole bonus
    Leader,
    /// claims when the leader's lock is over, and executes at once
    Follower,
}

/// How the project plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Owner {
    /// waits
    Honest,
    /// makes an action of a transaction fail when it comes to that, and closes the bundle
    Flips {
        /// the transaction, counted from 0
        batch: usize,
    },
    /// cancels after the first claim
    Cancels {
        /// so many blocks later
        blocks: u64,
    },
}

/// Claims of a stalling executor.
const STALLING_CLAIMS: u32 = 3;
/// Blocks that a cautious executor keeps free before its lock ends.
const SAFETY_BLOCKS: u64 = 3;

impl Behaviour {
    /// Whether it claims now, nobody being selected.
    pub(super) fn claims(self, view: &View<'_>) -> bool {
        match self {
            Self::Honest | Self::Late | Self::Opportunist => view.pays(),
            Self::Stalling => view.own_claims < STALLING_CLAIMS,
            Self::Leader => view.last_holder.is_none() && view.pays(),
            Self::Follower => view.last_holder == Some(Self::Leader) && view.pays(),
        }
    }

    /// Whether it executes now, being selected since `view.selected_for` seconds.
    pub(super) fn executes(self, view: &View<'_>) -> bool {
        let Params { lock_seconds, block_seconds, .. } = view.params;
        let needed = (view.batches_left as u64 + SAFETY_BLOCKS) * block_seconds;
        let must = view.selected_for + needed >= *lock_seconds;
        // A claim and the first execution are transactions of different blocks.
        let may = view.selected_for >= *block_seconds;
        may && match self {
            Self::Honest | Self::Follower => true,
            Self::Late => must,
            Self::Opportunist => must || view.base_fee * 10 >= view.base_fee_at_claim * 11 || view.has_begun,
            Self::Stalling | Self::Leader => false,
        }
    }
}
