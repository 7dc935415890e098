//! What a node's refusal means.

use std::fmt;

/// Why a node does not take a transaction, by what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It has it already: as good as taken.
    AlreadyKnown,
    /// The nonce is used on chain.
    NonceTooLow,
    /// Transactions before it are missing.
    NonceTooHigh,
    /// Another transaction has the nonce in the pool, and the fees are not enough above that one's.
    ReplacementUnderpriced,
    /// The fees are below what the pool, or the next block, asks.
    Underpriced,
    /// The account cannot pay for it.
    InsufficientFunds,
    /// The gas limit does not cover the call data.
    IntrinsicGasTooLow,
    /// The gas limit is above what a block, or a transaction, may have.
    ExceedsGasLimit,
    /// The chain or node does not know this type of transaction.
    TypeUnsupported,
    /// It is signed for another chain, or not validly.
    BadSignature,
    /// The fee fields contradict each other, or exceed the node's own limit on fees.
    BadFees,
    /// The pool is full, or full for this account.
    PoolFull,
    /// The node is asked too often, or cannot answer now.
    Busy,
    /// A message that this table does not know.
    Other,
}

/// Parts of messages in lower case and what they mean; the first that fits counts, so what is more specific
/// comes first. Texts of geth, reth, nethermind, erigon, besu and anvil, in this order where they differ.
const MESSAGES: &[(Refusal, &[&str])] = &[
    // An "unknown transaction type" is no "known transaction".
    (
        Refusal::TypeUnsupported,
        &[
            "type not supported",
            "notsupportedtxtype",
            "invalidtxtype",
            "invalid transaction type",
            "unknown transaction type",
            "type unsupported",
        ],
    ),
    (
        Refusal::AlreadyKnown,
        &[
            "already known",
            "alreadyknown",
            "ownnoncealreadyused",
            "existing tx with same hash",
            "known transaction",
            "already imported",
        ],
    ),
    (
        Refusal::ReplacementUnderpriced,
        &[
            "replacement transaction underpriced",
            "insufficient gas price to replace",
            "replacementnotallowed",
            "could not replace existing tx",
            "future transaction tries to replace pending",
        ],
    ),
    (
        Refusal::ExceedsGasLimit,
        &[
            "exceeds block gas limit",
            "transaction gas limit too high",
            "gas limit is greater than the cap",
            "exceeds max transaction gas limit",
            "gaslimitexceeded",
            "txgaslimitcapexceeded",
            "gas limit too high",
            "transaction gas limit exceeds",
            "intrinsic gas too high",
        ],
    ),
    (
        Refusal::IntrinsicGasTooLow,
        &[
            "intrinsic gas too low",
            "insufficient gas for floor data gas cost",
            "gas floor",
            "intrinsic gas exceeds gas limit",
        ],
    ),
    (
        Refusal::BadFees,
        &[
            "max priority fee per gas higher than max fee per gas",
            "exceeds the configured cap",
            "transaction fee cap exceeded",
            "max priority fee per gas exceeds max fee per gas",
            "max priority fee per gas greater than max fee per gas",
        ],
    ),
    (Refusal::NonceTooLow, &["nonce too low", "oldnonce", "nonce is too low", "nonce below"]),
    (
        Refusal::NonceTooHigh,
        &["nonce too high", "noncegap", "noncetoofarinfuture", "too distant from", "gapped-nonce"],
    ),
    (
        Refusal::InsufficientFunds,
        &[
            "insufficient funds",
            "insufficientfunds",
            "upfront cost exceeds",
            "would exceed balance",
            "overdraft",
        ],
    ),
    (
        Refusal::PoolFull,
        &[
            "txpool is full",
            "sub-pool is full",
            "account limit exceeded",
            "in-flight transaction limit",
            "feetoolowtocompete",
            "too many transactions",
        ],
    ),
    (
        Refusal::Underpriced,
        &[
            "underpriced",
            "less than block base fee",
            "lower than the block base fee",
            "feetoolow",
            "fee too low",
            "gas price below",
            "below current base fee",
            "below configured minimum",
        ],
    ),
    (
        Refusal::BadSignature,
        &[
            "invalid chain id",
            "invalid sender",
            "invalid transaction signature",
            "invalid signature",
            "invalidtxchainid",
            "failedtoresolvesender",
            "wrong chain",
        ],
    ),
    (
        Refusal::Busy,
        &[
            "rate limit",
            "too many requests",
            "limit exceeded",
            "syncing",
            "timeout",
            "timed out",
            "try again",
        ],
    ),
];

impl Refusal {
    /// What a node's error to `eth_sendRawTransaction` means. The text counts first: codes differ between nodes
    /// (besu's -32005 is a gas limit, elsewhere it is a rate limit).
    pub fn classify(code: i64, message: &str) -> Self {
        let message = message.to_lowercase();
        let meant = MESSAGES.iter().find(|(_, parts)| parts.iter().any(|part| message.contains(part)));
        match (meant, code) {
            (Some((refusal, _)), _) => *refusal,
            (None, 429 | -32005) => Self::Busy,
            (None, _) => Self::Other,
        }
    }

    /// Whether no block can ever contain the transaction, whatever the state.
    pub const fn is_permanent(self) -> bool {
        matches!(
            self,
            Self::IntrinsicGasTooLow | Self::ExceedsGasLimit | Self::TypeUnsupported | Self::BadSignature
        )
    }

    /// Whether neither time nor a higher offer can make this node take it.
    pub(crate) const fn needs_another_transaction(self) -> bool {
        self.is_permanent() || matches!(self, Self::BadFees)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyKnown => "already known",
            Self::NonceTooLow => "nonce too low",
            Self::NonceTooHigh => "nonce too high",
            Self::ReplacementUnderpriced => "replacement underpriced",
            Self::Underpriced => "underpriced",
            Self::InsufficientFunds => "insufficient funds",
            Self::IntrinsicGasTooLow => "intrinsic gas too low",
            Self::ExceedsGasLimit => "exceeds gas limit",
            Self::TypeUnsupported => "transaction type unsupported",
            Self::BadSignature => "bad signature",
            Self::BadFees => "bad fees",
            Self::PoolFull => "pool full",
            Self::Busy => "busy",
            Self::Other => "other",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Refusal::{self, *};

    #[test]
    fn messages_of_all_clients_mean_what_they_say() {
        let table: &[(&str, i64, &str, Refusal)] = &[
            ("geth", -32000, "already known", AlreadyKnown),
            ("geth", -32000, "nonce too low: next nonce 5, tx nonce 4", NonceTooLow),
            ("geth", -32000, "nonce too high", NonceTooHigh),
            ("geth", -32000, "gapped-nonce tx from delegated accounts", NonceTooHigh),
            ("geth", -32000, "replacement transaction underpriced", ReplacementUnderpriced),
            ("geth", -32000, "future transaction tries to replace pending", ReplacementUnderpriced),
            ("geth", -32000, "transaction underpriced: tip needed 1, tip permitted 0", Underpriced),
            (
                "geth",
                -32000,
                "max fee per gas less than block base fee: address 0xf39F, maxFeePerGas: 1, baseFee: 7",
                Underpriced,
            ),
            (
                "geth",
                -32000,
                "insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1",
                InsufficientFunds,
            ),
            ("geth", -32000, "intrinsic gas too low: gas 20000, minimum needed 21000", IntrinsicGasTooLow),
            (
                "geth",
                -32000,
                "insufficient gas for floor data gas cost: gas 21000, minimum needed 21010",
                IntrinsicGasTooLow,
            ),
            ("geth", -32000, "exceeds block gas limit", ExceedsGasLimit),
            ("geth", -32000, "transaction gas limit too high (cap: 16777216, tx: 21000000)", ExceedsGasLimit),
            ("geth", -32000, "transaction type not supported", TypeUnsupported),
            ("geth", -32000, "invalid sender", BadSignature),
            ("geth", -32000, "invalid chain id for signer: have 1 want 31337", BadSignature),
            ("geth", -32000, "tx fee (1.20 ether) exceeds the configured cap (1.00 ether)", BadFees),
            ("geth", -32000, "max priority fee per gas higher than max fee per gas: address 0xf39F", BadFees),
            ("geth", -32000, "txpool is full", PoolFull),
            ("geth", -32000, "account limit exceeded: pooled 64 txs", PoolFull),
            ("geth", -32000, "in-flight transaction limit reached for delegated accounts", PoolFull),
            ("reth", -32000, "already known", AlreadyKnown),
            ("reth", -32000, "nonce too low: next nonce 5, tx nonce 4", NonceTooLow),
            ("reth", -32000, "replacement transaction underpriced", ReplacementUnderpriced),
            ("reth", -32000, "transaction underpriced", Underpriced),
            ("reth", -32000, "max fee per gas less than block base fee", Underpriced),
            ("reth", -32003, "insufficient funds for gas * price + value: have 0 want 1", InsufficientFunds),
            ("reth", -32000, "intrinsic gas too low", IntrinsicGasTooLow),
            ("reth", -32000, "exceeds block gas limit", ExceedsGasLimit),
            ("reth", -32000, "transaction type not supported", TypeUnsupported),
            ("reth", -32000, "txpool is full", PoolFull),
            ("nethermind", -32010, "AlreadyKnown", AlreadyKnown),
            ("nethermind", -32010, "OwnNonceAlreadyUsed", AlreadyKnown),
            ("nethermind", -32010, "OldNonce, Current nonce: 5, nonce of rejected tx: 4", NonceTooLow),
            ("nethermind", -32010, "NonceGap, Future nonce. Expected nonce: 5", NonceTooHigh),
            ("nethermind", -32010, "NonceTooFarInFuture", NonceTooHigh),
            ("nethermind", -32010, "ReplacementNotAllowed", ReplacementUnderpriced),
            (
                "nethermind",
                -32010,
                "FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1, BaseFee: 7",
                Underpriced,
            ),
            ("nethermind", -32010, "FeeTooLowToCompete", PoolFull),
            (
                "nethermind",
                -32010,
                "InsufficientFunds, Account balance: 0, cumulative cost: 1",
                InsufficientFunds,
            ),
            ("nethermind", -32010, "Invalid, intrinsic gas too low", IntrinsicGasTooLow),
            (
                "nethermind",
                -32010,
                "GasLimitExceeded, Gas limit: 30000000, gas limit of rejected tx: 60000000",
                ExceedsGasLimit,
            ),
            (
                "nethermind",
                -32010,
                "TxGasLimitCapExceeded: Gas limit 20000000 exceeded cap of 16777216.",
                ExceedsGasLimit,
            ),
            ("nethermind", -32010, "NotSupportedTxType", TypeUnsupported),
            ("nethermind", -32010, "InvalidTxChainId: Expected 1, got 31337.", BadSignature),
            ("nethermind", -32010, "FailedToResolveSender", BadSignature),
            ("nethermind", -32010, "Syncing", Busy),
            ("erigon", -32000, "ALREADY_EXISTS: already known", AlreadyKnown),
            ("erigon", -32000, "existing tx with same hash", AlreadyKnown),
            ("erigon", -32000, "INTERNAL_ERROR: nonce too low", NonceTooLow),
            ("erigon", -32000, "INTERNAL_ERROR: could not replace existing tx", ReplacementUnderpriced),
            ("erigon", -32000, "FEE_TOO_LOW: underpriced", Underpriced),
            ("erigon", -32000, "fee too low", Underpriced),
            ("erigon", -32000, "INTERNAL_ERROR: insufficient funds", InsufficientFunds),
            ("erigon", -32000, "INTERNAL_ERROR: intrinsic gas too low", IntrinsicGasTooLow),
            ("erigon", -32000, "INTERNAL_ERROR: gas limit too high", ExceedsGasLimit),
            ("erigon", -32000, "pending sub-pool is full", PoolFull),
            ("besu", -32000, "Known transaction", AlreadyKnown),
            ("besu", -32001, "Nonce too low", NonceTooLow),
            ("besu", -32006, "Transaction nonce is too distant from current sender nonce", NonceTooHigh),
            ("besu", -32000, "Replacement transaction underpriced", ReplacementUnderpriced),
            ("besu", -32009, "Gas price below configured minimum gas price", Underpriced),
            ("besu", -32009, "Gas price below current base fee", Underpriced),
            ("besu", -32004, "Upfront cost exceeds account balance", InsufficientFunds),
            ("besu", -32003, "Intrinsic gas exceeds gas limit", IntrinsicGasTooLow),
            ("besu", -32005, "Transaction gas limit exceeds block gas limit", ExceedsGasLimit),
            ("besu", -32602, "Invalid transaction type", TypeUnsupported),
            ("besu", -32002, "Invalid signature", BadSignature),
            ("besu", -32000, "Wrong chainId", BadSignature),
            ("besu", -32000, "Transaction fee cap exceeded", BadFees),
            ("anvil", -32003, "transaction already imported", AlreadyKnown),
            ("anvil", -32003, "nonce too low", NonceTooLow),
            ("anvil", -32003, "replacement transaction underpriced", ReplacementUnderpriced),
            ("anvil", -32003, "transaction underpriced", Underpriced),
            ("anvil", -32003, "max fee per gas less than block base fee", Underpriced),
            ("anvil", -32003, "Insufficient funds for gas * price + value", InsufficientFunds),
            ("anvil", -32003, "intrinsic gas too low", IntrinsicGasTooLow),
            (
                "anvil",
                -32003,
                "intrinsic gas too high -- tx.gas_limit > env.block.gas_limit",
                ExceedsGasLimit,
            ),
            ("anvil", -32003, "invalid chain id for signer", BadSignature),
            ("a provider", -32000, "unknown transaction type", TypeUnsupported),
            ("a provider", -32602, "Unknown transaction type: 0x2", TypeUnsupported),
            ("a provider", 429, "Your app has exceeded its compute units", Busy),
            ("a provider", -32005, "daily request count exceeded, request rate limited", Busy),
            ("a provider", -32005, "no words for it", Busy),
            ("a provider", -32000, "something new", Other),
            ("a provider", -32603, "", Other),
        ];
        for (client, code, message, refusal) in table {
            assert_eq!(Refusal::classify(*code, message), *refusal, "{client}: {message}");
        }
    }

    #[test]
    fn only_what_no_block_can_contain_is_permanent() {
        let permanent = [IntrinsicGasTooLow, ExceedsGasLimit, TypeUnsupported, BadSignature];
        let passing = [
            AlreadyKnown,
            NonceTooLow,
            NonceTooHigh,
            ReplacementUnderpriced,
            Underpriced,
            InsufficientFunds,
            BadFees,
            PoolFull,
            Busy,
            Other,
        ];
        assert!(permanent.iter().all(|refusal| refusal.is_permanent()));
        assert!(!passing.iter().any(|refusal| refusal.is_permanent()));
    }
}
