//! `GET /api/v1/status`: how the ledger of this node is.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;

use super::{AdminDoor, AdminError};
use crate::token::Role;

#[derive(Serialize)]
pub(super) struct StatusReport {
    version: &'static str,
    ready: bool,
    /// Why it is not ready.
    trouble: Option<String>,
    node_id: u64,
    leader: Option<u64>,
    born_at: String,
    log_time: String,
    applied: u64,
}

pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<Json<StatusReport>, AdminError> {
    door.enter(&request, Role::Viewer)?;
    let status = door.ledger.status();
    Ok(Json(StatusReport {
        version: env!("CARGO_PKG_VERSION"),
        ready: status.ready.is_ok(),
        trouble: status.ready.err(),
        node_id: status.node_id,
        leader: status.leader,
        born_at: status.born_at.to_string(),
        log_time: status.log_time.to_string(),
        applied: status.applied,
    }))
}
