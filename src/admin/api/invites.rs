//! `POST /api/v1/cluster/invites`: invites one more node.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};

use super::body::RequestBody;
use super::error_responses::ChangeErrors;
use super::fields::Fields;
use crate::admin::door::{AdminDoor, Changeable};
use crate::admin::error::AdminError;
use crate::api::cluster::{Invite, NewInvite};
use crate::token::AdminRole;

/// Invite one more node
///
/// The line can be used once, within 15 minutes, while this node is running. The node that uses it
/// becomes a learner and holds the key of the cluster. Role: admin.
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
    body: RequestBody,
) -> Result<Json<Invite>, AdminError> {
    let operator = door.enter(&request, AdminRole::Admin)?;
    Fields::of_body(&request, &body)?.finish()?;
    let invite = |node: Changeable| async move {
        let inviter = node.inviter.ok_or(AdminError::NoClusterDoor)?;
        inviter.invite().map_err(AdminError::from)
    };
    let (line, seconds) = door.change(operator, "invited a node".to_owned(), invite).await?;
    Ok(Json(Invite { line, expires_at: door.now().plus(seconds) }))
}
