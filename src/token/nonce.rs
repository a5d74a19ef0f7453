//! What tells one token from another.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::KeyId;
use super::text_form::text_form;

/// The first four bytes of a nonce, shared by all tokens of one mint run, so
/// that one line revokes a lost sheet. Written as 8 hex digits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Batch(pub [u8; 4]);

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl FromStr for Batch {
    type Err = NonceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex4(text).map(Self).ok_or(NonceError::Batch)
    }
}

/// Sixteen bytes that no other token of the same key has: a [`Batch`], then
/// twelve random bytes. Written as 22 characters of base64url, the `id` of
/// lists.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Nonce(pub [u8; 16]);

text_form!(Batch, Nonce);

impl Nonce {
    /// Joins a batch and twelve random bytes.
    #[must_use]
    pub const fn new(batch: Batch, random: [u8; 12]) -> Self {
        let [a, b, c, d] = batch.0;
        let [e, f, g, h, i, j, k, l, m, n, o, p] = random;
        Self([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }

    /// Returns the batch this nonce belongs to.
    #[must_use]
    pub const fn batch(&self) -> Batch {
        let [a, b, c, d, ..] = self.0;
        Batch([a, b, c, d])
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl FromStr for Nonce {
    type Err = NonceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| NonceError::Nonce)?;
        bytes.try_into().map(Self).map_err(|_| NonceError::Nonce)
    }
}

/// The identity of a token: what the ledger counts by, whatever text carried it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct TokenId {
    /// The key that signed.
    pub key_id: KeyId,
    /// The nonce under that key.
    pub nonce: Nonce,
}

/// Writes the nonce and the key id as `NONCE@KEYID`.
impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.nonce, self.key_id)
    }
}

/// Why a text is no batch, key id or nonce.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum NonceError {
    /// A batch has exactly eight lower-case hex digits.
    #[error("a batch is written as 8 hex digits, such as 0a1b2c3d")]
    Batch,
    /// A key id has exactly eight lower-case hex digits.
    #[error("a key id is written as 8 hex digits, such as 3f2a9c01")]
    KeyId,
    /// A token id has exactly 22 characters of base64url.
    #[error("a token id is written as 22 characters of base64url")]
    Nonce,
}

/// Reads exactly eight lower-case hex digits.
pub(super) fn hex4(text: &str) -> Option<[u8; 4]> {
    let digits = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 8 || !text.as_bytes().iter().all(digits) {
        return None;
    }
    u32::from_str_radix(text, 16).ok().map(u32::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_begins_with_its_batch() {
        let batch = Batch([1, 2, 3, 4]);
        let nonce = Nonce::new(batch, [9; 12]);
        assert_eq!(nonce.batch(), batch);
        assert_eq!(nonce.to_string().parse(), Ok(nonce));
        assert_eq!(batch.to_string(), "01020304");
        assert_eq!(batch.to_string().parse(), Ok(batch));
    }

    #[test]
    fn other_spellings_of_a_batch_are_refused() {
        for text in ["0102030", "010203045", "0102030A", "+1020304", " 1020304"] {
            assert_eq!(text.parse::<Batch>(), Err(NonceError::Batch), "{text}");
        }
    }
}
