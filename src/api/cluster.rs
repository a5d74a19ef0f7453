//! The nodes that share a ledger, and changes to them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::plain::plain;
use crate::ledger::{MemberRole, NodeId};
use crate::token::UnixSeconds;

/// The nodes that share the ledger.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub(crate) struct Members {
    /// All members, sorted by id.
    pub(crate) members: Vec<MemberInfo>,
    /// Whether the leader answered. If not, the leader cannot be reached, and this is what the node
    /// that was asked knows by itself.
    pub(crate) is_by_leader: bool,
    /// Whether the node that was asked has not heard from a majority for so long that it delivers
    /// nothing. Then all of this may be out of date, and so may be what the node knows of revoked
    /// admin tokens.
    pub(crate) is_stale: bool,
    /// When that node last heard from a majority; `null` if it has not since its start.
    #[schema(required = true)]
    pub(crate) last_heard: Option<UnixSeconds>,
    /// What needs an operator's attention, in words, the worst first.
    #[serde(deserialize_with = "plain")]
    pub(crate) alarms: Vec<String>,
}

/// A node that shares the ledger.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberInfo {
    pub(crate) node_id: NodeId,
    /// The address at which other nodes reach it; empty for a node that has always been alone.
    #[serde(deserialize_with = "plain")]
    pub(crate) address: String,
    pub(crate) role: MemberRole,
    /// Whether it is the current leader.
    pub(crate) is_leader: bool,
    /// Whether it is the node that was asked.
    pub(crate) is_this: bool,
    /// Whether the leader has heard from it in the last five seconds; `null` if the leader did not
    /// answer.
    #[schema(required = true)]
    pub(crate) is_reachable: Option<bool>,
    /// How many log entries it is behind the leader; `null` if unknown.
    #[schema(required = true)]
    pub(crate) lag: Option<u64>,
    /// How many seconds its clock is ahead of the leader's, negative if it is behind; `null` if
    /// unknown.
    #[schema(required = true)]
    pub(crate) clock_offset: Option<i64>,
    /// Its version of jeton; `null` if unknown.
    #[serde(deserialize_with = "plain")]
    #[schema(required = true)]
    pub(crate) version: Option<String>,
}

/// Exactly one of these.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum NewMemberChange {
    Promote(Promotion),
    Demote(Demotion),
    Remove(Removal),
    Replace(Replacement),
    Lead(Leading),
}

/// Learners become voters, in one change. The number of voters is always odd.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Promotion {
    #[schema(min_items = 1, max_items = 100)]
    pub(crate) promote: Vec<NodeId>,
}

/// Voters become learners, in one change.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Demotion {
    #[schema(min_items = 1, max_items = 100)]
    pub(crate) demote: Vec<NodeId>,
}

/// Members are removed for good. Their ledgers can never come back.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Removal {
    #[schema(min_items = 1, max_items = 100)]
    pub(crate) remove: Vec<NodeId>,
}

/// A learner replaces a voter, which is removed for good.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replacement {
    /// The voter to remove.
    pub(crate) replace: NodeId,
    /// The learner that becomes a voter.
    pub(crate) by: NodeId,
}

/// Another voter becomes the leader.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Leading {
    pub(crate) lead: NodeId,
}

/// What was done.
#[derive(Deserialize, Serialize, ToSchema)]
pub(crate) struct MembersChanged {
    /// What was done, in words. They begin with `nothing changed` if there was nothing to do.
    #[serde(deserialize_with = "plain")]
    #[schema(example = "promoted 3f2a9c01d00dfeed")]
    pub(crate) changed: String,
}

/// An invitation has no options.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInvite {}

/// An invitation for one more node.
#[derive(Deserialize, Serialize, ToSchema)]
pub(crate) struct Invite {
    /// The line that `jeton cluster join` takes. It is a secret.
    #[serde(deserialize_with = "plain")]
    #[schema(value_type = String)]
    pub(crate) line: Zeroizing<String>,
    /// When the invitation expires.
    pub(crate) expires_at: UnixSeconds,
}
