//! One owner per account: nonces, fees, replacement, receipts.
