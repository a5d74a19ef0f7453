//! The address at which other nodes reach a node.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use thiserror::Error;

/// The maximum length of a host name in bytes (RFC 1035).
const HOST_LEN_MAX: usize = 253;

/// A host and a port: `node2.example.com:7443`, `192.0.2.7:7443` or `[2001:db8::7]:7443`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeAddress(String);

/// The text is not an address.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("expected HOST:PORT such as node2.example.com:7443 or [2001:db8::7]:7443")]
pub struct AddressError;

impl NodeAddress {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_default()
    }
}

impl FromStr for NodeAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (host, port) = text.rsplit_once(':').ok_or(AddressError)?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let is_port = digits && port.parse::<u16>().is_ok_and(|port| port != 0);
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = bracketed.map_or_else(
            || is_name(host),
            |address| address.parse::<Ipv6Addr>().is_ok_and(|address| !address.is_unspecified()),
        );
        // The unspecified address is not one to connect to.
        if is_port && is_host && host != "0.0.0.0" {
            return Ok(Self(text.to_owned()));
        }
        Err(AddressError)
    }
}

fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(plain)
    };
    host.len() <= HOST_LEN_MAX && host.split('.').all(label)
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_addresses_to_connect_to() {
        for good in ["a:1", "node2.example.com:7443", "192.0.2.7:65535", "[2001:db8::7]:7443"] {
            let address: NodeAddress = good.parse().unwrap();
            assert_eq!(address.to_string(), good);
        }
        assert_eq!("[::1]:7443".parse::<NodeAddress>().unwrap().port(), 7443);
        for bad in [
            "",
            "a",
            "a:",
            ":1",
            "a:0",
            "a:65536",
            "a:+1",
            "a b:1",
            "a..b:1",
            "::1:1",
            "[::1]",
            "[::]:1",
            "0.0.0.0:1",
            "https://a:1",
            "a/b:1",
            "[a]:1",
        ] {
            assert_eq!(bad.parse::<NodeAddress>(), Err(AddressError), "{bad}");
        }
    }
}
