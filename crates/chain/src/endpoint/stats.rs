//! Counters of an endpoint.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// What an endpoint did, for metrics.
#[derive(Debug, Default)]
pub struct RpcStats {
    calls: RwLock<HashMap<String, AtomicU64>>,
    /// Requests that went out, a batch being one.
    pub(super) round_trips: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) timeouts: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) reconnects: AtomicU64,
}

impl RpcStats {
    /// Counts one call.
    pub(super) fn count(&self, method: &str) {
        // The write lock is taken once per method: names are few.
        if let Ok(calls) = self.calls.read()
            && let Some(count) = calls.get(method)
        {
            count.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if let Ok(mut calls) = self.calls.write() {
            calls.entry(method.to_owned()).or_default().fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Calls by method, attempts that were repeated included, each call of a batch counted.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        let Ok(calls) = self.calls.read() else { return BTreeMap::new() };
        calls.iter().map(|(method, count)| (method.clone(), count.load(Ordering::Relaxed))).collect()
    }

    /// All calls.
    pub fn total(&self) -> u64 {
        self.calls().values().sum()
    }

    /// Messages that went out; a batch is one.
    pub fn round_trips(&self) -> u64 {
        self.round_trips.load(Ordering::Relaxed)
    }

    /// Attempts that repeated a failed one.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Attempts that were given up because no answer came in time.
    pub fn timeouts(&self) -> u64 {
        self.timeouts.load(Ordering::Relaxed)
    }

    /// Attempts that failed, timeouts included; an error that the node answers with is not a failure.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Connections made after the first one.
    pub fn reconnects(&self) -> u64 {
        self.reconnects.load(Ordering::Relaxed)
    }
}
