//! What a command says: a result on standard output, for people or for machines, and everything else
//! (progress, warnings, what is about to be signed) on standard error.

use crate::redact::redact;
use comfy_table::{Cell, Color, ContentArrangement, LineStyle, Table, presets};
use errand_chain::SyncProgress;
use eyre::{Result, WrapErr};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    time::Duration,
};

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Human,
    Json,
}

impl Format {
    /// Writes the result of a command: `value` for machines, or the text of `human`.
    pub(crate) fn print(self, value: &impl Serialize, human: impl FnOnce() -> String) -> Result<()> {
        let text = match self {
            Self::Human => human(),
            Self::Json => {
                serde_json::to_string_pretty(value).wrap_err("the result cannot be written as JSON")?
            }
        };
        let written = writeln!(io::stdout().lock(), "{}", text.trim_end());
        match written {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.wrap_err("the result cannot be written to standard output"),
        }
    }
}

/// A line for people on standard error.
pub(crate) fn note(text: impl Display) {
    // Nobody is left to be told when this fails.
    let _ = writeln!(io::stderr().lock(), "{}", redact(&text.to_string()));
}

/// Something that the user should know before he goes on.
pub(crate) fn warn(text: impl Display) {
    note(format!("warning: {text}"));
}

/// Names and values, one pair a line.
pub(crate) fn pairs<V: Display>(rows: impl IntoIterator<Item = (&'static str, V)>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    for (name, value) in rows {
        table.add_row([Cell::new(name).fg(Color::Cyan), Cell::new(value)]);
    }
    trimmed(&table)
}

/// A table with a header.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING.header_separator(LineStyle::new('─', '─', '─', '─')))
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table.add_rows(rows);
    trimmed(&table)
}

fn trimmed(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Starts to turn only when something takes this long, so that quick commands stay quiet.
const PATIENCE: Duration = Duration::from_millis(500);

/// A line on the terminal that shows that something is going on; nothing where there is no terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    first_block: u64,
    started: std::time::Instant,
}

impl Progress {
    /// Turns until it is dropped.
    pub(crate) fn spinner(message: impl Into<String>) -> Self {
        let bar = if io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.set_message(message.into());
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar, first_block: 0, started: std::time::Instant::now() }
    }

    /// Writes something beside the line.
    pub(crate) fn suspend(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    /// Fills from block `from` to block `to` as logs are read.
    pub(crate) fn blocks(from: u64, to: u64) -> Self {
        let bar = if io::stderr().is_terminal() {
            ProgressBar::new(to.saturating_sub(from) + 1)
        } else {
            ProgressBar::hidden()
        };
        // A template that does not parse would be found by whoever runs it once.
        if let Ok(style) =
            ProgressStyle::with_template("reading logs {bar:30} {pos}/{len} blocks, {msg}, {eta} to go")
        {
            bar.set_style(style);
        }
        Self { bar, first_block: from, started: std::time::Instant::now() }
    }
}

impl SyncProgress for Progress {
    fn reached(&mut self, block: u64, logs: usize) {
        if self.started.elapsed() >= PATIENCE {
            self.bar.set_message(format!("{logs} logs"));
            self.bar.set_position((block + 1).saturating_sub(self.first_block));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_no_trailing_blanks() {
        let text = pairs([("one", "1"), ("twenty", "20")]);
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().all(|line| !line.ends_with(' ')), "{text:?}");
        assert!(table(["id", "user"], [["1".into(), "a".into()]]).contains("id"));
    }
}
