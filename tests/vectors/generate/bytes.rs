//! Builds valid and invalid tokens from bytes.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::{EdwardsPoint, Scalar};
use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256, Sha512};

pub(crate) const CONTEXT: &[u8] = b"jeton token v1\0";

/// The `issued_at` of all tokens, unless a case has another.
pub(crate) const ISSUED_AT: u64 = 1_800_000_000;

/// The encoded claims, so that any of them can be invalid.
#[derive(Clone)]
pub(crate) struct Fields {
    pub purpose: Vec<u8>,
    pub nonce: Vec<u8>,
    pub issued_at: Vec<u8>,
    pub lifetime: Vec<u8>,
    pub uses: Vec<u8>,
    pub user: Vec<u8>,
    pub network: Vec<u8>,
}

impl Fields {
    /// Returns the claims for one use of alice's user-locked profile within an hour.
    pub(crate) fn alice() -> Self {
        Self {
            purpose: vec![0, 0],
            nonce: (0xa0..0xb0).collect(),
            issued_at: varint(ISSUED_AT),
            lifetime: varint(3_600),
            uses: vec![0, 1],
            user: text("alice"),
            network: vec![0],
        }
    }

    pub(crate) fn all(&self) -> [&[u8]; 7] {
        [
            &self.purpose,
            &self.nonce,
            &self.issued_at,
            &self.lifetime,
            &self.uses,
            &self.user,
            &self.network,
        ]
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        self.all().concat()
    }
}

/// Encodes `value` in the fewest bytes, with the least significant 7 bits first.
pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// Encodes `value` with one byte more than it needs.
pub(crate) fn overlong(value: u64) -> Vec<u8> {
    let mut bytes = varint(value);
    *bytes.last_mut().unwrap() |= 0x80;
    bytes.push(0);
    bytes
}

/// Encodes a string: its length, then its bytes.
pub(crate) fn text(text: &str) -> Vec<u8> {
    raw_text(text.as_bytes())
}

/// Encodes any bytes as a string: their length, then the bytes.
pub(crate) fn raw_text(bytes: &[u8]) -> Vec<u8> {
    [&varint(bytes.len() as u64), bytes].concat()
}

/// A key for these vectors, with its secret scalar.
pub(crate) struct Key {
    pub seed: [u8; 32],
    pub public: [u8; 32],
    scalar: Scalar,
}

impl Key {
    pub(crate) fn new(seed_byte: u8) -> Self {
        let seed = [seed_byte; 32];
        let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key().to_bytes();
        // RFC 8032, section 5.1.5, steps 1 and 2.
        let mut low: [u8; 32] = Sha512::digest(seed)[..32].try_into().unwrap();
        low[0] &= 0xf8;
        low[31] = low[31] & 0x7f | 0x40;
        Self { seed, public, scalar: Scalar::from_bytes_mod_order(low) }
    }

    pub(crate) fn id(&self) -> Vec<u8> {
        Sha256::digest(self.public)[..4].to_vec()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        ed25519_dalek::SigningKey::from_bytes(&self.seed).sign(message).to_vec()
    }

    /// Signs `message` with `R = r * B + T`, where T is the point `torsion` of small order. Only
    /// the equation with the cofactor holds for such a signature.
    pub(crate) fn sign_with_torsion(
        &self,
        message: &[u8],
        r: u64,
        torsion: EdwardsPoint,
    ) -> Vec<u8> {
        let r = Scalar::from(r);
        let point = EdwardsPoint::mul_base(&r) + torsion;
        self.finish(message, r, *point.compress().as_bytes())
    }

    /// Signs `message` with the neutral element, encoded as `encoded`, as R.
    pub(crate) fn sign_with_neutral(&self, message: &[u8], encoded: [u8; 32]) -> Vec<u8> {
        self.finish(message, Scalar::ZERO, encoded)
    }

    /// Computes S by RFC 8032, section 5.1.6, steps 4 and 5, for any encoding of R.
    fn finish(&self, message: &[u8], r: Scalar, encoded: [u8; 32]) -> Vec<u8> {
        let hash = Sha512::new()
            .chain_update(encoded)
            .chain_update(self.public)
            .chain_update(message)
            .finalize();
        let k = Scalar::from_bytes_mod_order_wide(&hash.into());
        let s = r + k * self.scalar;
        let key = CompressedEdwardsY(self.public).decompress().unwrap();
        let point = CompressedEdwardsY(encoded).decompress().unwrap();
        let rest = EdwardsPoint::mul_base(&s) - point - k * key;
        assert!(rest.is_small_order(), "the equation with the cofactor must hold");
        [encoded, s.to_bytes()].concat()
    }
}

/// Returns the signed part of an envelope.
pub(crate) fn signed_part(version: u8, key_id: &[u8], claims: &[u8]) -> Vec<u8> {
    [&[version], key_id, claims].concat()
}

/// Returns the message that a signature must cover.
pub(crate) fn message(signed: &[u8]) -> Vec<u8> {
    [CONTEXT, signed].concat()
}

pub(crate) fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Makes a token that is valid if `claims` are.
pub(crate) fn token(key: &Key, claims: &[u8]) -> String {
    let signed = signed_part(1, &key.id(), claims);
    let signature = key.sign(&message(&signed));
    base64url(&[signed, signature].concat())
}
