//! Signing in with an admin token, and out again.
//!
//! - `GET /sign-in`: the form. The link that `jeton admin-link` prints leads
//!   here and has the token behind a `#`, which no server is sent; the module
//!   moves it into the form
//! - `POST /sign-in`: the token, once, for a cookie
//! - `POST /sign-out`: ends the session

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::{Data, Form, Payload};
use actix_web::{FromRequest as _, HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::link::{self, link};
use super::{PageError, answer, query, see_other};
use crate::admin::api::BODY_TIME;
use crate::admin::door::Unfit;
use crate::admin::same_origin::{self, Sender};
use crate::admin::{AdminDoor, AdminError};
use crate::humanize::Moment;
use crate::random;
use crate::token::url::{SIGN_IN_PATH, token_in_pasted};
use crate::token::{TimeError, UnixSeconds};

/// Where it all begins.
pub(super) const SIGN_IN: &str = SIGN_IN_PATH;

/// The first page for who did not ask for another.
pub(super) const FIRST: &str = "/users";

/// The fragments of the addresses that this file leads to. A browser carries
/// along the fragment of what it asked for, which may be a token, unless the new
/// address has one of its own.
const TOP: &str = "#top";

/// As [`TOP`], and the module then says who is signed in already.
const ALREADY: &str = "#signed-in";

/// Stands in the query of the page that a sign-in leads to, so that a cookie
/// that was not kept is noticed.
const SIGNED_IN: &str = "signed-in";

#[derive(Template)]
#[template(path = "admin/sign_in.html")]
struct SignInPage<'a> {
    /// Where to go once signed in.
    next: &'a str,
    problem: Option<Problem>,
}

/// Why the form is shown again.
struct Problem {
    title: &'static str,
    text: String,
}

#[derive(Deserialize)]
pub(super) struct Wish {
    #[serde(default)]
    next: String,
    #[serde(default)]
    why: String,
}

#[derive(Deserialize)]
pub(super) struct Start {
    #[serde(default)]
    next: String,
    #[serde(rename = "signed-in")]
    signed_in: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Entry {
    token: String,
    #[serde(default)]
    next: String,
}

/// `GET /`: where a sign-in leads, and who types the bare address.
pub(super) async fn start(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<HttpResponse, PageError> {
    let wish: Start = query(&request)?;
    let next = link::page(&wish.next).unwrap_or_default();
    let why = match door.enter_to_look(&request) {
        Ok(_) => return Ok(onward(next, TOP)),
        Err(_) if wish.signed_in.is_some() => "cookie",
        Err(_) => "",
    };
    Ok(see_other(&link(SIGN_IN, &[("next", next), ("why", why)])))
}

/// `GET /sign-in`.
pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<HttpResponse, PageError> {
    let wish: Wish = query(&request)?;
    let next = link::page(&wish.next).unwrap_or_default();
    if door.enter_to_look(&request).is_ok() {
        return Ok(onward(next, ALREADY));
    }
    let problem = match wish.why.as_str() {
        "cookie" => Some(Problem::cookie()),
        "ended" => Some(Problem::ended()),
        _ => None,
    };
    answer(StatusCode::OK, &SignInPage { next, problem })
}

/// `POST /sign-in`. A stranger's page could sign somebody in as somebody else;
/// it is turned away like any other.
pub(super) async fn enter(
    request: HttpRequest,
    door: Data<AdminDoor>,
    body: Payload,
) -> Result<HttpResponse, PageError> {
    if same_origin::sender(request.headers()) == Sender::Other {
        return Err(AdminError::CrossSite.into());
    }
    let entry = match read(&request, body).await {
        Ok(entry) => entry,
        Err(status) => {
            let problem = Some(Problem::form(status));
            return answer(status, &SignInPage { next: "", problem });
        }
    };
    let next = link::page(&entry.next).unwrap_or_default();
    let (status, problem) = match door.sign_in(&request, token_in(&entry.token)) {
        Ok((onlooker, session)) => {
            let cookie = door.sessions.open(session, door.now(), random::bytes)?;
            onlooker.did("signed in");
            let start = link("/", &[("next", next), (SIGNED_IN, "1")]);
            let mut answer = see_other(&(start + TOP));
            set(&mut answer, &cookie);
            return Ok(answer);
        }
        Err(Unfit::Ledger(error)) => return Err(PageError::Door(error.into())),
        Err(unfit) => (StatusCode::UNAUTHORIZED, Problem::of(&unfit, door.now())),
    };
    answer(status, &SignInPage { next, problem: Some(problem) })
}

/// Reads the form, which must come within [`BODY_TIME`]; else the status that says
/// what is wrong with it.
async fn read(request: &HttpRequest, body: Payload) -> Result<Entry, StatusCode> {
    let form = Form::<Entry>::from_request(request, &mut body.into_inner());
    match tokio::time::timeout(BODY_TIME, form).await {
        Ok(Ok(Form(entry))) => Ok(entry),
        Ok(Err(error)) => Err(error.as_response_error().status_code()),
        Err(_too_slow) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// `POST /sign-out`.
pub(super) async fn leave(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<HttpResponse, PageError> {
    if same_origin::sender(request.headers()) != Sender::Own {
        return Err(AdminError::CrossSite.into());
    }
    if let Ok(onlooker) = door.enter_to_look(&request) {
        onlooker.did("signed out");
    }
    let gone = door.sessions.end(&request);
    let mut answer = see_other(SIGN_IN);
    set(&mut answer, &gone);
    // What a back button would show is gone as well.
    let name = HeaderName::from_static("clear-site-data");
    answer.headers_mut().insert(name, HeaderValue::from_static("\"cache\""));
    Ok(answer)
}

/// Leads somebody who is signed in to the page he asked for.
fn onward(next: &str, fragment: &str) -> HttpResponse {
    let page = if next.is_empty() { FIRST } else { next };
    see_other(&format!("{page}{fragment}"))
}

fn set(answer: &mut HttpResponse, cookie: &Cookie<'static>) {
    if let Ok(line) = HeaderValue::from_str(&cookie.encoded().to_string()) {
        answer.headers_mut().append(header::SET_COOKIE, line);
    }
}

/// Finds the token in what was pasted: the token, or a whole link. That of
/// `jeton admin-link` has it behind a `#`.
fn token_in(pasted: &str) -> &str {
    let text = pasted.trim();
    match text.rsplit_once('#') {
        Some((_link, token)) => token,
        None => token_in_pasted(text).unwrap_or(text),
    }
}

impl Problem {
    fn new(title: &'static str, text: impl Into<String>) -> Self {
        Self { title, text: text.into() }
    }

    fn cookie() -> Self {
        Self::new(
            "Your browser did not keep the session",
            "The token is good, but this browser keeps secure cookies over https only. Chromium \
             and Firefox make an exception for 127.0.0.1 and localhost; Safari does not. Use one \
             of these, or put https in front of this address. Perhaps cookies are turned off, too.",
        )
    }

    /// The form is not as the page sends it.
    fn form(status: StatusCode) -> Self {
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new(
                "This is too long for an admin token",
                "Paste the link that `jeton admin-link` printed, and nothing else.",
            );
        }
        Self::new("The form did not arrive as it should", "Try again with the one below.")
    }

    fn ended() -> Self {
        Self::new("Your session has ended", "Sign in again to go on where you were.")
    }

    fn of(unfit: &Unfit, now: UnixSeconds) -> Self {
        match unfit {
            Unfit::Unverified => Self::new(
                "This is no admin token of this node",
                "Perhaps a part of it was lost when it was copied, or the key that signed it is \
                 not trusted here.",
            ),
            Unfit::Profile => Self::new(
                "This is a link to a profile",
                "It downloads a VPN profile and opens no door here. Sign in with an admin token.",
            ),
            Unfit::Time(TimeError::Expired(at)) => {
                let Moment { date, relative, .. } = Moment::end(*at, now);
                Self::new(
                    "This admin token has expired",
                    format!("It expired {relative}, on {date}."),
                )
            }
            Unfit::Time(TimeError::NotYet(at)) => {
                let Moment { date, .. } = Moment::beginning(*at, now);
                Self::new(
                    "This admin token is not valid yet",
                    format!("It becomes valid on {date}. If it is new, compare the clocks."),
                )
            }
            Unfit::Network => Self::new(
                "This admin token is not valid from your network",
                "It is bound to another one.",
            ),
            Unfit::Revoked => Self::new("This admin token was revoked", "Ask for a new one."),
            Unfit::Ledger(error) => Self::new("Not now", error.to_string()),
        }
    }
}
