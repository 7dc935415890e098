//! Node access: the canonical block feed, write sets, state loads and log sync.
