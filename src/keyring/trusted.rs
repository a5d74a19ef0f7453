//! The public keys that tokens are verified under.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use crate::token::{KeyId, KeyPurpose, TrustedKey, TrustedKeys};

use super::{KeyringError, disk};

/// A set of trusted public keys that never changes: a reload makes a new one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Keyring {
    keys: BTreeMap<KeyId, (PathBuf, TrustedKey)>,
}

impl Keyring {
    /// Joins `keys`, each with the file it came from.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Duplicate`] for two keys with one id; that is also one
    /// key listed twice, be it for the same purpose or for both.
    pub fn new(
        keys: impl IntoIterator<Item = (PathBuf, TrustedKey)>,
    ) -> Result<Self, KeyringError> {
        let mut ring = Self::default();
        for (path, key) in keys {
            ring.add(path, key)?;
        }
        Ok(ring)
    }

    /// Reads `<folder>/profile/*.pem` and `<folder>/admin/*.pem`. Either may be
    /// missing or empty; then nothing is trusted for that purpose.
    ///
    /// # Errors
    ///
    /// The first file or folder that is refused, see [`KeyringError`].
    pub fn load(folder: &Path) -> Result<Self, KeyringError> {
        if let Some(path) = disk::list(folder)?.into_iter().next() {
            let expected = "trusted keys lie in the folders profile and admin";
            return Err(KeyringError::NoPurpose { path, expected });
        }
        let mut ring = Self::default();
        for purpose in KeyPurpose::ALL {
            let folder = folder.join(purpose.as_str());
            if folder.symlink_metadata().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
                continue;
            }
            for path in disk::list(&folder)? {
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

    /// Tells whether no key at all is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Tells whether any key is trusted for `purpose`.
    #[must_use]
    pub fn has(&self, purpose: KeyPurpose) -> bool {
        self.iter().any(|(_path, key)| key.purpose == purpose)
    }

    /// Returns all keys and their files, in the order of their ids.
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
    fn a_keyring_finds_its_keys_by_id() {
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
    fn two_keys_with_one_id_are_refused_and_both_files_named() {
        for second in KeyPurpose::ALL {
            let keys = [
                ("profile/a.pem".into(), trusted(1, KeyPurpose::Profile)),
                ("admin/b.pem".into(), trusted(1, second)),
            ];
            let refused = Keyring::new(keys).unwrap_err().to_string();
            assert!(refused.starts_with("profile/a.pem and admin/b.pem hold keys"), "{refused}");
        }
    }
}
