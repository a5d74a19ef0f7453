//! The door between nodes: who may speak, over which wires, and how a further
//! node comes in.
//!
//! ```text
//! address      HOST:PORT, where the others reach a node
//! name         the name in a node's certificate: NODE.LEDGER.cluster.jeton
//! authority    the cluster's own CA: DIR/cluster/ca.pem and ca-key.pem
//! certificate  this node's certificate, made of it at each start and renewed
//! connection   one HTTP/1.1 connection over mutual TLS
//! peers        the way out: the engine's `Transport` over such connections
//! listen       the way in: TCP, TLS, HTTP, and how long each may take
//! guests       who is at the door without a certificate, and has to make room
//! door         what is asked there: POST /raft for members, POST /join for the invited
//! invite       what lets one node in, once
//! welcome      what the two say to each other at POST /join
//! join         the asking side of it
//! ```
//!
//! This room carries bytes and proves who sent them. What the bytes say, and who
//! is a member, is the ledger's to judge. The CLI puts both together.

mod address;
mod authority;
mod certificate;
mod connection;
mod connection_limit;
mod door;
mod invite;
mod join;
mod listen;
mod name;
mod peers;
#[cfg(test)]
mod tests;
mod welcome;

pub use address::{AddressError, NodeAddress};
pub use authority::{Authority, AuthorityError, AuthorityFingerprint};
pub use certificate::NodeCertificate;
pub use door::{ClusterDoor, Receive};
pub use invite::{Invites, JoinLine, JoinLineError, NoMoreInvites, Secret};
pub use join::{JoinError, join};
pub use listen::{FILES_RESERVED, run};
pub use peers::PeerNetwork;
pub use welcome::{JoinRequest, TrustedKeyFile, Welcome};
