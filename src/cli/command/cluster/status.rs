//! `jeton cluster status`: who shares the ledger, and how they are.

use clap::Args;

use super::members;
use crate::api::cluster::{MemberInfo, Members};
use crate::cli::client::AdminClient;
use crate::cli::global::Global;
use crate::cli::terminal::format::MembersFormat;
use crate::cli::terminal::output;
use crate::cli::terminal::table::{self, Table};
use crate::failure::Failure;
use crate::humanize::clock_offset;
use crate::signing::passphrase::PassphraseArgs;

const EXAMPLES: &str = "\
Examples:
  jeton cluster status
  jeton cluster status --format json | jq -r '.members[] | select(.is_reachable == false).node_id'
  jeton cluster status --check > /dev/null || page-someone

LAG is how many entries of the log a node has still to get; a learner is promoted
when it is small. CLOCK is how many seconds a node's clock is ahead of the leader's:
with more than 60 it may not lead. UP says whether the leader heard from it in the
last five seconds: a node that has just gone is still `yes`. Where no leader is known,
the node tells what it knows by itself, and ? is what it does not. That works also on
a node that was cut off from the others and gives nothing.

What has to be looked at is told on stderr, a line each, beginning with `alarm:`, and
in `alarms` of --format json.

Exit codes: 0 the nodes are listed, 1 they are not; with --check 1 also if there is
an alarm.";

/// List the nodes that share the ledger, and how they are
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StatusArgs {
    /// How to write the result
    #[arg(long, value_enum, default_value_t = MembersFormat::Text)]
    format: MembersFormat,

    /// Fail if there is an alarm
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

pub(super) fn run(args: &StatusArgs, global: &Global) -> Result<(), Failure> {
    let node = AdminClient::open(&global.load()?, &args.passphrase)?;
    let members = members::ask(&node)?;
    output::show(&match args.format {
        MembersFormat::Text => for_people(&members.members).to_text(),
        MembersFormat::Json => table::to_json(&members)?,
        MembersFormat::Csv => for_programs(&members.members).to_csv()?,
    })?;
    for alarm in &members.alarms {
        output::remark(&format!("alarm: {alarm}"));
    }
    if let Some(remark) = remark(&members) {
        output::remark(&remark);
    }
    if args.check && !members.alarms.is_empty() {
        return Err(Failure::say(
            format!("the nodes have alarms: {}", members.alarms.len()),
            "the lines above tell them; `jeton cluster --help` tells what can be done",
        ));
    }
    Ok(())
}

/// Says what to think of what a node tells that does not have it from the leader.
fn remark(members: &Members) -> Option<String> {
    if members.is_stale {
        let heard = members.last_heard;
        let heard =
            heard.map_or_else(|| "before it was started".to_owned(), |at| format!("at {at}"));
        return Some(format!(
            "This node last heard from a majority {heard}: what it tells may be old, and it gives \
             nothing until it hears from one again."
        ));
    }
    let told = "No leader tells of the members: this is what the node knows by itself.";
    (!members.is_by_leader).then(|| told.to_owned())
}

fn for_people(members: &[MemberInfo]) -> Table {
    let names = ["node", "address", "role", "leader", "up", "lag", "clock", "version", "this"];
    let mut table = Table::new(&names);
    let mark = |is: bool, word: &str| if is { word.to_owned() } else { "-".to_owned() };
    for member in members {
        let unknown = || "?".to_owned();
        let clock = member.clock_offset.map_or_else(unknown, |offset| {
            clock_offset(offset).unwrap_or_else(|| "right".to_owned())
        });
        table.add([
            member.node_id.to_string().into(),
            mark(!member.address.is_empty(), &member.address).into(),
            member.role.as_str().into(),
            mark(member.is_leader, "leader").into(),
            match member.is_reachable {
                Some(true) => "yes",
                Some(false) => "no",
                None => "?",
            }
            .into(),
            member.lag.map_or_else(unknown, |lag| lag.to_string()).into(),
            clock.into(),
            member.version.clone().unwrap_or_else(unknown).into(),
            mark(member.is_this, "this").into(),
        ]);
    }
    table
}

fn for_programs(members: &[MemberInfo]) -> Table {
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
            member.node_id.to_string().into(),
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
