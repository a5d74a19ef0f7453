//! The errors of key files and sets of keys. None of them contains the content of a file.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::FILE_LEN_MAX;
use crate::token::{KeyError, KeyId, KeyPurpose};

/// Why a text is not an acceptable key file.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It is not exactly one PEM block.
    #[error("it is not exactly one PEM block of 64-character lines")]
    Pem,
    /// The PEM block has another label.
    #[error("expected a {expected}, found a {found}")]
    Label {
        /// The label that was expected.
        expected: &'static str,
        /// The label that was found, if it is a well-known one.
        found: &'static str,
    },
    /// The PEM block does not contain a key in strict DER.
    #[error("it is damaged, or does not contain a key")]
    Malformed,
    /// The key is for this other algorithm.
    #[error("it contains a key for {0}, but tokens are signed with Ed25519 only")]
    Algorithm(String),
    /// It is encrypted with an unsupported scheme.
    #[error(
        "it is encrypted with {0}, which is not supported: use PBES2 with scrypt or PBKDF2-SHA-2 and AES"
    )]
    Encryption(String),
    /// Its key derivation would take too much time or memory, or has invalid parameters.
    #[error("the cost of its key derivation is out of range")]
    DerivationCost,
    /// It is encrypted, and no passphrase was given.
    #[error("it is encrypted, and no passphrase was given")]
    PassphraseNeeded,
    /// It does not decrypt with the passphrase.
    #[error("the passphrase is wrong, or the file is damaged")]
    WrongPassphrase,
    /// It contains a public half that is not that of the private half (RUSTSEC-2022-0093).
    #[error("its public half does not belong to its private half")]
    PublicHalf,
    /// The public key is not acceptable.
    #[error("{0}")]
    PublicKey(KeyError),
}

/// Why keys on disk are refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// A file or directory cannot be read, written, created or moved.
    #[error("cannot {action} {path}")]
    Io {
        /// The action that failed: `read`, `write`, `create` or `move`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A path is not a regular file.
    #[error("{0} is not a regular file")]
    NotAFile(PathBuf),
    /// A file is larger than any key file.
    #[error("{0} is larger than a key file can be, {FILE_LEN_MAX} bytes")]
    TooLarge(PathBuf),
    /// Group or others can access a private key.
    #[error("group or others can access the private key {0}: chmod 600 {0}")]
    Exposed(PathBuf),
    /// Group or others can change the keys that are trusted or that sign.
    #[error("group or others can write to {0}: chmod go-w {0}")]
    Writable(PathBuf),
    /// The file is not an acceptable key file.
    #[error("{path} is not a usable key file")]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: KeyFileError,
    },
    /// Neither the name nor the directory of a key file gives its purpose.
    #[error("the purpose of {path} is unknown: {expected}")]
    NoPurpose {
        /// The file.
        path: PathBuf,
        /// Where it should be, or how it should be named.
        expected: &'static str,
    },
    /// Two files contain keys with the same id, usually the same key. A key has one purpose, and a
    /// token names its key only by the id.
    #[error("{first} and {second} contain keys with the same id {id}")]
    Duplicate {
        /// The id that both keys have.
        id: KeyId,
        /// One file.
        first: PathBuf,
        /// The other file.
        second: PathBuf,
    },
    /// There is no such signing key.
    #[error("{path} contains no {purpose} signing key{}", WithId(*id))]
    NoSigningKey {
        /// The directory that was searched.
        path: PathBuf,
        /// The requested purpose.
        purpose: KeyPurpose,
        /// The requested id.
        id: Option<KeyId>,
    },
    /// No private key in the directory has this id.
    #[error("{path} contains no private key with the id {id}")]
    NoPrivateKey {
        /// The directory that was searched.
        path: PathBuf,
        /// The requested id.
        id: KeyId,
    },
    /// The two newest signing keys are equally new.
    #[error("{first} and {second} are equally new: choose a key by its id")]
    Ambiguous {
        /// One file.
        first: PathBuf,
        /// The other file.
        second: PathBuf,
    },
    /// A file would be overwritten.
    #[error("{0} already exists")]
    Exists(PathBuf),
}

/// Writes ` with the id ...` if there is an id.
struct WithId(Option<KeyId>);

impl std::fmt::Display for WithId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |id| write!(f, " with the id {id}"))
    }
}
