//! The envelope: how a token's parts lie in its bytes and its text.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::{Claims, ClaimsError, KeyId, VerifyError};

/// The most characters a token may have.
pub const TOKEN_LEN_MAX: usize = 512;

/// The one version there is.
pub(super) const VERSION: u8 = 0x01;

/// What the signed bytes begin with, so that a signature for anything else
/// under the same key is never one for a token.
const CONTEXT: &[u8] = b"jeton token v1\0";

/// Version and key id.
const HEAD_LEN: usize = 5;
const SIGNATURE_LEN: usize = 64;

/// A token that was read but not verified. Nothing in it may be believed.
#[derive(Clone, Eq, PartialEq)]
pub struct UntrustedToken {
    key_id: KeyId,
    /// Version, key id and claims: the signed part of the envelope.
    signed: Vec<u8>,
    signature: [u8; SIGNATURE_LEN],
}

impl UntrustedToken {
    /// Reads the envelope: length, base64, version and layout, in this order.
    ///
    /// # Errors
    ///
    /// Returns the first check that fails; never a later one of [`VerifyError`].
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

    /// Returns the id of the key that claims to have signed.
    #[must_use]
    pub const fn untrusted_key_id(&self) -> KeyId {
        self.key_id
    }

    /// Decodes the claims, whoever may have written them.
    ///
    /// # Errors
    ///
    /// Returns why the bytes are no canonical claims.
    pub fn untrusted_claims(&self) -> Result<Claims, ClaimsError> {
        Claims::decode(self.signed.get(HEAD_LEN..).unwrap_or_default())
    }

    /// Returns the bytes that the signature covers.
    pub(super) fn message(&self) -> Vec<u8> {
        message(&self.signed)
    }

    /// Returns the signature.
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

/// Returns the bytes that a signature covers for this signed part.
pub(super) fn message(signed: &[u8]) -> Vec<u8> {
    [CONTEXT, signed].concat()
}

/// Writes an envelope as the text of a token.
pub(super) fn encode(mut signed: Vec<u8>, signature: &[u8; SIGNATURE_LEN]) -> String {
    signed.extend_from_slice(signature);
    BASE64_URL_SAFE_NO_PAD.encode(signed)
}
