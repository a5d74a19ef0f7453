//! The engine: openraft, embedded. One node is a cluster of one.
//!
//! openraft's types stay in this folder; everybody else sees [`Ledger`]. What is
//! ours: the log it writes to (`log_store`), the state machine it drives
//! (`machine`), the `batcher` that lets one sync of the disk serve all who wait,
//! and what the nodes say to each other.
//!
//! A ledger is made once, by [`create()`], which also founds the cluster of one.
//! [`create_joined()`] makes a further node of it, which waits to be added, and
//! [`create_from()`] a new ledger of what an older copy still tells.
//! [`RaftLedger::open`] never makes, founds or repairs anything: a folder
//! that is not a whole ledger is refused.
//!
//! ```text
//! DIR/identity.toml   who this ledger and this node are
//! DIR/log/            votes and entries, see ledger/log
//! DIR/snapshot/       states of the past, so that the log stays short
//! DIR/runs            how the others know this node again, see runs.rs
//! DIR/log/place       how it is known that the folder is no copy, see place.rs
//! DIR/joined          only if it was made by joining
//! ```
//!
//! # Rooms
//!
//! Each room imports only from those above it in this table.
//!
//! | room | what it holds |
//! |---|---|
//! | `types` | the types that openraft is configured with |
//! | `store` | what is on disk and what is applied: log store, snapshots, state machine, incarnations, clone guard |
//! | `peers` | both formats of a conversation and its client: messages, transport, snapshot transfer, clock reports |
//! | `spend` | the path of a command into the log: batches, forwarding, timestamps |
//! | `members` | changes of the membership |
//! | `node` | [`RaftLedger`]: the running node, its server side, its maintenance task |
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
