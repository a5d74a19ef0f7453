//! Whether a page of this door sent a request, or a page of another site.
//!
//! Browsers add the session's cookie to requests from any page. A change must therefore come from a
//! page of this origin, which browsers report in `Sec-Fetch-Site`; older ones only in `Origin`.

use actix_web::http::header::{HOST, HeaderMap, ORIGIN};

use crate::web_security::{SEC_FETCH_SITE, is_own_site, values};

/// The sender of a request, according to its headers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sender {
    /// A page of this door, or a user who typed the address.
    Own,
    /// A page of another site, or unclear.
    Other,
    /// Neither header is there: a program, or a very old browser.
    Silent,
}

/// Returns the sender of a request with these headers.
///
/// `Sec-Fetch-Site` decides if it is there. Otherwise `Origin` must have the host and port of
/// `Host`. A repeated header counts as [`Sender::Other`].
pub(super) fn sender(headers: &HeaderMap) -> Sender {
    let (sites, origins) = (values(headers, SEC_FETCH_SITE), values(headers, ORIGIN));
    match (sites.as_slice(), origins.as_slice()) {
        ([], []) => Sender::Silent,
        ([site], _) if is_own_site(*site) => Sender::Own,
        ([], [Some(origin)]) if is_host(origin, headers) => Sender::Own,
        _ => Sender::Other,
    }
}

/// Returns `true` if an origin has the host and port of `Host`. The scheme is not compared: behind
/// a proxy, this door does not know it.
fn is_host(origin: &str, headers: &HeaderMap) -> bool {
    let authority = origin.split_once("://").map(|(_scheme, authority)| authority);
    match (authority, values(headers, HOST).as_slice()) {
        (Some(authority), [Some(host)]) => authority.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn judge(lines: &[(HeaderName, &'static str)]) -> Sender {
        let mut headers = HeaderMap::new();
        headers.append(HOST, HeaderValue::from_static("127.0.0.1:8444"));
        for (name, value) in lines {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        sender(&headers)
    }

    #[test]
    fn only_pages_of_this_door_are_its_own() {
        let own = "http://127.0.0.1:8444";
        for (lines, expected) in [
            (&[][..], Sender::Silent),
            (&[(SEC_FETCH_SITE, "same-origin")], Sender::Own),
            (&[(SEC_FETCH_SITE, "none")], Sender::Own),
            (&[(SEC_FETCH_SITE, "same-site")], Sender::Other),
            (&[(SEC_FETCH_SITE, "cross-site")], Sender::Other),
            (&[(SEC_FETCH_SITE, "")], Sender::Other),
            (&[(ORIGIN, own)], Sender::Own),
            (&[(ORIGIN, "https://127.0.0.1:8444")], Sender::Own),
            (&[(ORIGIN, "http://127.0.0.1:8445")], Sender::Other),
            (&[(ORIGIN, "http://127.0.0.1")], Sender::Other),
            (&[(ORIGIN, "http://evil.example")], Sender::Other),
            (&[(ORIGIN, "http://127.0.0.1:8444.evil.example")], Sender::Other),
            (&[(ORIGIN, "http://evil.example@127.0.0.1:8444")], Sender::Other),
            (&[(ORIGIN, "127.0.0.1:8444")], Sender::Other),
            (&[(ORIGIN, "null")], Sender::Other),
            (&[(ORIGIN, "")], Sender::Other),
            // A repeated header is not trusted, and `Sec-Fetch-Site` takes precedence.
            (&[(ORIGIN, own), (ORIGIN, own)], Sender::Other),
            (&[(SEC_FETCH_SITE, "same-origin"), (SEC_FETCH_SITE, "none")], Sender::Other),
            (&[(SEC_FETCH_SITE, "cross-site"), (ORIGIN, own)], Sender::Other),
            (&[(SEC_FETCH_SITE, "same-origin"), (ORIGIN, "null")], Sender::Own),
        ] {
            assert_eq!(judge(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn without_a_host_no_origin_is_this_door() {
        let mut headers = HeaderMap::new();
        headers.append(ORIGIN, HeaderValue::from_static("http://"));
        assert_eq!(sender(&headers), Sender::Other);
    }
}
