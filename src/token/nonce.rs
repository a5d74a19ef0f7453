//! The identity of a token.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::KeyId;
use super::key::hex4;
use super::text_form::text_form;

/// The first four bytes of a nonce. All tokens of a mint run share them, so that one revocation
/// covers the whole run. Written as 8 hex digits.
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

/// Sixteen bytes that are unique among the tokens of a key: a [`Batch`], then twelve random bytes.
/// Written as 22 characters of base64url, which lists call `id`.
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

    /// Returns the batch.
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

/// The identity of a token. The ledger counts uses by it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct TokenId {
    /// The key that signed the token.
    pub key_id: KeyId,
    /// The nonce, unique for that key.
    pub nonce: Nonce,
}

/// Writes the nonce and the key id as `NONCE@KEYID`.
impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.nonce, self.key_id)
    }
}

/// Why a text is not a batch or a nonce.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum NonceError {
    /// A batch has exactly eight lower-case hex digits.
    #[error("a batch is written as 8 hex digits in lower case, such as 0a1b2c3d")]
    Batch,
    /// A token id has exactly 22 characters of base64url.
    #[error("a token id is written as 22 characters of base64url")]
    Nonce,
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
    fn refuses_other_spellings_of_a_batch() {
        for text in ["0102030", "010203045", "0102030A", "+1020304", " 1020304"] {
            assert_eq!(text.parse::<Batch>(), Err(NonceError::Batch), "{text}");
        }
    }
}
