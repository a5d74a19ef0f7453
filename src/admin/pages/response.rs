//! Responses with a page, and redirects to one.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use askama::Template;

/// The content security policy. A page may load from this listener and send its forms back to it.
/// It has nothing inline, and no other page can frame it.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                                 connect-src 'self'; form-action 'self'; img-src 'self'; \
                                 base-uri 'none'; frame-ancestors 'none'";

/// Responds with a page.
pub(super) fn html(status: StatusCode, page: &impl Template) -> askama::Result<HttpResponse> {
    Ok(HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        // Lets the browser name the sending page, so that same-origin checks work.
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .body(page.render()?))
}

/// Redirects to `location`.
pub(super) fn see_other(location: &str) -> HttpResponse {
    let location = HeaderValue::from_str(location);
    // Our links are percent-encoded, so they are always valid header values.
    let location = location.unwrap_or(HeaderValue::from_static("/"));
    HttpResponse::SeeOther().insert_header((header::LOCATION, location)).finish()
}
