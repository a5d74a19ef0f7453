//! The pages for people: everything that `/api/v1` does, to look at.
//!
//! Lists are written here, filtered by plain forms and paged by plain links, so
//! that they can be read without scripts. What changes something goes through
//! the one module in `templates/admin/` to `/api/v1`, which alone decides.
//!
//! Scaffolding: `link` (addresses), `assets` (what pages load), `frame` (what is
//! around each page), `error`. Content, a file a page: `sign_in`, `users`,
//! `tokens`, `activity`, `nodes`.

mod activity;
mod assets;
mod error;
mod frame;
mod link;
mod nodes;
mod sign_in;
mod tokens;
mod users;

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::str::FromStr;

use actix_web::guard::{self, GuardContext};
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Query, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource};
use askama::Template;
use serde::de::DeserializeOwned;

use error::PageError;

/// What a page may do: load from this door, and send its forms back to it.
/// Nothing is inline, nothing is evaluated, nothing frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      connect-src 'self'; form-action 'self'; img-src 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// Adds the pages to the operators' door.
pub(super) fn configure(app: &mut ServiceConfig) {
    assets::configure(app);
    app.service(page("/", sign_in::start))
        .service(
            web::resource(sign_in::SIGN_IN)
                .route(web::get().to(sign_in::show))
                .route(web::post().to(sign_in::enter)),
        )
        .route("/sign-out", web::post().to(sign_in::leave))
        .service(page("/users", users::show))
        .service(page("/tokens", tokens::show))
        .service(page("/activity", activity::show))
        .service(page("/nodes", nodes::show))
        .service(web::resource("/{nothing:.*}").guard(guard::fn_guard(is_lost)).to(error::lost));
}

/// Makes the place of a page that can be read.
fn page<F, Args>(path: &'static str, show: F) -> Resource
where
    F: Handler<Args, Output = Result<HttpResponse, PageError>>,
    Args: FromRequest + 'static,
{
    web::resource(path).route(web::get().to(show.clone())).route(web::head().to(show))
}

/// Tells whether a browser looks for a page that is not there. Programs are
/// answered in JSON, like all that asks for the API.
fn is_lost(context: &GuardContext<'_>) -> bool {
    let head = context.head();
    let accept = head.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    head.method == Method::GET
        && !head.uri.path().starts_with("/api/")
        && accept.is_some_and(|accept| accept.contains("text/html"))
}

/// Answers with a page.
fn answer(status: StatusCode, page: &impl Template) -> Result<HttpResponse, PageError> {
    let html = page.render().map_err(PageError::Template)?;
    Ok(HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        // Where browsers name the page that asks, this door can tell its own.
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .body(html))
}

/// Answers with the address of the page to load instead.
fn see_other(location: &str) -> HttpResponse {
    let location = HeaderValue::from_str(location);
    // All our links are escaped, so this is never the other case.
    let location = location.unwrap_or(HeaderValue::from_static("/"));
    HttpResponse::SeeOther().insert_header((header::LOCATION, location)).finish()
}

/// Reads what a page was asked for; a query that it does not know is ignored.
fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, PageError> {
    let query = Query::<T>::from_query(request.query_string()).map_err(|_| {
        let back = link::page_at(request.path()).unwrap_or(sign_in::FIRST);
        PageError::query("it says something twice, or is damaged", back)
    })?;
    Ok(query.into_inner())
}

/// Reads a value that may be empty; `name` is what it is to people, and `back` the
/// page that was asked for.
fn given<T>(text: &str, name: &str, back: &'static str) -> Result<Option<T>, PageError>
where
    T: FromStr<Err: Display>,
{
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let value = text.parse().map(Some);
    value.map_err(|error| PageError::query(format!("the {name} ({error})"), back))
}
