//! The replicated ledger: openraft, embedded. A single node is a cluster of one.
//!
//! openraft's types stay below this module. The rest of the program uses [`Ledger`](super::Ledger)
//! and [`Membership`](super::Membership), which [`RaftLedger`] implements.
//!
//! # Life of a ledger
//!
//! [`create()`] makes a ledger together with a cluster of one node. [`create_joined()`] makes a
//! further node of an existing ledger, which waits until a member adds it. [`create_from()`] makes
//! a new ledger from what an older copy knows. [`RaftLedger::open`] creates and repairs nothing,
//! and refuses an incomplete directory.
//!
//! # On disk
//!
//! | file | what it holds |
//! |---|---|
//! | `identity.toml` | the ids of the ledger and of this node |
//! | `log/` | votes and entries, in the format of [`ledger::log`](super::log) |
//! | `log/place` | the clone guard: the inode number that a copy of the directory lacks |
//! | `snapshot/` | snapshots of the state, which allow the log to be purged |
//! | `runs` | incarnations: the starts of this node, and what it knows of other nodes |
//! | `joined` | an empty file: the node was made by joining and is not a member yet |
//!
//! # Rooms
//!
//! Each room imports only from those above it in this table.
//!
//! | room | what it holds |
//! |---|---|
//! | `types` | the types with which openraft is configured |
//! | `store` | what is on disk and what is applied: log store, state machine, snapshot files, identity, incarnations, clone guard |
//! | `peers` | the messages between nodes, and how they are sent and checked: transport, openraft's network, snapshot transfer, clock reports |
//! | `spend` | how a command gets into the log: batching, forwarding to the leader, timestamps |
//! | `members` | changes of the membership, as the leader makes them |
//! | `node` | [`RaftLedger`], the running node: its server side, readiness, the maintenance task |
//! | `life` | how a ledger is created, opened, and restored from a copy |

mod life;
mod members;
mod node;
mod peers;
mod spend;
mod store;
#[cfg(test)]
mod tests;
mod types;

pub use life::{JOINED, LedgerCopy, Options, create, create_from, create_joined};
pub use node::RaftLedger;
pub use peers::{
    Alone, MESSAGE_FORMAT, MESSAGE_LEN_MAX, PeerAddress, Reply, Transport, TransportError,
};
pub use store::{
    Identity, IdentityError, OpenError, SnapshotFileError, accept_clone, check_clone_guard,
};
pub use types::Member;
