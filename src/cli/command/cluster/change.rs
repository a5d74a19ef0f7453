//! `jeton cluster promote|demote|replace|remove|lead`: changes the membership.

use clap::Args;

use super::members;
use crate::api::cluster::{
    Demotion, Leading, Members, MembersChanged, NewMemberChange, Promotion, Removal, Replacement,
};
use crate::cli::client::AdminClient;
use crate::cli::global::Global;
use crate::cli::terminal::format::ChangeFormat;
use crate::cli::terminal::{output, table};
use crate::failure::Failure;
use crate::ledger::NodeId;
use crate::signing::passphrase::PassphraseArgs;
use crate::token::AdminRole;

/// Make learners voters, all in one change
///
/// The number of voters is always odd, so promote two at a time. The command waits a little while
/// for the learners to catch up.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  jeton cluster promote 3f2a 9c01            from one voter to three
  jeton cluster promote node2.example.com:7443 node3.example.com:7443")]
pub(crate) struct PromoteArgs {
    #[command(flatten)]
    which: NodesArgs,

    #[command(flatten)]
    how: HowArgs,
}

/// Make voters learners, all in one change
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  jeton cluster demote 3f2a 9c01             from three voters to one")]
pub(crate) struct DemoteArgs {
    #[command(flatten)]
    which: NodesArgs,

    #[command(flatten)]
    how: HowArgs,
}

/// Replace a voter with a learner, and remove the voter
///
/// Use this for a voter that is lost. The number of voters stays the same.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  jeton cluster replace 3f2a --by 77b0       remove 3f2a for good, make 77b0 a voter")]
pub(crate) struct ReplaceArgs {
    /// Voter to remove: its id, at least the first 4 digits of it, or its address
    #[arg(value_name = "NODE")]
    old: String,

    /// Learner that becomes a voter
    #[arg(long, value_name = "NODE")]
    by: String,

    #[command(flatten)]
    how: HowArgs,
}

/// Remove nodes for good
///
/// The other nodes ignore a removed node, and its ledger can never be used again. To bring the
/// machine back, move its ledger away and let it join again.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  jeton cluster remove 3f2a                  remove a learner
  jeton cluster replace 3f2a --by 77b0       remove a voter; a learner takes its place

A removed node still has the private key of the cluster's certificate authority. If its
disk was stolen, see SECURITY.md.")]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    which: NodesArgs,

    #[command(flatten)]
    how: HowArgs,
}

/// Transfer the leadership to another voter
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  jeton cluster lead 9c01

A leader that stops after `kill -TERM` transfers the leadership by itself.")]
pub(crate) struct LeadArgs {
    /// Id of the voter, at least the first 4 digits of it, or its address
    #[arg(value_name = "NODE")]
    node: String,

    #[command(flatten)]
    how: HowArgs,
}

/// The nodes to change.
#[derive(Args, Debug)]
struct NodesArgs {
    /// Ids, at least the first 4 digits of each, or addresses
    #[arg(value_name = "NODE", required = true)]
    nodes: Vec<String>,
}

/// The options of every change.
#[derive(Args, Debug)]
struct HowArgs {
    /// Output format
    #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
    format: ChangeFormat,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

pub(super) fn promote(args: &PromoteArgs, global: &Global) -> Result<(), Failure> {
    change(global, &args.how, |members| {
        let promote = all(members, &args.which.nodes)?;
        Ok(NewMemberChange::Promote(Promotion { promote }))
    })
}

pub(super) fn demote(args: &DemoteArgs, global: &Global) -> Result<(), Failure> {
    change(global, &args.how, |members| {
        let demote = all(members, &args.which.nodes)?;
        Ok(NewMemberChange::Demote(Demotion { demote }))
    })
}

pub(super) fn replace(args: &ReplaceArgs, global: &Global) -> Result<(), Failure> {
    change(global, &args.how, |members| {
        let (replace, by) = (members.named(&args.old)?, members.named(&args.by)?);
        Ok(NewMemberChange::Replace(Replacement { replace, by }))
    })
}

pub(super) fn remove(args: &RemoveArgs, global: &Global) -> Result<(), Failure> {
    change(global, &args.how, |members| {
        let remove = all(members, &args.which.nodes)?;
        Ok(NewMemberChange::Remove(Removal { remove }))
    })
}

pub(super) fn lead(args: &LeadArgs, global: &Global) -> Result<(), Failure> {
    change(global, &args.how, |members| {
        Ok(NewMemberChange::Lead(Leading { lead: members.named(&args.node)? }))
    })
}

/// Sends the request that `request` builds from the members. During an election the node itself
/// tries again.
fn change(
    global: &Global,
    how: &HowArgs,
    request: impl FnOnce(&Members) -> Result<NewMemberChange, Failure>,
) -> Result<(), Failure> {
    let node = AdminClient::open(&global.load()?, &how.passphrase)?;
    let request = request(&members::request(&node)?)?;
    let answer: MembersChanged = node.post(AdminRole::Admin, "cluster/changes", &request)?;
    output::show(&match how.format {
        ChangeFormat::Text => format!("{}\n", answer.changed),
        ChangeFormat::Json => table::to_json(&answer)?,
    })
}

fn all(members: &Members, names: &[String]) -> Result<Vec<NodeId>, Failure> {
    names.iter().map(|name| members.named(name)).collect()
}
