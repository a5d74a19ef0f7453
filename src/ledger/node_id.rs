//! Node ids: random numbers, shown as 16 hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::token::text_form::text_form;

/// Identifies a node among those that share a ledger.
///
/// Text formats such as JSON have the 16 digits. Binary formats (the log, snapshots, messages
/// between nodes) have the bare number.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId(pub u64);

text_form!(NodeId);

/// The error for text that is not a node id.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("not a node id: expected 16 hexadecimal digits, 0 to 9 and a to f")]
pub struct NodeIdError;

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let id = u64::from_str_radix(text, 16).ok();
        let id = id.filter(|_| text.len() == 16 && text.bytes().all(is_hex));
        id.map(Self).ok_or(NodeIdError)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The same as [`Display`](fmt::Display).
impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_as_a_number_in_binary_and_as_digits_in_text() {
        for (number, digits) in [
            (0, "0000000000000000"),
            (0x3f2a, "0000000000003f2a"),
            (0x1234_5678_9abc_def0, "123456789abcdef0"),
            (u64::MAX, "ffffffffffffffff"),
        ] {
            let (id, json) = (NodeId(number), format!("\"{digits}\""));
            let bytes = postcard::to_stdvec(&number).unwrap();
            assert_eq!(postcard::to_stdvec(&id).unwrap(), bytes, "{digits}");
            assert_eq!(postcard::from_bytes::<NodeId>(&bytes).unwrap(), id);
            assert_eq!(serde_json::to_string(&id).unwrap(), json);
            assert_eq!(serde_json::from_str::<NodeId>(&json).unwrap(), id);
        }
    }

    #[test]
    fn accepts_only_16_lowercase_hexadecimal_digits() {
        assert_eq!("0000000000003f2a".parse(), Ok(NodeId(0x3f2a)));
        for other in ["3f2a", "0000000000003F2A", "+000000000003f2a", "00000000000003f2a", ""] {
            assert_eq!(other.parse::<NodeId>(), Err(NodeIdError), "{other}");
        }
    }
}
