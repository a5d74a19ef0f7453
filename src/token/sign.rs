//! Making a token.

use std::fmt;

use super::envelope;
use super::{Claims, ClaimsError, SigningKey, TokenId};

/// The text of a token. Whoever holds it can redeem it, so it is not shown by
/// accident: `Debug` leaves the text out and there is no `Display`.
#[derive(Clone, Eq, PartialEq)]
pub struct Token {
    text: String,
    id: TokenId,
}

impl Token {
    /// Returns the text, to be handed to its holder and to nobody else.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the identity, which may be shown.
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
/// It does not judge the claims against any clock or policy; the nonce must be
/// fresh random bytes.
///
/// # Errors
///
/// [`ClaimsError::Time`] for claims that [`verify`](super::verify()) would refuse
/// because they reach past the year 9999.
pub fn sign(claims: &Claims, key: &SigningKey) -> Result<Token, ClaimsError> {
    let key_id = key.verifying_key().id();
    let signed = envelope::signed_part(key_id, claims);
    Claims::decode(&claims.encode())?;
    let signature = key.sign(&envelope::message(&signed));
    let text = envelope::encode(signed, &signature);
    Ok(Token { text, id: TokenId { key_id, nonce: claims.nonce } })
}
