//! `POST /api/v1/inspect`: what a download with a token would do now. It spends nothing.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};

use super::body::RequestBody;
use super::error_responses::BodyErrors;
use super::fields::Fields;
use crate::admin::request_fault::RequestFault;
use crate::admin::{AdminDoor, AdminError};
use crate::api::inspection::{Prospect, Question, Would};
use crate::redeem::{Attempt, Intent};
use crate::token::{AdminRole, Purpose, VerifiedToken};

/// Report what a download would do, and spend nothing
///
/// Role: viewer.
#[utoipa::path(
    post,
    path = "/api/v1/inspect",
    operation_id = "inspect_token",
    request_body = Question,
    responses((status = 200, description = "What it would do", body = Prospect), BodyErrors),
)]
pub(super) async fn inspect(
    request: HttpRequest,
    door: Data<AdminDoor>,
    body: RequestBody,
) -> Result<Json<Prospect>, AdminError> {
    door.enter(&request, AdminRole::Viewer)?;
    let (token, client): (String, _) = Fields::of_body(&request, &body)?
        .read(|fields| Ok((fields.required("token")?, fields.optional("client")?)))?;
    let peer = request.peer_addr().map(|peer| peer.ip());
    let client = client.or(peer).ok_or(RequestFault::NoClient)?;
    let attempt = Attempt { token: &token, client, intent: Intent::Look };
    let prospect = match door.redeemer.redeem(attempt).await {
        Ok(delivery) => Prospect {
            would: Would::Deliver,
            uses_left: delivery.uses_left,
            ..Prospect::of(Some(&delivery.token))
        },
        Err(refused) => Prospect {
            reason: Some(refused.refusal.to_string()),
            ..Prospect::of(refused.token.as_deref())
        },
    };
    Ok(Json(prospect))
}

impl Prospect {
    /// Returns the prospect that a token is refused, without the reason.
    fn of(token: Option<&VerifiedToken>) -> Self {
        let claims = token.map(VerifiedToken::claims);
        Self {
            would: Would::Refuse,
            reason: None,
            user: claims.map(|claims| claims.user.clone()),
            profile_type: claims.and_then(|claims| match claims.purpose {
                Purpose::Profile(kind) => Some(kind),
                Purpose::Admin(_) => None,
            }),
            uses_left: None,
            expires_at: claims.map(|claims| claims.expires_at()),
        }
    }
}
