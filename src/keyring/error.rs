//! Why a key file, a folder of keys or a set of keys is refused. None of these
//! ever holds what a file contains.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::token::{KeyError, KeyId, KeyPurpose};

/// Why a text is no key file that we take.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It is not exactly one PEM block.
    #[error("it is not exactly one PEM block of 64-character lines")]
    Pem,
    /// The PEM block is of another kind.
    #[error("it holds a {found} where a {expected} belongs")]
    Label {
        /// The label that belongs here.
        expected: &'static str,
        /// The label that was found, if it is a well-known one.
        found: &'static str,
    },
    /// What the PEM block holds is no key in strict DER.
    #[error("what it holds is damaged, or is no key")]
    Malformed,
    /// The key is for another algorithm, named here.
    #[error("it holds a key for {0}, and tokens are signed with Ed25519 only")]
    Algorithm(String),
    /// It is encrypted in a way we do not read.
    #[error(
        "it is encrypted with {0}, which is not supported: use PBES2 with scrypt or PBKDF2-SHA-2 and AES"
    )]
    Encryption(String),
    /// Its key derivation would cost too much time or memory, or has parameters
    /// that mean nothing.
    #[error("the cost of its key derivation is out of range")]
    DerivationCost,
    /// It is encrypted, and no passphrase was given.
    #[error("it is encrypted, and no passphrase was given")]
    PassphraseNeeded,
    /// It does not decrypt with this passphrase.
    #[error("the passphrase is wrong, or the file is damaged")]
    WrongPassphrase,
    /// It carries a public half that is not the private half's
    /// (RUSTSEC-2022-0093).
    #[error("its public half does not belong to its private half")]
    PublicHalf,
    /// The public key is none that we trust.
    #[error("{0}")]
    PublicKey(KeyError),
}

/// Why keys on disk are refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// A file or folder cannot be read, written, made or moved.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried: `read`, `write`, `make` or `move`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A name that should be a file is something else.
    #[error("{path} is not a regular file")]
    NotAFile {
        /// What has that name.
        path: PathBuf,
    },
    /// A file is larger than any key file.
    #[error("{path} has more than {max} bytes, no key file has", max = super::FILE_LEN_MAX)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Others than its owner may read or write a private key.
    #[error("others than its owner may read or write the private key {path}: chmod 600 {path}")]
    Exposed {
        /// The private key file.
        path: PathBuf,
    },
    /// Others than its owner may change what we trust or sign with.
    #[error("others than its owner may write to {path}: chmod go-w {path}")]
    Writable {
        /// The folder, or the public key file.
        path: PathBuf,
    },
    /// The file is no key that we take.
    #[error("{path} is no usable key file")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyFileError,
    },
    /// A key file lies where its purpose cannot be told.
    #[error("{path} is for no purpose: {expected}")]
    NoPurpose {
        /// The file.
        path: PathBuf,
        /// Where it should lie, or how it should be named.
        expected: &'static str,
    },
    /// Two files hold keys with one id, most often one key twice. A key has one
    /// purpose, and a token names its key by the id alone.
    #[error("{first} and {second} hold keys with the same id {id}")]
    Duplicate {
        /// The id that both keys have.
        id: KeyId,
        /// One file.
        first: PathBuf,
        /// The other file.
        second: PathBuf,
    },
    /// There is no such signing key.
    #[error("{path} holds no {purpose} signing key{}", WithId(*id))]
    NoSigningKey {
        /// The folder that was searched.
        path: PathBuf,
        /// What the key should sign.
        purpose: KeyPurpose,
        /// The id that was asked for.
        id: Option<KeyId>,
    },
    /// No private key in the folder has this id.
    #[error("{path} holds no private key with the id {id}")]
    NoPrivateKey {
        /// The folder that was searched.
        path: PathBuf,
        /// The id that was asked for.
        id: KeyId,
    },
    /// Several signing keys are equally new.
    #[error("{first} and {second} are equally new: name a key by its id")]
    Ambiguous {
        /// One file.
        first: PathBuf,
        /// The other file.
        second: PathBuf,
    },
    /// A file would be overwritten.
    #[error("{path} exists already")]
    Exists {
        /// The file.
        path: PathBuf,
    },
}

/// Writes ` with the id ...` if an id was asked for.
struct WithId(Option<KeyId>);

impl std::fmt::Display for WithId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |id| write!(f, " with the id {id}"))
    }
}
