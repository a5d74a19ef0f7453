//! The admin pages: what `/api/v1` offers, for people.
//!
//! Lists are rendered here, filtered with plain forms and paged with plain links, so they work
//! without scripts. Changes go through the module `templates/admin/jeton.js` to `/api/v1`, which
//! makes every decision.
//!
//! `sign_in`, `users`, `tokens`, `activity` and `nodes` are one page each. They share `frame` (the
//! header of each page), `query`, `error`, `response`, `link` (addresses) and `assets` (style sheet
//! and module).

mod activity;
mod assets;
mod error;
mod frame;
mod link;
mod nodes;
mod query;
mod response;
mod sign_in;
mod tokens;
mod users;

#[cfg(test)]
mod tests;

use actix_web::guard::{self, GuardContext};
use actix_web::http::Method;
use actix_web::http::header;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse, Resource};

use error::PageError;
use link::{ACTIVITY, NODES, SIGN_IN, TOKENS, USERS};

/// Adds the pages to the admin door.
pub(super) fn configure(app: &mut ServiceConfig) {
    assets::configure(app);
    app.service(page("/", sign_in::start))
        .service(
            web::resource(SIGN_IN)
                .route(web::get().to(sign_in::show))
                .route(web::post().to(sign_in::submit)),
        )
        .route("/sign-out", web::post().to(sign_in::sign_out))
        .service(page(USERS.path, users::show))
        .service(page(TOKENS.path, tokens::show))
        .service(page(ACTIVITY.path, activity::show))
        .service(page(NODES.path, nodes::show))
        .service(
            web::resource("/{path:.*}")
                .guard(guard::fn_guard(accepts_error_page))
                .to(error::not_found),
        );
}

/// Returns the resource of a page, for GET and HEAD.
fn page<F, Args>(path: &'static str, show: F) -> Resource
where
    F: Handler<Args, Output = Result<HttpResponse, PageError>>,
    Args: FromRequest + 'static,
{
    web::resource(path).route(web::get().to(show.clone())).route(web::head().to(show))
}

/// Returns `true` for a browser's request outside of the API. Other requests get their errors as
/// JSON.
fn accepts_error_page(context: &GuardContext<'_>) -> bool {
    let head = context.head();
    let accept = head.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    head.method == Method::GET
        && !head.uri.path().starts_with("/api/")
        && accept.is_some_and(|accept| accept.contains("text/html"))
}
