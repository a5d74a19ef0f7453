//! The errors of tokens and their claims.

use thiserror::Error;

use super::{KeyId, KeyPurpose, TOKEN_LEN_MAX, UnixSeconds};

/// Why a text is not a trusted token, in the order of the checks.
///
/// A client must get the same answer for all of these. The log may distinguish them.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum VerifyError {
    /// It has more than [`TOKEN_LEN_MAX`] bytes.
    #[error("the token has more than {TOKEN_LEN_MAX} characters")]
    TooLong,
    /// It is not strict base64url without padding.
    #[error("the token is not base64url; it may have been cut or altered")]
    Base64,
    /// It is too short to hold an envelope.
    #[error("the token is too short; it may have been cut")]
    TooShort,
    /// Its version is not supported.
    #[error("the token has the unknown version {0}")]
    Version(u8),
    /// No trusted key has the key id that it names.
    #[error("no trusted key has the id {0}")]
    UnknownKey(KeyId),
    /// The signature is not valid.
    #[error("the signature is not valid")]
    Signature,
    /// The claims are signed, but [`sign`](super::sign()) would not have signed them.
    #[error("the claims are not valid")]
    Claims(#[source] ClaimsError),
    /// The key signed for a purpose that it is not trusted for.
    #[error("the key {key_id} is trusted for {trusted} tokens only")]
    KeyPurpose {
        /// The key that signed.
        key_id: KeyId,
        /// The purpose that this key is trusted for.
        trusted: KeyPurpose,
    },
}

/// Why bytes or values are not valid claims.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ClaimsError {
    /// They do not decode, or a claim is out of its range.
    #[error("the claims do not decode")]
    Malformed,
    /// They decode, but are not in canonical form.
    #[error("the claims are not in canonical form")]
    NotCanonical,
    /// The lifetime is not 1 second ..= 366 days.
    #[error("a lifetime is at least 1 second and at most 366 days")]
    Lifetime,
    /// The number of uses is not 1 ..= 4294967295 or `unlimited`.
    #[error("uses are a number from 1 to 4294967295, or `unlimited`")]
    Uses,
    /// The token would expire after the year 9999.
    #[error("the token expires after the year 9999")]
    Time,
}

/// Why claims are not valid at a given time.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum TimeError {
    /// The token becomes valid at this time.
    #[error("the token is not valid before {0}")]
    NotYet(UnixSeconds),
    /// The token stopped being valid at this time.
    #[error("the token expired at {0}")]
    Expired(UnixSeconds),
}
