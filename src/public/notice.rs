//! What people read when a link gives nothing: what happened, and what to do.
//!
//! The table of refusals has the same for programs, in one line. No arm is a
//! `_` here either.

use std::borrow::Cow;

use super::refusal::Denial;
use crate::humanize::{Moment, counted};
use crate::redeem::Refusal;
use crate::token::UnixSeconds;

/// A page without a profile.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Notice {
    pub(super) title: Cow<'static, str>,
    /// What happened at a moment, such as `It expired on`, and that moment.
    pub(super) when: Option<(&'static str, Moment)>,
    pub(super) text: Cow<'static, str>,
    /// Whether asking again may help.
    pub(super) try_again: bool,
}

impl Notice {
    /// Says one line under its title.
    pub(super) fn plain(title: &str, line: &str) -> Self {
        notice(title.to_owned(), line.to_owned())
    }

    /// Says for people what `denial` is at `now`.
    pub(super) fn of(denial: &Denial, now: UnixSeconds) -> Self {
        match denial {
            Denial::Redemption(refused) => of(&refused.refusal, now),
            Denial::Link(_) => not_found(),
            // Nobody reads this one: it is answered without a body.
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
                "Set up incompletely",
                "The proxy in front of this server did not say who asks. Tell your \
                 administrator. Nothing was used up.",
            ),
            Denial::CrossSite => notice(
                "Open the link itself",
                "Another website asked for this download, so it was refused. If you want the \
                 profile, open the link from the message you received. Nothing was used up.",
            ),
            Denial::BodyTooLarge => notice(
                "Too much was sent",
                "The request was larger than this page ever sends. Nothing was used up.",
            ),
            Denial::BodyIncomplete => notice(
                "The request did not arrive",
                "The connection was too slow or broke off. Nothing was used up.",
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

/// The one page for all that can be wrong before the signature holds.
fn not_found() -> Notice {
    notice(
        "Link not found",
        "Perhaps a part of the link was lost when it was copied. Open it again from the message \
         you received, or ask your administrator for a new one.",
    )
}

/// The notices of what a redemption can refuse, in the order of its checks.
fn of(refusal: &Refusal, now: UnixSeconds) -> Notice {
    match refusal {
        Refusal::Unverified(_) | Refusal::NotAProfileToken => not_found(),
        Refusal::NotYet(at) => {
            notice("This link is not valid yet", "Come back then. Nothing was used up.")
                .at("It becomes valid on", Moment::beginning(*at, now))
        }
        Refusal::Expired(at) => {
            notice("This link has expired", "Ask your administrator for a new one.")
                .at("It expired on", Moment::end(*at, now))
        }
        Refusal::OutsideNetwork(_) => notice(
            "Not valid from your network",
            "This link works from certain networks only, such as that of your office. Open it \
             again from there, or ask your administrator. Nothing was used up.",
        ),
        Refusal::Revoked => notice(
            "This link was revoked",
            "Your administrator has withdrawn it. Ask for a new one if you still need it.",
        ),
        Refusal::BeforeLedger => notice(
            "This link is no longer valid",
            "It was issued before this server began to count. Ask your administrator for a new \
             one.",
        ),
        Refusal::AutologinDenied => notice(
            "Not permitted",
            "This link is for a profile that connects without a password (autologin), and its \
             user is not permitted to have one. Ask your administrator. Nothing was used up.",
        ),
        Refusal::NoProfile(_) => notice(
            "Profile not available",
            "The link is good, but there is no profile behind it at present. Ask your \
             administrator. Nothing was used up.",
        ),
        Refusal::UsedUp => notice(
            "This link is used up",
            "The profile was downloaded as often as the link allows. Ask your administrator for \
             a new one. If it was not you who downloaded it, say so.",
        ),
        Refusal::ClaimsMismatch => notice(
            "This link is no longer valid",
            "Something is wrong with it. Ask your administrator for a new one.",
        ),
        Refusal::LedgerUnavailable(_)
        | Refusal::LedgerOverloaded
        | Refusal::ProfileUnreadable(_) => notice(
            "Try again shortly",
            "The server cannot hand out profiles at this moment. Nothing was used up.",
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
