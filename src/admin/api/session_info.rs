//! `GET /api/v1/session`: who one is to this node, and what it can do.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::fields::Fields;
use super::openapi::ReadErrors;
use super::{AdminDoor, AdminError};
use crate::token::{AdminRole, UnixSeconds, UserName};

/// Who one is.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionInfo {
    /// The name in the admin token.
    user: UserName,
    #[schema(value_type = AdminRole)]
    role: String,
    /// When the admin token expires.
    #[schema(value_type = UnixSeconds)]
    expires_at: String,
    /// Whether this node mints.
    can_mint: bool,
    /// The version of jeton.
    version: &'static str,
}

/// Who one is to this node
#[utoipa::path(
    get,
    path = "/api/v1/session",
    operation_id = "session",
    responses((status = 200, description = "Who one is", body = SessionInfo), ReadErrors),
)]
pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<Json<SessionInfo>, AdminError> {
    let operator = door.enter(&request, AdminRole::Viewer)?;
    Fields::none(&request)?;
    Ok(Json(SessionInfo {
        user: operator.name().clone(),
        role: operator.role().to_string(),
        expires_at: operator.expires_at().to_string(),
        can_mint: door.mints(),
        version: env!("CARGO_PKG_VERSION"),
    }))
}
