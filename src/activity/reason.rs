//! The reasons why a request gets no profile, one word each. The log, the audit log, the metrics
//! and the API all use this word.

use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $reason:ident = $word:literal,)*) => {
        /// Why a request got no profile.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Reason {
            $($(#[doc = $doc])* $reason,)*
        }

        impl Reason {
            /// All reasons.
            pub const ALL: &[Self] = &[$(Self::$reason,)*];

            /// Returns the word. Alerts match it, so it never changes.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$reason => $word,)*
                }
            }
        }
    };
}

reasons! {
    /// The token is an admin token.
    AdminToken = "admin-token",
    /// The user has no permission for autologin.
    AutologinDenied = "autologin-denied",
    /// The token was issued before the ledger was created.
    BeforeLedger = "before-ledger",
    /// The request body was incomplete or late.
    BodyIncomplete = "body-incomplete",
    /// The request body is larger than any form of these pages.
    BodyTooLarge = "body-too-large",
    /// The ledger knows a token with this identity and other claims.
    ClaimsMismatch = "contradiction",
    /// The request came from a page of another site.
    CrossSite = "cross-site",
    /// The token has expired.
    Expired = "expired",
    /// Too many requests are waiting for the ledger.
    LedgerOverloaded = "ledger-overloaded",
    /// The ledger is unavailable.
    LedgerUnavailable = "ledger-unavailable",
    /// The profile does not exist.
    NoProfile = "no-profile",
    /// The link holds no well-formed token.
    NoToken = "no-token",
    /// The token is not valid yet.
    NotYet = "not-yet",
    /// The ledger did not answer in time.
    OutcomeUnknown = "outcome-unknown",
    /// The client is outside the token's network.
    OutsideNetwork = "outside-network",
    /// The request is a prefetch. It is counted, but not recorded as an event.
    Prefetch = "prefetch",
    /// The profile cannot be read.
    ProfileUnreadable = "profile-unreadable",
    /// The token is revoked.
    Revoked = "revoked",
    /// The client exceeded its rate limit.
    TooManyRequests = "too-many-requests",
    /// A trusted proxy did not send the client's address.
    UnknownClient = "unknown-client",
    /// No trusted key signed the token.
    Unverified = "unverified",
    /// All uses are spent.
    UsedUp = "used-up",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_documented() {
        let documentation = include_str!("../../docs/metrics.md");
        for reason in Reason::ALL {
            assert!(documentation.contains(&format!("`{reason}`")), "{reason}");
        }
    }
}
