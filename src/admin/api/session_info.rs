//! `GET /api/v1/session`: the admin token of the request, and what this node can do.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};

use super::error_responses::ReadErrors;
use super::fields::Fields;
use crate::admin::door::{AdminDoor, Holder};
use crate::admin::error::AdminError;
use crate::api::node::SessionInfo;
use crate::token::AdminRole;

/// Show the admin token of this request
#[utoipa::path(
    get,
    path = "/api/v1/session",
    operation_id = "session",
    responses((status = 200, description = "Its name, role and expiry", body = SessionInfo), ReadErrors),
)]
pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<Json<SessionInfo>, AdminError> {
    let operator = door.enter(&request, AdminRole::Viewer)?;
    Fields::none(&request)?;
    let Holder { name, role, expires_at, .. } = operator.holder();
    Ok(Json(SessionInfo {
        user: name.clone(),
        role: *role,
        expires_at: *expires_at,
        can_mint: door.mints_with().is_some(),
        version: env!("CARGO_PKG_VERSION"),
    }))
}
