//! `jeton cluster promote|demote|replace|remove|lead`: changes the membership.

use clap::{Args, Subcommand};

use super::members;
use crate::api::cluster::{
    Demotion, Leading, Members, MembersChanged, NewMemberChange, Promotion, Removal, Replacement,
};
use crate::cli::client::AdminClient;
use crate::cli::global::Global;
use crate::cli::terminal::format::ChangeFormat;
use crate::cli::terminal::output;
use crate::failure::Failure;
use crate::signing::passphrase::PassphraseArgs;
use crate::token::AdminRole;

/// The changes to the membership, all through the node on this machine.
#[derive(Debug, Subcommand)]
pub(super) enum ChangeCommand {
    /// Make learners voters, all in one change
    ///
    /// The number of voters is always odd, so promote two at a time. The command waits a short time
    /// for the learners to catch up.
    #[command(after_help = "\
Examples:
  jeton cluster promote 3f2a 9c01            from one voter to three
  jeton cluster promote node2.example.com:7443 node3.example.com:7443")]
    Promote(NodesArgs),

    /// Make voters learners, all in one change
    #[command(after_help = "\
Examples:
  jeton cluster demote 3f2a 9c01             from three voters to one")]
    Demote(NodesArgs),

    /// Replace a voter with a learner, and remove the voter
    ///
    /// Use this for a voter that is lost. The number of voters stays the same.
    #[command(after_help = "\
Examples:
  jeton cluster replace 3f2a --by 77b0       remove 3f2a for good, make 77b0 a voter")]
    Replace {
        /// Voter to remove: its id, at least the first 4 digits of it, or its address
        #[arg(value_name = "NODE")]
        old: String,

        /// Learner that becomes a voter
        #[arg(long, value_name = "NODE")]
        by: String,

        #[command(flatten)]
        options: ChangeOptions,
    },

    /// Remove nodes for good
    ///
    /// The other nodes ignore a removed node, and its ledger can never be used again. To bring the
    /// machine back, move its ledger away and let it join again.
    #[command(after_help = "\
Examples:
  jeton cluster remove 3f2a                  remove a learner
  jeton cluster replace 3f2a --by 77b0       remove a voter; a learner takes its place

A removed node still has the private key of the cluster's certificate authority. If its
disk was stolen, see SECURITY.md.")]
    Remove(NodesArgs),

    /// Transfer the leadership to another voter
    #[command(after_help = "\
Examples:
  jeton cluster lead 9c01

A leader that stops after `kill -TERM` transfers the leadership by itself.")]
    Lead {
        /// Id of the voter, at least the first 4 digits of it, or its address
        #[arg(value_name = "NODE")]
        node: String,

        #[command(flatten)]
        options: ChangeOptions,
    },
}

#[derive(Args, Debug)]
pub(super) struct NodesArgs {
    /// Ids, at least the first 4 digits of each, or addresses
    #[arg(value_name = "NODE", required = true)]
    nodes: Vec<String>,

    #[command(flatten)]
    options: ChangeOptions,
}

#[derive(Args, Debug)]
pub(super) struct ChangeOptions {
    /// Output format
    #[arg(long, value_enum, default_value_t = ChangeFormat::Text)]
    format: ChangeFormat,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Sends the change to the node. During an election the node itself tries again.
pub(super) fn run(command: &ChangeCommand, global: &Global) -> Result<(), Failure> {
    let ChangeOptions { format, passphrase } = command.options();
    let node = AdminClient::open(&global.load()?, passphrase)?;
    let request = command.request(&members::request(&node)?)?;
    let answer: MembersChanged = node.post(AdminRole::Admin, "cluster/changes", &request)?;
    output::show_change(*format, &answer.changed, &answer)
}

impl ChangeCommand {
    const fn options(&self) -> &ChangeOptions {
        match self {
            Self::Promote(args) | Self::Demote(args) | Self::Remove(args) => &args.options,
            Self::Replace { options, .. } | Self::Lead { options, .. } => options,
        }
    }

    fn request(&self, members: &Members) -> Result<NewMemberChange, Failure> {
        let all = |args: &NodesArgs| -> Result<_, Failure> {
            args.nodes.iter().map(|name| members.named(name)).collect()
        };
        Ok(match self {
            Self::Promote(args) => NewMemberChange::Promote(Promotion { promote: all(args)? }),
            Self::Demote(args) => NewMemberChange::Demote(Demotion { demote: all(args)? }),
            Self::Remove(args) => NewMemberChange::Remove(Removal { remove: all(args)? }),
            Self::Replace { old, by, .. } => {
                let (replace, by) = (members.named(old)?, members.named(by)?);
                NewMemberChange::Replace(Replacement { replace, by })
            }
            Self::Lead { node, .. } => {
                NewMemberChange::Lead(Leading { lead: members.named(node)? })
            }
        })
    }
}
