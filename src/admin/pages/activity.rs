//! `/activity`: recent events on this node, in plain words.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::error::PageError;
use super::frame::Frame;
use super::link::{ACTIVITY, link};
use super::query::{parse_optional, parse_query};
use super::response::html;
use crate::activity::{Event, EventFilter, EventKind, EventName, Reason, TokenSeen};
use crate::admin::AdminDoor;
use crate::humanize::{KindWords, Moment, counted};
use crate::token::UnixSeconds;

/// The number of events shown at first.
const ROWS: usize = 100;

/// The number of events shown if the reader asks for more.
const ROWS_MAX: usize = 1_000;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ActivityPageQuery {
    user: String,
    event: String,
    /// Not empty, for more rows.
    more: String,
}

#[derive(Template)]
#[template(path = "admin/activity.html")]
struct ActivityPage<'a> {
    frame: Frame,
    query: &'a ActivityPageQuery,
    events: [(&'static str, &'static str); 3],
    rows: Vec<EventRow>,
    is_filtered: bool,
    more: Option<String>,
}

struct EventRow {
    at: Moment,
    event: &'static str,
    event_name: &'static str,
    /// The address of the user's events, and the user.
    user: Option<(String, String)>,
    text: String,
    id: Option<String>,
    client: Option<String>,
}

pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<HttpResponse, PageError> {
    let frame = Frame::enter(&request, &door, ACTIVITY)?;
    let query: ActivityPageQuery = parse_query(&request)?;
    let filter = query.to_filter()?;
    let max = if query.more.is_empty() { ROWS } else { ROWS_MAX };
    let now = frame.now;
    let events = door.activity.recent(max, |event| filter.accepts(event));
    let is_truncated = query.more.is_empty() && events.len() == max;
    let more = [("user", query.user.trim()), ("event", &query.event), ("more", "1")];
    let page = ActivityPage {
        frame,
        query: &query,
        events: EventName::ALL.map(filter_option),
        rows: events.iter().map(|event| EventRow::of(event, now)).collect(),
        is_filtered: filter != EventFilter::default(),
        more: is_truncated.then(|| link(ACTIVITY.path, &more)),
    };
    Ok(html(StatusCode::OK, &page)?)
}

impl ActivityPageQuery {
    fn to_filter(&self) -> Result<EventFilter, PageError> {
        Ok(EventFilter {
            user: parse_optional(&self.user, "user", ACTIVITY)?,
            event: parse_optional(&self.event, "event", ACTIVITY)?,
        })
    }
}

impl EventRow {
    fn of(event: &Event, now: UnixSeconds) -> Self {
        let (token, text) = match &event.kind {
            EventKind::Delivered { token, uses_left } => {
                (Some(token), delivered(token, *uses_left))
            }
            EventKind::Refused { token, reason } => (token.as_ref(), refused(*reason).to_owned()),
            EventKind::Operation { role, did, .. } => (None, format!("{did} (as {role})")),
        };
        let user = event.kind.user().map(ToString::to_string);
        Self {
            at: Moment::event(event.at, now),
            event: event.kind.name().as_str(),
            event_name: event_name(event.kind.name()),
            user: user.map(|user| (link(ACTIVITY.path, &[("user", &user)]), user)),
            text,
            id: token.map(|token| token.id.nonce.to_string()),
            client: event.client.map(|client| client.to_string()),
        }
    }
}

const fn event_name(event: EventName) -> &'static str {
    match event {
        EventName::Delivered => "Delivered",
        EventName::Refused => "Refused",
        EventName::Operation => "Operation",
    }
}

/// Returns the value and the text of an option of the event filter.
const fn filter_option(event: EventName) -> (&'static str, &'static str) {
    let text = match event {
        EventName::Delivered | EventName::Refused => event_name(event),
        EventName::Operation => "Operations",
    };
    (event.as_str(), text)
}

fn delivered(token: &TokenSeen, uses_left: Option<u32>) -> String {
    let kind = token.kind.map_or("Profile", |kind| KindWords::of(kind).name);
    match uses_left {
        None => format!("{kind} profile, unlimited uses"),
        Some(0) => format!("{kind} profile, last use"),
        Some(left) => format!("{kind} profile, {} left", counted(left, "use")),
    }
}

/// Returns in plain words why a request got no profile.
const fn refused(reason: Reason) -> &'static str {
    match reason {
        Reason::Unverified | Reason::NoToken => "Not a valid link: unknown, forged or incomplete",
        Reason::AdminToken => "An admin token was used as a link",
        Reason::NotYet => "The link is not valid yet: compare the clocks",
        Reason::Expired => "The link had expired",
        Reason::OutsideNetwork => "The request came from outside the link's network",
        Reason::Revoked => "The link was revoked",
        Reason::BeforeLedger => "The link is older than this ledger",
        Reason::AutologinDenied => "The user has no permission for autologin",
        Reason::NoProfile => "No profile is available for the user",
        Reason::ProfileUnreadable => "The profile could not be read: see the log",
        Reason::UsedUp => "The link was used up",
        Reason::ClaimsMismatch => "Another token has the same nonce: is a key being misused?",
        Reason::LedgerUnavailable => "The ledger was unavailable: see the log",
        Reason::LedgerOverloaded => "Too many requests were waiting for the ledger",
        Reason::OutcomeUnknown => "The ledger did not answer in time; a use may have been spent",
        Reason::Prefetch => "A browser prefetched the link",
        Reason::TooManyRequests => "Too many requests from this client",
        Reason::UnknownClient => "The proxy did not name the client: see trusted_proxies",
        Reason::CrossSite => "The request came from another website",
        Reason::BodyTooLarge => "The request was too large",
        Reason::BodyIncomplete => "The request was incomplete",
    }
}
