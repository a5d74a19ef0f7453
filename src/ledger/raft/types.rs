//! The types that openraft is configured with.

use std::fmt;
use std::io;

use openraft::errors::{ClientWriteError, RaftError};
use serde::{Deserialize, Serialize};

use crate::ledger::{Entry, NodeId, Outcome};

openraft::declare_raft_types!(
    /// The log contains [`Entry`]s. Applying one returns an [`Outcome`] for each of its commands.
    pub(crate) TypeConfig:
        D = Entry,
        R = Vec<Outcome>,
        NodeId = NodeId,
        Node = Member,
        AsyncRuntime = Runtime,
);

#[cfg(not(test))]
type Runtime = openraft::impls::TokioRuntime;
/// In tests, all randomness comes from a seed.
#[cfg(test)]
type Runtime = super::tests::runtime::SeededRuntime;

pub(crate) type LogId = openraft::type_config::alias::LogIdOf<TypeConfig>;
pub(crate) type RaftEntry = openraft::type_config::alias::EntryOf<TypeConfig>;
pub(crate) type Vote = openraft::type_config::alias::VoteOf<TypeConfig>;
pub(crate) type StoredMembership = openraft::type_config::alias::StoredMembershipOf<TypeConfig>;
pub(crate) type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<TypeConfig>;
pub(crate) type Snapshot = openraft::type_config::alias::SnapshotOf<TypeConfig, Vec<u8>>;

pub(crate) type AppendEntriesRequest = openraft::raft::AppendEntriesRequest<TypeConfig>;
pub(crate) type AppendEntriesResponse = openraft::raft::AppendEntriesResponse<TypeConfig>;
pub(crate) type SnapshotResponse = openraft::raft::SnapshotResponse<TypeConfig>;
pub(crate) type TransferLeaderRequest = openraft::raft::TransferLeaderRequest<TypeConfig>;
pub(crate) type TransferLeaderResponse = openraft::raft::TransferLeaderResponse<TypeConfig>;
pub(crate) type VoteRequest = openraft::raft::VoteRequest<TypeConfig>;
pub(crate) type VoteResponse = openraft::raft::VoteResponse<TypeConfig>;

pub(crate) type RaftMetrics = openraft::RaftMetrics<TypeConfig>;
/// Why an entry was not written.
pub(crate) type WriteError = RaftError<TypeConfig, ClientWriteError<TypeConfig>>;

/// Does slow work on a thread where it delays no other task.
#[cfg(not(test))]
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// In tests, the work is done at once, so that a seed decides all order.
#[cfg(test)]
pub(crate) fn off_thread<T>(
    work: impl FnOnce() -> io::Result<T>,
) -> impl Future<Output = io::Result<T>> {
    std::future::ready(work())
}

/// A node in the membership of the cluster.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Member {
    /// Where the other nodes reach it; empty while it is alone.
    pub address: String,
}

/// Shows the number of commands only: openraft writes entries to its trace log.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} commands at {}", self.commands.len(), self.timestamp)
    }
}
