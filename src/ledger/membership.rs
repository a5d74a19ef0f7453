//! The nodes that share one ledger, as the rest of the program sees them.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{NodeId, OutcomeUnknown};

/// How far two clocks may be apart, in seconds, with equality.
pub const CLOCK_OFFSET_MAX: u64 = 60;

/// A change of the members, or why it was not made.
pub type MembershipFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, MembershipError>> + Send + 'a>>;

/// The members of the ledger and their roles.
///
/// Every node accepts these calls and forwards changes to the leader. A change returns once it is
/// durable on a majority. The number of voters is always odd: of two voters, the loss of either
/// would stop the ledger.
pub trait Membership: fmt::Debug + Send + Sync {
    /// Lists the members as the leader sees them, or as this node does if no leader answers.
    fn members(&self) -> Pin<Box<dyn Future<Output = MemberList> + Send + '_>>;

    /// Lists the members as this node sees them. Unless it leads, it knows no lag and has not heard
    /// from most of them.
    fn members_known_here(&self) -> MemberList;

    /// Returns `true` if this node's clock is more than a minute off most of the others.
    fn is_clock_off(&self) -> bool;

    /// Describes what currently prevents this node and others from exchanging messages.
    fn peer_errors(&self) -> Vec<String>;

    /// Returns how many spends this node has forwarded to the leader since its start. Each attempt
    /// counts.
    fn spends_forwarded(&self) -> u64;

    /// Adds a node as a learner. Its directory must have been made for joining and must never have
    /// been a member.
    fn add_learner(&self, node_id: NodeId, address: String) -> MembershipFuture<'_, ()>;

    /// Changes the address at which the other nodes reach a member.
    fn set_address(&self, node_id: NodeId, address: String) -> MembershipFuture<'_, ()>;

    /// Makes learners voters, all in one change, once they have caught up.
    fn promote(&self, node_ids: BTreeSet<NodeId>) -> MembershipFuture<'_, ()>;

    /// Makes voters learners, all in one change. A leader among them transfers its leadership
    /// first.
    fn demote(&self, node_ids: BTreeSet<NodeId>) -> MembershipFuture<'_, ()>;

    /// Removes the voter `old` and makes the learner `new` a voter, in one change. This replaces a
    /// dead voter.
    fn replace(&self, old: NodeId, new: NodeId) -> MembershipFuture<'_, ()>;

    /// Removes members for good. Their directories can never be used again.
    fn remove(&self, node_ids: BTreeSet<NodeId>) -> MembershipFuture<'_, ()>;

    /// Transfers the leadership to the voter `to`, or to the one that is least behind.
    fn transfer_leader(&self, to: Option<NodeId>) -> MembershipFuture<'_, ()>;
}

/// The members, and whose view this is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MemberList {
    /// All of them, by id.
    pub members: Vec<MemberStatus>,
    /// Whether this is the view of the leader, which hears from all members.
    pub is_by_leader: bool,
}

/// A member, as one node sees it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MemberStatus {
    /// Its id.
    pub node_id: NodeId,
    /// Where the others reach it; empty for a node that was always alone.
    pub address: String,
    /// Whether it votes.
    pub role: MemberRole,
    /// Whether it leads now.
    pub is_leader: bool,
    /// How many entries it is behind the leader, if known.
    pub lag: Option<u64>,
    /// How long ago it was last heard from, if ever; zero for the node itself.
    pub last_contact: Option<Duration>,
    /// How far its clock is ahead of the reporting node's, in seconds; negative if it is behind.
    pub clock_offset: Option<i64>,
    /// The version of jeton that it runs.
    pub version: Option<String>,
}

/// What a member does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberRole {
    /// It votes and counts for the majority.
    Voter,
    /// It receives the log and forwards spends.
    Learner,
}

impl MemberRole {
    /// Both roles.
    pub const ALL: [Self; 2] = [Self::Voter, Self::Learner];

    /// Returns the name of the role.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Voter => "voter",
            Self::Learner => "learner",
        }
    }
}

/// Why the members were not changed.
///
/// Nodes send it to each other: a new variant, or another order, raises the message format.
#[derive(Clone, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
pub enum MembershipError {
    /// The change cannot be made now, or only in part.
    #[error("the cluster cannot change now: {0}")]
    Unavailable(ChangeUnavailable),
    /// The change may have been made. The list of members shows it.
    #[error("it is not known whether the change was made: {0}")]
    OutcomeUnknown(OutcomeUnknown),
    /// Another change is under way.
    #[error("another change of the members is under way")]
    InProgress,
    /// There is no such member.
    #[error("node {0} is not a member")]
    NotAMember(NodeId),
    /// The node is not a voter, so it cannot lead.
    #[error("node {0} is not a voter")]
    NotAVoter(NodeId),
    /// The node was a member before. Its old directory must not be used again.
    #[error("node {0} was a member before: join with a fresh directory")]
    WasMember(NodeId),
    /// A node with this id is a member at another address.
    #[error("node {0} is already a member")]
    IsMember(NodeId),
    /// Another member has this address.
    #[error("node {0} already has the address {1}")]
    AddressTaken(NodeId, String),
    /// No voter would be left.
    #[error("the last voter must stay: without it the cluster cannot decide anything")]
    LastVoter,
    /// A voter cannot be removed alone.
    #[error("node {0} is a voter: demote it first, or replace it")]
    IsVoter(NodeId),
    /// The number of voters would be even.
    #[error(
        "{0} voters tolerate no more failures than {less}: promote or demote two nodes at a time",
        less = .0.saturating_sub(1)
    )]
    EvenVoters(usize),
    /// The leader was started without an address.
    #[error("the leader has no address at which other nodes reach it: configure one first")]
    NoAddress,
    /// The node has to catch up first; with the number of entries that it lacks.
    #[error("node {0} has not caught up yet: {1} entries are missing")]
    Behind(NodeId, u64),
    /// The node's clock differs from the leader's.
    #[error("the clock of node {0} is off: it cannot lead")]
    WrongClock(NodeId),
    /// The node does not answer.
    #[error("node {0} does not answer")]
    Silent(NodeId),
}

/// Why the members cannot be changed now.
#[derive(Clone, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
pub enum ChangeUnavailable {
    /// No node is known to lead.
    #[error("no leader is known to have a majority")]
    NoLeader,
    /// The node that was asked does not lead, or no longer does.
    #[error("the leader has changed")]
    LeaderChanged,
    /// The leader did not see the request, or did not accept it; with the cause.
    #[error("the request could not be forwarded to the leader: {0}")]
    NotForwarded(String),
    /// A leader must step down first, and no other voter could take over.
    #[error("no other voter is ready to lead")]
    NoTransferTarget,
    /// The voters were changed, and the nodes that left are still members; with the cause.
    #[error("the voters were changed, but the nodes to remove are still members: {0}")]
    NotRemoved(String),
    /// The engine has stopped.
    #[error("the ledger has stopped; see the log of the leader, then restart it")]
    Stopped,
    /// The engine rejected the change; with the cause.
    #[error("the engine rejected the change: {0}")]
    Rejected(String),
}
