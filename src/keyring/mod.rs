//! The keyring: key files, the folders they lie in, and the sets they make.
//!
//! ```text
//! <trusted>/profile/*.pem          public keys (SPKI) that profile tokens verify under
//! <trusted>/admin/*.pem            public keys that admin tokens verify under
//! <signing>/profile-KEYID.pem      private keys (PKCS#8) that sign profile tokens
//! <signing>/admin-KEYID.pem        private keys that sign admin tokens
//! <signing>/retired/               private keys that sign nothing any more
//! ```
//!
//! A signing key may have any name that begins with its purpose and a hyphen,
//! so that a key made by `openssl genpkey -algorithm ed25519` can be dropped
//! in. Names that begin with a dot or do not end in `.pem` are not looked at.
//! Everything else must be a good key: one bad file refuses the whole folder,
//! so that a key is never left out in silence.
//!
//! Private keys that others than their owner may read or write are refused, as
//! are folders and public keys that others may write to. Whose a file is, is
//! not judged: the system lets nobody but root read another's `0600` file, and
//! root must be able to mint with the keys of the service's user.
//!
//! This room draws no randomness and reads no clock: seeds, salts and
//! passphrases come in as arguments. It knows nothing of tokens but their keys,
//! and nothing of ledgers or HTTP.

mod disk;
mod encryption;
mod error;
mod file;
#[doc(hidden)]
pub mod fuzzing;
mod life;
mod signing;
mod trusted;

pub use disk::{FILE_LEN_MAX, list, read_private};
pub use encryption::Encryption;
pub use error::{KeyFileError, KeyringError};
pub use file::{decode_private, decode_public, encode_private, encode_public};
pub use life::{KeyPair, retire, write_new};
pub use signing::{SigningKeys, StoredKey};
pub use trusted::Keyring;
