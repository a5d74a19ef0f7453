//! The text of the page that people see when a request is refused: what happened and what to do.
//!
//! The table of refusals has one line for programs. No arm is a `_` here either.

use std::borrow::Cow;

use super::refusal::Denial;
use crate::humanize::{Moment, counted};
use crate::redeem::Refusal;
use crate::token::UnixSeconds;

/// A page without a profile.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Notice {
    pub(super) title: Cow<'static, str>,
    /// A sentence that ends with a time, such as `It expired on`, and the time.
    pub(super) when: Option<(&'static str, Moment)>,
    pub(super) text: Cow<'static, str>,
    /// Whether the page has a button to try again.
    pub(super) try_again: bool,
}

impl Notice {
    /// Returns a notice of one line.
    pub(super) fn plain(title: &str, line: &str) -> Self {
        notice(title.to_owned(), line.to_owned())
    }

    /// Returns the notice of `denial` at `now`.
    pub(super) fn of(denial: &Denial, now: UnixSeconds) -> Self {
        match denial {
            Denial::Redemption(refused) => of(&refused.refusal, now),
            Denial::Link(_) => not_found(),
            // Never shown: the response has no body.
            Denial::Prefetch => notice("Not now", "Open the link itself."),
            Denial::TooManyRequests(wait) => {
                let wait = counted(wait.as_secs().saturating_add(1), "second");
                let text = format!(
                    "Too many requests came from your network. Wait {wait} and try again. \
                     Nothing was used up."
                );
                notice("Too many requests", text).try_again()
            }
            Denial::UnknownClient => notice(
                "Server not set up correctly",
                "The proxy in front of this server did not pass on your address. Tell your \
                 administrator. Nothing was used up.",
            ),
            Denial::CrossSite => notice(
                "Open the link itself",
                "Another website started this download, so it was refused. If you want the \
                 profile, open the link from the message you received. Nothing was used up.",
            ),
            Denial::BodyTooLarge => notice(
                "Request too large",
                "The request was larger than any that this page sends. Nothing was used up.",
            ),
            Denial::BodyIncomplete => notice(
                "Request incomplete",
                "The connection was too slow or was lost. Nothing was used up.",
            )
            .try_again(),
        }
    }

    fn at(self, what: &'static str, moment: Moment) -> Self {
        Self { when: Some((what, moment)), ..self }
    }

    fn try_again(self) -> Self {
        Self { try_again: true, ..self }
    }
}

/// Returns the one notice for every token that is not verified.
fn not_found() -> Notice {
    notice(
        "Link not found",
        "Part of the link may have been lost when it was copied. Open it again from the message \
         you received, or ask your administrator for a new one.",
    )
}

/// Returns the notice of a refused redemption, in the order of the checks.
fn of(refusal: &Refusal, now: UnixSeconds) -> Notice {
    match refusal {
        Refusal::Unverified(_) | Refusal::NotAProfileToken => not_found(),
        Refusal::NotYet(at) => {
            notice("This link is not valid yet", "Open it again then. Nothing was used up.")
                .at("It becomes valid on", Moment::beginning(*at, now))
        }
        Refusal::Expired(at) => {
            notice("This link has expired", "Ask your administrator for a new one.")
                .at("It expired on", Moment::end(*at, now))
        }
        Refusal::OutsideNetwork(_) => notice(
            "Not valid from your network",
            "This link works only from certain networks, such as your office network. Open it \
             there, or ask your administrator. Nothing was used up.",
        ),
        Refusal::Revoked => notice(
            "This link was revoked",
            "Your administrator has withdrawn it. Ask for a new one if you still need it.",
        ),
        Refusal::BeforeLedger => notice(
            "This link is no longer valid",
            "It was issued before this server began to count uses. Ask your administrator for a \
             new one.",
        ),
        Refusal::AutologinDenied => notice(
            "Not permitted",
            "This link is for a profile that connects without a password (autologin), which its \
             user is not allowed to have. Ask your administrator. Nothing was used up.",
        ),
        Refusal::NoProfile(_) => notice(
            "Profile not available",
            "The link is valid, but its profile is not available at present. Ask your \
             administrator. Nothing was used up.",
        ),
        Refusal::UsedUp => notice(
            "This link is used up",
            "The profile was downloaded as often as the link allows. Ask your administrator for \
             a new link. If you did not download it, tell them.",
        ),
        Refusal::ClaimsMismatch => notice(
            "This link is no longer valid",
            "Something is wrong with it. Ask your administrator for a new one.",
        ),
        Refusal::LedgerUnavailable(_)
        | Refusal::LedgerOverloaded
        | Refusal::ProfileUnreadable(_) => notice(
            "Try again shortly",
            "The server cannot deliver profiles at the moment. Nothing was used up.",
        )
        .try_again(),
        Refusal::OutcomeUnknown(_) => notice(
            "Try again shortly",
            "The server could not finish in time. One use of this link may have been used up; if \
             so, ask your administrator for a new one.",
        )
        .try_again(),
    }
}

fn notice(title: impl Into<Cow<'static, str>>, text: impl Into<Cow<'static, str>>) -> Notice {
    Notice { title: title.into(), when: None, text: text.into(), try_again: false }
}
