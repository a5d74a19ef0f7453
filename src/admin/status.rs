//! `GET /api/v1/status`: how this node and its ledger are.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::fields::Fields;
use super::members::NodeId;
use super::openapi::ReadErrors;
use super::{AdminDoor, AdminError};
use crate::token::{KeyId, KeyPurpose, Role, UnixSeconds};

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
    /// This node, as the other nodes know it.
    node_id: NodeId,
    /// The node that decides at present; `null` if none is known.
    #[schema(required = true)]
    leader: Option<NodeId>,
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
/// Role: viewer.
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
    door.enter(&request, Role::Viewer)?;
    Fields::none(&request)?;
    let keys = door
        .redeemer
        .trusted_keys()
        .into_iter()
        .map(|(id, purpose)| Key { key_id: id.to_string(), purpose: purpose.as_str() });
    let status = door.ledger.status();
    Ok(Json(StatusReport {
        version: env!("CARGO_PKG_VERSION"),
        ready: status.ready.is_ok(),
        trouble: status.ready.err(),
        node_id: NodeId(status.node_id),
        leader: status.leader.map(NodeId),
        born_at: status.born_at.to_string(),
        log_time: status.log_time.to_string(),
        applied: status.applied,
        keys: keys.collect(),
        certificate_expires_at: door
            .certificate
            .as_ref()
            .map(|served| served.not_after().to_string()),
        can_mint: door.minter.load().is_some(),
        now: door.now().to_string(),
    }))
}
