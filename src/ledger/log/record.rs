//! Records and their bytes. The table is in `mod.rs`.

use std::fmt;
use std::sync::Arc;

const VOTE: u8 = 1;
const ENTRY: u8 = 2;
const TRUNCATE_AFTER: u8 = 3;
const TRUNCATE_ALL: u8 = 4;
const PURGE: u8 = 5;

/// The most bytes that a vote or a log id may have. It bounds the head frame.
pub const OPAQUE_LEN_MAX: usize = 256;

/// One change of the log, in the order of the tags on disk.
#[derive(Clone, Eq, PartialEq)]
pub enum Record {
    /// Replaces the vote.
    Vote(Arc<[u8]>),
    /// Appends an entry.
    Entry {
        /// Its index: one more than the last.
        index: u64,
        /// Its content.
        bytes: Arc<[u8]>,
    },
    /// Drops the entries `>` the index; `None` drops all.
    TruncateAfter(Option<u64>),
    /// Drops the entries `<=` the index.
    Purge {
        /// The last index dropped.
        index: u64,
        /// The log id of that entry.
        bytes: Arc<[u8]>,
    },
}

impl Record {
    pub(super) const fn is_purge(&self) -> bool {
        matches!(self, Self::Purge { .. })
    }

    /// Returns the number of bytes that [`Record::encode`] adds.
    pub(super) fn encoded_len(&self) -> usize {
        let (_, index, bytes) = self.parts();
        1 + index.map_or(0, |_| 8) + bytes.map_or(0, |bytes| 8 + bytes.len())
    }

    /// Appends the record to a payload.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let (tag, index, bytes) = self.parts();
        out.push(tag);
        index.into_iter().for_each(|index| put_u64(out, index));
        bytes.into_iter().for_each(|bytes| put_bytes(out, bytes));
    }

    /// Returns the tag, the index and the bytes of the encoding.
    const fn parts(&self) -> (u8, Option<u64>, Option<&Arc<[u8]>>) {
        match self {
            Self::Vote(bytes) => (VOTE, None, Some(bytes)),
            Self::Entry { index, bytes } => (ENTRY, Some(*index), Some(bytes)),
            Self::TruncateAfter(Some(index)) => (TRUNCATE_AFTER, Some(*index), None),
            Self::TruncateAfter(None) => (TRUNCATE_ALL, None, None),
            Self::Purge { index, bytes } => (PURGE, Some(*index), Some(bytes)),
        }
    }

    /// Decodes a payload that is one or more records and nothing else.
    pub(super) fn decode_all(payload: &[u8]) -> Option<Vec<Self>> {
        let mut input = Input(payload);
        let mut records = vec![Self::decode(&mut input)?];
        while !input.is_empty() {
            records.push(Self::decode(&mut input)?);
        }
        Some(records)
    }

    fn decode(input: &mut Input<'_>) -> Option<Self> {
        Some(match input.u8()? {
            VOTE => Self::Vote(input.bytes()?),
            ENTRY => Self::Entry { index: input.u64()?, bytes: input.bytes()? },
            TRUNCATE_AFTER => Self::TruncateAfter(Some(input.u64()?)),
            TRUNCATE_ALL => Self::TruncateAfter(None),
            PURGE => Self::Purge { index: input.u64()?, bytes: input.bytes()? },
            _ => return None,
        })
    }
}

/// Shows lengths only: entries contain user names.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vote(bytes) => write!(f, "Vote({} bytes)", bytes.len()),
            Self::Entry { index, bytes } => write!(f, "Entry({index}, {} bytes)", bytes.len()),
            Self::TruncateAfter(index) => write!(f, "TruncateAfter({index:?})"),
            Self::Purge { index, bytes } => write!(f, "Purge({index}, {} bytes)", bytes.len()),
        }
    }
}

pub(super) fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends the number of bytes, then the bytes.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The bytes still to be decoded. Each method takes what it names from the front, or returns `None`
/// if too few bytes are left.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl Input<'_> {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn bytes(&mut self) -> Option<Arc<[u8]>> {
        let len = usize::try_from(self.u64()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_of_each() -> Vec<Record> {
        vec![
            Record::Vote((*b"vote").into()),
            Record::Entry { index: 7, bytes: (*b"entry").into() },
            Record::TruncateAfter(Some(u64::MAX)),
            Record::TruncateAfter(None),
            Record::Purge { index: 0, bytes: (*b"").into() },
        ]
    }

    fn encoded(records: &[Record]) -> Vec<u8> {
        let mut payload = Vec::new();
        for record in records {
            record.encode(&mut payload);
        }
        payload
    }

    #[test]
    fn records_round_trip() {
        let records = one_of_each();
        assert_eq!(Record::decode_all(&encoded(&records)), Some(records));
    }

    #[test]
    fn encoded_len_equals_the_encoded_length() {
        for record in one_of_each() {
            assert_eq!(encoded(std::slice::from_ref(&record)).len(), record.encoded_len());
        }
    }

    #[test]
    fn tags_on_disk_are_1_to_5() {
        let tags: Vec<u8> =
            one_of_each().iter().map(|r| encoded(std::slice::from_ref(r))[0]).collect();
        assert_eq!(tags, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn refuses_a_payload_truncated_inside_a_record() {
        for record in one_of_each() {
            let payload = encoded(&[record]);
            for len in 0..payload.len() {
                assert_eq!(Record::decode_all(&payload[..len]), None);
            }
        }
    }

    #[test]
    fn refuses_an_unknown_tag() {
        for tag in [0, 6, 255] {
            assert_eq!(Record::decode_all(&[tag]), None);
        }
    }
}
