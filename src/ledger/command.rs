//! What can be asked of the ledger, and what it answers: the content of the log.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::Note;
use crate::token::{
    Batch, Claims, KeyId, Nonce, ProfileKind, Purpose, TokenId, UnixSeconds, UseLimit, UserName,
};

/// One entry of the log: commands that were decided together, stamped once.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// The leader's clock when it put the entry together.
    pub stamp: UnixSeconds,
    /// The commands, applied in this order.
    pub commands: Vec<Command>,
}

/// One thing asked of the ledger.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Command {
    /// Uses up one use of a token.
    Spend(Spend),
    /// Refuses tokens from now on.
    Revoke(Revocation),
    /// Allows or denies a user the `autologin` kind.
    Permit {
        /// Whom.
        user: UserName,
        /// Whether `autologin` profiles are allowed.
        autologin: bool,
    },
    /// Remembers a token that was minted, so that lists show it before its
    /// first use. It holds what the token says, never the token.
    Record {
        /// What the token says.
        record: TokenRecord,
        /// What was written beside it.
        note: Note,
    },
}

/// A wish to use a token once. Only [`Spend::of`] makes one, from claims.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Spend {
    /// The token.
    pub token: TokenId,
    /// How often it may be used in all, at least once.
    pub max: NonZeroU32,
    /// The kind of profile it gives.
    pub kind: ProfileKind,
    /// Whose profile it gives.
    pub user: UserName,
    /// When it was minted.
    pub issued_at: UnixSeconds,
    /// The first moment at which it is no longer valid.
    pub expires_at: UnixSeconds,
    /// What makes a repeated wish the same wish.
    pub request_id: RequestId,
}

impl Spend {
    /// Makes the wish to use the profile token `id` with `claims` once; `None`
    /// if it has nothing to count.
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

/// Sixteen random bytes that name one wish. The same id asked again for the same
/// token within [`VERDICT_MEMORY`](super::VERDICT_MEMORY) gets the same verdict
/// and costs no second use.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct RequestId(pub [u8; 16]);

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({:032x})", u128::from_be_bytes(self.0))
    }
}

/// Which tokens are refused from now on. Nothing takes a revocation back.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Revocation {
    /// The token with this nonce, whatever key signed it.
    Token {
        /// Its nonce.
        nonce: Nonce,
        /// When it expires, if the one who revokes it knows; the line is
        /// dropped some time after. Without it the line is kept for good.
        expires_at: Option<UnixSeconds>,
    },
    /// All tokens of one mint run.
    Batch(Batch),
    /// All profile tokens of a user that were issued at or before this moment. An
    /// operator of that name keeps his admin token.
    User {
        /// Whose.
        user: UserName,
        /// The last second whose tokens are refused.
        issued_until: UnixSeconds,
    },
    /// All tokens that this key signed or will sign.
    Key(KeyId),
}

/// What the ledger remembers of a token.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TokenRecord {
    /// The token.
    pub token: TokenId,
    /// The kind of profile it gives.
    pub kind: ProfileKind,
    /// Whose profile it gives.
    pub user: UserName,
    /// When it was minted.
    pub issued_at: UnixSeconds,
    /// The first moment at which it is no longer valid.
    pub expires_at: UnixSeconds,
    /// How often it may be used in all.
    pub uses: UseLimit,
}

impl TokenRecord {
    /// Returns what the ledger may remember of the profile token with this id,
    /// kind and claims.
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

/// The answer to one command.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Outcome {
    /// The command changed the state as it asked, or had nothing to change.
    Done,
    /// One use was spent; this many were spent up to and with it.
    Granted {
        /// Uses spent so far, at least 1 and at most the limit.
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
    /// The token expired by the ledger's time.
    Expired,
    /// The token, its batch, its user or its key is revoked.
    Revoked,
    /// It gives `autologin`, which its user is not allowed.
    AutologinDenied,
    /// The same nonce was seen with another limit, expiry, user or kind.
    Contradiction,
    /// All its uses are spent.
    UsedUp,
}
