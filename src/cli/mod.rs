//! The command line: the only room that imports all others.
//!
//! `command/` has one file for each command. Beside it is what they share: `minting/` for tokens
//! minted offline, `client/` for the admin API of a node, `terminal/` for output. A command writes
//! its result to stdout and remarks for people to stderr. It fails with a
//! [`Failure`](crate::failure::Failure).

mod client;
mod command;
mod configured;
mod error;
mod global;
mod key_choice;
mod login_name;
mod minting;
mod pasted;
mod terminal;

use std::ffi::OsString;

use clap::{CommandFactory as _, Parser};

use crate::node::core_dump;
use command::{CliCommand, sacli};
use global::Global;

pub use error::CliError;

const EXAMPLES: &str = "\
Examples:
  jeton demo                                 try everything on this machine
  jeton init --public-url https://vpn.example.com
                                             create keys, ledger and jeton.toml here
  jeton mint --user alice --expires 24h      print a link that works once
  jeton serve                                serve the links

Each command has its own --help, with examples.";

/// Hand out OpenVPN profiles by counted, signed links.
///
/// A link carries a signed token with the user, the kind of profile, the expiry and the number of
/// uses. There is no token database. Minting needs only a private key. The nodes that serve the
/// links count the uses in a replicated log.
#[derive(Parser)]
#[command(name = "jeton", version, after_help = EXAMPLES, max_term_width = 100)]
struct Root {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: CliCommand,
}

/// Runs a command line. The first argument is the name of the program.
///
/// # Errors
///
/// [`CliError`] if the command failed, or if there is none to run.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<(), CliError> {
    core_dump::forbid();
    let arguments = pasted::mark_ids(arguments.into_iter().collect());
    if sacli::is_called(&arguments) {
        return sacli::run_called(arguments);
    }
    let Root { global, command } = Root::try_parse_from(arguments).map_err(CliError::Usage)?;
    Ok(command.run(&global, Root::command())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [`pasted::mark_ids`] would mistake such an option for an id.
    #[test]
    fn no_option_looks_like_an_id() {
        fn check(command: &clap::Command) {
            for option in command.get_arguments().filter_map(clap::Arg::get_long) {
                let typed = vec!["jeton".into(), format!("--{option}").into()];
                assert_eq!(pasted::mark_ids(typed.clone()), typed);
            }
            command.get_subcommands().for_each(check);
        }
        check(&Root::command());
    }

    #[test]
    fn the_command_line_is_consistent() {
        Root::command().debug_assert();
    }
}
