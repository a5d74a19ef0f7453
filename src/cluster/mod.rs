//! The cluster door: connections between nodes, and how a new node joins.
//!
//! ```text
//! address           HOST:PORT, at which other nodes reach a node
//! name              the name in a node's certificate: NODE.LEDGER.cluster.jeton
//! authority         the cluster's own CA: DIR/cluster/ca.pem and ca-key.pem
//! certificate       this node's certificate, issued at each start and renewed
//! connection        one HTTP/1.1 connection over mutual TLS
//! peers             the caller: implements `Transport` over kept connections
//! listen            the listener: TCP, TLS, HTTP, and their time limits
//! connection_limit  limits on unauthenticated connections
//! door              the requests: POST /raft from nodes, POST /join from new ones
//! invite            invitations, each good for one node
//! welcome           the messages of POST /join
//! join              the caller of POST /join
//! ```
//!
//! This room carries bytes and authenticates their senders. The ledger decides what the bytes mean
//! and who is a member. `docs/node-protocol.md` specifies both.

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
