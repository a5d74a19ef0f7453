//! Encodes a state and decodes it. Pure.
//!
//! ```text
//! snapshot = "jeton snapshot 1\n" | section*          the last section is End
//! section  = tag u8 | length u64 | crc32 u32 | body   little-endian; the crc is over tag, length, body
//! tag      = 1 Parts: postcard of everything but the tokens, once, first
//!            2 Tokens: postcard of a list of tokens with their uses
//!            3 End: postcard of the number of tokens
//! ```
//!
//! Equal states have equal bytes, so the SHA-256 of a snapshot identifies a state. Every section
//! has a checksum and the end holds the number of tokens, so a damaged or truncated snapshot is
//! refused as a whole.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::State;
use super::state::{Parts, TokenUse};

const MAGIC: &[u8] = b"jeton snapshot 1\n";
const TAG_PARTS: u8 = 1;
const TAG_TOKENS: u8 = 2;
const TAG_END: u8 = 3;
const HEAD_LEN: usize = 13;

/// Why bytes are not a snapshot.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum SnapshotError {
    /// They do not begin with the magic of this version.
    #[error("not a snapshot, or one of an unknown version")]
    Magic,
    /// A section is truncated, damaged or out of order.
    #[error("the section at byte {offset} is damaged: {what}")]
    Damaged {
        /// Where the section begins, in bytes.
        offset: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Encodes `state`.
#[must_use]
pub fn encode(state: &State) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(state, |part| bytes.extend_from_slice(part));
    bytes
}

/// Passes the bytes of `state` to `sink`, part by part.
fn write(state: &State, mut sink: impl FnMut(&[u8])) {
    sink(MAGIC);
    sink(&section(TAG_PARTS, state.parts()));
    let mut count = 0_u64;
    for shard in state.shards().filter(|shard| !shard.is_empty()) {
        count += shard.len() as u64;
        sink(&section(TAG_TOKENS, &shard.values().collect::<Vec<_>>()));
    }
    sink(&section(TAG_END, &count));
}

/// Decodes a state.
///
/// # Errors
///
/// [`SnapshotError`] for bytes that [`encode`] cannot have written.
pub fn decode(bytes: &[u8]) -> Result<State, SnapshotError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(SnapshotError::Magic)?;
    let mut reader = Reader { total: bytes.len(), rest };
    let parts: Parts = reader.section(TAG_PARTS)?;
    let mut tokens: Vec<TokenUse> = Vec::new();
    while reader.next_tag() == Some(TAG_TOKENS) {
        tokens.extend(reader.section::<Vec<TokenUse>>(TAG_TOKENS)?);
    }
    let count: u64 = reader.section(TAG_END)?;
    if count != tokens.len() as u64 || !reader.rest.is_empty() {
        return Err(reader.damaged("it does not match the sections before it"));
    }
    Ok(State::from_parts(parts, tokens))
}

/// Returns the SHA-256 of the snapshot of `state`, without holding the snapshot in memory.
#[must_use]
pub fn state_hash(state: &State) -> [u8; 32] {
    let mut hasher = Sha256::new();
    write(state, |part| hasher.update(part));
    hasher.finalize().into()
}

fn section(tag: u8, value: &impl Serialize) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "writing to a growing vector cannot fail")]
    let body = postcard::to_stdvec(value).expect("states always encode");
    let length = (body.len() as u64).to_le_bytes();
    let crc = checksum(tag, length, &body).to_le_bytes();
    [&[tag], &length[..], &crc, &body].concat()
}

fn checksum(tag: u8, length: [u8; 8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[tag]);
    hasher.update(&length);
    hasher.update(body);
    hasher.finalize()
}

struct Reader<'a> {
    total: usize,
    rest: &'a [u8],
}

impl Reader<'_> {
    fn next_tag(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn section<T: DeserializeOwned>(&mut self, expected: u8) -> Result<T, SnapshotError> {
        let head = self.rest.split_first_chunk::<HEAD_LEN>();
        let (&[tag, a, b, c, d, e, f, g, h, i, j, k, l], rest) =
            head.ok_or_else(|| self.damaged("it is truncated"))?;
        if tag != expected {
            return Err(self.damaged("another section belongs here"));
        }
        let length = [a, b, c, d, e, f, g, h];
        let (body, rest) = usize::try_from(u64::from_le_bytes(length))
            .ok()
            .and_then(|length| rest.split_at_checked(length))
            .ok_or_else(|| self.damaged("it is truncated"))?;
        if checksum(tag, length, body) != u32::from_le_bytes([i, j, k, l]) {
            return Err(self.damaged("its checksum does not match"));
        }
        let Ok((value, [])) = postcard::take_from_bytes(body) else {
            return Err(self.damaged("it does not decode"));
        };
        self.rest = rest;
        Ok(value)
    }

    fn damaged(&self, what: &'static str) -> SnapshotError {
        SnapshotError::Damaged { offset: self.total - self.rest.len(), what }
    }
}
