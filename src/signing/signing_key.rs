//! Chooses the key that signs, and reads it.

use std::io::ErrorKind;
use std::path::Path;

use super::key_files::{self, KeyFile};
use super::passphrase::Passphrase;
use crate::failure::Failure;
use crate::keyring::{self, KeyFileError, KeyringError, SigningKeys};
use crate::token::{KeyId, KeyPurpose, SigningKey};

/// Reads the signing key for `purpose` with `id` in `directory`, or without an id the newest one.
pub(crate) fn load(
    directory: &Path,
    purpose: KeyPurpose,
    id: Option<KeyId>,
    passphrase: &Passphrase,
) -> Result<SigningKey, Failure> {
    let found = match id {
        Some(id) => by_id(directory, purpose, id, passphrase),
        None => newest(directory, purpose, passphrase),
    };
    Ok(found?)
}

/// Reads only the key with this id, because others may have other passphrases.
fn by_id(
    directory: &Path,
    purpose: KeyPurpose,
    id: KeyId,
    passphrase: &Passphrase,
) -> Result<SigningKey, KeyringError> {
    let matches = |file: &KeyFile| file.purpose == purpose && file.id == Some(id);
    let file = key_files::signing(directory)?.into_iter().find(matches).ok_or_else(|| {
        KeyringError::NoSigningKey { path: directory.into(), purpose, id: Some(id) }
    })?;
    keyring::read_private(&file.path, passphrase.as_str())
}

fn newest(
    directory: &Path,
    purpose: KeyPurpose,
    passphrase: &Passphrase,
) -> Result<SigningKey, KeyringError> {
    let keys = SigningKeys::load_for(directory, &[purpose], passphrase.as_str())?;
    let chosen = keys.choose(purpose, None)?;
    Ok(SigningKey::from_seed(&chosen.key.dangerous_seed()))
}

/// Reads the signing key for `purpose` from one file.
pub(crate) fn load_file(
    path: &Path,
    purpose: KeyPurpose,
    passphrase: &Passphrase,
) -> Result<SigningKey, Failure> {
    if let Some((other, _)) = keyring::purpose_and_id(path).filter(|(other, _)| *other != purpose) {
        return Err(Failure::say(
            format!("{} is a key for {other} tokens", path.display()),
            format!("name a key for {purpose} tokens: `jeton key list` lists all keys"),
        ));
    }
    Ok(keyring::read_private(path, passphrase.as_str())?)
}

impl From<KeyringError> for Failure {
    fn from(error: KeyringError) -> Self {
        Self::new(&error, hint(&error))
    }
}

/// Returns the hint if there is no key for `purpose`.
fn no_key(purpose: KeyPurpose) -> String {
    format!(
        "`jeton key list` lists all keys; `jeton key new --purpose {purpose}` makes one: copy its \
         public half into the directory {purpose} of `keys.trusted` on every node and reload the \
         nodes"
    )
}

fn hint(error: &KeyringError) -> String {
    let hint = match error {
        KeyringError::NoSigningKey { purpose, .. } => return no_key(*purpose),
        KeyringError::File { source: KeyFileError::PassphraseNeeded, .. } => {
            "pass it with --passphrase-file FILE or in the variable JETON_PASSPHRASE, or choose \
             another key with `--key ID`"
        }
        KeyringError::File { source: KeyFileError::WrongPassphrase, .. } => {
            "is it the passphrase of another key? `--key ID` chooses a key, `jeton key list` lists all"
        }
        KeyringError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            "run this as the user that owns the keys, or as root"
        }
        KeyringError::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
            "`jeton init` creates the directories and first keys; for a node that joined, copy them \
             from another machine; [keys] in the configuration names the directories"
        }
        KeyringError::Io { .. } => "check the disk and the permissions",
        KeyringError::Exposed { .. } | KeyringError::Writable { .. } => {
            "find out who could have read or changed it; after a theft, make a new key and revoke this one"
        }
        KeyringError::NoPrivateKey { .. } => "`jeton key list` lists all keys",
        KeyringError::Ambiguous { .. } => {
            "`--key ID` chooses one, `jeton key retire ID` retires one"
        }
        KeyringError::File { .. }
        | KeyringError::NotAFile { .. }
        | KeyringError::TooLarge { .. }
        | KeyringError::NoPurpose { .. }
        | KeyringError::Duplicate { .. }
        | KeyringError::Exists { .. } => {
            "move the file out of the key directories; `jeton key new` makes a new key"
        }
    };
    hint.to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::keyring::write_new;

    fn directories() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let (trusted, signing) = (root.path().join("trusted"), root.path().join("signing"));
        (root, trusted, signing)
    }

    #[test]
    fn loads_a_key_by_id_and_by_file() {
        let (_root, trusted, signing) = directories();
        let key = SigningKey::from_seed(&[1; 32]);
        let id = key.verifying_key().id();
        let pair = write_new(&trusted, &signing, KeyPurpose::Profile, &key, None).unwrap();
        for requested in [None, Some(id)] {
            let found =
                load(&signing, KeyPurpose::Profile, requested, &Passphrase::none()).unwrap();
            assert_eq!(found.verifying_key().id(), id);
        }
        let found = load_file(&pair.private, KeyPurpose::Profile, &Passphrase::none()).unwrap();
        assert_eq!(found.verifying_key().id(), id);
    }

    #[test]
    fn a_missing_key_is_reported_with_its_purpose() {
        let (_root, trusted, signing) = directories();
        let key = SigningKey::from_seed(&[3; 32]);
        write_new(&trusted, &signing, KeyPurpose::Profile, &key, None).unwrap();
        let missing = load(&signing, KeyPurpose::Admin, None, &Passphrase::none()).unwrap_err();
        let hint = missing.hint();
        assert!(hint.contains("`jeton key new --purpose admin` makes one"), "{hint}");
        assert!(hint.contains("directory admin of `keys.trusted`"), "{hint}");
        assert!(hint.contains("reload the nodes"), "{hint}");
    }

    #[test]
    fn refuses_a_key_for_another_purpose() {
        let (_root, trusted, signing) = directories();
        let key = SigningKey::from_seed(&[2; 32]);
        let pair = write_new(&trusted, &signing, KeyPurpose::Admin, &key, None).unwrap();
        let id = Some(key.verifying_key().id());
        let refused =
            load(&signing, KeyPurpose::Profile, id, &Passphrase::none()).unwrap_err().to_string();
        assert!(refused.contains("no profile signing key"), "{refused}");
        assert!(refused.contains("`jeton key new --purpose profile`"), "{refused}");
        let refused =
            load_file(&pair.private, KeyPurpose::Profile, &Passphrase::none()).unwrap_err();
        assert!(refused.to_string().contains("is a key for admin tokens"), "{refused}");
    }
}
