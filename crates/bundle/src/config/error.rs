//! What can be wrong with `upgrade.toml` and the artifacts it names, and where.

use crate::{artifact::ArtifactError, layout::LayoutError};
use alloy::primitives::{Address, B256};
use std::fmt;

/// A place in the text, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// line
    pub line: usize,
    /// character in the line
    pub column: usize,
}

impl Place {
    /// The place of a byte in `text`.
    pub(crate) fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Self { line, column: before.get(line_start..).unwrap_or_default().chars().count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A problem and its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {problem}")]
pub struct ConfigError {
    /// where it is
    pub at: Place,
    /// what it is
    pub problem: Problem,
}

impl ConfigError {
    pub(crate) fn new(at: Place, problem: Problem) -> Self {
        Self { at, problem }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is no TOML.
    #[error("malformed TOML: {0}")]
    MalformedToml(String),
    /// A key that means nothing here.
    #[error("unknown key `{key}` in {table}; known are {known}")]
    UnknownKey {
        /// the key
        key: String,
        /// the table it stands in
        table: String,
        /// what may stand there
        known: String,
    },
    /// A key that has to be there.
    #[error("{table} lacks `{key}`")]
    MissingKey {
        /// the key
        key: &'static str,
        /// the table
        table: String,
    },
    /// Two keys of which one is enough, or none that go together.
    #[error("{0}")]
    Conflict(String),
    /// A value of another TOML type.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// what is wanted
        expected: &'static str,
        /// what is there
        found: &'static str,
    },
    /// A text or number that cannot be read as what is wanted.
    #[error("`{value}` is no {expected}: {why}")]
    BadValue {
        /// the ABI type or what else is wanted
        expected: String,
        /// what is there
        value: String,
        /// why it cannot be read
        why: String,
    },
    /// An amount of ETH that does not say of what.
    #[error("`{value}` has no unit: write wei, gwei or ether, as in \"0.1 ether\"")]
    AmountWithoutUnit {
        /// what is there
        value: String,
    },
    /// The file is for another network.
    #[error("the file is for chain {stated}, the node is on chain {connected}")]
    WrongNetwork {
        /// in the file
        stated: u64,
        /// what the node says
        connected: u64,
    },
    /// Names that are not different enough.
    #[error("`{name}` clashes with `{other}`: {why}")]
    NameClash {
        /// the later
        name: String,
        /// the earlier
        other: String,
        /// what they share
        why: &'static str,
    },
    /// A name that cannot be referred to.
    #[error("`{name}` is no name: letters, digits and `_`, beginning with a letter or `_`")]
    BadName {
        /// what is there
        name: String,
    },
    /// A reference that cannot be read.
    #[error("`{text}` is no reference: write {{{{ Name }}}} or {{{{ Name.implementation }}}}")]
    BadReference {
        /// what is there
        text: String,
    },
    /// A reference to what is not in the file.
    #[error("unknown reference {{{{ {name} }}}}; contracts are {known}")]
    UnknownReference {
        /// the name
        name: String,
        /// names that are there
        known: String,
    },
    /// A reference to the implementation of what is no proxy.
    #[error("{{{{ {name}.implementation }}}}: `{name}` is behind no proxy")]
    NotBehindProxy {
        /// the name
        name: String,
    },
    /// There is no such artifact.
    #[error("no artifact `{artifact}`: build first, or name it as in \"src/Vault.sol:Vault\"")]
    MissingArtifact {
        /// its name
        artifact: String,
    },
    /// An artifact that cannot be used.
    #[error("artifact `{artifact}`: {problem}")]
    BadArtifact {
        /// its name
        artifact: String,
        /// what is wrong
        problem: ArtifactError,
    },
    /// Code is linked with a library that the file does not deploy.
    #[error("`{contract}` is linked with the library `{library}`: add it to the contracts")]
    UnlinkedLibrary {
        /// whose code it is
        contract: String,
        /// `file:name` of the library
        library: String,
    },
    /// Several contracts are that library.
    #[error("`{contract}` is linked with the library `{library}`, which several contracts are")]
    AmbiguousLibrary {
        /// whose code it is
        contract: String,
        /// `file:name` of the library
        library: String,
    },
    /// Arguments are wanted and there are none.
    #[error("the constructor of `{contract}` takes {wanted}; add `args`")]
    MissingConstructorArguments {
        /// whose constructor
        contract: String,
        /// its parameters
        wanted: String,
    },
    /// There are more or fewer arguments than parameters.
    #[error("{wanted} takes {expected} values, {found} are given")]
    WrongArgumentCount {
        /// what takes them
        wanted: String,
        /// parameters
        expected: usize,
        /// arguments
        found: usize,
    },
    /// Arguments by name that do not match the parameters.
    #[error("there is no parameter `{name}`; parameters are {known}")]
    UnknownParameter {
        /// the name
        name: String,
        /// parameters
        known: String,
    },
    /// A parameter without an argument.
    #[error("the parameter `{name}` is not given")]
    MissingParameter {
        /// the name
        name: String,
    },
    /// No such function, or several.
    #[error("{why}: `{function}`")]
    BadFunction {
        /// as it is written
        function: String,
        /// what is wrong
        why: String,
    },
    /// A slot that `SET_IMPLEMENTATION` is for.
    #[error("slot {slot} is one of ERC-1967, which the actor refuses to write")]
    ReservedSlot {
        /// the slot
        slot: B256,
    },
    /// Storage of what is no proxy cannot be written.
    #[error("`{contract}` is behind no proxy: its storage cannot be written")]
    StorageWithoutProxy {
        /// whose
        contract: String,
    },
    /// Two writes of the same bytes.
    #[error("`{second}` writes bytes of slot {slot} of `{contract}` that `{first}` writes too")]
    OverlappingWrites {
        /// whose
        contract: String,
        /// the slot
        slot: B256,
        /// what writes
        first: String,
        /// what writes too
        second: String,
    },
    /// A variable that cannot be found or written.
    #[error("variable `{variable}`: {problem}")]
    BadVariable {
        /// as it is written
        variable: String,
        /// what is wrong
        problem: LayoutError,
    },
    /// A call of a proxy's own function, which goes around what the actor checks and remembers.
    #[error(
        "`{function}` is the proxy's of `{contract}`: after a call of it the actor does not know the proxy any more; \
         a bundle sets implementations and storage by itself, and `errand upgrade release` hands a proxy over"
    )]
    ProxyFunction {
        /// whose proxy
        contract: String,
        /// its signature
        function: &'static str,
    },
    /// A call that the actor refuses.
    #[error("the actor does not call {target}: it is the project's manager, actor, registry or a strategy")]
    TargetRefused {
        /// whom
        target: Address,
    },
}
