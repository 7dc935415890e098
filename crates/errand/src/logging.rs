//! Logs go to standard error, without secrets: in text for people, or as JSON lines.

use crate::{
    cli::{Cli, Command},
    commands::keeper,
    problem::Problem,
    redact::RedactedStderr,
};
use clap::ValueEnum;
use eyre::{Result, WrapErr, eyre};
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

/// What a keeper tells. That a connection was closed because the program ends is no news.
const KEEPER_FILTER: &str = "info,alloy_pubsub=warn";

/// Starts logging. A running keeper tells what it does; other commands only what is wrong.
pub(crate) fn start(cli: &Cli) -> Result<()> {
    let (format, default) = match &cli.command {
        Command::Keeper(keeper::Command::Run(run)) => (run.log_format, KEEPER_FILTER),
        _ => (LogFormat::Text, "warn"),
    };
    let directives = cli.global.log.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(directives).wrap_err_with(|| {
        Problem::usage(format!("--log: `{directives}` is no filter"))
            .hint("for example `info` or `errand_chain=debug,warn`")
    })?;
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(RedactedStderr).with_ansi(false);
    match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    }
    .map_err(|error| eyre!("logging cannot start: {error}"))
}
