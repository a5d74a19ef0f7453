//! The command line: the one room that knows all others.
//!
//! One file for each command, each with its arguments and a `run` that reads
//! from top to bottom. What a command has to say goes to stdout where it is a
//! result, and to stderr where it is for people; [`Failure`] is how it fails.

mod admin_client;
mod admin_link;
mod admin_token;
mod cluster;
mod completions;
mod config;
mod configured;
mod core_dump;
mod demo;
mod expiry;
mod facts;
mod failure;
#[cfg(test)]
mod fake_node;
mod format;
mod global;
mod healthcheck;
mod init;
mod inspect;
mod key;
mod key_files;
mod ledger;
mod list;
mod logging;
mod man;
mod mint;
mod minting;
mod moment;
mod node;
mod node_cluster;
mod node_minter;
mod open_files;
mod orders_csv;
mod output;
mod passphrase;
mod pasted;
mod permission;
mod progress;
mod qr;
mod reachable;
mod recording;
mod revoke;
mod sacli;
mod serve;
mod sheet;
mod signing_key;
mod source;
mod table;
mod text;
mod token_query;
mod user;
mod users_file;

use std::ffi::OsString;

use clap::{CommandFactory as _, Parser, Subcommand};

pub use failure::Failure;
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

#[derive(Subcommand)]
enum Command {
    Init(init::InitArgs),
    Demo(demo::DemoArgs),
    Serve(serve::ServeArgs),
    Mint(mint::MintArgs),
    Inspect(inspect::InspectArgs),
    List(list::ListArgs),
    Revoke(revoke::RevokeArgs),
    User(user::UserArgs),
    AdminLink(admin_link::AdminLinkArgs),
    Key(key::KeyArgs),
    Ledger(ledger::LedgerArgs),
    Cluster(cluster::ClusterArgs),
    Config(config::ConfigArgs),
    Healthcheck(healthcheck::HealthcheckArgs),
    Sacli(sacli::SacliArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
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
    match command {
        Command::Init(args) => init::run(args, &global),
        Command::Demo(args) => demo::run(args, &global),
        Command::Serve(args) => serve::run(args, &global),
        Command::Mint(args) => mint::run(&args, &global),
        Command::Inspect(args) => inspect::run(args, &global),
        Command::List(args) => list::run(args, &global),
        Command::Revoke(args) => revoke::run(args, &global),
        Command::User(args) => user::run(args, &global),
        Command::AdminLink(args) => admin_link::run(args, &global),
        Command::Key(args) => key::run(args, &global),
        Command::Ledger(args) => ledger::run(args, &global),
        Command::Cluster(args) => cluster::run(args, &global),
        Command::Config(args) => config::run(args, &global),
        Command::Healthcheck(args) => healthcheck::run(args, &global),
        Command::Sacli(args) => sacli::run(args, &global),
        Command::Completions(args) => completions::run(args, &global),
        Command::Man(args) => man::run(args, &global),
    }?;
    Ok(())
}

/// Returns the whole command line as clap knows it, for completions and man
/// pages.
pub(crate) fn command() -> clap::Command {
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
        look(&command());
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }
}
