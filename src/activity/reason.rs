//! The reasons for which there is no profile, in one word each: the word that
//! the log, the audit log, the metrics and the API have for it.

use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $reason:ident = $word:literal,)*) => {
        /// Why there was no profile.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Reason {
            $($(#[doc = $doc])* $reason,)*
        }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$reason,)*];

            /// Returns its word. Alerts are written with it, so it stays.
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
    /// It is an admin token.
    AdminToken = "admin-token",
    /// The user may not have autologin.
    AutologinDenied = "autologin-denied",
    /// The token is older than the ledger.
    BeforeLedger = "before-ledger",
    /// The body did not come in time, or not whole.
    BodyIncomplete = "body-incomplete",
    /// The body is larger than any form of ours.
    BodyTooLarge = "body-too-large",
    /// The ledger knows another token under this identity.
    Contradiction = "contradiction",
    /// A page of another site asked.
    CrossSite = "cross-site",
    /// The token is expired.
    Expired = "expired",
    /// Too much waits for the ledger.
    LedgerOverloaded = "ledger-overloaded",
    /// The ledger cannot decide.
    LedgerUnavailable = "ledger-unavailable",
    /// There is no such profile.
    NoProfile = "no-profile",
    /// The link holds no clean token.
    NoToken = "no-token",
    /// The token is not valid yet.
    NotYet = "not-yet",
    /// The ledger did not answer in time.
    OutcomeUnknown = "outcome-unknown",
    /// The client is outside the token's network.
    OutsideNetwork = "outside-network",
    /// A browser prepares for a click. It is counted, but is no event.
    Prefetch = "prefetch",
    /// The profile cannot be read.
    ProfileUnreadable = "profile-unreadable",
    /// The token is revoked.
    Revoked = "revoked",
    /// The client asks too often.
    TooManyRequests = "too-many-requests",
    /// A listed proxy did not say who asks.
    UnknownClient = "unknown-client",
    /// No trusted key signed it.
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
    fn each_reason_is_documented() {
        let documentation = include_str!("../../docs/metrics.md");
        for reason in Reason::ALL {
            assert!(documentation.contains(&format!("`{reason}`")), "{reason}");
        }
    }
}
