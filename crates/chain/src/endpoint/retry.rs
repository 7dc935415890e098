//! What may be asked again, and when that makes sense.

use alloy::{
    rpc::json_rpc::ErrorPayload,
    transports::{TransportError, TransportErrorKind},
};
use std::time::Duration;

/// Whether asking twice does no more than asking once. A list of what is known: a method that is missing is
/// merely not repeated.
pub(super) fn is_read(method: &str) -> bool {
    const READS: [&str; 12] = [
        "eth_accounts",
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_createAccessList",
        "eth_estimateGas",
        "eth_feeHistory",
        "eth_gasPrice",
        "eth_maxPriorityFeePerGas",
        "eth_simulateV1",
        "eth_syncing",
        "web3_clientVersion",
    ];
    // A filter's changes are gone once they were read.
    let consumes = method.starts_with("eth_getFilter");
    READS.contains(&method)
        || (method.starts_with("eth_get") && !consumes)
        || ["trace_", "debug_trace", "net_", "txpool_"].iter().any(|prefix| method.starts_with(prefix))
}

/// Whether the same request may succeed a little later.
pub(super) fn may_pass(error: &TransportError) -> bool {
    match error {
        TransportError::Transport(TransportErrorKind::NonRetryable(_)) => false,
        TransportError::Transport(kind) => kind
            .as_http_error()
            .is_none_or(|http| matches!(http.status, 408 | 425 | 429) || http.status >= 500),
        TransportError::DeserError { .. } => true,
        TransportError::ErrorResp(payload) => is_rate_limit(payload),
        _ => false,
    }
}

/// Whether the node answered that it was asked too often. Not by code: -32005 also says that a range of logs
/// is too long, which asking again does not shorten.
pub(super) fn is_rate_limit<T>(payload: &ErrorPayload<T>) -> bool {
    const SIGNS: [&str; 7] = [
        "rate limit",
        "rate exceeded",
        "too many requests",
        "request limit",
        "credits limited",
        "compute units per second",
        "concurrent requests",
    ];
    let message = payload.message.to_lowercase();
    payload.code == 429 || SIGNS.iter().any(|sign| message.contains(sign))
}

/// The pause that the node asked for.
pub(super) fn asked_pause(error: &TransportError) -> Option<Duration> {
    error.as_transport_err().and_then(TransportErrorKind::retry_after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: i64, message: &'static str) -> TransportError {
        TransportError::ErrorResp(ErrorPayload { code, message: message.into(), data: None })
    }

    #[test]
    fn only_reads_are_repeated() {
        for method in ["eth_call", "eth_getLogs", "trace_replayBlockTransactions", "debug_traceBlockByHash"] {
            assert!(is_read(method), "{method}");
        }
        for method in [
            "eth_sendRawTransaction",
            "eth_sendPrivateTransaction",
            "eth_sendBundle",
            "eth_getFilterChanges",
            "eth_subscribe",
            "evm_mine",
            "anvil_reorg",
            "debug_setHead",
            "personal_sign",
        ] {
            assert!(!is_read(method), "{method}");
        }
    }

    #[test]
    fn load_passes_and_refusals_do_not() {
        for error in [
            TransportErrorKind::http_error(429, String::new()),
            TransportErrorKind::http_error(503, String::new()),
            TransportErrorKind::backend_gone(),
            TransportErrorKind::custom_str("connection reset"),
            answer(429, "slow down"),
            answer(-32005, "project ID request rate exceeded"),
            answer(-32007, "100/second request limit reached - reduce calls per second"),
        ] {
            assert!(may_pass(&error), "{error}");
        }
        for error in [
            TransportErrorKind::http_error(401, String::new()),
            TransportErrorKind::non_retryable_str("wrong chain"),
            answer(-32005, "query returned more than 10000 results"),
            answer(-32601, "the method does not exist"),
            answer(3, "execution reverted"),
        ] {
            assert!(!may_pass(&error), "{error}");
        }
    }
}
