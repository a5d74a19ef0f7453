//! The links that carry a token: builds them, and finds the token in one.
//!
//! Percent-escapes are not decoded. A token has only `A-Z a-z 0-9 - _`, so an escaped one would be
//! a second spelling and is refused.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Token;

/// The path of the profile route; `?token=T` or `/T` follows.
pub const REST_PATH: &str = "/rest/GetProfileViaToken";

/// The path of the share page; `/T` follows.
pub const SHARE_PATH: &str = "/t";

/// The path of the page where an operator signs in; `#T` follows.
pub const SIGN_IN_PATH: &str = "/sign-in";

/// The prefix of a link that OpenVPN Connect imports; the https link follows.
pub const IMPORT_PREFIX: &str = "openvpn://import-profile/";

/// The URL at which clients reach the public door: `https://HOST[:PORT]`, without a path or a final
/// slash. Clients accept no other scheme. OpenVPN GUI takes the first colon after the scheme for
/// the start of the port.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String")]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Returns the link that clients and scripts download.
    #[must_use]
    pub fn download(&self, token: &Token) -> String {
        format!("{}{REST_PATH}?token={}", self.0, token.as_str())
    }

    /// Returns the link that OpenVPN Connect imports, as Access Server prints it.
    #[must_use]
    pub fn import(&self, token: &Token) -> String {
        format!("{IMPORT_PREFIX}{}", self.download(token))
    }

    /// Returns the import link with the token in the path, because macOS is reported to strip the
    /// query from an `openvpn://` link.
    #[must_use]
    pub fn import_by_path(&self, token: &Token) -> String {
        self.import_text_by_path(token.as_str())
    }

    /// Returns the link of [`PublicUrl::import_by_path`] for the text of a token from a request.
    ///
    /// # Errors
    ///
    /// [`UrlError::Missing`] or [`UrlError::Character`] if `token` cannot be a token.
    pub fn import_by_path_of(&self, token: &str) -> Result<String, UrlError> {
        token_text(token).map(|token| self.import_text_by_path(token))
    }

    fn import_text_by_path(&self, token: &str) -> String {
        format!("{IMPORT_PREFIX}{}{REST_PATH}/{token}", self.0)
    }

    /// Returns `true` if `origin`, the value of a browser's `Origin` header, is this URL. Browsers
    /// write the host in lower case and omit port 443.
    #[must_use]
    pub fn is_origin(&self, origin: &str) -> bool {
        self.0.strip_suffix(":443").unwrap_or(&self.0).eq_ignore_ascii_case(origin)
    }

    /// Returns the link of the share page.
    #[must_use]
    pub fn share(&self, token: &Token) -> String {
        format!("{}{SHARE_PATH}/{}", self.0, token.as_str())
    }

    /// Returns the host without the port, and an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let authority = self.0.strip_prefix("https://").unwrap_or(&self.0);
        match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _port)) => address,
            None => authority.split_once(':').map_or(authority, |(host, _port)| host),
        }
    }
}

/// Returns the link with which an operator signs in at `address`. The token is in the fragment,
/// which browsers do not send.
#[must_use]
pub fn sign_in(address: SocketAddr, token: &Token) -> String {
    format!("http://{address}{SIGN_IN_PATH}#{}", token.as_str())
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PublicUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let authority = text.strip_prefix("https://").ok_or(UrlError::PublicScheme)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if !is_authority(authority) {
            return Err(UrlError::PublicHost);
        }
        Ok(Self(format!("https://{authority}")))
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = UrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Why a text is not a public URL, or why no token is found in a link.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum UrlError {
    /// It does not begin with `https://`.
    #[error("the public URL does not begin with https://")]
    PublicScheme,
    /// What follows the scheme is not `HOST` or `HOST:PORT`.
    #[error("the public URL is not https://HOST or https://HOST:PORT")]
    PublicHost,
    /// There is no token, or an empty one.
    #[error("there is no token in the link")]
    Missing,
    /// The query has more than one `token`.
    #[error("there is more than one token in the link")]
    Repeated,
    /// The token has a character that tokens never have, such as an escape.
    #[error("the token in the link has a character that tokens never have")]
    Character,
}

/// Finds the token in the raw query of the profile route.
///
/// The key must be exactly `token`; other keys are ignored. No escape and no `+` in the value is
/// decoded.
///
/// # Errors
///
/// [`UrlError::Missing`] if there is no token or an empty one, [`UrlError::Repeated`] if there are
/// two, [`UrlError::Character`] if it has a character that tokens never have.
pub fn token_in_query(query: &str) -> Result<&str, UrlError> {
    let mut tokens = query.split('&').filter_map(|pair| match pair.split_once('=') {
        Some(("token", value)) => Some(value),
        None if pair == "token" => Some(""),
        _ => None,
    });
    let token = tokens.next().ok_or(UrlError::Missing)?;
    if tokens.next().is_some() {
        return Err(UrlError::Repeated);
    }
    token_text(token)
}

/// Finds the token in the raw path of a request: the only segment after `prefix`.
///
/// # Errors
///
/// [`UrlError::Missing`] if there is no segment, [`UrlError::Character`] if there is another slash
/// or a character that tokens never have.
pub fn token_in_path<'a>(path: &'a str, prefix: &str) -> Result<&'a str, UrlError> {
    let segment = path.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/'));
    token_text(segment.ok_or(UrlError::Missing)?)
}

/// Finds the token in a text that an operator pasted: a token, or a link that carries one.
///
/// # Errors
///
/// Returns a [`UrlError`] if the link has no token, several, or a malformed one.
pub fn token_in_pasted(text: &str) -> Result<&str, UrlError> {
    let text = text.trim();
    let text = text.strip_prefix(IMPORT_PREFIX).unwrap_or(text);
    if let Some(token) = token_in_fragment(text) {
        return token_text(token);
    }
    let Some((_scheme, rest)) = text.split_once("://") else { return token_text(text) };
    let (location, query) = match rest.split_once('?') {
        Some((location, query)) => (location, Some(query)),
        None => (rest, None),
    };
    let path = location.find('/').and_then(|slash| location.get(slash..)).unwrap_or_default();
    match query {
        Some(query) if path == REST_PATH => token_in_query(query),
        _ => token_in_path(path, REST_PATH).or_else(|_| token_in_path(path, SHARE_PATH)),
    }
}

/// Returns the fragment of a sign-in link. The link may come from the address bar of a browser and
/// have a query.
fn token_in_fragment(link: &str) -> Option<&str> {
    let (before, token) = link.split_once('#')?;
    let location = before.split('?').next().unwrap_or(before);
    location.ends_with(SIGN_IN_PATH).then_some(token)
}

/// Returns `text` if it is not empty and has only the characters of base64url.
fn token_text(text: &str) -> Result<&str, UrlError> {
    if text.is_empty() {
        return Err(UrlError::Missing);
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if text.bytes().all(is_allowed) { Ok(text) } else { Err(UrlError::Character) }
}

/// Returns `true` if `text` is `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`.
fn is_authority(text: &str) -> bool {
    let (host_is_valid, rest) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address.parse::<std::net::Ipv6Addr>().is_ok(), rest),
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let (host, rest) = text.split_at(end);
            (is_host(host), rest)
        }
    };
    let port = rest.strip_prefix(':');
    host_is_valid
        && (rest.is_empty() || port.is_some_and(|port| port.parse::<u16>().is_ok_and(|p| p > 0)))
}

fn is_host(host: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !host.is_empty() && host.len() <= 253 && host.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_only_token_of_a_query() {
        assert_eq!(token_in_query("token=ab-_9"), Ok("ab-_9"));
        assert_eq!(token_in_query("a=1&token=x&b"), Ok("x"));
        assert_eq!(token_in_query("tok%65n=y&token=x"), Ok("x"));
        for query in ["", "token", "token=", "Token=x", "tok%65n=x", "null", "x=token"] {
            assert_eq!(token_in_query(query), Err(UrlError::Missing), "{query}");
        }
        for query in ["token=x&token=x", "token=x&token", "token&token=x"] {
            assert_eq!(token_in_query(query), Err(UrlError::Repeated), "{query}");
        }
        for query in ["token=%41", "token=a b", "token=a+b", "token=a=", "token=a;b", "token=a/"] {
            assert_eq!(token_in_query(query), Err(UrlError::Character), "{query}");
        }
    }

    #[test]
    fn finds_the_only_token_of_a_path() {
        assert_eq!(token_in_path("/t/abc", SHARE_PATH), Ok("abc"));
        assert_eq!(token_in_path("/t", SHARE_PATH), Err(UrlError::Missing));
        assert_eq!(token_in_path("/t/", SHARE_PATH), Err(UrlError::Missing));
        for path in ["/t/a/b", "/t/a/", "/t/%41", "/t//a", "/t/a.ovpn"] {
            assert_eq!(token_in_path(path, SHARE_PATH), Err(UrlError::Character), "{path}");
        }
    }

    #[test]
    fn finds_the_token_in_a_pasted_text() {
        for text in [
            "abc",
            " abc\n",
            "https://vpn.example.com/rest/GetProfileViaToken?token=abc",
            "https://vpn.example.com:8443/rest/GetProfileViaToken/abc",
            "https://vpn.example.com/rest/GetProfileViaToken/abc?null",
            "https://vpn.example.com/t/abc",
            "openvpn://import-profile/https://vpn.example.com/rest/GetProfileViaToken?token=abc",
            "openvpn://import-profile/https://vpn.example.com/rest/GetProfileViaToken/abc",
            " http://127.0.0.1:8444/sign-in#abc\n",
            "http://127.0.0.1:8444/sign-in?next=%2Fusers#abc",
            "127.0.0.1:8444/sign-in#abc",
        ] {
            assert_eq!(token_in_pasted(text), Ok("abc"), "{text}");
        }
        assert!(token_in_pasted("https://vpn.example.com/").is_err());
        assert!(token_in_pasted("https://vpn.example.com").is_err());
        assert_eq!(token_in_pasted("http://127.0.0.1:8444/sign-in#"), Err(UrlError::Missing));
        assert!(token_in_pasted("http://127.0.0.1:8444/sign-in").is_err());
        // A fragment is read only on the sign-in page.
        assert!(token_in_pasted("https://vpn.example.com/t/abc#abc").is_err());
    }

    #[test]
    fn makes_the_import_link_of_a_token_from_a_request() {
        let url: PublicUrl = "https://vpn.example.com".parse().unwrap();
        let link = "openvpn://import-profile/https://vpn.example.com/rest/GetProfileViaToken/a-_9";
        assert_eq!(url.import_by_path_of("a-_9").as_deref(), Ok(link));
        assert_eq!(url.import_by_path_of("a\"b"), Err(UrlError::Character));
        assert_eq!(url.import_by_path_of(""), Err(UrlError::Missing));
    }

    #[test]
    fn recognizes_its_own_origin_only() {
        for (url, origin, same) in [
            ("https://vpn.example.com", "https://vpn.example.com", true),
            ("https://VPN.example.com:443", "https://vpn.example.com", true),
            ("https://vpn.example.com:8443", "https://vpn.example.com:8443", true),
            ("https://vpn.example.com:8443", "https://vpn.example.com", false),
            ("https://vpn.example.com", "http://vpn.example.com", false),
            ("https://vpn.example.com", "https://vpn.example.com.evil.example", false),
            ("https://vpn.example.com", "null", false),
        ] {
            assert_eq!(url.parse::<PublicUrl>().unwrap().is_origin(origin), same, "{origin}");
        }
    }

    #[test]
    fn a_public_url_is_https_with_a_host() {
        for (text, host) in [
            ("https://vpn.example.com", "vpn.example.com"),
            ("https://vpn.example.com/", "vpn.example.com"),
            ("https://192.0.2.1:8443", "192.0.2.1"),
            ("https://[2001:db8::1]:8443", "2001:db8::1"),
            ("https://[2001:db8::1]", "2001:db8::1"),
        ] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().host(), host, "{text}");
        }
        assert_eq!("http://x".parse::<PublicUrl>(), Err(UrlError::PublicScheme));
        for text in [
            "https://",
            "https://a/b",
            "https://a:0",
            "https://a:x",
            "https://a b",
            "https://[::1",
            "https://u@a",
        ] {
            assert_eq!(text.parse::<PublicUrl>(), Err(UrlError::PublicHost), "{text}");
        }
    }
}
