//! Work that simulates well and fails on chain: left alone for longer each time.

use alloy::primitives::map::HashMap;
use errand_types::RequestId;

/// Blocks for which a Request is left alone after its first failure; doubled with each further one.
const FIRST_PAUSE: u64 = 4;
/// Doublings after which the pause stays the same: about a day of 12 second blocks.
const MAX_DOUBLINGS: u32 = 11;

/// One Request's failures.
#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    until: u64,
}

/// Requests that failed on chain, and until which block they are left alone.
#[derive(Debug, Default)]
pub struct Quarantine {
    failures: HashMap<RequestId, Failures>,
}

impl Quarantine {
    /// A Request failed on chain in `block`. Returns the block from which it may be tried again.
    pub fn failed(&mut self, id: RequestId, block: u64) -> u64 {
        let failures = self.failures.entry(id).or_insert(Failures { count: 0, until: 0 });
        failures.until = block + (FIRST_PAUSE << failures.count.min(MAX_DOUBLINGS));
        failures.count += 1;
        failures.until
    }

    /// A Request was executed or is gone: its failures are forgotten.
    pub fn forget(&mut self, id: RequestId) {
        self.failures.remove(&id);
    }

    /// Whether a Request is to be left alone in `block`.
    pub fn holds(&self, id: RequestId, block: u64) -> bool {
        self.failures.get(&id).is_some_and(|failures| block < failures.until)
    }

    /// How often a Request has failed since it succeeded.
    pub fn failures(&self, id: RequestId) -> u32 {
        self.failures.get(&id).map_or(0, |failures| failures.count)
    }

    /// How many Requests have failed and not succeeded since.
    pub fn len(&self) -> usize {
        self.failures.len()
    }

    /// Whether no Request has failed.
    pub fn is_empty(&self) -> bool {
        self.failures.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_pause() {
        let mut quarantine = Quarantine::default();
        let id = RequestId(1);
        assert!(!quarantine.holds(id, 100));
        assert_eq!(quarantine.failed(id, 100), 104);
        assert!(quarantine.holds(id, 103) && !quarantine.holds(id, 104));
        assert_eq!(quarantine.failed(id, 104), 112);
        quarantine.forget(id);
        assert!(!quarantine.holds(id, 105));
        assert_eq!(quarantine.failed(id, 200), 204);
    }

    #[test]
    fn the_pause_does_not_grow_for_ever() {
        let mut quarantine = Quarantine::default();
        let last = (0..100).map(|_| quarantine.failed(RequestId(1), 0)).last();
        assert_eq!(last, Some(FIRST_PAUSE << MAX_DOUBLINGS));
    }
}
