//! Errand's command line: registers work, runs a keeper, stakes, and looks into the chain.
//!
//! # Layout
//! - [`cli`]: options and commands; [`commands`]: one module per group of commands
//! - [`session`]: the node and the contracts on its chain; [`history`]: what became of Requests
//! - [`keys`]: who signs; [`send`]: what is shown, asked and sent; [`preview`]: what a new Request would do;
//!   [`leftovers`]: what a call leaves on a forwarder
//! - [`amount`], [`calldata`], [`abi`], [`revert`]: from text to bytes and back
//! - [`output`], [`logging`], [`problem`], [`redact`]: what is said, and what never is

mod abi;
mod amount;
mod calldata;
mod cli;
mod commands;
mod history;
mod keys;
mod leftovers;
mod logging;
mod output;
mod preview;
mod problem;
mod redact;
mod revert;
mod send;
mod session;

use clap::Parser;
use cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    if let Err(report) = logging::start(&cli) {
        return failure(&report);
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            return failure(&eyre::Report::new(error).wrap_err("the program cannot start its threads"));
        }
    };
    match runtime.block_on(cli.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(report) => failure(&report),
    }
}

fn failure(report: &eyre::Report) -> ExitCode {
    output::note(problem::describe(report));
    ExitCode::from(problem::exit_code(report))
}

/// Help, the version, or what is wrong with the command line.
fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        output::note(error.render());
        return ExitCode::from(problem::EXIT_USAGE);
    }
    // Help that nobody reads any more is no failure.
    let _ = error.print();
    ExitCode::SUCCESS
}
