//! What the user is told when a command fails: one clear line, and what to do next.

use crate::redact::redact;
use std::fmt;

/// The command failed.
pub(crate) const EXIT_FAILURE: u8 = 1;
/// The command line cannot be carried out as it is written.
pub(crate) const EXIT_USAGE: u8 = 2;

/// A failure that knows what to do about it. As the context of an [`eyre::Report`] it can be found again,
/// however many causes lie under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    message: String,
    hint: Option<String>,
    usage: bool,
}

impl Problem {
    /// Something went wrong that a different command line would not have prevented.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, usage: false }
    }

    /// The command line is at fault: the exit code says so.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, usage: true }
    }

    /// What to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

/// The text for standard error, without secrets.
pub(crate) fn describe(report: &eyre::Report) -> String {
    let mut causes: Vec<String> = Vec::new();
    for cause in report.chain() {
        let text = redact(&cause.to_string()).trim().replace('\n', " ");
        // Many errors repeat their source in their own text.
        if !causes.iter().any(|known| known.contains(&text)) {
            causes.push(text);
        }
    }
    let mut text = format!("error: {}", causes.join(": "));
    if let Some(hint) = report.downcast_ref::<Problem>().and_then(|problem| problem.hint.as_deref()) {
        text.push_str(&format!("\nhint: {}", redact(hint)));
    }
    text
}

/// The exit code for a failure.
pub(crate) fn exit_code(report: &eyre::Report) -> u8 {
    match report.downcast_ref::<Problem>() {
        Some(problem) if problem.usage => EXIT_USAGE,
        _ => EXIT_FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyre::{Report, WrapErr, eyre};

    #[test]
    fn hint_is_found_under_further_context() {
        let report = Err::<(), _>(eyre!("refused"))
            .wrap_err(Problem::usage("cannot ask").hint("ask nicely"))
            .wrap_err("cannot go on")
            .unwrap_err();
        assert_eq!(describe(&report), "error: cannot go on: cannot ask: refused\nhint: ask nicely");
        assert_eq!(exit_code(&report), EXIT_USAGE);
    }

    #[test]
    fn an_ordinary_error_has_no_hint_and_is_a_failure() {
        let report = eyre!("broken\nin two lines");
        assert_eq!(describe(&report), "error: broken in two lines");
        assert_eq!(exit_code(&report), EXIT_FAILURE);
    }

    #[test]
    fn a_cause_that_was_told_already_is_not_told_again() {
        let report = Report::new(Problem::new("inner")).wrap_err("outer: inner");
        assert_eq!(describe(&report), "error: outer: inner");
    }

    #[test]
    fn addresses_of_nodes_lose_their_secrets() {
        let report = eyre!("no answer from https://user:pw@node.example/v3/key");
        assert_eq!(describe(&report), "error: no answer from https://***@node.example/***");
    }
}
