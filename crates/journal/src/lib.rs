//! What must survive a crash: opaque records, intents and in-flight transactions.
