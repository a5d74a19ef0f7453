//! `POST /api/v1/revocations`: revokes a token, a batch, a user's tokens or a key's.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};

use super::body::RequestBody;
use super::error_responses::RevokeErrors;
use super::fields::Fields;
use crate::admin::door::{AdminDoor, Changeable};
use crate::admin::error::AdminError;
use crate::admin::request_fault::RequestFault;
use crate::api::revocations::{
    NewRevocation, RevocationInfo, RevokeBatch, RevokeKey, RevokeToken, RevokeUser,
};
use crate::ledger::Revocation;
use crate::token::{AdminRole, CLOCK_ALLOWANCE, Lifetime, UnixSeconds};

/// Revoke a token, a batch, a user's tokens or a key's
///
/// A revocation cannot be undone. Role: operator; admin for a key.
#[utoipa::path(
    post,
    path = "/api/v1/revocations",
    operation_id = "revoke",
    request_body = NewRevocation,
    responses((status = 200, description = "It is revoked", body = RevocationInfo), RevokeErrors),
)]
pub(super) async fn revoke(
    request: HttpRequest,
    door: Data<AdminDoor>,
    body: RequestBody,
) -> Result<Json<RevocationInfo>, AdminError> {
    door.enter(&request, AdminRole::Operator)?;
    let new = Fields::of_body(&request, &body)?.read(NewRevocation::read)?;
    let operator = door.enter(&request, new.needed_role())?;
    let revocation = new.revocation(door.now());
    if revocation == Revocation::Key(operator.holder().key_id) {
        return Err(AdminError::OwnKey);
    }
    let response = RevocationInfo::of(&revocation);
    let what = format!("revoked {}", response.revoked);
    let revoke = |node: Changeable| async move { node.ledger.revoke(revocation).await };
    door.change(operator, what, revoke).await?;
    Ok(Json(response))
}

impl NewRevocation {
    /// Reads the one of the four that is given.
    fn read(fields: &mut Fields) -> Result<Self, AdminError> {
        if fields.has("token") {
            Ok(Self::token(fields.required("token")?, fields.optional("expires_at")?))
        } else if fields.has("batch") {
            fields.required("batch").map(Self::batch)
        } else if fields.has("user") {
            fields.required("user").map(Self::user)
        } else if fields.has("key") {
            fields.required("key").map(Self::key)
        } else {
            Err(RequestFault::NothingToRevoke.into())
        }
    }

    fn revocation(self, now: UnixSeconds) -> Revocation {
        match self {
            Self::Token(RevokeToken { token: nonce, expires_at }) => {
                // A wrong expiry must not bring the token back, so the revocation is kept at least
                // as long as any token lives.
                let kept = now.plus(u64::from(Lifetime::MAX.seconds() + CLOCK_ALLOWANCE));
                Revocation::Token { nonce, expires_at: expires_at.map(|at| at.max(kept)) }
            }
            Self::Batch(RevokeBatch { batch }) => Revocation::Batch(batch),
            Self::User(RevokeUser { user }) => Revocation::User { user, issued_until: now },
            Self::Key(RevokeKey { key }) => Revocation::Key(key),
        }
    }
}

impl RevocationInfo {
    fn of(revocation: &Revocation) -> Self {
        let (revoked, issued_until) = match revocation {
            Revocation::Token { nonce, .. } => (format!("token {nonce}"), None),
            Revocation::Batch(batch) => (format!("batch {batch}"), None),
            Revocation::User { user, issued_until } => {
                (format!("user {user}"), Some(*issued_until))
            }
            Revocation::Key(key_id) => (format!("key {key_id}"), None),
        };
        Self { revoked, issued_until }
    }
}
