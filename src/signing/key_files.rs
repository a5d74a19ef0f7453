//! Which key files lie where: the keyring as an operator sees it. This is one of
//! the two seams to the keyring; the other is [`signing_key`](super::signing_key).

use std::path::{Path, PathBuf};

use crate::config::Keys;
use crate::keyring::{self, KeyFileError, Keyring, KeyringError};
use crate::token::{KeyId, KeyPurpose};

/// The folder in the signing folder where retired keys are kept.
const RETIRED: &str = "retired";

/// A key file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct KeyFile {
    /// The id of the key; unknown for an encrypted one whose name does not tell.
    pub id: Option<KeyId>,
    /// What its tokens are for.
    pub purpose: KeyPurpose,
    /// What the file is there for.
    pub place: Place,
    /// Whether a passphrase is needed to use it.
    pub encrypted: bool,
    /// The file.
    pub path: PathBuf,
}

/// What a key file is there for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Place {
    /// It signs.
    Signing,
    /// It is trusted.
    Trusted,
    /// It signed once.
    Retired,
}

impl Place {
    /// Returns the word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Trusted => "trusted",
            Self::Retired => "retired",
        }
    }
}

/// Lists all key files: by purpose, then signing, trusted, retired, then by id.
pub(crate) fn list(keys: &Keys) -> Result<Vec<KeyFile>, KeyringError> {
    let mut files = trusted(&keys.trusted)?;
    if let Some(signing) = &keys.signing {
        files.extend(private(signing, Place::Signing)?);
        let retired = signing.join(RETIRED);
        if retired.is_dir() {
            files.extend(private(&retired, Place::Retired)?);
        }
    }
    files.sort_by_key(|file| (file.purpose, file.place, file.id));
    Ok(files)
}

/// Lists the keys in `folder` that sign.
pub(crate) fn signing(folder: &Path) -> Result<Vec<KeyFile>, KeyringError> {
    private(folder, Place::Signing)
}

fn trusted(folder: &Path) -> Result<Vec<KeyFile>, KeyringError> {
    let ring = Keyring::load(folder)?;
    let file = |(path, trusted): (&Path, &crate::token::TrustedKey)| KeyFile {
        id: Some(trusted.key.id()),
        purpose: trusted.purpose,
        place: Place::Trusted,
        encrypted: false,
        path: path.into(),
    };
    Ok(ring.iter().map(file).collect())
}

fn private(folder: &Path, place: Place) -> Result<Vec<KeyFile>, KeyringError> {
    let mut files = Vec::new();
    for path in keyring::list(folder)? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let named = KeyPurpose::ALL.into_iter().find_map(|purpose| {
            let rest = name.strip_prefix(purpose.as_str())?.strip_prefix('-')?;
            Some((purpose, rest.parse().ok()))
        });
        // A file of no purpose is the keyring's to complain about, when it signs.
        let Some((purpose, id_by_name)) = named else { continue };
        let (id, encrypted) = match keyring::read_private(&path, None) {
            Ok(key) => (Some(key.verifying_key().id()), false),
            Err(KeyringError::File { source: KeyFileError::PassphraseNeeded, .. }) => {
                (id_by_name, true)
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
    fn keys_are_listed_with_their_place_and_their_lock() {
        let root = tempfile::tempdir().unwrap();
        let (trusted, signing) = (root.path().join("trusted"), root.path().join("signing"));
        let [first, locked, admin] = [1, 2, 3].map(|seed| SigningKey::from_seed(&[seed; 32]));
        let lock = Encryption { passphrase: "correct horse", salt: [1; 16], iv: [2; 16] };
        write_new(&trusted, &signing, KeyPurpose::Profile, &first, None).unwrap();
        write_new(&trusted, &signing, KeyPurpose::Profile, &locked, Some(&lock)).unwrap();
        write_new(&trusted, &signing, KeyPurpose::Admin, &admin, None).unwrap();
        retire(&signing, first.verifying_key().id(), None).unwrap();
        let files = list(&Keys { trusted, signing: Some(signing) }).unwrap();
        let seen = |key: &SigningKey| -> Vec<_> {
            let id = Some(key.verifying_key().id());
            let of_key = files.iter().filter(|file| file.id == id);
            of_key.map(|file| (file.purpose, file.place, file.encrypted)).collect()
        };
        let (profile, admin_purpose) = (KeyPurpose::Profile, KeyPurpose::Admin);
        assert_eq!(
            seen(&first),
            [(profile, Place::Trusted, false), (profile, Place::Retired, false)]
        );
        assert_eq!(
            seen(&locked),
            [(profile, Place::Signing, true), (profile, Place::Trusted, false)]
        );
        assert_eq!(
            seen(&admin),
            [(admin_purpose, Place::Signing, false), (admin_purpose, Place::Trusted, false)]
        );
    }
}
