//! The types that openraft is told about.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ledger::{Entry, Outcome};

openraft::declare_raft_types!(
    /// Our log carries [`Entry`]s, and applying one gives an [`Outcome`] for
    /// each of its commands.
    pub(super) TypeConfig:
        D = Entry,
        R = Vec<Outcome>,
        Node = Member,
);

pub(super) type Raft = openraft::Raft<TypeConfig, super::machine::Machine>;
pub(super) type LogId = openraft::type_config::alias::LogIdOf<TypeConfig>;
pub(super) type RaftEntry = openraft::type_config::alias::EntryOf<TypeConfig>;
pub(super) type Vote = openraft::type_config::alias::VoteOf<TypeConfig>;
pub(super) type StoredMembership = openraft::type_config::alias::StoredMembershipOf<TypeConfig>;
pub(super) type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<TypeConfig>;
pub(super) type Snapshot = openraft::type_config::alias::SnapshotOf<TypeConfig, Vec<u8>>;

/// A node of the cluster, as the membership names it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Member {
    /// Where the other nodes reach it; empty while it is alone.
    pub address: String,
}

/// openraft writes entries to its trace log. Ours says how much is in it, not what.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} commands at {}", self.commands.len(), self.stamp)
    }
}
