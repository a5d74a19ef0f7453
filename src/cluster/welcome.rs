//! What a new node and the one that invited it say to each other.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::ledger::NodeId;

/// The one path at which a node without a certificate is heard.
pub(super) const PATH: &str = "/join";

/// The longest wish to join, in bytes.
pub(super) const REQUEST_LEN_MAX: usize = 8 * 1024;

/// The longest welcome, in bytes: a thousand trusted keys and more.
pub(super) const WELCOME_LEN_MAX: usize = 1024 * 1024;

/// A node asks to be let in.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// The secret of the join line.
    pub secret: Zeroizing<String>,
    /// The id that the new node drew.
    pub node_id: NodeId,
    /// Where the others will reach it.
    pub address: String,
    /// The version of jeton there.
    pub version: String,
    /// The version of the messages that it would send, see
    /// [`MESSAGE_FORMAT`](crate::ledger::raft::MESSAGE_FORMAT).
    pub format: u16,
}

/// What makes a node a member: it holds the key of the cluster's authority.
#[derive(Deserialize, Serialize)]
pub struct Welcome {
    /// The certificate of the cluster's authority, PEM.
    pub ca: String,
    /// Its key, PEM.
    pub ca_key: Zeroizing<String>,
    /// The ledger that is shared, 32 hexadecimal digits.
    pub ledger_id: String,
    /// When it began to count, in Unix seconds.
    pub born_at: u64,
    /// Where the world reaches the download nodes.
    pub public_url: String,
    /// The public keys that the inviting node trusts.
    pub trusted: Vec<TrustedKeyFile>,
    /// The node that invited.
    pub node_id: NodeId,
    /// The version of jeton there.
    pub version: String,
}

/// A public key that nodes trust.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TrustedKeyFile {
    /// `profile` or `admin`.
    pub purpose: String,
    /// The key, PEM.
    pub pem: String,
}

/// Why a node is not let in.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Refused {
    /// What is wrong.
    pub(super) error: String,
    /// What to do.
    pub(super) hint: String,
}

impl fmt::Debug for JoinRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinRequest")
            .field("node_id", &self.node_id)
            .field("address", &self.address)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Welcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Welcome").field("ledger_id", &self.ledger_id).finish_non_exhaustive()
    }
}
