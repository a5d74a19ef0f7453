//! The content of the log: commands, and the outcome of each.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::Note;
use crate::token::{
    Batch, Claims, KeyId, Nonce, ProfileKind, Purpose, TokenId, UnixSeconds, UseLimit, UserName,
};

/// One entry of the log: commands that share one timestamp.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// The leader's clock when it built the entry.
    pub timestamp: UnixSeconds,
    /// The commands, applied in this order.
    pub commands: Vec<Command>,
}

/// One change of the ledger.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Command {
    /// Spends one use of a token.
    Spend(Spend),
    /// Revokes tokens.
    Revoke(Revocation),
    /// Allows or denies a user profiles of kind `autologin`.
    Permit {
        /// The user.
        user: UserName,
        /// Whether `autologin` profiles are allowed.
        autologin: bool,
    },
    /// Records a minted token, so that lists show it before its first use. It holds the token's
    /// claims, never the token.
    Record {
        /// The token's claims.
        record: TokenRecord,
        /// The operator's note.
        note: Note,
    },
}

/// A request to spend one use of a token.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Spend {
    /// The token.
    pub token: TokenId,
    /// Its use limit.
    pub max: NonZeroU32,
    /// The kind of its profile.
    pub kind: ProfileKind,
    /// The user of its profile.
    pub user: UserName,
    /// When it was minted.
    pub issued_at: UnixSeconds,
    /// The first second at which it is no longer valid.
    pub expires_at: UnixSeconds,
    /// The idempotency key.
    pub request_id: RequestId,
}

impl Spend {
    /// Returns the request to spend one use of the token `id` with `claims`, or `None` if it is an
    /// admin token or unlimited.
    #[must_use]
    pub fn of(id: TokenId, claims: &Claims, request_id: RequestId) -> Option<Self> {
        let (Purpose::Profile(kind), UseLimit::Limited(max)) = (claims.purpose, claims.uses) else {
            return None;
        };
        Some(Self {
            token: id,
            max,
            kind,
            user: claims.user.clone(),
            issued_at: claims.issued_at,
            expires_at: claims.expires_at(),
            request_id,
        })
    }
}

/// The idempotency key of a spend: sixteen random bytes. A request that is repeated with the same
/// id and token within [`VERDICT_MEMORY`](super::VERDICT_MEMORY) gets the same verdict and costs no
/// second use.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct RequestId(pub [u8; 16]);

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({:032x})", u128::from_be_bytes(self.0))
    }
}

/// Which tokens to revoke. A revocation is final.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Revocation {
    /// The token with this nonce, under any key.
    Token {
        /// Its nonce.
        nonce: Nonce,
        /// When it expires, if that is known: some time later the revocation is dropped. Without it
        /// the revocation is kept forever.
        expires_at: Option<UnixSeconds>,
    },
    /// All tokens of one mint run.
    Batch(Batch),
    /// All profile tokens of a user issued up to and including one second. Admin tokens of that
    /// name are not revoked.
    User {
        /// The user.
        user: UserName,
        /// The last second whose tokens are revoked.
        issued_until: UnixSeconds,
    },
    /// All tokens that this key has signed or will sign.
    Key(KeyId),
}

/// What the ledger stores of a token's claims.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TokenRecord {
    /// The token.
    pub token: TokenId,
    /// The kind of its profile.
    pub kind: ProfileKind,
    /// The user of its profile.
    pub user: UserName,
    /// When it was minted.
    pub issued_at: UnixSeconds,
    /// The first second at which it is no longer valid.
    pub expires_at: UnixSeconds,
    /// Its use limit.
    pub uses: UseLimit,
}

impl TokenRecord {
    /// Returns the record of the profile token with this id, kind and claims.
    #[must_use]
    pub fn of(token: TokenId, kind: ProfileKind, claims: &Claims) -> Self {
        Self {
            token,
            kind,
            user: claims.user.clone(),
            issued_at: claims.issued_at,
            expires_at: claims.expires_at(),
            uses: claims.uses,
        }
    }
}

/// The outcome of one command.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Outcome {
    /// The command was applied. It may have changed nothing.
    Done,
    /// One use was spent.
    Granted {
        /// Uses spent so far, with this one: at least 1 and at most the limit.
        used: u32,
    },
    /// No use was spent.
    Refused(SpendRefusal),
}

/// Why no use was spent, in the order of the checks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum SpendRefusal {
    /// The token was issued before this ledger began to count.
    BeforeLedger,
    /// The token has expired by the ledger's time.
    Expired,
    /// The token, its batch, its user or its key is revoked.
    Revoked,
    /// The token's kind is `autologin`, which its user is not allowed.
    AutologinDenied,
    /// The same nonce was seen before with other claims.
    ClaimsMismatch,
    /// All its uses are spent.
    UsedUp,
}
