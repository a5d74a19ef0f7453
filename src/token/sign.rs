//! Signing: from claims to a token.

use std::fmt;

use super::envelope;
use super::{Claims, ClaimsError, SigningKey, TokenId};

/// A signed token. Its text is a bearer secret, so `Debug` leaves it out and there is no `Display`.
#[derive(Clone, Eq, PartialEq)]
pub struct Token {
    text: String,
    id: TokenId,
}

impl Token {
    /// Returns the text, which only the holder may see.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the identity, which is not secret.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Signs `claims` with `key`.
///
/// The nonce must be fresh random bytes. The claims are not checked against a clock or a policy.
///
/// # Errors
///
/// [`ClaimsError::Time`] if the token would expire after the year 9999, because
/// [`verify`](super::verify()) would refuse it.
pub fn sign(claims: &Claims, key: &SigningKey) -> Result<Token, ClaimsError> {
    claims.check_expiry()?;
    let key_id = key.verifying_key().id();
    let signed = envelope::signed_part(key_id, claims);
    let signature = key.sign(&envelope::message(&signed));
    let text = envelope::encode(signed, &signature);
    Ok(Token { text, id: TokenId { key_id, nonce: claims.nonce } })
}
