//! The table of refusals: what each is to its holder, to the log and to the
//! metrics.
//!
//! No arm is a `_`, so that a new reason does not compile until it has its row.
//! 401 is not in the table: a client that knows a password would answer it by
//! asking a second time.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use actix_web::http::StatusCode;

use crate::activity::Reason;
use crate::plain_text::error_chain;
use crate::redeem::{Refusal, Refused};
use crate::token::VerifiedToken;
use crate::token::url::UrlError;

/// Why the door gives no profile.
#[derive(Debug)]
pub(super) enum Denial {
    /// The redemption was refused.
    Redemption(Refused),
    /// The link holds no clean token, so there was nothing to redeem.
    Link(UrlError),
    /// A browser only prepares for a click that may never come.
    Prefetch,
    /// The client asks too often and may ask again after this time.
    TooManyRequests(Duration),
    /// A listed proxy did not say who asks.
    UnknownClient,
    /// A page of another site pressed the button.
    CrossSite,
    /// The body is larger than any form of ours.
    BodyTooLarge,
    /// The body did not come in time, or not whole.
    BodyIncomplete,
}

/// One row of the table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Row {
    pub(super) status: StatusCode,
    /// What the holder reads, in one line; nothing if there is no reader.
    pub(super) text: Cow<'static, str>,
    pub(super) severity: Severity,
    pub(super) reason: Reason,
    /// Seconds after which asking again makes sense.
    pub(super) retry_after_s: Option<u64>,
}

/// How loud the log is about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Severity {
    /// Of no interest unless something is being looked into.
    Debug,
    /// Happens every day.
    Info,
    /// Someone should wonder: a link was used twice, or by the wrong person.
    Warn,
    /// Someone has to act.
    Error,
}

/// What a holder reads whose token was not verified. It is one text for all
/// that can be wrong before the signature holds, so that nobody can feel his
/// way towards a signature.
const TOKEN_NOT_FOUND: &str = "AUTH ERROR: token not found";

/// When to ask again if the ledger cannot decide: elections and restarts take
/// a few seconds.
const LEDGER_RETRY_S: u64 = 5;

/// When to ask again if too much is waiting.
const OVERLOAD_RETRY_S: u64 = 1;

impl Denial {
    /// Finds the row.
    pub(super) fn row(&self) -> Row {
        match self {
            Self::Redemption(refused) => of(&refused.refusal),
            Self::Link(_) => {
                row(StatusCode::NOT_FOUND, TOKEN_NOT_FOUND, Severity::Info, Reason::NoToken)
            }
            Self::Prefetch => {
                row(StatusCode::SERVICE_UNAVAILABLE, "", Severity::Debug, Reason::Prefetch)
            }
            Self::TooManyRequests(wait) => {
                let text = "too many requests; try again shortly, nothing was used up";
                row(StatusCode::TOO_MANY_REQUESTS, text, Severity::Debug, Reason::TooManyRequests)
                    .retry_after(wait.as_secs().saturating_add(1))
            }
            Self::UnknownClient => {
                let text = "the proxy did not say who asks; ask your administrator";
                row(StatusCode::BAD_REQUEST, text, Severity::Error, Reason::UnknownClient)
            }
            Self::CrossSite => {
                let text = "another site asked for this; open the link itself, nothing was used up";
                row(StatusCode::FORBIDDEN, text, Severity::Warn, Reason::CrossSite)
            }
            Self::BodyTooLarge => {
                let text = "the body of this request is too large; nothing was used up";
                row(StatusCode::PAYLOAD_TOO_LARGE, text, Severity::Info, Reason::BodyTooLarge)
            }
            Self::BodyIncomplete => {
                let text = "the body of this request did not come; nothing was used up";
                row(StatusCode::REQUEST_TIMEOUT, text, Severity::Debug, Reason::BodyIncomplete)
            }
        }
    }
}

impl Denial {
    /// Returns the token, if there was a true one.
    pub(super) fn token(&self) -> Option<&VerifiedToken> {
        match self {
            Self::Redemption(refused) => refused.token.as_deref(),
            Self::Link(_)
            | Self::Prefetch
            | Self::TooManyRequests(_)
            | Self::UnknownClient
            | Self::CrossSite
            | Self::BodyTooLarge
            | Self::BodyIncomplete => None,
        }
    }

    /// Returns what lies behind the label, for the log only.
    pub(super) fn cause(&self) -> Option<String> {
        match self {
            Self::Redemption(refused) => refused.refusal.source().map(error_chain),
            Self::Link(error) => Some(error.to_string()),
            Self::Prefetch
            | Self::TooManyRequests(_)
            | Self::UnknownClient
            | Self::CrossSite
            | Self::BodyTooLarge
            | Self::BodyIncomplete => None,
        }
    }
}

/// The rows of what a redemption can refuse, in the order of its checks.
fn of(refusal: &Refusal) -> Row {
    match refusal {
        Refusal::Unverified(_) => {
            row(StatusCode::NOT_FOUND, TOKEN_NOT_FOUND, Severity::Info, Reason::Unverified)
        }
        Refusal::NotAProfileToken => {
            row(StatusCode::NOT_FOUND, TOKEN_NOT_FOUND, Severity::Warn, Reason::AdminToken)
        }
        Refusal::NotYet(at) => {
            let text = format!("this link is not valid before {at}");
            row(StatusCode::FORBIDDEN, text, Severity::Warn, Reason::NotYet)
        }
        Refusal::Expired(at) => row(
            StatusCode::GONE,
            format!("this link expired at {at}"),
            Severity::Info,
            Reason::Expired,
        ),
        Refusal::OutsideNetwork(_) => {
            let text = "this link is not valid from your network";
            row(StatusCode::FORBIDDEN, text, Severity::Warn, Reason::OutsideNetwork)
        }
        Refusal::Revoked => {
            row(StatusCode::GONE, "this link was revoked", Severity::Warn, Reason::Revoked)
        }
        Refusal::BeforeLedger => {
            let text = "this link was issued before this server began to count; \
                        ask your administrator for a new one";
            row(StatusCode::GONE, text, Severity::Warn, Reason::BeforeLedger)
        }
        Refusal::AutologinDenied => {
            let text = "NEED_AUTOLOGIN: user lacks autologin privilege";
            row(StatusCode::FORBIDDEN, text, Severity::Warn, Reason::AutologinDenied)
        }
        Refusal::NoProfile(_) => {
            let text = "profile not available, ask your administrator";
            row(StatusCode::NOT_FOUND, text, Severity::Warn, Reason::NoProfile)
        }
        Refusal::ProfileUnreadable(_) => {
            let text = "try again shortly; nothing was used up";
            row(StatusCode::SERVICE_UNAVAILABLE, text, Severity::Error, Reason::ProfileUnreadable)
                .retry_after(LEDGER_RETRY_S)
        }
        // Someone else may have had the profile: who was sent the link will ask.
        Refusal::UsedUp => {
            row(StatusCode::GONE, "this link is used up", Severity::Warn, Reason::UsedUp)
        }
        Refusal::Contradiction => {
            let text = "this link is not valid any more, ask your administrator for a new one";
            row(StatusCode::GONE, text, Severity::Error, Reason::Contradiction)
        }
        Refusal::LedgerUnavailable(_) => {
            let text = "try again shortly; nothing was used up";
            row(StatusCode::SERVICE_UNAVAILABLE, text, Severity::Error, Reason::LedgerUnavailable)
                .retry_after(LEDGER_RETRY_S)
        }
        Refusal::LedgerOverloaded => {
            let text = "try again shortly; nothing was used up";
            row(StatusCode::SERVICE_UNAVAILABLE, text, Severity::Warn, Reason::LedgerOverloaded)
                .retry_after(OVERLOAD_RETRY_S)
        }
        Refusal::OutcomeUnknown(_) => {
            let text = "the server could not finish in time; try again shortly, \
                        but one use of this link may have been used up";
            row(StatusCode::SERVICE_UNAVAILABLE, text, Severity::Error, Reason::OutcomeUnknown)
                .retry_after(LEDGER_RETRY_S)
        }
    }
}

fn row(
    status: StatusCode,
    text: impl Into<Cow<'static, str>>,
    severity: Severity,
    reason: Reason,
) -> Row {
    Row { status, text: text.into(), severity, reason, retry_after_s: None }
}

impl Row {
    fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{LedgerError, OutcomeUnknown, Unavailable};
    use crate::profile::ProfileError;
    use crate::token::{ProfileKind, UnixSeconds, UserName, VerifyError};

    fn every_refusal() -> Vec<(Refusal, u16, &'static str)> {
        let at = UnixSeconds::new(1_000_000_000);
        let user = UserName::new("alice").unwrap();
        let no_profile = ProfileError::NotFound { user, kind: ProfileKind::UserLocked };
        let down = LedgerError::Unavailable(Unavailable::NoLeader);
        let unreadable =
            ProfileError::Io { path: "x".into(), source: std::io::ErrorKind::Other.into() };
        let late = LedgerError::OutcomeUnknown(OutcomeUnknown::TimedOut);
        vec![
            (Refusal::Unverified(VerifyError::Base64), 404, "AUTH ERROR: token not found"),
            (Refusal::Unverified(VerifyError::Signature), 404, "AUTH ERROR: token not found"),
            (Refusal::NotAProfileToken, 404, "AUTH ERROR: token not found"),
            (Refusal::NotYet(at), 403, "not valid before 2001-09-09T01:46:40Z"),
            (Refusal::Expired(at), 410, "expired at 2001-09-09T01:46:40Z"),
            (Refusal::OutsideNetwork("10.0.0.0/8".parse().unwrap()), 403, "from your network"),
            (Refusal::Revoked, 410, "revoked"),
            (Refusal::BeforeLedger, 410, "issued before"),
            (Refusal::AutologinDenied, 403, "NEED_AUTOLOGIN: user lacks autologin privilege"),
            (Refusal::NoProfile(no_profile), 404, "profile not available, ask your administrator"),
            (Refusal::ProfileUnreadable(unreadable), 503, "nothing was used up"),
            (Refusal::UsedUp, 410, "used up"),
            (Refusal::Contradiction, 410, "not valid any more"),
            (Refusal::LedgerUnavailable(down), 503, "try again shortly; nothing was used up"),
            (Refusal::LedgerOverloaded, 503, "try again shortly; nothing was used up"),
            (Refusal::OutcomeUnknown(late), 503, "may have been used up"),
        ]
    }

    #[test]
    fn every_refusal_has_its_status_and_says_why() {
        for (refusal, status, text) in every_refusal() {
            let row = of(&refusal);
            assert_eq!(row.status.as_u16(), status, "{refusal}");
            assert!(row.text.contains(text), "{refusal}: {}", row.text);
            assert_eq!(row.retry_after_s.is_some(), status == 503, "{refusal}");
        }
    }

    #[test]
    fn every_reason_has_a_row() {
        let denials = [
            Denial::Link(UrlError::Missing),
            Denial::Prefetch,
            Denial::TooManyRequests(Duration::ZERO),
            Denial::UnknownClient,
            Denial::CrossSite,
            Denial::BodyTooLarge,
            Denial::BodyIncomplete,
        ];
        let redemptions = every_refusal().into_iter().map(|(refusal, ..)| of(&refusal).reason);
        let mut reasons: Vec<_> =
            denials.iter().map(|denial| denial.row().reason).chain(redemptions).collect();
        reasons.sort_unstable();
        reasons.dedup();
        assert_eq!(reasons, Reason::ALL);
    }

    #[test]
    fn nothing_but_the_log_tells_first_layer_failures_apart() {
        let shown = |row: Row| (row.status, row.text, row.retry_after_s);
        let unverified = shown(of(&Refusal::Unverified(VerifyError::Signature)));
        assert_eq!(shown(of(&Refusal::Unverified(VerifyError::TooLong))), unverified);
        assert_eq!(shown(of(&Refusal::NotAProfileToken)), unverified);
        for error in [UrlError::Missing, UrlError::Repeated, UrlError::Character] {
            assert_eq!(shown(Denial::Link(error).row()), unverified, "{error}");
        }
    }
}
