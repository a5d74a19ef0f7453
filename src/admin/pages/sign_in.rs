//! Signing in with an admin token, and signing out.
//!
//! - `GET /sign-in`: the form. The link that `jeton admin-link` prints leads here with the token in
//!   the fragment, which browsers do not send. The module `jeton.js` moves it into the form.
//! - `POST /sign-in`: exchanges the token for a session cookie
//! - `POST /sign-out`: ends the session

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::{Data, Form, Payload};
use actix_web::{FromRequest as _, HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;

use super::error::PageError;
use super::link::{FIRST, SIGN_IN, link, own_address};
use super::query::parse_query;
use super::response::{html, see_other};
use crate::admin::api::BODY_TIME;
use crate::admin::door::TokenFault;
use crate::admin::same_origin::{self, Sender};
use crate::admin::{AdminDoor, AdminError};
use crate::humanize::Moment;
use crate::random;
use crate::token::url::token_in_pasted;
use crate::token::{TimeError, UnixSeconds};

/// The fragment of redirects. Without one, a browser keeps the fragment of the address that was
/// redirected, which may be a token.
const TOP: &str = "#top";

/// Like [`TOP`], but makes the module show who is signed in already.
const ALREADY: &str = "#signed-in";

/// A query parameter of the page that a sign-in leads to. If it is there without a session, the
/// browser did not keep the cookie.
const SIGNED_IN: &str = "signed-in";

#[derive(Template)]
#[template(path = "admin/sign_in.html")]
struct SignInPage<'a> {
    /// The address that a sign-in leads to.
    next: &'a str,
    problem: Option<Problem>,
}

/// Why the form is shown with a message.
struct Problem {
    title: &'static str,
    text: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SignInQuery {
    next: String,
    why: String,
}

#[derive(Deserialize)]
pub(super) struct StartQuery {
    #[serde(default)]
    next: String,
    #[serde(rename = "signed-in")]
    signed_in: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct SignInForm {
    token: String,
    #[serde(default)]
    next: String,
}

/// `GET /`: a sign-in leads here, and so does the bare address.
pub(super) async fn start(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<HttpResponse, PageError> {
    let query: StartQuery = parse_query(&request)?;
    let next = own_address(&query.next).unwrap_or_default();
    let why = match door.enter_to_look(&request) {
        Ok(_) => return Ok(redirect(next, TOP)),
        Err(_) if query.signed_in.is_some() => "cookie",
        Err(_) => "",
    };
    Ok(see_other(&link(SIGN_IN, &[("next", next), ("why", why)])))
}

/// `GET /sign-in`.
pub(super) async fn show(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<HttpResponse, PageError> {
    let query: SignInQuery = parse_query(&request)?;
    let next = own_address(&query.next).unwrap_or_default();
    if door.enter_to_look(&request).is_ok() {
        return Ok(redirect(next, ALREADY));
    }
    let problem = match query.why.as_str() {
        "cookie" => Some(Problem::cookie()),
        "ended" => Some(Problem::ended()),
        _ => None,
    };
    Ok(html(StatusCode::OK, &SignInPage { next, problem })?)
}

/// `POST /sign-in`. Rejects cross-site requests, which could sign a user in with the token of
/// another.
pub(super) async fn submit(
    request: HttpRequest,
    door: Data<AdminDoor>,
    body: Payload,
) -> Result<HttpResponse, PageError> {
    if same_origin::sender(request.headers()) == Sender::Other {
        return Err(AdminError::CrossSite.into());
    }
    let form = match read_form(&request, body).await {
        Ok(form) => form,
        Err(status) => {
            let problem = Some(Problem::form(status));
            return Ok(html(status, &SignInPage { next: "", problem })?);
        }
    };
    let next = own_address(&form.next).unwrap_or_default();
    let (status, problem) = match door.sign_in(&request, token_in(&form.token)) {
        Ok((viewer, session)) => {
            let cookie = door.sessions.open(session, door.now(), random::bytes)?;
            viewer.did("signed in");
            let start = link("/", &[("next", next), (SIGNED_IN, "1")]);
            let mut response = see_other(&(start + TOP));
            set_cookie(&mut response, &cookie);
            return Ok(response);
        }
        Err(TokenFault::Ledger(error)) => return Err(PageError::Door(error.into())),
        Err(fault) => (StatusCode::UNAUTHORIZED, Problem::of(&fault, door.now())),
    };
    Ok(html(status, &SignInPage { next, problem: Some(problem) })?)
}

/// Reads the form, which must arrive within [`BODY_TIME`]. On failure, returns the status of the
/// response.
async fn read_form(request: &HttpRequest, body: Payload) -> Result<SignInForm, StatusCode> {
    let form = Form::<SignInForm>::from_request(request, &mut body.into_inner());
    match tokio::time::timeout(BODY_TIME, form).await {
        Ok(Ok(Form(form))) => Ok(form),
        Ok(Err(error)) => Err(error.as_response_error().status_code()),
        Err(_elapsed) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// `POST /sign-out`.
pub(super) async fn sign_out(
    request: HttpRequest,
    door: Data<AdminDoor>,
) -> Result<HttpResponse, PageError> {
    if same_origin::sender(request.headers()) != Sender::Own {
        return Err(AdminError::CrossSite.into());
    }
    if let Ok(viewer) = door.enter_to_look(&request) {
        viewer.did("signed out");
    }
    let removal = door.sessions.end(&request);
    let mut response = see_other(SIGN_IN);
    set_cookie(&mut response, &removal);
    // So that the back button shows no page of the session.
    let name = HeaderName::from_static("clear-site-data");
    response.headers_mut().insert(name, HeaderValue::from_static("\"cache\""));
    Ok(response)
}

/// Redirects a signed-in user to the requested page.
fn redirect(next: &str, fragment: &str) -> HttpResponse {
    let address = if next.is_empty() { FIRST.path } else { next };
    see_other(&format!("{address}{fragment}"))
}

fn set_cookie(response: &mut HttpResponse, cookie: &Cookie<'static>) {
    if let Ok(line) = HeaderValue::from_str(&cookie.encoded().to_string()) {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
}

/// Returns the token in the pasted text, which is a token or a whole link. Links of
/// `jeton admin-link` have the token in the fragment.
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
            "The token is valid, but this browser accepts secure cookies only over https, or it \
             has cookies turned off. Chromium and Firefox make an exception for 127.0.0.1 and \
             localhost; Safari does not. Use one of those browsers, or serve this address over \
             https.",
        )
    }

    /// The form is malformed or incomplete.
    fn form(status: StatusCode) -> Self {
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new(
                "This is too long for an admin token",
                "Paste only the link that `jeton admin-link` printed.",
            );
        }
        Self::new("The form was incomplete", "Try again.")
    }

    fn ended() -> Self {
        Self::new("Your session has ended", "Sign in again to continue where you were.")
    }

    fn of(fault: &TokenFault, now: UnixSeconds) -> Self {
        match fault {
            TokenFault::Unverified => Self::new(
                "This is not an admin token of this node",
                "It may have been copied incompletely, or this node does not trust the key that \
                 signed it.",
            ),
            TokenFault::Profile => Self::new(
                "This is a profile link",
                "It downloads a VPN profile. To sign in here, use an admin token.",
            ),
            TokenFault::Time(TimeError::Expired(at)) => {
                let Moment { date, relative, .. } = Moment::end(*at, now);
                Self::new(
                    "This admin token has expired",
                    format!("It expired {relative}, on {date}."),
                )
            }
            TokenFault::Time(TimeError::NotYet(at)) => {
                let Moment { date, .. } = Moment::beginning(*at, now);
                Self::new(
                    "This admin token is not valid yet",
                    format!(
                        "It becomes valid on {date}. If it was just minted, compare the clocks."
                    ),
                )
            }
            TokenFault::Network => Self::new(
                "This admin token is not valid from your network",
                "It is restricted to another network.",
            ),
            TokenFault::Revoked => Self::new("This admin token was revoked", "Ask for a new one."),
            TokenFault::Ledger(error) => Self::new("Try again later", error.to_string()),
        }
    }
}
