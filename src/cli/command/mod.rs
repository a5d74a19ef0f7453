//! The commands: one file or directory for each variant of [`CliCommand`], with the arguments and a
//! function `run`. What they share is in the rooms beside this one.

mod admin_link;
mod cluster;
mod completions;
mod config;
mod demo;
mod healthcheck;
mod init;
mod inspect;
mod key;
mod ledger;
mod list;
mod man;
mod mint;
mod revoke;
pub(crate) mod sacli;
mod serve;
mod user;

use clap::Subcommand;

use crate::cli::global::Global;
use crate::failure::Failure;

#[derive(Subcommand)]
pub(crate) enum CliCommand {
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

impl CliCommand {
    /// Runs the command. `command_line` is the whole command line, which completions and manual
    /// pages describe.
    pub(crate) fn run(
        self,
        global: &Global,
        mut command_line: clap::Command,
    ) -> Result<(), Failure> {
        match self {
            Self::Init(args) => init::run(args, global),
            Self::Demo(args) => demo::run(args, global),
            Self::Serve(args) => serve::run(args, global),
            Self::Mint(args) => mint::run(&args, global),
            Self::Inspect(args) => inspect::run(args, global),
            Self::List(args) => list::run(args, global),
            Self::Revoke(args) => revoke::run(args, global),
            Self::User(args) => user::run(args, global),
            Self::AdminLink(args) => admin_link::run(args, global),
            Self::Key(args) => key::run(args, global),
            Self::Ledger(args) => ledger::run(args, global),
            Self::Cluster(args) => cluster::run(args, global),
            Self::Config(args) => config::run(args, global),
            Self::Healthcheck(args) => healthcheck::run(args, global),
            Self::Sacli(args) => sacli::run(args, global),
            Self::Completions(args) => completions::run(args, &mut command_line),
            Self::Man(args) => man::run(args, command_line),
        }
    }
}
