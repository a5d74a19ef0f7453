//! `GET /api/v1/status`: how this node and its ledger are.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::fields::Fields;
use super::openapi::ReadErrors;
use super::{AdminDoor, AdminError};
use crate::admin::node_facts::NodeFacts;
use crate::ledger::NodeId;
use crate::token::{KeyId, KeyPurpose, UnixSeconds};

/// How a node and its ledger are.
#[derive(Serialize, ToSchema)]
pub(super) struct StatusReport {
    /// The version of jeton.
    version: &'static str,
    /// Whether a use could be granted now.
    ready: bool,
    /// Why not; `null` if it could.
    #[schema(required = true)]
    trouble: Option<String>,
    /// Whether this node has not heard from a majority for so long that it gives
    /// nothing. Then all of this may be old, and so may be what it knows of revoked
    /// admin tokens.
    is_stale: bool,
    /// When this node last heard from a majority; `null` if it has not since its
    /// start.
    #[schema(value_type = Option<UnixSeconds>, required = true)]
    last_heard: Option<String>,
    /// This node, as the other nodes know it.
    node_id: NodeId,
    /// The node that decides at present; `null` if none is known.
    #[schema(required = true)]
    leader: Option<NodeId>,
    /// How many elections there were, won or not, as far as this node knows.
    term: u64,
    /// When this ledger began to count.
    #[schema(value_type = UnixSeconds)]
    born_at: String,
    /// The time up to which the ledger has judged.
    #[schema(value_type = UnixSeconds)]
    log_time: String,
    /// The last entry of the log that this node applied.
    applied: u64,
    /// The keys whose tokens this node accepts.
    keys: Vec<Key>,
    /// When the public door's certificate expires; `null` if it has none.
    #[schema(value_type = Option<UnixSeconds>, required = true)]
    certificate_expires_at: Option<String>,
    /// Whether this node mints.
    can_mint: bool,
    /// The time by which this node judges.
    #[schema(value_type = UnixSeconds)]
    now: String,
}

/// A key whose tokens are accepted.
#[derive(Serialize, ToSchema)]
struct Key {
    #[schema(value_type = KeyId)]
    key_id: String,
    #[schema(value_type = KeyPurpose)]
    purpose: &'static str,
}

/// Tell how this node and its ledger are
///
/// It is answered also by a node that is cut off from the others. Role: viewer.
#[utoipa::path(
    get,
    path = "/api/v1/status",
    operation_id = "status",
    responses((status = 200, description = "How they are", body = StatusReport), ReadErrors),
)]
pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<Json<StatusReport>, AdminError> {
    door.enter_to_look(&request)?;
    Fields::none(&request)?;
    let facts = door.facts();
    let last_heard = door.last_heard(&facts.ledger.staleness);
    Ok(Json(StatusReport::of(facts, last_heard, door.now())))
}

impl StatusReport {
    fn of(facts: NodeFacts, last_heard: Option<UnixSeconds>, now: UnixSeconds) -> Self {
        let NodeFacts { ledger, keys, .. } = facts;
        let key = |(id, purpose): (KeyId, KeyPurpose)| Key {
            key_id: id.to_string(),
            purpose: purpose.as_str(),
        };
        Self {
            version: facts.version,
            ready: ledger.ready.is_ok(),
            trouble: ledger.ready.err().map(|why| why.to_string()),
            is_stale: ledger.staleness.is_stale(),
            last_heard: last_heard.map(|at| at.to_string()),
            node_id: ledger.node_id,
            leader: ledger.leader,
            term: ledger.term,
            born_at: ledger.born_at.to_string(),
            log_time: ledger.log_time.to_string(),
            applied: ledger.applied,
            keys: keys.into_iter().map(key).collect(),
            certificate_expires_at: facts.certificate_expires_at.map(|at| at.to_string()),
            can_mint: facts.mints_with.is_some(),
            now: now.to_string(),
        }
    }
}
