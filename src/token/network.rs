//! IP networks, as in `--network` and in the claims.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::text_form;

/// An IP network: an address and a prefix length. The bits after the prefix are zero, so that each
/// network has one encoding.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct IpNetwork {
    address: IpAddr,
    prefix: u8,
}

impl IpNetwork {
    /// Makes the network whose addresses begin with the first `prefix` bits of `address`.
    ///
    /// # Errors
    ///
    /// Rejects a prefix longer than the address, bits set after the prefix, and an IPv4-mapped IPv6
    /// address (`::ffff:0:0/96`).
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self, NetworkError> {
        let width = if address.is_ipv4() { 32 } else { 128 };
        if prefix > width {
            return Err(NetworkError::Prefix { prefix, width });
        }
        if address != address.to_canonical() {
            return Err(NetworkError::Mapped);
        }
        if masked(address, prefix) != address {
            return Err(NetworkError::HostBits);
        }
        Ok(Self { address, prefix })
    }

    /// Returns the first address.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Returns `true` if `client` is in this network. An IPv4-mapped IPv6 address
    /// (`::ffff:a.b.c.d`) counts as IPv4.
    #[must_use]
    pub fn contains(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        client.is_ipv4() == self.address.is_ipv4() && masked(client, self.prefix) == self.address
    }
}

/// Writes `192.0.2.0/24`.
impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Reads `192.0.2.0/24`. An address without a prefix is a network of one address.
impl FromStr for IpNetwork {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Syntax)?;
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| NetworkError::Syntax)?,
            None if address.is_ipv4() => 32,
            None => 128,
        };
        Self::new(address, prefix)
    }
}

/// Why a text or a claim is not a network.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum NetworkError {
    /// It is not of the form ADDRESS/PREFIX.
    #[error("a network is written as ADDRESS/PREFIX, such as 192.0.2.0/24")]
    Syntax,
    /// The prefix is longer than the address.
    #[error("the prefix /{prefix} is longer than the address, which has {width} bits")]
    Prefix {
        /// The prefix length, in bits.
        prefix: u8,
        /// The width of the address, in bits.
        width: u8,
    },
    /// Bits after the prefix are set.
    #[error("the network has bits set after its prefix")]
    HostBits,
    /// It is an IPv4-mapped IPv6 network.
    #[error("write an IPv4 network as IPv4, not as ::ffff:a.b.c.d")]
    Mapped,
}

/// The encoding of a network in the claims.
impl Serialize for IpNetwork {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            EncodedNetwork::from(*self).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for IpNetwork {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            text_form::parse(from)
        } else {
            EncodedNetwork::deserialize(from)?.try_into().map_err(de::Error::custom)
        }
    }
}

/// The form of a network in the claims.
#[derive(Deserialize, Serialize)]
enum EncodedNetwork {
    V4([u8; 4], u8),
    V6([u8; 16], u8),
}

impl From<IpNetwork> for EncodedNetwork {
    fn from(network: IpNetwork) -> Self {
        match network.address {
            IpAddr::V4(address) => Self::V4(address.octets(), network.prefix),
            IpAddr::V6(address) => Self::V6(address.octets(), network.prefix),
        }
    }
}

impl TryFrom<EncodedNetwork> for IpNetwork {
    type Error = NetworkError;

    fn try_from(network: EncodedNetwork) -> Result<Self, Self::Error> {
        match network {
            EncodedNetwork::V4(octets, prefix) => Self::new(IpAddr::from(octets), prefix),
            EncodedNetwork::V6(octets, prefix) => Self::new(IpAddr::from(octets), prefix),
        }
    }
}

/// Clears the bits of `address` after `prefix`, which is at most its width.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> IpNetwork {
        text.parse().unwrap()
    }

    #[test]
    fn contains_its_addresses_and_no_others() {
        let office = network("192.0.2.0/24");
        assert!(office.contains("192.0.2.255".parse().unwrap()));
        assert!(office.contains("::ffff:192.0.2.1".parse().unwrap()));
        assert!(!office.contains("192.0.3.0".parse().unwrap()));
        assert!(!office.contains("2001:db8::1".parse().unwrap()));
        assert!(network("0.0.0.0/0").contains("203.0.113.9".parse().unwrap()));
        assert!(network("2001:db8::/32").contains("2001:db8:1::1".parse().unwrap()));
        assert!(!network("2001:db8::1").contains("2001:db8::2".parse().unwrap()));
    }

    #[test]
    fn accepts_one_spelling_of_a_network() {
        assert_eq!("192.0.2.1/24".parse::<IpNetwork>(), Err(NetworkError::HostBits));
        assert_eq!("::ffff:192.0.2.0/120".parse::<IpNetwork>(), Err(NetworkError::Mapped));
        assert_eq!("192.0.2.0".parse::<IpNetwork>().unwrap().to_string(), "192.0.2.0/32");
        for text in ["", "192.0.2.0/", "192.0.2.0/-1", "192.0.2/24", "x/1"] {
            assert_eq!(text.parse::<IpNetwork>(), Err(NetworkError::Syntax), "{text}");
        }
        assert!(matches!("1.2.3.4/33".parse::<IpNetwork>(), Err(NetworkError::Prefix { .. })));
    }
}
