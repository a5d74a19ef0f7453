//! Errors of the pages, shown as a page.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use askama::Template;
use thiserror::Error;

use super::link::{FIRST, NODES, SIGN_IN, Section, link};
use super::response::{html, see_other};
use crate::admin::AdminError;
use crate::admin::session::SessionError;

/// Why a page cannot be shown.
#[derive(Debug, Error)]
pub(super) enum PageError {
    /// There is no valid session. The sign-in leads to `next`.
    #[error("not signed in")]
    SignIn { next: String, had_session: bool },
    #[error("no page has this address")]
    NotFound,
    /// The address of a page in `section` has an invalid query.
    #[error("the address contains an invalid {what}")]
    Query { what: String, section: Section },
    #[error(transparent)]
    Door(#[from] AdminError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("the page cannot be rendered")]
    Template(#[from] askama::Error),
}

#[derive(Template)]
#[template(path = "admin/error.html")]
struct ErrorPage {
    title: &'static str,
    message: String,
    hint: String,
    /// The address and the text of the link that leads on.
    link: &'static str,
    link_text: &'static str,
}

/// Responds to a browser that requests an unknown page.
pub(super) async fn not_found() -> Result<HttpResponse, PageError> {
    Err(PageError::NotFound)
}

impl PageError {
    /// Creates the error for an invalid query. `what` continues "invalid".
    pub(super) fn query(what: impl Into<String>, section: Section) -> Self {
        Self::Query { what: what.into(), section }
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::SignIn { .. } => StatusCode::SEE_OTHER,
            Self::NotFound => StatusCode::NOT_FOUND,
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
            Self::Query { .. } => (self.to_string(), "it may have been mistyped or cut off"),
            Self::NotFound => (self.to_string(), "it may have been mistyped"),
            Self::Session(error) => (error.to_string(), "try again in a minute"),
            Self::Template(error) => {
                tracing::error!(target: "jeton::request", %error, "cannot render a page");
                (self.to_string(), "this is a bug in jeton: please report it")
            }
        };
        let status = self.status_code();
        let (message, hint) = (sentence(&message), sentence(hint));
        let (link, link_text) = match self {
            Self::Query { section, .. } => (section.path, "Show the page without filters"),
            // This page is shown even then, and says what is wrong.
            Self::Door(AdminError::Ledger(_)) => (NODES.path, "Show the nodes"),
            Self::SignIn { .. }
            | Self::NotFound
            | Self::Door(_)
            | Self::Session(_)
            | Self::Template(_) => (FIRST.path, "Show the users"),
        };
        let page = ErrorPage { title: title(status), message, hint, link, link_text };
        html(status, &page).unwrap_or_else(|_| HttpResponse::build(status).finish())
    }
}

/// Turns a phrase into a sentence.
pub(super) fn sentence(phrase: &str) -> String {
    let mut letters = phrase.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    let end = if phrase.ends_with('?') { "" } else { "." };
    first.unwrap_or_default() + letters.as_str() + end
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "Invalid address",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "Page not found",
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "Try again later",
        _ => "Something went wrong",
    }
}
