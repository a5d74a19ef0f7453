//! The public keys that verify tokens.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use crate::token::{KeyId, KeyPurpose, TrustedKey, TrustedKeys};

use super::{KeyringError, disk};

/// A set of trusted public keys. It never changes; a reload makes a new one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Keyring {
    keys: BTreeMap<KeyId, (PathBuf, TrustedKey)>,
}

impl Keyring {
    /// Makes a keyring from `keys`, each with its file.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Duplicate`] if two keys have the same id. That includes one key listed
    /// twice, for one purpose or for both.
    pub fn new(
        keys: impl IntoIterator<Item = (PathBuf, TrustedKey)>,
    ) -> Result<Self, KeyringError> {
        let mut ring = Self::default();
        for (path, key) in keys {
            ring.add(path, key)?;
        }
        Ok(ring)
    }

    /// Reads `<directory>/profile/*.pem` and `<directory>/admin/*.pem`. Either may be missing or
    /// empty; then no key is trusted for that purpose.
    ///
    /// # Errors
    ///
    /// Returns the error of the first bad file or directory.
    pub fn load(directory: &Path) -> Result<Self, KeyringError> {
        if let Some(path) = disk::list(directory)?.into_iter().next() {
            let expected = "trusted keys must be in the directories profile and admin";
            return Err(KeyringError::NoPurpose { path, expected });
        }
        let mut ring = Self::default();
        for purpose in KeyPurpose::ALL {
            let directory = directory.join(purpose.as_str());
            if directory.symlink_metadata().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound)
            {
                continue;
            }
            for path in disk::list(&directory)? {
                let key = disk::read_public(&path)?;
                ring.add(path, TrustedKey { purpose, key })?;
            }
        }
        Ok(ring)
    }

    /// Returns the number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns `true` if no key is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns `true` if any key is trusted for `purpose`.
    #[must_use]
    pub fn has(&self, purpose: KeyPurpose) -> bool {
        self.iter().any(|(_path, key)| key.purpose == purpose)
    }

    /// Returns all keys and their files, sorted by key id.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &TrustedKey)> {
        self.keys.values().map(|(path, key)| (path.as_path(), key))
    }

    /// Adds one key.
    pub(super) fn add(&mut self, path: PathBuf, key: TrustedKey) -> Result<(), KeyringError> {
        match self.keys.entry(key.key.id()) {
            Entry::Occupied(old) => Err(KeyringError::Duplicate {
                id: key.key.id(),
                first: old.get().0.clone(),
                second: path,
            }),
            Entry::Vacant(new) => {
                new.insert((path, key));
                Ok(())
            }
        }
    }
}

impl TrustedKeys for Keyring {
    fn find(&self, id: KeyId) -> Option<&TrustedKey> {
        self.keys.get(&id).map(|(_path, key)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::SigningKey;

    fn trusted(seed: u8, purpose: KeyPurpose) -> TrustedKey {
        TrustedKey { purpose, key: *SigningKey::from_seed(&[seed; 32]).verifying_key() }
    }

    #[test]
    fn finds_keys_by_id() {
        let one = trusted(1, KeyPurpose::Profile);
        let two = trusted(2, KeyPurpose::Admin);
        let ring = Keyring::new([("one".into(), one), ("two".into(), two)]).unwrap();
        assert_eq!((ring.len(), ring.is_empty()), (2, false));
        assert_eq!(ring.find(one.key.id()), Some(&one));
        assert_eq!(ring.find(trusted(3, KeyPurpose::Admin).key.id()), None);
        assert!(ring.has(KeyPurpose::Admin));
        let one = Keyring::new([("one".into(), one)]).unwrap();
        assert!(!one.has(KeyPurpose::Admin));
    }

    #[test]
    fn refuses_two_keys_with_one_id_and_names_both_files() {
        for second in KeyPurpose::ALL {
            let keys = [
                ("profile/a.pem".into(), trusted(1, KeyPurpose::Profile)),
                ("admin/b.pem".into(), trusted(1, second)),
            ];
            let refused = Keyring::new(keys).unwrap_err().to_string();
            assert!(refused.starts_with("profile/a.pem and admin/b.pem contain keys"), "{refused}");
        }
    }
}
