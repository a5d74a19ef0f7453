//! Why a token or a key is refused, sorted by what was looked at.

use thiserror::Error;

use super::{KeyId, KeyPurpose, TOKEN_LEN_MAX, UnixSeconds};

/// Why a text is no token we trust, in the order of the checks.
///
/// Whoever sent it must not learn which: to the caller all of these are one
/// answer. The log may tell them apart.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum VerifyError {
    /// It has more than [`TOKEN_LEN_MAX`] characters.
    #[error("the token has more than {TOKEN_LEN_MAX} characters")]
    TooLong,
    /// It is not strict base64url without padding.
    #[error("the token is not base64url, or was cut or mixed up on its way")]
    Base64,
    /// It is too short to hold an envelope.
    #[error("the token is too short, it may have been cut on its way")]
    TooShort,
    /// It has a version that this program does not know.
    #[error("the token has the unknown version {0}")]
    Version(u8),
    /// No trusted key has its key id.
    #[error("no trusted key has the id {0}")]
    UnknownKey(KeyId),
    /// The signature does not hold.
    #[error("the signature does not hold")]
    Signature,
    /// The signed claims are none that we would have signed.
    #[error("the claims are not valid")]
    Claims(#[source] ClaimsError),
    /// The key signed for a purpose that it is not trusted for.
    #[error("the key {key_id} is trusted for {trusted} tokens only")]
    KeyPurpose {
        /// The key that signed.
        key_id: KeyId,
        /// What that key is trusted for.
        trusted: KeyPurpose,
    },
}

/// Why bytes or values are no claims.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ClaimsError {
    /// They do not decode, or a claim is out of its range.
    #[error("the claims do not decode")]
    Malformed,
    /// They decode, but are not spelled in the one canonical way.
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

/// How claims fail against the clock.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum TimeError {
    /// The token becomes valid at this moment.
    #[error("the token is not valid before {0}")]
    NotYet(UnixSeconds),
    /// The token stopped being valid at this moment.
    #[error("the token expired at {0}")]
    Expired(UnixSeconds),
}

/// Why 32 bytes are no public key we accept.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum KeyError {
    /// They encode no point of the curve.
    #[error("the public key is no point of the curve")]
    NoPoint,
    /// The point is encoded in a second, non-canonical way (RFC 8032, section 5.1.3).
    #[error("the public key is not in canonical form")]
    NotCanonical,
    /// The point has small order: a signature can hold for any message.
    #[error("the public key is weak: it has small order")]
    Weak,
}
