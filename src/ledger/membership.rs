//! The nodes that share one ledger, as the rest of the program sees them.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::NodeId;

/// How far two clocks may be apart, in seconds, with equality.
pub const CLOCK_OFFSET_MAX: u64 = 60;

/// What is promised to come: a change that is done, or why it was not made.
pub type MembershipFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, MembershipError>> + Send + 'a>>;

/// Who belongs to the ledger, and in which role.
///
/// Any node can be asked; it passes the wish on to the leader. A change answers
/// once it is durable on a majority. The number of voters is always odd, so that
/// no change ever leaves two: then the loss of either would stop the ledger.
pub trait Membership: fmt::Debug + Send + Sync {
    /// Lists the members as the leader sees them. Without one, this node tells what
    /// it knows by itself.
    fn members(&self) -> Pin<Box<dyn Future<Output = MemberList> + Send + '_>>;

    /// Lists the members as this node sees them. Unless it leads, it knows no lag
    /// and has not heard from most of them.
    fn members_known_here(&self) -> MemberList;

    /// Tells whether this node's clock is more than a minute off those of most
    /// others.
    fn is_clock_off(&self) -> bool;

    /// Tells why this node and others do not talk, as it was last seen, in words.
    fn troubles(&self) -> Vec<String>;

    /// Returns how many uses this node has passed on to the leader since its start;
    /// one that was tried again counts again.
    fn spends_forwarded(&self) -> u64;

    /// Adds a node as a learner. It has to be a folder made for joining, which
    /// was never a member before.
    fn add_learner(&self, node_id: NodeId, address: String) -> MembershipFuture<'_, ()>;

    /// Says where the others reach a member.
    fn set_address(&self, node_id: NodeId, address: String) -> MembershipFuture<'_, ()>;

    /// Makes learners voters, all in one change, once they have caught up.
    fn promote(&self, node_ids: BTreeSet<NodeId>) -> MembershipFuture<'_, ()>;

    /// Makes voters learners, all in one change. A leader among them hands over
    /// first.
    fn demote(&self, node_ids: BTreeSet<NodeId>) -> MembershipFuture<'_, ()>;

    /// Makes the learner `new` a voter in place of `old`, which is removed, in
    /// one change. So a dead voter is replaced.
    fn replace(&self, old: NodeId, new: NodeId) -> MembershipFuture<'_, ()>;

    /// Removes members for good. Their folders can never come back.
    fn remove(&self, node_ids: BTreeSet<NodeId>) -> MembershipFuture<'_, ()>;

    /// Has another voter decide: this one, or the one that is best up to date.
    fn transfer_leader(&self, to: Option<NodeId>) -> MembershipFuture<'_, ()>;
}

/// The members, and who tells of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MemberList {
    /// All of them, by id.
    pub members: Vec<MemberStatus>,
    /// Whether the leader tells it, who hears from all.
    pub is_by_leader: bool,
}

/// A member, as the leader sees it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MemberStatus {
    /// Its id.
    pub node_id: NodeId,
    /// Where the others reach it; empty for a node that was always alone.
    pub address: String,
    /// What it does.
    pub role: MemberRole,
    /// Whether it decides at present.
    pub is_leader: bool,
    /// How many entries it is behind the leader, if that is known.
    pub lag: Option<u64>,
    /// How long ago it was last heard from, if ever; zero for the node itself.
    pub last_contact: Option<Duration>,
    /// How far its clock is ahead of the one who tells, in seconds; negative if it
    /// is behind.
    pub clock_offset: Option<i64>,
    /// The version of the program that runs there.
    pub version: Option<String>,
}

/// What a member does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberRole {
    /// It votes and counts for the majority.
    Voter,
    /// It receives the log and passes spends on.
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

/// Why the members are as they were.
#[derive(Clone, Debug, Deserialize, Eq, Error, PartialEq, Serialize)]
pub enum MembershipError {
    /// No leader could take the wish. Nothing was changed.
    #[error("the cluster cannot change now: {0}")]
    Unavailable(String),
    /// It is not known whether the change was made; the list of members tells.
    #[error("it is not known whether the change was made: {0}")]
    OutcomeUnknown(String),
    /// Another change is under way.
    #[error("another change of the members is under way")]
    InProgress,
    /// There is no such member, or it does not have the role.
    #[error("node {0} is not a {1}")]
    Not(NodeId, String),
    /// The node was a member before: its old folder must not come back.
    #[error("node {0} was a member before: join with a fresh folder")]
    WasMember(NodeId),
    /// A node with this id is a member at another address.
    #[error("node {0} is a member already")]
    IsMember(NodeId),
    /// A node at this address is a member already.
    #[error("node {0} has the address {1} already")]
    AddressTaken(NodeId, String),
    /// No voter would be left.
    #[error("the last voter has to stay: without it nothing could be decided any more")]
    LastVoter,
    /// Who votes is not removed in one step.
    #[error("node {0} votes: demote it first, or replace it")]
    Votes(NodeId),
    /// The number of voters would be even.
    #[error(
        "{0} voters would do no better than {less}, and be lost sooner: change two at a time",
        less = .0.saturating_sub(1)
    )]
    EvenVoters(usize),
    /// The node that leads was started without an address.
    #[error("the leader has no address where other nodes reach it: configure one first")]
    NoAddress,
    /// The node has to catch up first.
    #[error("node {0} has not caught up yet: {1} entries are missing")]
    Behind(NodeId, u64),
    /// The node's clock differs from the leader's.
    #[error("the clock of node {0} is off: it cannot lead")]
    WrongClock(NodeId),
    /// The node does not answer.
    #[error("node {0} does not answer")]
    Silent(NodeId),
}
