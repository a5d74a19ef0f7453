//! `jeton cluster status`: who shares the ledger, and how they are.

use std::time::Duration;

use clap::Args;

use super::members::{Member, Members};
use crate::cli::client::AdminClient;
use crate::cli::failure::Failure;
use crate::cli::global::Global;
use crate::cli::signing::passphrase::PassphraseArgs;
use crate::cli::terminal::format::ListFormat;
use crate::cli::terminal::output;
use crate::cli::terminal::table::Table;

/// From how many seconds on a clock is told to be off.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

const EXAMPLES: &str = "\
Examples:
  jeton cluster status
  jeton cluster status --format json | jq -r '.[] | select(.is_reachable | not) | .node_id'

LAG is how many entries of the log a node has still to get; a learner is promoted
when it is small. CLOCK is how many seconds a node's clock is ahead of the leader's:
with more than 60 it may not lead. UP says whether the leader hears from it. Where
no leader is known, the node tells what it knows by itself.";

/// List the nodes that share the ledger, and how they are
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StatusArgs {
    /// How to write the result
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    format: ListFormat,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

pub(super) fn run(args: &StatusArgs, global: &Global) -> Result<(), Failure> {
    let node = AdminClient::open(&global.load()?, &args.passphrase)?;
    let members = Members::ask(&node)?;
    output::show(&match args.format {
        ListFormat::Text => for_people(&members.members).to_text(),
        ListFormat::Json => for_programs(&members.members).to_json()?,
        ListFormat::Csv => for_programs(&members.members).to_csv()?,
    })?;
    for alarm in &members.alarms {
        output::remark(&format!("alarm: {alarm}"));
    }
    if args.format == ListFormat::Text && members.members.iter().all(|member| !member.is_leader) {
        output::remark("No leader is known: nothing is given until a majority of voters runs.");
    }
    Ok(())
}

fn for_people(members: &[Member]) -> Table {
    let names = ["node", "address", "role", "leader", "up", "lag", "clock", "version", "this"];
    let mut table = Table::new(&names);
    let mark = |is: bool, word: &str| if is { word.to_owned() } else { "-".to_owned() };
    for member in members {
        let unknown = || "?".to_owned();
        let clock = member.clock_offset.map_or_else(unknown, |offset| {
            let is_right = offset.unsigned_abs() < CLOCK_TOLERANCE.as_secs();
            if is_right { "right".to_owned() } else { format!("{offset:+} s") }
        });
        table.add([
            member.node_id.as_str().into(),
            mark(!member.address.is_empty(), &member.address).into(),
            member.role.as_str().into(),
            mark(member.is_leader, "leader").into(),
            if member.is_reachable { "yes" } else { "no" }.into(),
            member.lag.map_or_else(unknown, |lag| lag.to_string()).into(),
            clock.into(),
            member.version.clone().unwrap_or_else(unknown).into(),
            mark(member.is_this, "this").into(),
        ]);
    }
    table
}

fn for_programs(members: &[Member]) -> Table {
    let mut table = Table::new(&[
        "node_id",
        "address",
        "role",
        "is_leader",
        "is_this",
        "is_reachable",
        "lag",
        "clock_offset",
        "version",
    ]);
    for member in members {
        table.add([
            member.node_id.as_str().into(),
            member.address.as_str().into(),
            member.role.as_str().into(),
            member.is_leader.into(),
            member.is_this.into(),
            member.is_reachable.into(),
            member.lag.into(),
            member.clock_offset.into(),
            member.version.clone().into(),
        ]);
    }
    table
}
