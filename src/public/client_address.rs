//! The address that a request came from.
//!
//! Each proxy appends the address of its client to `X-Forwarded-For`. So the header is read from
//! the right, and an entry counts only if a listed proxy wrote it.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName};

use crate::token::IpNetwork;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The networks of the reverse proxies that are trusted; none by default.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNetwork>);

/// A listed proxy sent a client address that cannot be parsed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct UnknownClient;

impl TrustedProxies {
    /// Trusts proxies in these networks.
    #[must_use]
    pub const fn new(networks: Vec<IpNetwork>) -> Self {
        Self(networks)
    }

    /// Returns the client's address: the last one before the listed proxies. An IPv4-mapped address
    /// becomes IPv4.
    ///
    /// An address that cannot be parsed is an error. The proxy's own address must not replace it,
    /// because a token may be bound to the proxy's network.
    pub(super) fn client(&self, request: &HttpRequest) -> Result<IpAddr, UnknownClient> {
        let peer = request.peer_addr().ok_or(UnknownClient)?.ip();
        self.behind(peer, request.headers())
    }

    fn behind(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, UnknownClient> {
        let mut client = peer.to_canonical();
        let lines: Vec<_> = headers.get_all(X_FORWARDED_FOR).collect();
        let mut hops = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|b| *b == b','));
        while self.is_trusted(client) {
            let Some(hop) = hops.next() else { break };
            client = address(hop).ok_or(UnknownClient)?;
        }
        Ok(client)
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// Parses `192.0.2.1`, `2001:db8::1` or `[2001:db8::1]`, with or without a port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim_matches([' ', '\t']);
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn client(proxies: &[&str], peer: &str, forwarded: &[&str]) -> Result<String, UnknownClient> {
        let proxies = TrustedProxies(proxies.iter().map(|n| n.parse().unwrap()).collect());
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        proxies.behind(peer.parse().unwrap(), &headers).map(|ip| ip.to_string())
    }

    #[test]
    fn ignores_proxies_that_are_not_listed() {
        let spoofed = ["203.0.113.9"];
        assert_eq!(client(&[], "192.0.2.1", &spoofed).unwrap(), "192.0.2.1");
        assert_eq!(client(&["10.0.0.0/8"], "192.0.2.1", &spoofed).unwrap(), "192.0.2.1");
    }

    #[test]
    fn returns_the_last_address_before_the_listed_proxies() {
        let proxies = ["10.0.0.0/8", "2001:db8:1::/48"];
        for (peer, forwarded, expected) in [
            ("10.0.0.1", &["203.0.113.9"][..], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.7, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.7,203.0.113.9 , 10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.7", "203.0.113.9", "10.0.0.2"], "203.0.113.9"),
            ("2001:db8:1::1", &["[2001:db8::5]:443"], "2001:db8::5"),
            ("2001:db8:1::1", &["[2001:db8::5]"], "2001:db8::5"),
            ("10.0.0.1", &["203.0.113.9:5000"], "203.0.113.9"),
            ("10.0.0.1", &["garbage, 203.0.113.9"], "203.0.113.9"),
            ("::ffff:10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &[], "10.0.0.1"),
        ] {
            assert_eq!(client(&proxies, peer, forwarded).unwrap(), expected, "{forwarded:?}");
        }
    }

    #[test]
    fn rejects_an_address_that_cannot_be_parsed() {
        for forwarded in ["unknown", "", "203.0.113.9,", "203.0.113.9 x", "_hidden", "1.2.3"] {
            assert_eq!(client(&["10.0.0.1"], "10.0.0.1", &[forwarded]), Err(UnknownClient));
        }
    }
}
