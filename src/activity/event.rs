//! An event: when and what happened, and for which client.

use std::net::IpAddr;

use super::reason::Reason;
use crate::token::{AdminRole, ProfileKind, TokenId, UnixSeconds, UserName};

/// Something that happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// When it happened, by this node's clock.
    pub at: UnixSeconds,
    /// The client's address, if known.
    pub client: Option<IpAddr>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EventKind {
    /// A profile was delivered.
    Delivered {
        /// The token it was delivered for.
        token: TokenSeen,
        /// The uses left; `None` if the token is unlimited.
        uses_left: Option<u32>,
    },
    /// A request got no profile.
    Refused {
        /// The token, if it was verified.
        token: Option<TokenSeen>,
        /// The reason.
        reason: Reason,
    },
    /// An operator changed something, or signed in or out.
    Operation {
        /// The operator.
        operator: UserName,
        /// The operator's role.
        role: AdminRole,
        /// The change, such as `revoked user alice`.
        did: String,
    },
}

impl EventKind {
    /// Returns the user of the token, or the operator who made the change. `None` if unknown.
    #[must_use]
    pub fn user(&self) -> Option<&UserName> {
        match self {
            Self::Delivered { token, .. } => Some(&token.user),
            Self::Refused { token, .. } => token.as_ref().map(|token| &token.user),
            Self::Operation { operator, .. } => Some(operator),
        }
    }
}

/// The facts of a verified token that events hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenSeen {
    /// The token's identity.
    pub id: TokenId,
    /// The user whose profile it gives.
    pub user: UserName,
    /// The profile kind; `None` for an admin token.
    pub kind: Option<ProfileKind>,
}
