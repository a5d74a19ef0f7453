//! The name of a node: a number that was drawn, spelled as 16 digits wherever people
//! and other programs read it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names a node among those that share a ledger. It is shown as 16 hex digits.
///
/// Where text is written, as in JSON, it is these digits. Where bytes are, in the log,
/// in snapshots and in the messages of the nodes, it is the number and nothing else.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId(pub u64);

/// A text that names no node.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("it is no node: 16 digits, 0 to 9 and a to f")]
pub struct UnknownNode;

impl FromStr for NodeId {
    type Err = UnknownNode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let id = u64::from_str_radix(text, 16).ok();
        let id = id.filter(|_| text.len() == 16 && text.bytes().all(is_hex));
        id.map(Self).ok_or(UnknownNode)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// As it is shown: nobody knows a node by any other number.
impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
        } else {
            u64::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_bytes_a_node_is_its_number_and_in_text_its_digits() {
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
    fn a_node_has_one_spelling() {
        assert_eq!("0000000000003f2a".parse(), Ok(NodeId(0x3f2a)));
        for other in ["3f2a", "0000000000003F2A", "+000000000003f2a", "00000000000003f2a", ""] {
            assert_eq!(other.parse::<NodeId>(), Err(UnknownNode), "{other}");
        }
    }
}
