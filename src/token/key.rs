//! The two halves of an Ed25519 key, and how a key is named.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::Signer as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::nonce::hex4;
use super::text_form::text_form;
use super::{KeyError, NonceError};

/// The first four bytes of the SHA-256 of a 32-byte public key, written as
/// 8 hex digits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId(pub [u8; 4]);

text_form!(KeyId);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl FromStr for KeyId {
    type Err = NonceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex4(text).map(Self).ok_or(NonceError::KeyId)
    }
}

/// What a key is trusted to sign. A key has one purpose, never two.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyPurpose {
    /// Tokens that give profiles.
    Profile,
    /// Tokens that enter the operators' door.
    Admin,
}

impl KeyPurpose {
    /// Both purposes.
    pub const ALL: [Self; 2] = [Self::Profile, Self::Admin];

    /// Returns the name the command line and the folders use.
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

/// The public half: verifies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VerifyingKey {
    id: KeyId,
    point: ed25519_dalek::VerifyingKey,
}

impl VerifyingKey {
    /// Takes a public key, RFC 8032 section 5.1.2.
    ///
    /// # Errors
    ///
    /// Refuses bytes that are no point, that are a non-canonical spelling of
    /// one (dalek decodes by ZIP 215 and would take them), and points of small
    /// order.
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

    /// Tells whether `signature` is this key's over `message`, by dalek's
    /// `verify_strict`: no malleable `S`, no small-order `R` or key.
    #[must_use]
    pub fn is_signature(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.point.verify_strict(message, &signature).is_ok()
    }
}

/// The private half: mints. Wiped from memory when dropped.
pub struct SigningKey {
    secret: ed25519_dalek::SigningKey,
    public: VerifyingKey,
}

impl SigningKey {
    /// Makes the key of 32 secret bytes, which must come from the system's
    /// random source. The public half is derived, never taken from elsewhere
    /// (RUSTSEC-2022-0093).
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

    /// Returns the 32 secret bytes, for writing a key file. Wipe them.
    #[must_use]
    pub fn dangerous_seed(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.secret.to_bytes())
    }

    /// Signs `message`.
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
    /// What tokens it may sign.
    pub purpose: KeyPurpose,
    /// The key.
    pub key: VerifyingKey,
}

/// Where [`verify`](super::verify()) finds the key that a token names.
pub trait TrustedKeys {
    /// Returns the trusted key with this id.
    fn find(&self, id: KeyId) -> Option<&TrustedKey>;
}

fn key_id(public: &[u8; 32]) -> KeyId {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(public));
    KeyId([a, b, c, d])
}

/// Compares `bytes` with the canonical encoding of the point they decode to.
///
/// Decoding computes x and y from the bytes, so encoding the point again gives
/// the one canonical spelling (RFC 8032, section 5.1.2).
fn is_canonical(bytes: &[u8; 32], point: &ed25519_dalek::VerifyingKey) -> bool {
    point.to_edwards().compress().as_bytes() == bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// y = 1 + p: the neutral element, spelled a second way.
    const NON_CANONICAL_ONE: [u8; 32] = {
        let mut bytes = [0xff; 32];
        bytes[0] = 0xee;
        bytes[31] = 0x7f;
        bytes
    };

    #[test]
    fn weak_and_non_canonical_keys_are_refused() {
        let mut one = [0; 32];
        one[0] = 1;
        assert_eq!(VerifyingKey::from_bytes(&one), Err(KeyError::Weak));
        assert_eq!(VerifyingKey::from_bytes(&NON_CANONICAL_ONE), Err(KeyError::NotCanonical));
        let mut two = [0; 32];
        two[0] = 2;
        assert_eq!(VerifyingKey::from_bytes(&two), Err(KeyError::NoPoint));
    }

    /// All y in p ..= 2^255 - 1 with both signs are second spellings; whichever
    /// of them decode must be refused, not only the weak ones.
    #[test]
    fn every_second_spelling_is_refused() {
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
        assert_eq!("3F2A9C01".parse::<KeyId>(), Err(NonceError::KeyId));
    }

    #[test]
    fn a_key_does_not_show_its_secret() {
        let shown = format!("{:?}", SigningKey::from_seed(&[0xab; 32]));
        assert!(!shown.contains("171") && !shown.contains("abab"), "{shown}");
    }
}
