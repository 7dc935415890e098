//! What became of Requests, from the Registry's logs.

use crate::{
    output::Progress,
    problem::Problem,
    session::{Asking, Session},
};
use alloy::{
    primitives::{Address, B256, U256},
    providers::Provider,
    rpc::types::{Filter, Log},
    sol_types::SolEvent,
};
use errand_bindings::IRegistry::{HashedReqAdded, HashedReqCancelled, HashedReqExecuted};
use errand_chain::{LogQuery, sync_logs};
use errand_keeper::{
    Outstanding,
    book::Book,
    sync::{Synced, sync_book},
};
use errand_types::RequestId;
use eyre::{Result, WrapErr};

/// An execution that the Registry logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Execution {
    pub(crate) block: u64,
    pub(crate) transaction: B256,
    pub(crate) executor: Address,
    pub(crate) fee: U256,
    pub(crate) paid_in_auto: bool,
}

/// Where a Request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Outstanding,
    Executed(Execution),
    Cancelled { block: u64 },
}

/// A Request with its past.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) entry: Outstanding,
    pub(crate) status: Status,
    /// All its executions: a recurring Request has many.
    pub(crate) executions: Vec<Execution>,
}

impl Record {
    /// Refuses a Request that was executed or cancelled.
    pub(crate) fn require_outstanding(&self) -> Result<()> {
        let id = self.entry.id;
        let what = match self.status {
            Status::Outstanding => return Ok(()),
            Status::Executed(execution) => format!("was executed in block {}", execution.block),
            Status::Cancelled { block } => format!("was cancelled in block {block}"),
        };
        Err(Problem::new(format!("Request {id} is not outstanding: it {what}"))
            .hint(format!("`errand request show {id}` tells more"))
            .into())
    }
}

/// All outstanding Requests.
pub(crate) async fn outstanding(session: &Session) -> Result<Synced> {
    let head = session.head().await?;
    let first = session.contracts.registry_block;
    let mut progress = Progress::blocks(first, head.number);
    sync_book(&session.endpoint, &session.contracts, None, first, None, &head, &mut progress)
        .await
        .wrap_err("the outstanding Requests cannot be read")
}

/// One Request with its past.
///
/// # Errors
/// A [`Problem`] where there never was such a Request.
pub(crate) async fn record(session: &Session, id: RequestId) -> Result<Record> {
    record_at(session, id, u64::MAX).await
}

/// One Request as it was after a block.
///
/// # Errors
/// A [`Problem`] where there was no such Request by then.
pub(crate) async fn record_at(session: &Session, id: RequestId, block: u64) -> Result<Record> {
    let registry = session.registry();
    let length = registry.getHashedReqsLen().call().await.asking("the number of Requests")?;
    if U256::from(id.0) >= length {
        let range = match length.checked_sub(U256::from(1)) {
            Some(last) => format!("the last one is {last}"),
            None => "nothing was registered yet".to_owned(),
        };
        return Err(Problem::new(format!("there is no Request {id}: {range}"))
            .hint("`errand request list` shows what is outstanding")
            .into());
    }
    let mut logs = logs_of(session, id).await?;
    let first = logs.first().and_then(|log| log.block_number).filter(|first| *first > block);
    if let Some(first) = first {
        let text = format!("Request {id} was not registered yet: that was in block {first}");
        return Err(Problem::new(text).hint(format!("give --block {first} or a later one")).into());
    }
    logs.retain(|log| log.block_number.is_none_or(|number| number <= block));
    read(session.contracts.registry, id, &logs)?.ok_or_else(|| {
        Problem::new(format!("the node has no log of Request {id}, although it was registered"))
            .hint("it may have dropped old logs: ask another node")
            .into()
    })
}

/// The logs of one Request: by its topic where the node searches all blocks at once, else out of all logs.
async fn logs_of(session: &Session, id: RequestId) -> Result<Vec<Log>> {
    let (first, head) = (session.contracts.registry_block, session.head().await?);
    let events = vec![
        HashedReqAdded::SIGNATURE_HASH,
        HashedReqExecuted::SIGNATURE_HASH,
        HashedReqCancelled::SIGNATURE_HASH,
    ];
    let topic = B256::from(U256::from(id.0));
    let filter = Filter::new()
        .address(session.contracts.registry)
        .event_signature(events.clone())
        .topic1(topic)
        .from_block(first)
        .to_block(head.number);
    if let Ok(logs) = session.provider.get_logs(&filter).await {
        return Ok(logs);
    }
    let query = LogQuery { addresses: vec![session.contracts.registry], events };
    let mut progress = Progress::blocks(first, head.number);
    let logs = sync_logs(&session.endpoint, &query, first, &head, &mut progress)
        .await
        .wrap_err("the Registry's logs cannot be read")?;
    Ok(logs.into_iter().filter(|log| log.topics().get(1) == Some(&topic)).collect())
}

/// Puts the logs of one Request together.
fn read(registry: Address, id: RequestId, logs: &[Log]) -> Result<Option<Record>> {
    let mut book = Book::new(registry);
    let mut last = None;
    let mut status = Status::Outstanding;
    let mut executions = Vec::new();
    for log in logs {
        book.apply_history(std::slice::from_ref(log)).wrap_err("a log of the Registry cannot be read")?;
        last = book.get(id).cloned().or(last);
        let block = log.block_number.unwrap_or_default();
        match log.topic0() {
            Some(&HashedReqExecuted::SIGNATURE_HASH) => {
                let event = HashedReqExecuted::decode_log(&log.inner)?.data;
                let execution = Execution {
                    block,
                    transaction: log.transaction_hash.unwrap_or_default(),
                    executor: event.executor,
                    fee: event.fee,
                    paid_in_auto: event.paidInAUTO,
                };
                executions.push(execution);
                if event.wasRemoved {
                    status = Status::Executed(execution);
                }
            }
            Some(&HashedReqCancelled::SIGNATURE_HASH) => status = Status::Cancelled { block },
            _ => {}
        }
    }
    Ok(last.map(|entry| Record { entry, status, executions }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{Bytes, LogData, aliases::U112};

    const REGISTRY: Address = Address::repeat_byte(0xaa);

    fn log(block: u64, data: LogData) -> Log {
        Log {
            inner: alloy::primitives::Log { address: REGISTRY, data },
            block_number: Some(block),
            transaction_hash: Some(B256::repeat_byte(block as u8)),
            ..Log::default()
        }
    }

    fn added(is_alive: bool) -> Log {
        let event = HashedReqAdded {
            id: U256::from(3),
            user: Address::repeat_byte(1),
            target: Address::repeat_byte(2),
            referer: Address::ZERO,
            callData: Bytes::new(),
            initEthSent: U112::from(5),
            ethForCall: U112::ZERO,
            verifyUser: false,
            insertFeeAmount: false,
            payWithAUTO: false,
            isAlive: is_alive,
        };
        log(1, event.encode_log_data())
    }

    fn executed(block: u64, was_removed: bool) -> Log {
        let event = HashedReqExecuted {
            id: U256::from(3),
            executor: Address::repeat_byte(9),
            wasRemoved: was_removed,
            fee: U256::from(7),
            paidInAUTO: false,
        };
        log(block, event.encode_log_data())
    }

    fn record(logs: &[Log]) -> Record {
        read(REGISTRY, RequestId(3), logs).unwrap().unwrap()
    }

    #[test]
    fn what_was_only_registered_is_outstanding() {
        let record = record(&[added(false)]);
        assert_eq!(record.status, Status::Outstanding);
        assert_eq!(record.entry.added_at, 1);
        assert!(record.require_outstanding().is_ok());
    }

    #[test]
    fn an_executed_request_keeps_its_fields() {
        let record = record(&[added(false), executed(4, true)]);
        let Status::Executed(execution) = record.status else { panic!("{:?}", record.status) };
        assert_eq!((execution.block, execution.fee), (4, U256::from(7)));
        assert_eq!(record.entry.request.initEthSent, U112::from(5));
        assert!(record.require_outstanding().unwrap_err().to_string().contains("executed in block 4"));
    }

    #[test]
    fn a_recurring_request_stays_outstanding_and_counts_its_executions() {
        let record = record(&[added(true), executed(4, false), executed(6, false)]);
        assert_eq!(record.status, Status::Outstanding);
        assert_eq!(record.executions.len(), 2);
        assert_eq!(record.entry.last_executed_at, Some(6));
    }

    #[test]
    fn a_cancelled_request_says_so() {
        let cancelled = log(5, HashedReqCancelled { id: U256::from(3) }.encode_log_data());
        assert_eq!(record(&[added(false), cancelled]).status, Status::Cancelled { block: 5 });
    }

    #[test]
    fn without_its_registration_nothing_is_known() {
        assert!(read(REGISTRY, RequestId(3), &[executed(4, true)]).unwrap().is_none());
    }
}
