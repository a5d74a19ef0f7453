//! `POST /api/v1/cluster/invites`: let one further node in.

use std::fmt::Debug;

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::body::Body;
use super::fields::Fields;
use super::openapi::ChangeErrors;
use super::{AdminDoor, AdminError};
use crate::admin::door::Changeable;
use crate::random::NoRandomness;
use crate::token::{AdminRole, UnixSeconds};

/// Makes what lets one further node in.
pub trait Inviter: Debug + Send + Sync {
    /// Returns a join line, and how long it is good for, in seconds.
    ///
    /// # Errors
    ///
    /// [`NoInvitation`].
    fn invite(&self) -> Result<(Zeroizing<String>, u64), NoInvitation>;
}

/// Why nobody is invited.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NoInvitation {
    /// Many are invited already and have not come.
    #[error("too many invitations are open")]
    TooMany,
    /// A secret needs randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// How to let a node in.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewInvite {}

/// What lets one further node in.
#[derive(Serialize, ToSchema)]
pub(super) struct Invite {
    /// What `jeton cluster join` takes. It is a secret.
    #[schema(value_type = String)]
    line: Zeroizing<String>,
    /// When it is no longer good.
    #[schema(value_type = UnixSeconds)]
    expires_at: String,
}

/// Invite one further node
///
/// The line is good once, for a quarter of an hour, while this node runs. Whoever
/// uses it becomes a learner and holds the key of the cluster. Role: admin.
#[utoipa::path(
    post,
    path = "/api/v1/cluster/invites",
    operation_id = "invite",
    request_body = NewInvite,
    responses((status = 200, description = "The invitation", body = Invite), ChangeErrors),
)]
pub(super) async fn invite(
    request: HttpRequest,
    door: Data<AdminDoor>,
    body: Body,
) -> Result<Json<Invite>, AdminError> {
    let operator = door.enter(&request, AdminRole::Admin)?;
    Fields::of_body(&request, &body)?.finish()?;
    let invite = |it: Changeable| async move {
        let inviter = it.inviter.ok_or(AdminError::NoClusterDoor)?;
        inviter.invite().map_err(AdminError::from)
    };
    let (line, seconds) = door.change(operator, "invited a node".to_owned(), invite).await?;
    Ok(Json(Invite { line, expires_at: door.now().plus(seconds).to_string() }))
}
