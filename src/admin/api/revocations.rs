//! `POST /api/v1/revocations`: refuse a token, a batch, a user or a key from
//! now on.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::fields::Fields;
use super::openapi::RevokeErrors;
use super::{AdminDoor, AdminError, RequestFault};
use crate::admin::door::Changeable;
use crate::ledger::Revocation;
use crate::token::{
    AdminRole, Batch, CLOCK_ALLOWANCE, KeyId, Lifetime, Nonce, UnixSeconds, UserName,
};

/// Exactly one of these.
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum NewRevocation {
    Token(RevokeToken),
    Batch(RevokeBatch),
    User(RevokeUser),
    Key(RevokeKey),
}

/// One token.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeToken {
    /// Its id.
    token: Nonce,
    /// When the token expires, if known: some time after that the line is
    /// forgotten.
    expires_at: Option<UnixSeconds>,
}

/// All tokens of one mint run.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeBatch {
    batch: Batch,
}

/// All tokens of a user that were issued until now.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeUser {
    user: UserName,
}

/// All tokens of a key; only an admin may do it, and not to the key of his own
/// token.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeKey {
    key: KeyId,
}

/// What is refused from now on.
#[derive(Serialize, ToSchema)]
pub(super) struct Revoked {
    /// What it is, in words.
    #[schema(example = "user alice")]
    revoked: String,
    /// Of a user, the last second whose tokens are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = UnixSeconds, required = false)]
    issued_until: Option<String>,
}

/// Refuse a token, a batch, a user's tokens or a key's from now on
///
/// Nothing takes a revocation back. Role: operator; admin for a key.
#[utoipa::path(
    post,
    path = "/api/v1/revocations",
    operation_id = "revoke",
    request_body = NewRevocation,
    responses((status = 200, description = "It is refused", body = Revoked), RevokeErrors),
)]
pub(super) async fn revoke(
    request: HttpRequest,
    door: Data<AdminDoor>,
    body: Body,
) -> Result<Json<Revoked>, AdminError> {
    let operator = door.enter(&request, AdminRole::Operator)?;
    let wish = NewRevocation::read(Fields::of_body(&request, &body)?)?;
    // Whoever may revoke a key could shut everybody out for good.
    if matches!(wish, NewRevocation::Key(_)) {
        door.enter(&request, AdminRole::Admin)?;
    }
    let revocation = wish.revocation(door.now());
    if revocation == Revocation::Key(operator.key_id()) {
        return Err(AdminError::OwnKey);
    }
    let answer = Revoked::of(&revocation);
    let what = format!("revoked {}", answer.revoked);
    let revoke = |it: Changeable| async move { it.ledger.revoke(revocation).await };
    door.change(operator, what, revoke).await?;
    Ok(Json(answer))
}

impl NewRevocation {
    /// Reads the one of the four that is there.
    fn read(mut fields: Fields) -> Result<Self, AdminError> {
        let wish = if fields.has("token") {
            let token = fields.required("token")?;
            Self::Token(RevokeToken { token, expires_at: fields.optional("expires_at")? })
        } else if fields.has("batch") {
            Self::Batch(RevokeBatch { batch: fields.required("batch")? })
        } else if fields.has("user") {
            Self::User(RevokeUser { user: fields.required("user")? })
        } else if fields.has("key") {
            Self::Key(RevokeKey { key: fields.required("key")? })
        } else {
            return Err(RequestFault::NothingToRevoke.into());
        };
        fields.finish()?;
        Ok(wish)
    }

    fn revocation(self, now: UnixSeconds) -> Revocation {
        match self {
            Self::Token(RevokeToken { token: nonce, expires_at }) => {
                // Whoever is wrong about the expiry must not bring the token back:
                // the line is kept at least as long as any token lives.
                let kept = now.plus(u64::from(Lifetime::MAX.seconds() + CLOCK_ALLOWANCE));
                let expires_at = expires_at.map(|at| at.max(kept));
                Revocation::Token { nonce, expires_at }
            }
            Self::Batch(RevokeBatch { batch }) => Revocation::Batch(batch),
            Self::User(RevokeUser { user }) => Revocation::User { user, issued_until: now },
            Self::Key(RevokeKey { key }) => Revocation::Key(key),
        }
    }
}

impl Revoked {
    fn of(revocation: &Revocation) -> Self {
        let (revoked, issued_until) = match revocation {
            Revocation::Token { nonce, .. } => (format!("token {nonce}"), None),
            Revocation::Batch(batch) => (format!("batch {batch}"), None),
            Revocation::User { user, issued_until } => {
                (format!("user {user}"), Some(issued_until.to_string()))
            }
            Revocation::Key(key_id) => (format!("key {key_id}"), None),
        };
        Self { revoked, issued_until }
    }
}
