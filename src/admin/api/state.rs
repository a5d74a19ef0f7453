//! `GET /api/v1/state`: the hash of the state that this node has counted.

use actix_web::HttpRequest;
use actix_web::web::{self, Data, Json};

use super::error_responses::ReadErrors;
use super::fields::Fields;
use crate::admin::{AdminDoor, AdminError};
use crate::api::node::StateHash;
use crate::ledger::{LedgerError, StateAt, Unavailable, snapshot};
use crate::token::AdminRole;

/// Show the hash of the state that this node has counted
///
/// Nodes that applied the same entries have the same hash, so compare hashes with the same
/// `applied`. The hash is computed over the whole state. Role: viewer.
#[utoipa::path(
    get,
    path = "/api/v1/state",
    operation_id = "state",
    responses((status = 200, description = "The hash", body = StateHash), ReadErrors),
)]
pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<Json<StateHash>, AdminError> {
    door.enter(&request, AdminRole::Viewer)?;
    Fields::none(&request)?;
    let StateAt { applied, state } = door.ledger.copy();
    // Millions of tokens take a while, and other requests must not wait for it.
    let hash = web::block(move || snapshot::state_hash(&state)).await;
    let hash = hash.map_err(|_| LedgerError::Unavailable(Unavailable::Aborted))?;
    let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Json(StateHash { applied, hash }))
}
