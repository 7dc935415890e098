//! What executors execute, and how it is named.

use alloy::primitives::{Address, B256, U256};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Whom a gate or a selection strategy names where everybody may execute. See `IExecutorSelectionStrategy`.
pub const ANYONE: Address = Address::repeat_byte(0xff);

/// The number under which a Registry keeps a Request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Ids as a log line shows them: `3, 5, 8`.
pub fn listed(ids: &[RequestId]) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        for (place, id) in ids.iter().enumerate() {
            if place > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{id}")?;
        }
        Ok(())
    })
}

impl FromStr for RequestId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl From<RequestId> for U256 {
    fn from(id: RequestId) -> Self {
        Self::from(id.0)
    }
}

/// The kinds of work there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkKind {
    /// A Request of a Registry.
    Request,
    /// A Bundle of a ChugSplash project.
    Bundle,
    /// Something an executor owes for its turn, such as a check-in.
    Duty,
}

impl WorkKind {
    /// The name used in journals and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Bundle => "bundle",
            Self::Duty => "duty",
        }
    }
}

/// Names one piece of work on one chain: its kind and a 32-byte id within that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkId {
    /// The kind of work.
    pub kind: WorkKind,
    /// The id within the kind; a Request's number is right-aligned.
    pub id: B256,
}

impl WorkId {
    /// The Request this names, if it is one.
    pub fn as_request(&self) -> Option<RequestId> {
        let value = U256::from_be_bytes(self.id.0);
        (self.kind == WorkKind::Request).then(|| u64::try_from(value).ok().map(RequestId)).flatten()
    }
}

impl From<RequestId> for WorkId {
    fn from(id: RequestId) -> Self {
        Self { kind: WorkKind::Request, id: B256::from(U256::from(id.0)) }
    }
}

impl fmt::Display for WorkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_request() {
            Some(id) => write!(f, "request:{id}"),
            None => write!(f, "{}:{}", self.kind.as_str(), self.id),
        }
    }
}

/// Why a text does not name a piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseWorkIdError(String);

impl fmt::Display for ParseWorkIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` names no work: expected `request:<number>`, `bundle:<hash>` or `duty:<hash>`", self.0)
    }
}

impl std::error::Error for ParseWorkIdError {}

impl FromStr for WorkId {
    type Err = ParseWorkIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseWorkIdError(text.to_owned());
        let (kind, id) = text.split_once(':').ok_or_else(error)?;
        let hash = |kind| id.parse().map(|id| Self { kind, id }).map_err(|_| error());
        match kind {
            "request" => id.parse::<RequestId>().map(Self::from).map_err(|_| error()),
            "bundle" => hash(WorkKind::Bundle),
            "duty" => hash(WorkKind::Duty),
            _ => Err(error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_id_reads_back_what_it_prints() {
        for id in [
            WorkId::from(RequestId(0)),
            WorkId::from(RequestId(u64::MAX)),
            WorkId { kind: WorkKind::Bundle, id: B256::repeat_byte(7) },
            WorkId { kind: WorkKind::Duty, id: B256::ZERO },
        ] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn ids_are_listed_as_people_write_them() {
        assert_eq!(listed(&[RequestId(3), RequestId(5)]).to_string(), "3, 5");
        assert_eq!(listed(&[]).to_string(), "");
    }

    #[test]
    fn work_id_refuses_other_text() {
        for text in ["", "7", "request:", "request:-1", "request:18446744073709551616", "bundle:7", "thing:7"]
        {
            assert!(text.parse::<WorkId>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_request_is_read_as_one() {
        assert_eq!(WorkId::from(RequestId(9)).as_request(), Some(RequestId(9)));
        assert_eq!(WorkId { kind: WorkKind::Bundle, id: B256::ZERO }.as_request(), None);
        assert_eq!(WorkId { kind: WorkKind::Request, id: B256::repeat_byte(1) }.as_request(), None);
    }
}
