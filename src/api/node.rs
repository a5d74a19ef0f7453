//! What a node says of itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plain::plain;
use crate::ledger::NodeId;
use crate::token::{AdminRole, KeyId, KeyPurpose, UnixSeconds, UserName};

/// The admin token that a request is made with, and what the node can do.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionInfo {
    /// The name in the admin token.
    pub(crate) user: UserName,
    pub(crate) role: AdminRole,
    /// When the admin token expires.
    pub(crate) expires_at: UnixSeconds,
    /// Whether this node mints.
    pub(crate) can_mint: bool,
    /// The version of jeton.
    pub(crate) version: &'static str,
}

/// The state of a node and its ledger.
#[derive(Serialize, ToSchema)]
pub(crate) struct StatusReport {
    /// The version of jeton.
    pub(crate) version: &'static str,
    /// Whether the node could grant a use now.
    pub(crate) ready: bool,
    /// Why it could not; `null` if it could.
    #[schema(required = true)]
    pub(crate) trouble: Option<String>,
    /// Whether this node has not heard from a majority for so long that it delivers nothing. Then
    /// all of this may be out of date, and so may be what the node knows of revoked admin tokens.
    pub(crate) is_stale: bool,
    /// When this node last heard from a majority; `null` if it has not since its start.
    #[schema(required = true)]
    pub(crate) last_heard: Option<UnixSeconds>,
    /// The id of this node.
    pub(crate) node_id: NodeId,
    /// The current leader; `null` if this node knows none.
    #[schema(required = true)]
    pub(crate) leader: Option<NodeId>,
    /// The Raft term: the number of elections, won or not, that this node knows of.
    pub(crate) term: u64,
    /// When this ledger began to count.
    pub(crate) born_at: UnixSeconds,
    /// The greatest timestamp in the log.
    pub(crate) log_time: UnixSeconds,
    /// The last log entry that this node applied.
    pub(crate) applied: u64,
    /// The keys whose tokens this node accepts.
    pub(crate) keys: Vec<KeyInfo>,
    /// When the certificate of the public door expires; `null` if it has none.
    #[schema(required = true)]
    pub(crate) certificate_expires_at: Option<UnixSeconds>,
    /// Whether this node mints.
    pub(crate) can_mint: bool,
    /// The time by which this node judges tokens.
    pub(crate) now: UnixSeconds,
}

/// A key whose tokens are accepted.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyInfo {
    pub(crate) key_id: KeyId,
    pub(crate) purpose: KeyPurpose,
}

/// The hash of the state that a node has counted.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = StateName)]
pub(crate) struct StateHash {
    /// The last log entry in it.
    pub(crate) applied: u64,
    /// The SHA-256 of all uses, revocations and permissions, in hex.
    #[serde(deserialize_with = "plain")]
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub(crate) hash: String,
}
