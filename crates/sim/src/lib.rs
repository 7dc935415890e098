//! Pure simulation: a state snapshot, the revm runner and the read sets it records.
