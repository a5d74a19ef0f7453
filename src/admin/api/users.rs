//! `GET /api/v1/users` and `PUT /api/v1/users/{user}/autologin`: who there is,
//! and who may have `autologin` profiles.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::fields::Fields;
use super::openapi::{BodyErrors, UserErrors};
use super::{AdminDoor, AdminError, RequestFault};
use crate::admin::door::Changeable;
use crate::admin::roster::RosterEntry;
use crate::percent::{self, Plus};
use crate::token::{AdminRole, UserName};

/// All users.
#[derive(Serialize, ToSchema)]
pub(super) struct UserList {
    /// Those with a profile and those with a permission, sorted by name.
    users: Vec<User>,
}

/// A user.
#[derive(Serialize, ToSchema)]
struct User {
    user: UserName,
    /// Whether autologin profiles are allowed.
    autologin: bool,
    /// Whether there is a profile for this user.
    profile: bool,
}

/// What a user may have.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Permission {
    /// Whether autologin profiles are allowed from now on.
    allowed: bool,
}

/// What a user may have now.
#[derive(Serialize, ToSchema)]
pub(super) struct Permitted {
    user: UserName,
    /// Whether autologin profiles are allowed.
    autologin: bool,
}

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
    let users = door.roster()?.into_iter();
    let users =
        users.map(|RosterEntry { user, autologin, profile }| User { user, autologin, profile });
    Ok(Json(UserList { users: users.collect() }))
}

/// Allow or deny a user autologin profiles
///
/// It counts from the next click on, also for links that exist. Role: admin.
#[utoipa::path(
    put,
    path = "/api/v1/users/{user}/autologin",
    operation_id = "permit_autologin",
    params(("user" = UserName, Path, description = "Whom")),
    request_body = Permission,
    responses((status = 200, description = "What counts now", body = Permitted), BodyErrors),
)]
pub(super) async fn permit(
    request: HttpRequest,
    door: Data<AdminDoor>,
    body: Body,
) -> Result<Json<Permitted>, AdminError> {
    let operator = door.enter(&request, AdminRole::Admin)?;
    let user = named(&request)?;
    let Permission { allowed: autologin } = Permission::read(Fields::of_body(&request, &body)?)?;
    let what = format!("{} autologin for {user}", if autologin { "allowed" } else { "denied" });
    let whom = user.clone();
    let permit = |it: Changeable| async move { it.ledger.permit(whom, autologin).await };
    door.change(operator, what, permit).await?;
    Ok(Json(Permitted { user, autologin }))
}

impl Permission {
    fn read(mut fields: Fields) -> Result<Self, AdminError> {
        let permission = Self { allowed: fields.truth("allowed")? };
        fields.finish()?;
        Ok(permission)
    }
}

/// Returns the user whom the path names. The router's own decoding mends what is
/// badly encoded, so the path is read as it was sent.
fn named(request: &HttpRequest) -> Result<UserName, AdminError> {
    let path = request.uri().path();
    let name = path.strip_prefix("/api/v1/users/");
    let name = name.and_then(|rest| rest.strip_suffix("/autologin")).ok_or(AdminError::NotFound)?;
    let name = percent::decode(name, Plus::Plus).ok_or(RequestFault::UserEncoding)?;
    Ok(UserName::new(name).map_err(RequestFault::User)?)
}
