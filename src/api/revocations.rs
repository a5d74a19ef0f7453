//! Revocations.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::token::{AdminRole, Batch, KeyId, Nonce, UnixSeconds, UserName};

/// Exactly one of these.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum NewRevocation {
    Token(RevokeToken),
    Batch(RevokeBatch),
    User(RevokeUser),
    Key(RevokeKey),
}

/// One token.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeToken {
    /// Its id.
    pub(crate) token: Nonce,
    /// When the token expires, if known. Some time later the revocation is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<UnixSeconds>,
}

/// All tokens of one mint run.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeBatch {
    pub(crate) batch: Batch,
}

/// All profile tokens of a user that were issued until now.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeUser {
    pub(crate) user: UserName,
}

/// All tokens of a key. Only an admin may do this, and not to the key of the token that the request
/// is made with.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeKey {
    pub(crate) key: KeyId,
}

/// What is refused from now on.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = Revoked)]
pub(crate) struct RevocationInfo {
    /// What it is, in words.
    #[schema(example = "user alice")]
    pub(crate) revoked: String,
    /// For a user, the last second whose tokens are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = UnixSeconds, required = false)]
    pub(crate) issued_until: Option<UnixSeconds>,
}

impl NewRevocation {
    /// Revokes one token. `expires_at` is `None` unless it is certain.
    pub(crate) const fn token(token: Nonce, expires_at: Option<UnixSeconds>) -> Self {
        Self::Token(RevokeToken { token, expires_at })
    }

    pub(crate) const fn batch(batch: Batch) -> Self {
        Self::Batch(RevokeBatch { batch })
    }

    pub(crate) const fn user(user: UserName) -> Self {
        Self::User(RevokeUser { user })
    }

    pub(crate) const fn key(key: KeyId) -> Self {
        Self::Key(RevokeKey { key })
    }

    /// Returns the lowest role that may do this. Revoking keys could lock out all admins for good.
    pub(crate) const fn needed_role(&self) -> AdminRole {
        match self {
            Self::Token(_) | Self::Batch(_) | Self::User(_) => AdminRole::Operator,
            Self::Key(_) => AdminRole::Admin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_has_one_json_form() {
        let nonce = Nonce::new(Batch([1; 4]), [2; 12]);
        let at = UnixSeconds::new(1_795_438_800);
        for (revocation, json) in [
            (NewRevocation::token(nonce, None), r#"{"token":"AQEBAQICAgICAgICAgICAg"}"#),
            (
                NewRevocation::token(nonce, Some(at)),
                r#"{"token":"AQEBAQICAgICAgICAgICAg","expires_at":"2026-11-23T13:00:00Z"}"#,
            ),
            (NewRevocation::batch(Batch([10, 27, 44, 61])), r#"{"batch":"0a1b2c3d"}"#),
            (NewRevocation::user(UserName::new("alice").unwrap()), r#"{"user":"alice"}"#),
            (NewRevocation::key(KeyId([63, 42, 156, 1])), r#"{"key":"3f2a9c01"}"#),
        ] {
            assert_eq!(serde_json::to_string(&revocation).unwrap(), json);
        }
    }
}
