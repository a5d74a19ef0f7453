//! The table of refusals: status, text, log level and label of each.
//!
//! No arm is a `_`, so a new reason does not compile until it has a row. No row has status 401: a
//! client that knows a password would repeat its request.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use actix_web::http::StatusCode;

use crate::activity::Reason;
use crate::plain_text::error_chain;
use crate::redeem::{Refusal, RefusedAttempt};
use crate::token::VerifiedToken;
use crate::token::url::UrlError;

/// Why a request gets no profile.
#[derive(Debug)]
pub(super) enum Denial {
    /// The redemption was refused.
    Redemption(RefusedAttempt),
    /// The link contains no well-formed token.
    Link(UrlError),
    /// A browser only prepares for a click.
    Prefetch,
    /// The client exceeds its rate and may ask again after this time.
    TooManyRequests(Duration),
    /// A listed proxy did not identify the client.
    UnknownClient,
    /// A page of another site sent the form.
    CrossSite,
    /// The body exceeds the size of the form.
    BodyTooLarge,
    /// The body is incomplete, or took too long.
    BodyIncomplete,
}

/// One row of the table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct RefusalRow {
    pub(super) status: StatusCode,
    /// The text for the client, one line; empty for a response without a body.
    pub(super) text: Cow<'static, str>,
    pub(super) severity: Severity,
    pub(super) reason: Reason,
    /// Seconds after which the client may try again.
    pub(super) retry_after_s: Option<u64>,
}

/// The log level.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Severity {
    /// Useful only while debugging.
    Debug,
    /// Expected in normal use.
    Info,
    /// Deserves a look: a link was used twice, or by the wrong person.
    Warn,
    /// An operator has to act.
    Error,
}

/// The text for every token that is not verified. It is the same for every cause, so that an
/// attacker learns nothing about how to forge a signature.
const TOKEN_NOT_FOUND: &str = "AUTH ERROR: token not found";

/// When to retry if the ledger cannot decide. Elections and restarts take a few seconds.
const LEDGER_RETRY_S: u64 = 5;

/// When to retry if the ledger is overloaded.
const OVERLOAD_RETRY_S: u64 = 1;

impl Denial {
    /// Returns the row.
    pub(super) fn row(&self) -> RefusalRow {
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
                let text = "the proxy did not identify the client; ask your administrator";
                row(StatusCode::BAD_REQUEST, text, Severity::Error, Reason::UnknownClient)
            }
            Self::CrossSite => {
                let text =
                    "another site sent this request; open the link itself, nothing was used up";
                row(StatusCode::FORBIDDEN, text, Severity::Warn, Reason::CrossSite)
            }
            Self::BodyTooLarge => {
                let text = "the body of this request is too large; nothing was used up";
                row(StatusCode::PAYLOAD_TOO_LARGE, text, Severity::Info, Reason::BodyTooLarge)
            }
            Self::BodyIncomplete => {
                let text = "the body of this request did not arrive; nothing was used up";
                row(StatusCode::REQUEST_TIMEOUT, text, Severity::Debug, Reason::BodyIncomplete)
            }
        }
    }

    /// Returns the token if it was verified.
    pub(super) fn token(&self) -> Option<&VerifiedToken> {
        let Self::Redemption(refused) = self else { return None };
        refused.token.as_deref()
    }

    /// Returns the cause, for the log only.
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

/// Returns the row of a refused redemption, in the order of the checks.
fn of(refusal: &Refusal) -> RefusalRow {
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
            let text = "this link was issued before this server began to count uses; \
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
        // If another person took the profile, the intended user will ask.
        Refusal::UsedUp => {
            row(StatusCode::GONE, "this link is used up", Severity::Warn, Reason::UsedUp)
        }
        Refusal::ClaimsMismatch => {
            let text = "this link is no longer valid; ask your administrator for a new one";
            row(StatusCode::GONE, text, Severity::Error, Reason::ClaimsMismatch)
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
) -> RefusalRow {
    RefusalRow { status, text: text.into(), severity, reason, retry_after_s: None }
}

impl RefusalRow {
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
            (Refusal::ClaimsMismatch, 410, "no longer valid"),
            (Refusal::LedgerUnavailable(down), 503, "try again shortly; nothing was used up"),
            (Refusal::LedgerOverloaded, 503, "try again shortly; nothing was used up"),
            (Refusal::OutcomeUnknown(late), 503, "may have been used up"),
        ]
    }

    #[test]
    fn every_refusal_has_its_status_and_text() {
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
    fn responses_do_not_distinguish_unverified_tokens() {
        let visible = |row: RefusalRow| (row.status, row.text, row.retry_after_s);
        let unverified = visible(of(&Refusal::Unverified(VerifyError::Signature)));
        assert_eq!(visible(of(&Refusal::Unverified(VerifyError::TooLong))), unverified);
        assert_eq!(visible(of(&Refusal::NotAProfileToken)), unverified);
        for error in [UrlError::Missing, UrlError::Repeated, UrlError::Character] {
            assert_eq!(visible(Denial::Link(error).row()), unverified, "{error}");
        }
    }
}
