//! Lists key files for operators, with their purpose and use.

use std::path::{Path, PathBuf};

use crate::keyring::{self, KeyFileError, Keyring, KeyringError};
use crate::token::{KeyId, KeyPurpose};

/// A key file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct KeyFile {
    /// The id of the key; `None` if it is encrypted and its file name has no id.
    pub id: Option<KeyId>,
    /// What it signs.
    pub purpose: KeyPurpose,
    /// What the file is for.
    pub place: Place,
    /// Whether it needs a passphrase.
    pub encrypted: bool,
    /// The file.
    pub path: PathBuf,
}

/// What a key file is for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Place {
    /// A private key that signs.
    Signing,
    /// A public key that verifies.
    Trusted,
    /// A private key that no longer signs.
    Retired,
}

impl Place {
    /// Returns the word for it in lists.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Trusted => "trusted",
            Self::Retired => "retired",
        }
    }
}

/// Lists all key files of the directories of trusted and signing keys, sorted by purpose, place and
/// id.
pub(crate) fn list(trusted: &Path, signing: Option<&Path>) -> Result<Vec<KeyFile>, KeyringError> {
    let mut files = public(trusted)?;
    if let Some(signing) = signing {
        files.extend(private(signing, Place::Signing)?);
        let retired = signing.join(keyring::RETIRED);
        if retired.is_dir() {
            files.extend(private(&retired, Place::Retired)?);
        }
    }
    files.sort_by_key(|file| (file.purpose, file.place, file.id));
    Ok(files)
}

/// Lists the signing keys in `directory`.
pub(crate) fn signing(directory: &Path) -> Result<Vec<KeyFile>, KeyringError> {
    private(directory, Place::Signing)
}

fn public(directory: &Path) -> Result<Vec<KeyFile>, KeyringError> {
    let ring = Keyring::load(directory)?;
    let file = |(path, trusted): (&Path, &crate::token::TrustedKey)| KeyFile {
        id: Some(trusted.key.id()),
        purpose: trusted.purpose,
        place: Place::Trusted,
        encrypted: false,
        path: path.into(),
    };
    Ok(ring.iter().map(file).collect())
}

fn private(directory: &Path, place: Place) -> Result<Vec<KeyFile>, KeyringError> {
    let mut files = Vec::new();
    for path in keyring::list(directory)? {
        // `SigningKeys` reports files without a purpose.
        let Some((purpose, named_id)) = keyring::purpose_and_id(&path) else { continue };
        let (id, encrypted) = match keyring::read_private(&path, None) {
            Ok(key) => (Some(key.verifying_key().id()), false),
            Err(KeyringError::File { source: KeyFileError::PassphraseNeeded, .. }) => {
                (named_id, true)
            }
            Err(error) => return Err(error),
        };
        files.push(KeyFile { id, purpose, place, encrypted, path });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::{Encryption, retire, write_new};
    use crate::token::SigningKey;

    #[test]
    fn lists_keys_with_their_place_and_encryption() {
        let root = tempfile::tempdir().unwrap();
        let (trusted, signing) = (root.path().join("trusted"), root.path().join("signing"));
        let [plain, encrypted, admin] = [1, 2, 3].map(|seed| SigningKey::from_seed(&[seed; 32]));
        let encryption = Encryption { passphrase: "correct horse", salt: [1; 16], iv: [2; 16] };
        write_new(&trusted, &signing, KeyPurpose::Profile, &plain, None).unwrap();
        write_new(&trusted, &signing, KeyPurpose::Profile, &encrypted, Some(&encryption)).unwrap();
        write_new(&trusted, &signing, KeyPurpose::Admin, &admin, None).unwrap();
        retire(&signing, plain.verifying_key().id(), None).unwrap();
        let files = list(&trusted, Some(&signing)).unwrap();
        let listed = |key: &SigningKey| -> Vec<_> {
            let id = Some(key.verifying_key().id());
            let of_key = files.iter().filter(|file| file.id == id);
            of_key.map(|file| (file.purpose, file.place, file.encrypted)).collect()
        };
        let (profile, admin_purpose) = (KeyPurpose::Profile, KeyPurpose::Admin);
        assert_eq!(
            listed(&plain),
            [(profile, Place::Trusted, false), (profile, Place::Retired, false)]
        );
        assert_eq!(
            listed(&encrypted),
            [(profile, Place::Signing, true), (profile, Place::Trusted, false)]
        );
        assert_eq!(
            listed(&admin),
            [(admin_purpose, Place::Signing, false), (admin_purpose, Place::Trusted, false)]
        );
    }
}
