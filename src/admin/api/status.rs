//! `GET /api/v1/status`: the state of this node and its ledger.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};

use super::error_responses::ReadErrors;
use super::fields::Fields;
use crate::admin::node_facts::NodeFacts;
use crate::admin::{AdminDoor, AdminError};
use crate::api::node::{KeyInfo, StatusReport};
use crate::token::UnixSeconds;

/// Show the state of this node and its ledger
///
/// A node that is cut off from the others also answers. Role: viewer.
#[utoipa::path(
    get,
    path = "/api/v1/status",
    operation_id = "status",
    responses((status = 200, description = "The state", body = StatusReport), ReadErrors),
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
        Self {
            version: facts.version,
            ready: ledger.ready.is_ok(),
            trouble: ledger.ready.err().map(|why| why.to_string()),
            is_stale: ledger.staleness.is_stale(),
            last_heard,
            node_id: ledger.node_id,
            leader: ledger.leader,
            term: ledger.term,
            born_at: ledger.born_at,
            log_time: ledger.log_time,
            applied: ledger.applied,
            keys: keys.into_iter().map(|(key_id, purpose)| KeyInfo { key_id, purpose }).collect(),
            certificate_expires_at: facts.certificate_expires_at,
            can_mint: facts.mints_with.is_some(),
            now,
        }
    }
}
