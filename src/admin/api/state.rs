//! `GET /api/v1/state`: what this node has counted, as one number to compare.

use actix_web::HttpRequest;
use actix_web::web::{self, Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::fields::Fields;
use super::openapi::ReadErrors;
use super::{AdminDoor, AdminError};
use crate::ledger::{LedgerError, StateAt, Unavailable, snapshot};
use crate::token::AdminRole;

/// The name of all that a node has counted.
#[derive(Serialize, ToSchema)]
pub(super) struct StateName {
    /// The last entry of the log that is in it.
    applied: u64,
    /// The SHA-256 of all uses, revocations and permissions, in hex.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
}

/// Tell what this node has counted, as one number
///
/// Nodes that applied the same entries have the same hash; compare those with the
/// same `applied`. It takes a pass over all that is counted. Role: viewer.
#[utoipa::path(
    get,
    path = "/api/v1/state",
    operation_id = "state",
    responses((status = 200, description = "Its name", body = StateName), ReadErrors),
)]
pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<Json<StateName>, AdminError> {
    door.enter(&request, AdminRole::Viewer)?;
    Fields::none(&request)?;
    let StateAt { applied, state } = door.ledger.copy();
    // Millions of tokens take a while, and other requests do not wait for it.
    let hash = web::block(move || snapshot::state_hash(&state)).await;
    let hash = hash.map_err(|_| LedgerError::Unavailable(Unavailable::Aborted))?;
    let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Json(StateName { applied, hash }))
}
