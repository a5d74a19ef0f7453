//! `jeton cluster status`: lists the members and their state.

use clap::Args;
use serde_json::Value;

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

LAG is the number of log entries that a node still lacks; promote a learner when it is
small. CLOCK is how far the clock of a node is ahead of the leader's; a node whose clock is
off by more than 60 seconds may not lead. UP is `yes` if the leader has heard from the node
in the last five seconds. If no leader is known, the list shows what this node knows, and ?
for the rest. This also works on a node that is cut off and serves no links.

Each problem is a line on stderr that begins with `alarm:`, and an entry of `alarms` in
--format json.

Exit codes: 0 the nodes are listed; 1 they are not or, with --check, there is an alarm.";

/// List the nodes that share the ledger, and their state
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StatusArgs {
    /// Output format
    #[arg(long, value_enum, default_value_t = MembersFormat::Text)]
    format: MembersFormat,

    /// Exit with 1 if there is an alarm
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

pub(super) fn run(args: &StatusArgs, global: &Global) -> Result<(), Failure> {
    let node = AdminClient::open(&global.load()?, &args.passphrase)?;
    let members = members::request(&node)?;
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
            format!("alarms: {}, see above", members.alarms.len()),
            "docs/cluster.md explains what to do",
        ));
    }
    Ok(())
}

/// Returns the remark for a list that does not come from the leader.
fn remark(members: &Members) -> Option<String> {
    if members.is_stale {
        let never = || "before it was started".to_owned();
        let heard = members.last_heard.map_or_else(never, |at| format!("at {at}"));
        return Some(format!(
            "This node last heard from a majority {heard}. The list may be out of date. The node \
             serves no links until it hears from a majority again."
        ));
    }
    let local = "No leader is known. The list shows only what this node knows.";
    (!members.is_by_leader).then(|| local.to_owned())
}

fn for_people(members: &[MemberInfo]) -> Table {
    Table::of(
        members,
        &[
            ("node", |member| member.node_id.to_string().into()),
            ("address", |member| mark(!member.address.is_empty(), &member.address)),
            ("role", |member| member.role.as_str().into()),
            ("leader", |member| mark(member.is_leader, "leader")),
            ("up", |member| known(member.is_reachable)),
            ("lag", |member| known(member.lag)),
            ("clock", |member| known(member.clock_offset.map(clock))),
            ("version", |member| known(member.version.clone())),
            ("this", |member| mark(member.is_this, "this")),
        ],
    )
}

fn clock(offset: i64) -> String {
    clock_offset(offset).unwrap_or_else(|| "ok".to_owned())
}

fn mark(is: bool, word: &str) -> Value {
    if is { word } else { "-" }.into()
}

fn known(value: Option<impl Into<Value>>) -> Value {
    value.map_or_else(|| "?".into(), Into::into)
}

fn for_programs(members: &[MemberInfo]) -> Table {
    Table::of(
        members,
        &[
            ("node_id", |member| member.node_id.to_string().into()),
            ("address", |member| member.address.as_str().into()),
            ("role", |member| member.role.as_str().into()),
            ("is_leader", |member| member.is_leader.into()),
            ("is_this", |member| member.is_this.into()),
            ("is_reachable", |member| member.is_reachable.into()),
            ("lag", |member| member.lag.into()),
            ("clock_offset", |member| member.clock_offset.into()),
            ("version", |member| member.version.clone().into()),
        ],
    )
}
