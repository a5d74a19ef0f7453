//! The messages between nodes, and how they are sent and checked.
//!
//! | file | what it holds |
//! |---|---|
//! | `message` | the messages and their bytes |
//! | `transport` | the interface to the network: bytes to a node, bytes back |
//! | `exchange` | [`Peers`]: sends requests, checks what arrives, remembers what it says |
//! | `echoes` | which message of each node came before which committed entry, hence how fresh a node is |
//! | `peer_errors` | the last error with each node |
//! | `reports` | the last clock and version of each node |
//! | `raft_network` | openraft's network, over [`Peers`] |
//! | `append_stream` | merges the announcement of a commit into the entries that follow it |
//! | `snapshot_transfer` | a snapshot, sent in pieces |
//! | `view` | [`View`]: leader, voters and progress, as openraft reports them |

mod append_stream;
mod echoes;
mod exchange;
mod message;
mod peer_errors;
mod raft_network;
mod reports;
mod snapshot_transfer;
mod transport;
mod view;

pub(crate) use exchange::{CallError, Peers};
#[cfg(test)]
pub(crate) use message::Envelope;
pub use message::MESSAGE_FORMAT;
pub(crate) use message::{
    MemberChange, PeerRefusal, Request, Response, RoleChange, decode_body, decode_head, encode,
};
pub(crate) use raft_network::RaftConnections;
pub(crate) use reports::is_off;
#[cfg(test)]
pub(crate) use snapshot_transfer::PIECE_LEN;
pub(crate) use snapshot_transfer::{IncomingSnapshot, SnapshotPiece, SnapshotProgress};
pub use transport::{Alone, MESSAGE_LEN_MAX, PeerAddress, Reply, Transport, TransportError};
pub(crate) use view::View;
