//! `jeton cluster promote|demote|replace|remove|lead`: what the members become.

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
/// The number of voters is always odd, so they come two at a time. A learner has to
/// catch up first, which is waited for a little.
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

/// Put a learner in the place of a voter, which is removed
///
/// So a dead voter is replaced: the number of voters stays the same.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  jeton cluster replace 3f2a --by 77b0       3f2a goes for good, 77b0 votes")]
pub(crate) struct ReplaceArgs {
    /// The voter that goes: its id, the first 4 digits of it or more, or its address
    #[arg(value_name = "NODE")]
    old: String,

    /// The learner that comes
    #[arg(long, value_name = "NODE")]
    by: String,

    #[command(flatten)]
    how: HowArgs,
}

/// Remove nodes for good
///
/// A node that was removed is not heard any more, and its ledger can never come
/// back: move that away, and let the machine join again if you want it back.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  jeton cluster remove 3f2a                  a learner
  jeton cluster replace 3f2a --by 77b0       a voter, whose place a learner takes

A node that was removed still holds the key of the cluster. If its disk is in wrong
hands, see SECURITY.md.")]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    which: NodesArgs,

    #[command(flatten)]
    how: HowArgs,
}

/// Let another voter lead, before this one is taken down, say
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  jeton cluster lead 9c01

A leader that is stopped by `kill -TERM` looks for another by itself.")]
pub(crate) struct LeadArgs {
    /// Its id, the first 4 digits of it or more, or its address
    #[arg(value_name = "NODE")]
    node: String,

    #[command(flatten)]
    how: HowArgs,
}

/// Those whom a change is about.
#[derive(Args, Debug)]
struct NodesArgs {
    /// Ids, the first 4 digits of them or more, or addresses
    #[arg(value_name = "NODE", required = true)]
    nodes: Vec<String>,
}

/// What all of them take.
#[derive(Args, Debug)]
struct HowArgs {
    /// How to write the result
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

/// Tells the node what `wish` makes of the members. While another node is just
/// becoming the leader, the node tries again by itself.
fn change(
    global: &Global,
    how: &HowArgs,
    wish: impl FnOnce(&Members) -> Result<NewMemberChange, Failure>,
) -> Result<(), Failure> {
    let node = AdminClient::open(&global.load()?, &how.passphrase)?;
    let wish = wish(&members::ask(&node)?)?;
    let answer: MembersChanged = node.post(AdminRole::Admin, "cluster/changes", &wish)?;
    output::show(&match how.format {
        ChangeFormat::Text => format!("{}\n", answer.changed),
        ChangeFormat::Json => table::to_json(&answer)?,
    })
}

fn all(members: &Members, names: &[String]) -> Result<Vec<NodeId>, Failure> {
    names.iter().map(|name| members.named(name)).collect()
}
