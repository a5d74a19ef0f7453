//! Where a request really came from.
//!
//! `X-Forwarded-For` is a claim. Each proxy appends the address that it saw, so
//! it is read from the right, and only as long as the one who said so is a
//! listed proxy.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName};

use crate::token::IpNetwork;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The networks of the reverse proxies that are believed. By default nobody is.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNetwork>);

/// A listed proxy named a client in a way that cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct UnknownClient;

impl TrustedProxies {
    /// Believes proxies in these networks.
    #[must_use]
    pub const fn new(networks: Vec<IpNetwork>) -> Self {
        Self(networks)
    }

    /// Returns the address a request came from: the last one before the listed
    /// proxies. An IPv4 address dressed as IPv6 becomes IPv4.
    ///
    /// Without an address that can be read there is no client, and not the
    /// proxy in its place: that one may well stand in a network that a token
    /// is bound to.
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

/// Reads `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, each also with a port.
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
    fn nobody_is_believed_unless_listed() {
        let spoofed = ["203.0.113.9"];
        assert_eq!(client(&[], "192.0.2.1", &spoofed).unwrap(), "192.0.2.1");
        assert_eq!(client(&["10.0.0.0/8"], "192.0.2.1", &spoofed).unwrap(), "192.0.2.1");
    }

    #[test]
    fn the_client_is_the_last_address_before_the_listed_proxies() {
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
    fn a_client_that_cannot_be_read_is_nobody() {
        for forwarded in ["unknown", "", "203.0.113.9,", "203.0.113.9 x", "_hidden", "1.2.3"] {
            assert_eq!(client(&["10.0.0.1"], "10.0.0.1", &[forwarded]), Err(UnknownClient));
        }
    }
}
