//! The envelope: the layout of a token's bytes, and its text.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::{Claims, ClaimsError, KeyId, TOKEN_LEN_MAX, VerifyError};

/// The only version.
pub(super) const VERSION: u8 = 0x01;

/// The first bytes of the signed message. A signature that the same key made for something else is
/// therefore never valid for a token.
const CONTEXT: &[u8] = b"jeton token v1\0";

/// Version and key id.
const HEAD_LEN: usize = 5;
const SIGNATURE_LEN: usize = 64;

/// A token that was parsed but not verified. Do not trust its contents.
#[derive(Clone, Eq, PartialEq)]
pub struct UntrustedToken {
    key_id: KeyId,
    /// Version, key id and claims: the signed part of the envelope.
    signed: Vec<u8>,
    signature: [u8; SIGNATURE_LEN],
}

impl UntrustedToken {
    /// Parses the envelope. Checks length, base64, layout and version, in this order.
    ///
    /// # Errors
    ///
    /// Returns the first check that fails: one of the first four of [`VerifyError`].
    pub fn parse(text: &str) -> Result<Self, VerifyError> {
        if text.len() > TOKEN_LEN_MAX {
            return Err(VerifyError::TooLong);
        }
        let envelope = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| VerifyError::Base64)?;
        let (signed, signature) =
            envelope.split_last_chunk::<SIGNATURE_LEN>().ok_or(VerifyError::TooShort)?;
        let (&[version, a, b, c, d], _claims) =
            signed.split_first_chunk::<HEAD_LEN>().ok_or(VerifyError::TooShort)?;
        if version != VERSION {
            return Err(VerifyError::Version(version));
        }
        Ok(Self { key_id: KeyId([a, b, c, d]), signed: signed.to_vec(), signature: *signature })
    }

    /// Returns the id of the key that the token names as its signer.
    #[must_use]
    pub const fn untrusted_key_id(&self) -> KeyId {
        self.key_id
    }

    /// Decodes the claims. The signature is not checked.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not canonical claims.
    pub fn untrusted_claims(&self) -> Result<Claims, ClaimsError> {
        Claims::decode(self.signed.get(HEAD_LEN..).unwrap_or_default())
    }

    /// Returns the bytes that the signature covers.
    pub(super) fn message(&self) -> Vec<u8> {
        message(&self.signed)
    }

    pub(super) const fn signature(&self) -> &[u8; SIGNATURE_LEN] {
        &self.signature
    }
}

/// Returns the signed part of an envelope: version, key id and claims.
pub(super) fn signed_part(key_id: KeyId, claims: &Claims) -> Vec<u8> {
    let mut signed = vec![VERSION];
    signed.extend_from_slice(&key_id.0);
    signed.extend_from_slice(&claims.encode());
    signed
}

/// Returns the bytes that the signature of this signed part covers.
pub(super) fn message(signed: &[u8]) -> Vec<u8> {
    [CONTEXT, signed].concat()
}

/// Encodes an envelope as the text of a token.
pub(super) fn encode(mut signed: Vec<u8>, signature: &[u8; SIGNATURE_LEN]) -> String {
    signed.extend_from_slice(signature);
    BASE64_URL_SAFE_NO_PAD.encode(signed)
}
