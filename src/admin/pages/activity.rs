//! `/activity`: what happened at this node of late, in plain words.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::frame::Frame;
use super::link::link;
use super::{PageError, answer, given, query};
use crate::activity::{Event, EventFilter, EventName, Reason, TokenSeen, What};
use crate::admin::AdminDoor;
use crate::humanize::{KindWords, Moment, counted};
use crate::token::UnixSeconds;

/// Where this page is.
const PAGE: &str = "/activity";

/// How many events are shown, and how many who wants more is shown.
const ROWS: usize = 100;
const ROWS_MAX: usize = 1_000;

#[derive(Deserialize)]
pub(super) struct Wish {
    #[serde(default)]
    user: String,
    #[serde(default)]
    event: String,
    /// Anything, for more rows.
    #[serde(default)]
    more: String,
}

#[derive(Template)]
#[template(path = "admin/activity.html")]
struct ActivityPage<'a> {
    frame: Frame,
    wish: &'a Wish,
    events: [(&'static str, &'static str); 3],
    rows: Vec<Row>,
    is_filtered: bool,
    more: Option<String>,
}

struct Row {
    at: Moment,
    event: &'static str,
    word: &'static str,
    /// Whom it is about, and what else he has.
    user: Option<(String, String)>,
    text: String,
    id: Option<String>,
    client: Option<String>,
}

pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<HttpResponse, PageError> {
    let frame = Frame::enter(&request, &door, "Activity")?;
    let wish: Wish = query(&request)?;
    let filter = wish.understand()?;
    let max = if wish.more.is_empty() { ROWS } else { ROWS_MAX };
    let now = frame.now;
    let events = door.activity.recent(max, |event| filter.accepts(event));
    let is_cut = wish.more.is_empty() && events.len() == max;
    let query = [("user", wish.user.trim()), ("event", &wish.event), ("more", "1")];
    let page = ActivityPage {
        frame,
        wish: &wish,
        events: EventName::ALL.map(choice),
        rows: events.iter().map(|event| Row::of(event, now)).collect(),
        is_filtered: filter != EventFilter::default(),
        more: is_cut.then(|| link("/activity", &query)),
    };
    answer(StatusCode::OK, &page)
}

impl Wish {
    fn understand(&self) -> Result<EventFilter, PageError> {
        Ok(EventFilter {
            user: given(&self.user, "user", PAGE)?,
            event: given(&self.event, "event", PAGE)?,
        })
    }
}

impl Row {
    fn of(event: &Event, now: UnixSeconds) -> Self {
        let (token, text) = match &event.what {
            What::Delivered { token, uses_left } => (Some(token), delivered(token, *uses_left)),
            What::Refused { token, reason } => (token.as_ref(), plain(*reason).to_owned()),
            What::Done { role, what, .. } => (None, format!("{what} (as {role})")),
        };
        let user = event.what.user().map(ToString::to_string);
        Self {
            at: Moment::event(event.at, now),
            event: event.what.name().as_str(),
            word: word(event.what.name()),
            user: user.map(|user| (link("/activity", &[("user", &user)]), user)),
            text,
            id: token.map(|token| token.id.nonce.to_string()),
            client: event.client.map(|client| client.to_string()),
        }
    }
}

const fn word(event: EventName) -> &'static str {
    match event {
        EventName::Delivered => "Delivered",
        EventName::Refused => "Refused",
        EventName::Operation => "Operation",
    }
}

/// The filter by event: its word in addresses, and for people.
const fn choice(event: EventName) -> (&'static str, &'static str) {
    let words = match event {
        EventName::Delivered | EventName::Refused => word(event),
        EventName::Operation => "Operations",
    };
    (event.as_str(), words)
}

fn delivered(token: &TokenSeen, uses_left: Option<u32>) -> String {
    let kind = token.kind.map_or("Profile", |kind| KindWords::of(kind).name);
    match uses_left {
        None => format!("{kind} profile, unlimited uses"),
        Some(0) => format!("{kind} profile, last use"),
        Some(left) => format!("{kind} profile, {} left", counted(left, "use")),
    }
}

/// Says in plain words why there was no profile.
const fn plain(reason: Reason) -> &'static str {
    match reason {
        Reason::Unverified | Reason::NoToken => {
            "Not a link of ours: unknown, forged or copied badly"
        }
        Reason::AdminToken => "An admin token was used as a link",
        Reason::NotYet => "The link is not valid yet: compare the clocks",
        Reason::Expired => "The link had expired",
        Reason::OutsideNetwork => "Asked from outside the link's network",
        Reason::Revoked => "The link was revoked",
        Reason::BeforeLedger => "The link is older than this ledger",
        Reason::AutologinDenied => "The user is not permitted autologin",
        Reason::NoProfile => "There is no profile to deliver",
        Reason::ProfileUnreadable => "The profile could not be read: see the log",
        Reason::UsedUp => "The link was used up",
        Reason::Contradiction => "Another token has the same nonce: is a key being misused?",
        Reason::LedgerUnavailable => "The ledger could not decide: see the log",
        Reason::LedgerOverloaded => "Too much was waiting for the ledger",
        Reason::OutcomeUnknown => "The ledger did not answer in time; a use may be spent",
        Reason::Prefetch => "A browser looked ahead",
        Reason::TooManyRequests => "Asked too often",
        Reason::UnknownClient => "The proxy did not say who asks: see trusted_proxies",
        Reason::CrossSite => "Another website asked",
        Reason::BodyTooLarge => "The request was too large",
        Reason::BodyIncomplete => "The request broke off",
    }
}
