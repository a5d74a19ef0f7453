//! `GET /api/v1/users` and `PUT /api/v1/users/{user}/autologin`: who there is,
//! and who may have `autologin` profiles.

use std::collections::BTreeSet;

use actix_web::HttpRequest;
use actix_web::web::{Data, Json, Path};
use serde::{Deserialize, Serialize};

use super::{AdminDoor, AdminError};
use crate::token::{Role, UserName};

#[derive(Serialize)]
pub(super) struct UserList {
    users: Vec<User>,
}

#[derive(Serialize)]
struct User {
    user: UserName,
    autologin: bool,
    /// Whether there is a profile for this user.
    profile: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Permission {
    allowed: bool,
}

#[derive(Serialize)]
pub(super) struct Permitted {
    user: UserName,
    autologin: bool,
}

pub(super) async fn list(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<Json<UserList>, AdminError> {
    door.enter(&request, Role::Viewer)?;
    let with_profile: BTreeSet<_> = door.redeemer.users()?.into_iter().collect();
    let autologin = door.ledger.autologin_users();
    let users = with_profile.union(&autologin).map(|user| User {
        user: user.clone(),
        autologin: autologin.contains(user),
        profile: with_profile.contains(user),
    });
    Ok(Json(UserList { users: users.collect() }))
}

pub(super) async fn permit(
    request: HttpRequest,
    door: Data<AdminDoor>,
    user: Path<String>,
    permission: Json<Permission>,
) -> Result<Json<Permitted>, AdminError> {
    let operator = door.enter(&request, Role::Admin)?;
    let user =
        UserName::new(user.into_inner()).map_err(|error| AdminError::Request(error.to_string()))?;
    let autologin = permission.allowed;
    door.ledger.permit(user.clone(), autologin).await?;
    operator.did(&format!("{} autologin for {user}", if autologin { "allowed" } else { "denied" }));
    Ok(Json(Permitted { user, autologin }))
}
