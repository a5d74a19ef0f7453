//! `GET /api/v1/users` and `PUT /api/v1/users/{user}/autologin`: the users, and who may have
//! `autologin` profiles.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};

use super::body::RequestBody;
use super::error_responses::{PermitErrors, UserErrors};
use super::fields::Fields;
use crate::admin::door::{AdminDoor, Changeable};
use crate::admin::error::AdminError;
use crate::admin::request_fault::RequestFault;
use crate::api::users::{Permission, Permitted, UserList};
use crate::percent::{self, Plus};
use crate::token::{AdminRole, NewUserName, UserName};

/// List users
///
/// Role: viewer.
#[utoipa::path(
    get,
    path = "/api/v1/users",
    operation_id = "list_users",
    responses((status = 200, description = "All of them", body = UserList), UserErrors),
)]
pub(super) async fn list(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<Json<UserList>, AdminError> {
    door.enter(&request, AdminRole::Viewer)?;
    Fields::none(&request)?;
    Ok(Json(UserList { users: door.roster()? }))
}

/// Allow or deny a user autologin profiles
///
/// It applies from the next download on, also to existing links. Role: admin.
#[utoipa::path(
    put,
    path = "/api/v1/users/{user}/autologin",
    operation_id = "permit_autologin",
    params(("user" = UserName, Path, description = "The name of the user")),
    request_body = Permission,
    responses((status = 200, description = "What applies now", body = Permitted), PermitErrors),
)]
pub(super) async fn permit(
    request: HttpRequest,
    door: Data<AdminDoor>,
    body: RequestBody,
) -> Result<Json<Permitted>, AdminError> {
    let operator = door.enter(&request, AdminRole::Admin)?;
    let user = user_in_path(&request)?;
    let autologin = Fields::of_body(&request, &body)?.read(|fields| fields.boolean("allowed"))?;
    if autologin {
        // A name that was allowed under older rules can still be denied.
        NewUserName::try_from(user.clone()).map_err(AdminError::UnsafeName)?;
    }
    let what = format!("{} autologin for {user}", if autologin { "allowed" } else { "denied" });
    let permitted = user.clone();
    let permit = |node: Changeable| async move { node.ledger.permit(permitted, autologin).await };
    door.change(operator, what, permit).await?;
    Ok(Json(Permitted { user, autologin }))
}

/// Returns the user in the path. The router's own decoding repairs what is badly encoded, so the
/// path is read as it was sent.
fn user_in_path(request: &HttpRequest) -> Result<UserName, AdminError> {
    let path = request.uri().path();
    let name = path.strip_prefix("/api/v1/users/");
    let name = name.and_then(|rest| rest.strip_suffix("/autologin")).ok_or(AdminError::NotFound)?;
    let name = percent::decode(name, Plus::Plus).ok_or(RequestFault::UserEncoding)?;
    Ok(UserName::new(name).map_err(RequestFault::User)?)
}
