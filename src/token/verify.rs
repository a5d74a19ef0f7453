//! Verification: the only way from a text to trusted claims.

use super::{Claims, TokenId, TrustedKeys, UntrustedToken, VerifyError};

/// Claims that a trusted key signed. Only [`verify`] makes one.
///
/// A verified token need not be valid: time, revocation and remaining uses are not checked yet.
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

    /// Returns the claims.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// Verifies `text` with `keys`. Checks envelope, key id, signature, claims and key purpose, in this
/// order.
///
/// # Errors
///
/// Returns the first check that fails. A public service must give the same answer for all of them.
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
