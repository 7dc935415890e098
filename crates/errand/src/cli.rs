//! The command line: what is common to all commands, and which commands there are.

use crate::{commands, keys::KeyArgs, output::Format};
use clap::{Args, Parser, Subcommand, builder::BoolishValueParser};
use errand_types::GasPrice;
use eyre::Result;
use std::path::PathBuf;

/// Errand: calls that are made later, by executors who are paid for it.
///
/// Register a call as a Request: it is executed as soon as it succeeds, by whoever holds the right to execute,
/// who is paid from the gas it took. Or run a keeper and be that executor. There is nothing between you and the
/// chain but a node.
#[derive(Debug, Parser)]
#[command(
    name = "errand",
    version,
    max_term_width = 110,
    subcommand_required = true,
    after_help = "Examples:
  errand status                                    what is on this chain
  errand request new --target 0x… --call 'ping()'  register a call
  errand keeper run --account worker               execute others' calls

Exit codes: 0 done; 1 it failed, and standard error says why; 2 the command
line cannot be carried out as it is written. Every option can be an
environment variable, too; a command's --help names it."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Chain and output")]
pub(crate) struct Global {
    /// Address of a node: http(s)://, ws(s):// or the path of its socket. Several, separated by commas: the
    /// first that works is used, and the next when it fails.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "ERRAND_RPC",
        hide_env_values = true,
        default_value = "http://127.0.0.1:8545",
        value_delimiter = ','
    )]
    pub(crate) rpc: Vec<String>,
    /// Refuse any other chain than this one.
    #[arg(long, global = true, value_name = "ID", env = "ERRAND_CHAIN_ID")]
    pub(crate) chain_id: Option<u64>,
    /// Record of the deployment. Default: deployments/<chainId>.json for the node's chain, looked for from the
    /// working directory upward.
    #[arg(long, global = true, value_name = "PATH", env = "ERRAND_DEPLOYMENT")]
    pub(crate) deployment: Option<PathBuf>,
    /// Write the result as JSON. Amounts are decimal strings in base units, named in the field: feeWei,
    /// stakeAutoBase (1 ether = 10^18 wei, 1 AUTO = 10^18 base units).
    #[arg(long, global = true, env = "ERRAND_JSON", value_parser = BoolishValueParser::new())]
    pub(crate) json: bool,
    /// What to log to standard error, in the syntax of RUST_LOG, such as `info` or `errand_chain=debug`.
    #[arg(long, global = true, value_name = "FILTER", env = "ERRAND_LOG")]
    pub(crate) log: Option<String>,
}

impl Global {
    pub(crate) const fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Human }
    }
}

/// What every command takes that signs.
#[derive(Args, Clone, Debug)]
pub(crate) struct Signing {
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// Sign and send without asking.
    #[arg(long, short = 'y', env = "ERRAND_YES", value_parser = BoolishValueParser::new(), help_heading = "Sending")]
    pub(crate) yes: bool,
    /// Highest price per gas to offer, such as 30gwei. Default: three times the base fee plus twice the tip.
    #[arg(long, value_name = "PRICE", env = "ERRAND_MAX_GAS_PRICE", help_heading = "Sending")]
    pub(crate) max_gas_price: Option<GasPrice>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(subcommand)]
    Request(commands::request::Command),
    #[command(subcommand)]
    Stake(commands::stake::Command),
    #[command(subcommand)]
    Auto(commands::auto::Command),
    #[command(subcommand)]
    Keeper(commands::keeper::Command),
    #[command(subcommand)]
    Upgrade(commands::upgrade::Command),
    Status(commands::status::Status),
}

impl Cli {
    /// Carries the command out.
    pub(crate) async fn run(self) -> Result<()> {
        let global = &self.global;
        match self.command {
            Command::Request(command) => command.run(global).await,
            Command::Stake(command) => command.run(global).await,
            Command::Auto(command) => command.run(global).await,
            Command::Keeper(command) => command.run(global).await,
            Command::Upgrade(command) => command.run(global).await,
            Command::Status(command) => command.run(global).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn each(command: &clap::Command, visit: &mut impl FnMut(&clap::Command)) {
        visit(command);
        command.get_subcommands().for_each(|sub| each(sub, visit));
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_worked_example() {
        each(&Cli::command(), &mut |command| {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("errand "), "{} has no example", command.get_name());
            // Longer lines are wrapped, and an example that is wrapped cannot be copied.
            assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        });
    }

    #[test]
    fn every_group_of_commands_is_documented() {
        let page = include_str!("../../../docs/cli.md");
        let table: Vec<_> = page.lines().filter(|line| line.starts_with("| `errand ")).collect();
        for group in Cli::command().get_subcommands() {
            let rows = table.iter().filter(|row| row.contains(&format!("`errand {}", group.get_name())));
            let rows = rows.copied().collect::<Vec<_>>().join("\n");
            assert!(!rows.is_empty(), "{} has no row", group.get_name());
            for command in group.get_subcommands() {
                // `errand request list` / `show ID`: the group is said once
                let names = [format!(" {}", command.get_name()), format!("`{}", command.get_name())];
                assert!(names.iter().any(|name| rows.contains(name)), "{} has no row", command.get_name());
            }
        }
    }

    #[test]
    fn every_option_is_an_environment_variable_too() {
        each(&Cli::command(), &mut |command| {
            let named =
                command.get_opts().filter(|option| !matches!(option.get_id().as_str(), "help" | "version"));
            for option in named {
                let variable = option.get_env().and_then(|name| name.to_str()).unwrap_or_default();
                assert!(variable.starts_with("ERRAND_"), "{}: {}", command.get_name(), option.get_id());
            }
        });
    }

    #[test]
    fn no_option_takes_a_secret() {
        each(&Cli::command(), &mut |command| {
            for option in command.get_opts() {
                let name = option.get_long().unwrap_or_default();
                assert!(!["private-key", "password", "mnemonic"].contains(&name), "{name}");
            }
        });
    }
}
