//! The command line: the one room that knows all others.
//!
//! `command/` has one file for each command. What they share is beside it:
//! `minting/` and `signing/` for what is made offline, `node/` for what `serve`
//! runs, `client/` for what asks a node, `terminal/` for how all of them speak.
//! What a command has to say goes to stdout where it is a result, and to stderr
//! where it is for people; [`Failure`] is how it fails.

mod client;
mod command;
mod configured;
mod global;
mod key_choice;
mod login_name;
mod minting;
mod pasted;
mod terminal;

use std::ffi::OsString;

use clap::{CommandFactory as _, Parser};

use crate::failure::Failure;
use crate::node::core_dump;
use command::{Command, sacli};
use global::Global;

const EXAMPLES: &str = "\
Examples:
  jeton demo                                 try it, with nothing but this program
  jeton init --public-url https://vpn.example.com
                                             make keys, ledger and jeton.toml here
  jeton mint --user alice --expires 24h      print a link that works once
  jeton serve                                answer those links

Each command has its own --help, with examples.";

/// Hand out OpenVPN profiles by counted, signed links.
///
/// A link carries a signed token that says whose profile it gives, until when
/// and how often. There is no database of tokens: minting needs a private key
/// and nothing else, and the nodes that answer the links count the uses in a
/// replicated log.
#[derive(Parser)]
#[command(name = "jeton", version, after_help = EXAMPLES, max_term_width = 100)]
struct Root {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Why there was nothing more to do.
#[derive(Debug)]
pub enum Stop {
    /// A command failed.
    Failed(Failure),
    /// The command line makes no sense; or it asks for help or the version,
    /// which is the same to clap.
    Usage(clap::Error),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Runs the command that `arguments` ask for, the program's name first.
///
/// # Errors
///
/// [`Stop`] if it failed, or if there is nothing to run.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<(), Stop> {
    core_dump::forbid();
    let arguments = pasted::mark_ids(arguments.into_iter().collect());
    if sacli::is_called(&arguments) {
        return sacli::run_called(arguments);
    }
    let Root { global, command } = Root::try_parse_from(arguments).map_err(Stop::Usage)?;
    Ok(command.run(&global)?)
}

/// Returns the whole command line as clap knows it, for completions and man
/// pages.
pub(crate) fn command_line() -> clap::Command {
    Root::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An option that could be an id would be taken for one.
    #[test]
    fn no_option_looks_like_an_id() {
        fn look(command: &clap::Command) {
            for option in command.get_arguments().filter_map(clap::Arg::get_long) {
                let typed = vec!["jeton".into(), format!("--{option}").into()];
                assert_eq!(pasted::mark_ids(typed.clone()), typed);
            }
            command.get_subcommands().for_each(look);
        }
        look(&command_line());
    }

    #[test]
    fn the_command_line_is_consistent() {
        command_line().debug_assert();
    }
}
