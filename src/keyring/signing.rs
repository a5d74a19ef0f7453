//! The private keys that tokens are signed with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::token::{KeyId, KeyPurpose, SigningKey};

use super::{KeyringError, disk};

/// A private key and the file it lies in.
#[derive(Debug)]
pub struct StoredKey {
    /// What it signs, by the name of its file.
    pub purpose: KeyPurpose,
    /// The key.
    pub key: SigningKey,
    /// The file.
    pub path: PathBuf,
    /// When the file was last written.
    modified: SystemTime,
}

/// The private keys of one folder.
#[derive(Debug)]
pub struct SigningKeys {
    folder: PathBuf,
    keys: Vec<StoredKey>,
}

impl SigningKeys {
    /// Reads all signing keys in `folder`; `passphrase` opens the encrypted ones.
    ///
    /// # Errors
    ///
    /// The first file that is refused, see [`KeyringError`], and
    /// [`KeyringError::Duplicate`] for one key in two files.
    pub fn load(folder: &Path, passphrase: Option<&str>) -> Result<Self, KeyringError> {
        Self::load_for(folder, &KeyPurpose::ALL, passphrase)
    }

    /// Reads the signing keys in `folder` for `purposes`, so that minting a
    /// profile token does not ask for the passphrase of an admin key.
    ///
    /// # Errors
    ///
    /// As [`SigningKeys::load`], but files for other purposes are not opened.
    pub fn load_for(
        folder: &Path,
        purposes: &[KeyPurpose],
        passphrase: Option<&str>,
    ) -> Result<Self, KeyringError> {
        let mut keys: Vec<StoredKey> = Vec::new();
        let mut files = BTreeMap::new();
        for path in disk::list(folder)? {
            let purpose = purpose_of(&path)?;
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
        Ok(Self { folder: folder.into(), keys })
    }

    /// Returns all keys, sorted by the names of their files.
    pub fn iter(&self) -> impl Iterator<Item = &StoredKey> {
        self.keys.iter()
    }

    /// Chooses the key for `purpose` that has `id`, or the newest file if no id
    /// is asked for.
    ///
    /// # Errors
    ///
    /// [`KeyringError::NoSigningKey`] if there is none, and
    /// [`KeyringError::Ambiguous`] if the newest two files are equally new.
    pub fn choose(
        &self,
        purpose: KeyPurpose,
        id: Option<KeyId>,
    ) -> Result<&StoredKey, KeyringError> {
        let asked = |key: &&StoredKey| id.is_none_or(|id| key.key.verifying_key().id() == id);
        let mut keys: Vec<_> =
            self.keys.iter().filter(|key| key.purpose == purpose).filter(asked).collect();
        keys.sort_by_key(|key| std::cmp::Reverse(key.modified));
        match keys.as_slice() {
            [] => Err(KeyringError::NoSigningKey { path: self.folder.clone(), purpose, id }),
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

/// Tells what the key in `path` signs, by the beginning of its name.
fn purpose_of(path: &Path) -> Result<KeyPurpose, KeyringError> {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let begins = |purpose: &KeyPurpose| {
        name.strip_prefix(purpose.as_str().as_bytes()).is_some_and(|rest| rest.starts_with(b"-"))
    };
    KeyPurpose::ALL.into_iter().find(begins).ok_or_else(|| KeyringError::NoPurpose {
        path: path.into(),
        expected: "the name of a signing key begins with profile- or admin-",
    })
}
