//! `jeton cluster`: several nodes that share one ledger.

mod change;
mod invite;
mod join;
mod members;
mod status;

use clap::{Args, Subcommand};

use crate::cli::global::Global;
use crate::failure::Failure;

const EXAMPLES: &str = "\
From one node to three:
  1. On the first node, add to jeton.toml, and restart the node:
       [cluster]
       listen = \"0.0.0.0:7443\"
       address = \"node1.example.com:7443\"
  2. Twice: on the first node, jeton cluster invite
            on a new machine,  jeton cluster join LINE --dir /etc/jeton
                               and then start it: jeton serve
  3. On the first node, both in one change:
       jeton cluster promote ID ID

Three voters tolerate the loss of one, five the loss of two. Further nodes stay learners:
they serve links as well, but do not count for the majority. Two voters would be no better
than one, so every change leaves an odd number.

All nodes need correct clocks: run NTP. docs/cluster.md explains upgrades, lost nodes,
backups and stolen keys.";

/// Run several nodes that share one ledger
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ClusterArgs {
    #[command(subcommand)]
    command: ClusterCommand,
}

#[derive(Subcommand)]
enum ClusterCommand {
    Status(status::StatusArgs),
    Invite(invite::InviteArgs),
    Join(join::JoinArgs),
    #[command(flatten)]
    Change(change::ChangeCommand),
}

pub(crate) fn run(args: ClusterArgs, global: &Global) -> Result<(), Failure> {
    match args.command {
        ClusterCommand::Status(args) => status::run(&args, global),
        ClusterCommand::Invite(args) => invite::run(&args, global),
        ClusterCommand::Join(args) => join::run(args),
        ClusterCommand::Change(command) => change::run(&command, global),
    }
}
