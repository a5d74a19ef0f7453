//! `POST /api/v1/revocations`: refuse a token, a batch, a user or a key from
//! now on.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use serde::{Deserialize, Serialize};

use super::{AdminDoor, AdminError};
use crate::ledger::Revocation;
use crate::token::{Batch, CLOCK_ALLOWANCE, KeyId, Lifetime, Nonce, Role, UnixSeconds, UserName};

/// Exactly one of the four, by its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    token: Option<String>,
    batch: Option<String>,
    user: Option<String>,
    key: Option<String>,
    /// When the token expires, if known: the line is forgotten after that.
    expires_at: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Revoked {
    revoked: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_until: Option<String>,
}

pub(super) async fn revoke(
    request: HttpRequest,
    door: Data<AdminDoor>,
    wish: Json<Wish>,
) -> Result<Json<Revoked>, AdminError> {
    let operator = door.enter(&request, wish.needed())?;
    let revocation = wish.understand(door.now())?;
    if revocation == Revocation::Key(operator.key_id()) {
        return Err(AdminError::OwnKey);
    }
    let answer = Revoked::of(&revocation);
    door.ledger.revoke(revocation).await?;
    operator.did(&format!("revoked {}", answer.revoked));
    Ok(Json(answer))
}

impl Wish {
    /// Whoever may revoke a key could shut everybody out for good.
    const fn needed(&self) -> Role {
        if self.key.is_some() { Role::Admin } else { Role::Operator }
    }

    fn understand(&self, now: UnixSeconds) -> Result<Revocation, AdminError> {
        let Self { token, batch, user, key, expires_at } = self;
        match (token, batch, user, key) {
            (Some(token), None, None, None) => {
                // Whoever is wrong about the expiry must not bring the token back:
                // the line is kept at least as long as any token lives.
                let kept = now.plus(u64::from(Lifetime::MAX.seconds() + CLOCK_ALLOWANCE));
                let expires_at = expires_at.as_deref().map(moment).transpose()?;
                let expires_at = expires_at.map(|at| at.max(kept));
                Ok(Revocation::Token { nonce: parse::<Nonce>(token)?, expires_at })
            }
            (None, Some(batch), None, None) => Ok(Revocation::Batch(parse::<Batch>(batch)?)),
            (None, None, Some(user), None) => {
                Ok(Revocation::User { user: parse::<UserName>(user)?, issued_until: now })
            }
            (None, None, None, Some(key)) => Ok(Revocation::Key(parse::<KeyId>(key)?)),
            _ => Err(AdminError::Request("name one of token, batch, user or key".to_owned())),
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

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, AdminError> {
    text.parse().map_err(|error: T::Err| AdminError::Request(error.to_string()))
}

fn moment(text: &str) -> Result<UnixSeconds, AdminError> {
    let stamp = parse::<jiff::Timestamp>(text)?;
    let seconds = u64::try_from(stamp.as_second());
    seconds
        .map(UnixSeconds::new)
        .map_err(|_| AdminError::Request("the time is before 1970".to_owned()))
}
