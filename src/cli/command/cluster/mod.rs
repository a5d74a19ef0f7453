//! `jeton cluster`: several nodes that count as one.

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
  1. on the first node, in jeton.toml, and then restart it:
       [cluster]
       listen = \"0.0.0.0:7443\"
       address = \"node1.example.com:7443\"
  2. twice: on the first node, jeton cluster invite
            on a new machine,  jeton cluster join LINE --dir /etc/jeton
                               and then start it: jeton serve
  3. on the first node, both at once:
       jeton cluster promote ID ID

Three voters go on if one is lost, five if two are. Further nodes stay learners:
they answer links as well, and the voters' agreement does not have to wait for them.
Two voters would do no better than one, so no change leaves an even number.

Nodes agree only if their clocks do: run NTP. docs/cluster.md is the guide to upgrades,
lost nodes, backups and stolen keys.";

/// Make several nodes count as one, and see how they are
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
    Promote(change::PromoteArgs),
    Demote(change::DemoteArgs),
    Replace(change::ReplaceArgs),
    Remove(change::RemoveArgs),
    Lead(change::LeadArgs),
}

pub(crate) fn run(args: ClusterArgs, global: &Global) -> Result<(), Failure> {
    match args.command {
        ClusterCommand::Status(args) => status::run(&args, global),
        ClusterCommand::Invite(args) => invite::run(&args, global),
        ClusterCommand::Join(args) => join::run(args),
        ClusterCommand::Promote(args) => change::promote(&args, global),
        ClusterCommand::Demote(args) => change::demote(&args, global),
        ClusterCommand::Replace(args) => change::replace(&args, global),
        ClusterCommand::Remove(args) => change::remove(&args, global),
        ClusterCommand::Lead(args) => change::lead(&args, global),
    }
}
