//! `POST /api/v1/inspect`: what a click on a link would do now, spending
//! nothing.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::{Deserialize, Serialize};

use super::{AdminDoor, AdminError};
use crate::redeem::{Attempt, Intent};
use crate::token::{Role, VerifiedToken};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    token: String,
    /// Where the click would come from; needed for tokens bound to a network.
    client: Option<IpAddr>,
}

#[derive(Serialize)]
pub(super) struct Prospect {
    would: &'static str,
    reason: Option<String>,
    user: Option<String>,
    kind: Option<&'static str>,
    /// `null` for unlimited or unknown.
    uses_left: Option<u32>,
    expires_at: Option<String>,
}

pub(super) async fn inspect(
    request: HttpRequest,
    door: Data<AdminDoor>,
    question: Json<Question>,
) -> Result<Json<Prospect>, AdminError> {
    door.enter(&request, Role::Viewer)?;
    let peer = request.peer_addr().map(|peer| peer.ip());
    let client = question
        .client
        .or(peer)
        .ok_or_else(|| AdminError::Request("name the client whose click is meant".to_owned()))?;
    let attempt = Attempt { token: &question.token, client, intent: Intent::Look };
    let prospect = match door.redeemer.redeem(attempt).await {
        Ok(delivery) => Prospect {
            would: "deliver",
            kind: Some(delivery.kind.as_str()),
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
    fn of(token: Option<&VerifiedToken>) -> Self {
        let claims = token.map(VerifiedToken::claims);
        Self {
            would: "refuse",
            reason: None,
            user: claims.map(|claims| claims.user.to_string()),
            kind: None,
            uses_left: None,
            expires_at: claims.map(|claims| claims.expires_at().to_string()),
        }
    }
}
