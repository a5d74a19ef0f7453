//! `POST /api/v1/inspect`: what a click on a link would do now, spending
//! nothing.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::fields::Fields;
use super::openapi::{BodyErrors, words};
use super::{AdminDoor, AdminError, RequestFault};
use crate::redeem::{Attempt, Intent};
use crate::token::{AdminRole, ProfileKind, Purpose, UnixSeconds, UserName, VerifiedToken};

/// A click that is thought of.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// The token; any text is judged.
    token: String,
    /// Where the click would come from, which matters for a token that is bound
    /// to a network; where this request comes from if nothing is said.
    #[schema(schema_with = words::address, required = false)]
    client: Option<IpAddr>,
}

/// What the click would do.
#[derive(Serialize, ToSchema)]
pub(super) struct Prospect {
    would: Would,
    /// Why it would be refused; `null` if it would not.
    #[schema(required = true)]
    reason: Option<String>,
    /// Whose profile it gives; `null` if this is no token.
    #[schema(required = true)]
    user: Option<UserName>,
    /// What kind of profile it gives; `null` if this is no profile token.
    #[schema(value_type = Option<ProfileKind>, required = true)]
    profile_type: Option<&'static str>,
    /// How many uses are left; `null` for any number, or if it would be refused.
    #[schema(required = true)]
    uses_left: Option<u32>,
    /// When it expires; `null` if this is no token.
    #[schema(value_type = Option<UnixSeconds>, required = true)]
    expires_at: Option<String>,
}

/// The two things a click can do.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Would {
    Deliver,
    Refuse,
}

/// Tell what a click would do, spending nothing
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
    body: Body,
) -> Result<Json<Prospect>, AdminError> {
    door.enter(&request, AdminRole::Viewer)?;
    let Question { token, client } = Question::read(Fields::of_body(&request, &body)?)?;
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

impl Question {
    fn read(mut fields: Fields) -> Result<Self, AdminError> {
        let question =
            Self { token: fields.required("token")?, client: fields.optional("client")? };
        fields.finish()?;
        Ok(question)
    }
}

impl Prospect {
    fn of(token: Option<&VerifiedToken>) -> Self {
        let claims = token.map(VerifiedToken::claims);
        let kind = claims.and_then(|claims| match claims.purpose {
            Purpose::Profile(kind) => Some(kind),
            Purpose::Admin(_) => None,
        });
        Self {
            would: Would::Refuse,
            reason: None,
            user: claims.map(|claims| claims.user.clone()),
            profile_type: kind.map(ProfileKind::as_str),
            uses_left: None,
            expires_at: claims.map(|claims| claims.expires_at().to_string()),
        }
    }
}
