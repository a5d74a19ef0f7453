//! The messages of `POST /join`.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::ledger::NodeId;

/// The one path for callers without a certificate.
pub(super) const JOIN_PATH: &str = "/join";

/// The maximum size of a request to join, in bytes.
pub(super) const REQUEST_LEN_MAX: usize = 8 * 1024;

/// The maximum size of a welcome in bytes: over a thousand trusted keys.
pub(super) const WELCOME_LEN_MAX: usize = 1024 * 1024;

/// A new node's request to become a member.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// The secret of the join line.
    pub secret: Zeroizing<String>,
    /// The new node's id.
    pub node_id: NodeId,
    /// The address at which other nodes reach it.
    pub address: String,
    /// Its version of jeton.
    pub version: String,
    /// Its message format, see [`MESSAGE_FORMAT`](crate::ledger::raft::MESSAGE_FORMAT).
    pub format: u16,
}

/// What a new member needs, including the key of the cluster's authority.
#[derive(Deserialize, Serialize)]
pub struct Welcome {
    /// The certificate of the cluster's authority, PEM.
    pub ca: String,
    /// Its key, PEM.
    pub ca_key: Zeroizing<String>,
    /// The ledger's id, 32 hexadecimal digits.
    pub ledger_id: String,
    /// When the ledger began to count, in Unix seconds.
    pub born_at: u64,
    /// The URL at which users reach the nodes.
    pub public_url: String,
    /// The public keys that the inviting node trusts.
    pub trusted: Vec<TrustedKeyFile>,
    /// The inviting node.
    pub node_id: NodeId,
    /// Its version of jeton.
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

/// Why a node is not admitted.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct JoinRefusal {
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
