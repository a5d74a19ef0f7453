//! How the public and the admin door deal with browsers: the headers that restrict what a page can
//! do, and the headers that show which page sent a request.

use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::middleware::DefaultHeaders;

/// Sent by browsers, with the relation between the requesting page and the target. Older browsers
/// send only `Origin`.
pub(crate) const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Returns the headers of each response that does not set its own: no caching, no referrer, no
/// guessing of types, no content that the response does not allow.
pub(crate) fn security_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((header::CACHE_CONTROL, "no-store"))
        .add((header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        .add((header::REFERRER_POLICY, "no-referrer"))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
}

/// Returns `true` if a value of [`SEC_FETCH_SITE`] stands for a page of the same origin, or for a
/// user who typed the address.
pub(crate) fn is_own_site(site: Option<&str>) -> bool {
    matches!(site, Some("same-origin" | "none"))
}

/// Returns each value of a header, with `None` for one that is not text.
pub(crate) fn values(headers: &HeaderMap, name: HeaderName) -> Vec<Option<&str>> {
    headers.get_all(name).map(|value| value.to_str().ok()).collect()
}
