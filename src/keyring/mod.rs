//! The keyring: key files, their directories, and sets of keys.
//!
//! ```text
//! <trusted>/profile/*.pem          public keys (SPKI) that verify profile tokens
//! <trusted>/admin/*.pem            public keys that verify admin tokens
//! <signing>/profile-KEYID.pem      private keys (PKCS#8) that sign profile tokens
//! <signing>/admin-KEYID.pem        private keys that sign admin tokens
//! <signing>/retired/               private keys that no longer sign
//! ```
//!
//! A signing key may have any name that begins with its purpose and a hyphen, so that a key made by
//! `openssl genpkey -algorithm ed25519` can be added as it is. Names that begin with a dot or do
//! not end in `.pem` are ignored. Every other file must be a valid key. One bad file makes the
//! whole directory fail, so that no key is left out silently.
//!
//! Private keys are refused if group or others can read or write them. Directories and public keys
//! are refused if group or others can write to them. The owner is not checked: only root can read
//! another user's `0600` file, and root must be able to mint with the keys of the service user.
//!
//! This room draws no randomness and reads no clock. Seeds, salts and passphrases are arguments. Of
//! tokens it knows only their keys; it does not know ledgers or HTTP.

mod disk;
mod encryption;
mod error;
mod file;
#[doc(hidden)]
pub mod fuzzing;
mod life;
mod signing;
mod trusted;

pub use disk::{list, read_private};
pub use encryption::Encryption;
pub use error::{KeyFileError, KeyringError};
pub use file::{decode_private, decode_public, encode_private, encode_public};
pub use life::{KeyPair, RETIRED, retire, write_new};
pub use signing::{SigningKeys, StoredKey, purpose_and_id};
pub use trusted::Keyring;

/// The maximum length of a key file, in bytes. The longest that jeton writes has about 400.
pub const FILE_LEN_MAX: usize = 16 * 1024;
