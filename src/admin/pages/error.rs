//! How a page fails, and how that is said to people.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use askama::Template;
use thiserror::Error;

use super::link::link;
use super::nodes::NODES;
use super::sign_in::{FIRST, SIGN_IN};
use super::{answer, see_other};
use crate::admin::AdminError;
use crate::admin::session::SessionError;

/// Why there is no page.
#[derive(Debug, Error)]
pub(super) enum PageError {
    /// Nobody is signed in; the page asked for comes afterwards.
    #[error("not signed in")]
    SignIn { next: String, had_session: bool },
    #[error("nothing has this address")]
    Lost,
    /// The address asks for what the page `back` does not know.
    #[error("a part of this address is not understood: {what}")]
    Query { what: String, back: &'static str },
    #[error(transparent)]
    Door(#[from] AdminError),
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A template or a header cannot be written.
    #[error("the page cannot be written")]
    Template(askama::Error),
}

#[derive(Template)]
#[template(path = "admin/error.html")]
struct ErrorPage {
    title: &'static str,
    message: String,
    hint: String,
    /// The page to go on with, and the words for it.
    back: &'static str,
    go: &'static str,
}

/// Answers a browser that looks for a page that is not there.
pub(super) async fn lost() -> Result<HttpResponse, PageError> {
    Err(PageError::Lost)
}

impl PageError {
    /// Makes the error of an address of the page `back` that is not understood.
    pub(super) fn query(what: impl std::fmt::Display, back: &'static str) -> Self {
        Self::Query { what: what.to_string(), back }
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::SignIn { .. } => StatusCode::SEE_OTHER,
            Self::Lost => StatusCode::NOT_FOUND,
            Self::Query { .. } => StatusCode::BAD_REQUEST,
            Self::Door(error) => error.status_code(),
            Self::Session(SessionError::TooOften) => StatusCode::TOO_MANY_REQUESTS,
            Self::Session(SessionError::Random(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Template(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let (message, hint) = match self {
            Self::SignIn { next, had_session } => {
                let why = if *had_session { "ended" } else { "" };
                return see_other(&link(SIGN_IN, &[("next", next), ("why", why)]));
            }
            Self::Door(error) => (error.to_string(), error.hint()),
            Self::Query { .. } => (self.to_string(), "perhaps it was mistyped, or cut off"),
            Self::Lost => (self.to_string(), "perhaps it was mistyped"),
            Self::Session(error) => (error.to_string(), "try again in a minute"),
            Self::Template(error) => {
                tracing::error!(target: "jeton::request", %error, "a page cannot be written");
                (self.to_string(), "this is a fault of jeton, report it")
            }
        };
        let status = self.status_code();
        let (message, hint) = (sentence(&message), sentence(hint));
        let (back, go) = match self {
            Self::Query { back, .. } => (*back, "Start again without it"),
            // Where it says what is wrong, and can be read even so.
            Self::Door(AdminError::Ledger(_)) => (NODES, "See how the nodes are"),
            Self::SignIn { .. }
            | Self::Lost
            | Self::Door(_)
            | Self::Session(_)
            | Self::Template(_) => (FIRST, "Go to the users"),
        };
        let page = ErrorPage { title: title(status), message, hint, back, go };
        // Nothing could be said about a fault in saying so.
        answer(status, &page).unwrap_or_else(|_| HttpResponse::build(status).finish())
    }
}

/// Makes a sentence of a phrase.
pub(super) fn sentence(phrase: &str) -> String {
    let mut letters = phrase.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    let end = if phrase.ends_with('?') { "" } else { "." };
    first.unwrap_or_default() + letters.as_str() + end
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "That was not understood",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "There is no such page",
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "Not now",
        _ => "Something went wrong",
    }
}
