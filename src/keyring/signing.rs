//! The private keys that sign tokens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::token::{KeyId, KeyPurpose, SigningKey};

use super::{KeyringError, disk};

/// A private key and its file.
#[derive(Debug)]
pub struct StoredKey {
    /// What it signs, from the name of its file.
    pub purpose: KeyPurpose,
    /// The key.
    pub key: SigningKey,
    /// The file.
    pub path: PathBuf,
    /// The modification time of the file.
    modified: SystemTime,
}

/// The private keys of one directory.
#[derive(Debug)]
pub struct SigningKeys {
    directory: PathBuf,
    keys: Vec<StoredKey>,
}

impl SigningKeys {
    /// Reads all signing keys in `directory`. `passphrase` decrypts the encrypted ones.
    ///
    /// # Errors
    ///
    /// Returns the error of the first bad file, or [`KeyringError::Duplicate`] if two files contain
    /// the same key.
    pub fn load(directory: &Path, passphrase: Option<&str>) -> Result<Self, KeyringError> {
        Self::load_for(directory, &KeyPurpose::ALL, passphrase)
    }

    /// Reads the signing keys in `directory` for `purposes`. Minting a profile token then needs no
    /// passphrase of an admin key.
    ///
    /// # Errors
    ///
    /// As [`SigningKeys::load`]. Files for other purposes are not opened.
    pub fn load_for(
        directory: &Path,
        purposes: &[KeyPurpose],
        passphrase: Option<&str>,
    ) -> Result<Self, KeyringError> {
        let mut keys: Vec<StoredKey> = Vec::new();
        let mut files = BTreeMap::new();
        for path in disk::list(directory)? {
            let (purpose, _) = purpose_and_id(&path).ok_or_else(|| KeyringError::NoPurpose {
                path: path.clone(),
                expected: "the name of a signing key begins with profile- or admin-",
            })?;
            if !purposes.contains(&purpose) {
                continue;
            }
            let key = disk::read_private(&path, passphrase)?;
            let id = key.verifying_key().id();
            if let Some(first) = files.insert(id, path.clone()) {
                return Err(KeyringError::Duplicate { id, first, second: path });
            }
            let modified = disk::modified(&path)?;
            keys.push(StoredKey { purpose, key, path, modified });
        }
        Ok(Self { directory: directory.into(), keys })
    }

    /// Returns all keys, sorted by file name.
    pub fn iter(&self) -> impl Iterator<Item = &StoredKey> {
        self.keys.iter()
    }

    /// Returns the key for `purpose` with `id`, or without an id the one with the newest file.
    ///
    /// # Errors
    ///
    /// [`KeyringError::NoSigningKey`] if there is none, and [`KeyringError::Ambiguous`] if the two
    /// newest files are equally new.
    pub fn choose(
        &self,
        purpose: KeyPurpose,
        id: Option<KeyId>,
    ) -> Result<&StoredKey, KeyringError> {
        let has_id = |key: &&StoredKey| id.is_none_or(|id| key.key.verifying_key().id() == id);
        let mut keys: Vec<_> =
            self.keys.iter().filter(|key| key.purpose == purpose).filter(has_id).collect();
        keys.sort_by_key(|key| std::cmp::Reverse(key.modified));
        match keys.as_slice() {
            [] => Err(KeyringError::NoSigningKey { path: self.directory.clone(), purpose, id }),
            [first, second, ..] if first.modified == second.modified => {
                Err(KeyringError::Ambiguous {
                    first: first.path.clone(),
                    second: second.path.clone(),
                })
            }
            [newest, ..] => Ok(newest),
        }
    }
}

/// Returns the purpose that the name of a private key file begins with, and the key id if that is
/// the rest of the name.
#[must_use]
pub fn purpose_and_id(path: &Path) -> Option<(KeyPurpose, Option<KeyId>)> {
    let name = path.file_stem()?.to_string_lossy();
    KeyPurpose::ALL.into_iter().find_map(|purpose| {
        let rest = name.strip_prefix(purpose.as_str())?.strip_prefix('-')?;
        Some((purpose, rest.parse().ok()))
    })
}
