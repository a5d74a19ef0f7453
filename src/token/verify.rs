//! The only door from text to trust.

use super::{Claims, TokenId, TrustedKeys, UntrustedToken, VerifyError};

/// Claims that a trusted key signed. Only [`verify`] makes one.
///
/// Verified is not valid: time, revocation and count are still to be judged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifiedToken {
    id: TokenId,
    claims: Claims,
}

impl VerifiedToken {
    /// Returns the identity by which uses are counted.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// Returns what the token says.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// Verifies `text` under `keys`: length, base64, version, key id, signature,
/// claims, in this order.
///
/// # Errors
///
/// Returns the first check that fails. The caller of a public door must give
/// one answer for all of them.
pub fn verify(text: &str, keys: &impl TrustedKeys) -> Result<VerifiedToken, VerifyError> {
    let token = UntrustedToken::parse(text)?;
    let key_id = token.untrusted_key_id();
    let trusted = keys.find(key_id).ok_or(VerifyError::UnknownKey(key_id))?;
    if !trusted.key.is_signature(&token.message(), token.signature()) {
        return Err(VerifyError::Signature);
    }
    let claims = token.untrusted_claims().map_err(VerifyError::Claims)?;
    if claims.purpose.key_purpose() != trusted.purpose {
        return Err(VerifyError::KeyPurpose { key_id, trusted: trusted.purpose });
    }
    Ok(VerifiedToken { id: TokenId { key_id, nonce: claims.nonce }, claims })
}
