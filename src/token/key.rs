//! Ed25519 keys, their ids and their purposes.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::Signer as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::text_form::text_form;

/// The first four bytes of the SHA-256 of a 32-byte public key, written as 8 hex digits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId(pub [u8; 4]);

text_form!(KeyId);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex4(text).map(Self).ok_or(KeyIdError)
    }
}

/// A text that is not a key id.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a key id is written as 8 hex digits in lower case, such as 3f2a9c01")]
pub struct KeyIdError;

/// Reads exactly eight lower-case hex digits.
pub(super) fn hex4(text: &str) -> Option<[u8; 4]> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 8 || !text.as_bytes().iter().all(is_digit) {
        return None;
    }
    u32::from_str_radix(text, 16).ok().map(u32::to_be_bytes)
}

/// What a key is trusted to sign. A key has exactly one purpose.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyPurpose {
    /// Tokens that give profiles.
    Profile,
    /// Tokens that sign in operators.
    Admin,
}

impl KeyPurpose {
    /// Both purposes.
    pub const ALL: [Self; 2] = [Self::Profile, Self::Admin];

    /// Returns the name that the command line and the key directories use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for KeyPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A public key, which verifies signatures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VerifyingKey {
    id: KeyId,
    point: ed25519_dalek::VerifyingKey,
}

impl VerifyingKey {
    /// Decodes a public key (RFC 8032, section 5.1.2).
    ///
    /// # Errors
    ///
    /// Rejects bytes that encode no point, non-canonical encodings (dalek decodes by ZIP 215 and
    /// would accept them) and points of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let point =
            ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NoPoint)?;
        if !is_canonical(bytes, &point) {
            return Err(KeyError::NotCanonical);
        }
        if point.is_weak() {
            return Err(KeyError::Weak);
        }
        Ok(Self { id: key_id(bytes), point })
    }

    /// Returns the id by which tokens name this key.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the 32 bytes of RFC 8032.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        self.point.to_bytes()
    }

    /// Returns `true` if `signature` is a signature of this key over `message`. It uses dalek's
    /// `verify_strict`: no malleable `S`, no small-order `R` or key.
    #[must_use]
    pub fn is_signature(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.point.verify_strict(message, &signature).is_ok()
    }
}

/// A private key, which signs tokens. It is wiped from memory when dropped.
pub struct SigningKey {
    secret: ed25519_dalek::SigningKey,
    public: VerifyingKey,
}

impl SigningKey {
    /// Makes a key from 32 secret bytes, which must come from the system's random source. The
    /// public half is always derived from them (RUSTSEC-2022-0093).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        let point = secret.verifying_key();
        let public = VerifyingKey { id: key_id(point.as_bytes()), point };
        Self { secret, public }
    }

    /// Returns the public half.
    #[must_use]
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// Returns the 32 secret bytes, for writing a key file.
    #[must_use]
    pub fn dangerous_seed(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.secret.to_bytes())
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.secret.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.public.id).finish_non_exhaustive()
    }
}

/// A public key and the one purpose it is trusted for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TrustedKey {
    /// The tokens that it may sign.
    pub purpose: KeyPurpose,
    /// The key.
    pub key: VerifyingKey,
}

/// The keys that [`verify`](super::verify()) trusts.
pub trait TrustedKeys {
    /// Returns the trusted key with this id, if there is one.
    fn find(&self, id: KeyId) -> Option<&TrustedKey>;
}

fn key_id(public: &[u8; 32]) -> KeyId {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(public));
    KeyId([a, b, c, d])
}

/// Why 32 bytes are not an acceptable public key.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum KeyError {
    /// They do not encode a point on the curve.
    #[error("the public key is not a point on the curve")]
    NoPoint,
    /// The encoding of the point is not canonical (RFC 8032, section 5.1.3).
    #[error("the public key is not in canonical form")]
    NotCanonical,
    /// The point has small order: a signature can be valid for any message.
    #[error("the public key is weak: it has small order")]
    Weak,
}

/// Returns `true` if `bytes` are the canonical encoding of `point`, which was decoded from them.
/// Encoding a point always gives the canonical bytes (RFC 8032, section 5.1.2).
fn is_canonical(bytes: &[u8; 32], point: &ed25519_dalek::VerifyingKey) -> bool {
    point.to_edwards().compress().as_bytes() == bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// y = 1 + p: a non-canonical encoding of the neutral element.
    const NON_CANONICAL_ONE: [u8; 32] = {
        let mut bytes = [0xff; 32];
        bytes[0] = 0xee;
        bytes[31] = 0x7f;
        bytes
    };

    #[test]
    fn refuses_weak_and_non_canonical_keys() {
        let mut one = [0; 32];
        one[0] = 1;
        assert_eq!(VerifyingKey::from_bytes(&one), Err(KeyError::Weak));
        assert_eq!(VerifyingKey::from_bytes(&NON_CANONICAL_ONE), Err(KeyError::NotCanonical));
        let mut two = [0; 32];
        two[0] = 2;
        assert_eq!(VerifyingKey::from_bytes(&two), Err(KeyError::NoPoint));
    }

    /// All y in p ..= 2^255 - 1, with both signs, are non-canonical. All of them that decode must
    /// be refused, not only the weak ones.
    #[test]
    fn refuses_every_non_canonical_encoding() {
        for low in 0xed..=0xff {
            for high in [0x7f, 0xff] {
                let mut bytes = [0xff; 32];
                bytes[0] = low;
                bytes[31] = high;
                assert!(VerifyingKey::from_bytes(&bytes).is_err(), "{low:x} {high:x}");
            }
        }
    }

    #[test]
    fn a_key_id_is_eight_hex_digits() {
        assert_eq!("3f2a9c01".parse(), Ok(KeyId([0x3f, 0x2a, 0x9c, 0x01])));
        assert_eq!("3F2A9C01".parse::<KeyId>(), Err(KeyIdError));
    }

    #[test]
    fn debug_does_not_show_the_secret_key() {
        let shown = format!("{:?}", SigningKey::from_seed(&[0xab; 32]));
        assert!(!shown.contains("171") && !shown.contains("abab"), "{shown}");
    }
}
