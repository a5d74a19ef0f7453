//! The token: a signed statement of who may download which profile, how often, and until when.
//!
//! `docs/token.md` is the specification of the format. This room is pure: it reads no clock, draws
//! no randomness and does no I/O. It does not know files, ledgers or HTTP. Time, random bytes and
//! keys are arguments.
//!
//! # The bytes, version 1
//!
//! ```text
//! token    = base64url without padding ( envelope ), at most 512 characters
//! envelope = version(1) = 0x01 | key_id(4) | claims | signature(64)
//! claims   = postcard of, in this order:
//!              purpose    enum { Profile(kind) = 0, Admin(role) = 1 }
//!                           kind { UserLocked = 0, Autologin = 1, ServerLocked = 2 }
//!                           role { Viewer = 0, Operator = 1, Admin = 2 }
//!              nonce      [u8; 16]  4 bytes batch | 12 bytes random
//!              issued_at  u64       unix seconds
//!              lifetime   u32       seconds, 1 ..= 366 days
//!              uses       enum { Limited(NonZeroU32) = 0, Unlimited = 1 }
//!              user       str       1 ..= 128 bytes of UTF-8
//!              network    Option<enum { V4([u8; 4], prefix u8) = 0, V6([u8; 16], prefix u8) = 1 }>
//! signed   = "jeton token v1" | 0x00 | version | key_id | claims
//! ```
//!
//! Every token has exactly one text. base64url is decoded strictly: no padding, no white space, no
//! trailing bits. After decoding, the claims are encoded again and compared byte for byte, because
//! postcard accepts over-long varints and trailing bytes.
//!
//! # Where to read
//!
//! [`Claims`] are the content of a token. [`sign()`] makes a token. Only [`verify()`] makes a
//! [`VerifiedToken`]. [`Claims::validate_time`] checks it against the clock. [`url`] builds and
//! reads the links that carry a token.

mod claims;
mod envelope;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod key;
mod network;
mod nonce;
mod sign;
pub(crate) mod text_form;
mod time;
pub mod url;
mod user;
mod verify;

pub use claims::{AdminRole, Claims, Lifetime, ProfileKind, Purpose, UnknownKind, UseLimit};
pub use envelope::UntrustedToken;
pub use error::{ClaimsError, TimeError, VerifyError};
pub use key::{
    KeyError, KeyId, KeyIdError, KeyPurpose, SigningKey, TrustedKey, TrustedKeys, VerifyingKey,
};
pub use network::{IpNetwork, NetworkError};
pub use nonce::{Batch, Nonce, NonceError, TokenId};
pub use sign::{Token, sign};
pub use time::{CLOCK_ALLOWANCE, TimeParseError, UnixSeconds};
pub use user::{NewUserName, UserName, UserNameError};
pub use verify::{VerifiedToken, verify};

/// The maximum length of a token's text, in bytes.
pub const TOKEN_LEN_MAX: usize = 512;
