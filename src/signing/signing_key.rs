//! Choosing and opening the key that signs. This is one of the two seams to the
//! keyring; the other is [`key_files`].

use std::io::ErrorKind;
use std::path::Path;

use super::key_files::{self, KeyFile};
use super::passphrase::Passphrase;
use crate::failure::Failure;
use crate::keyring::{self, KeyFileError, KeyringError, SigningKeys};
use crate::token::{KeyId, KeyPurpose, SigningKey};

/// Opens the signing key for `purpose` in `folder` that has `id`, or the newest
/// one if no id is asked for.
pub(crate) fn load(
    folder: &Path,
    purpose: KeyPurpose,
    id: Option<KeyId>,
    passphrase: &Passphrase,
) -> Result<SigningKey, Failure> {
    let found = match id {
        Some(id) => by_id(folder, purpose, id, passphrase),
        None => newest(folder, purpose, passphrase),
    };
    found.map_err(|error| explain(&error))
}

/// Opens one key and no other: others may have other passphrases.
fn by_id(
    folder: &Path,
    purpose: KeyPurpose,
    id: KeyId,
    passphrase: &Passphrase,
) -> Result<SigningKey, KeyringError> {
    let asked = |file: &KeyFile| file.purpose == purpose && file.id == Some(id);
    let file = key_files::signing(folder)?
        .into_iter()
        .find(asked)
        .ok_or_else(|| KeyringError::NoSigningKey { path: folder.into(), purpose, id: Some(id) })?;
    keyring::read_private(&file.path, passphrase.as_str())
}

fn newest(
    folder: &Path,
    purpose: KeyPurpose,
    passphrase: &Passphrase,
) -> Result<SigningKey, KeyringError> {
    let keys = SigningKeys::load_for(folder, &[purpose], passphrase.as_str())?;
    let chosen = keys.choose(purpose, None)?;
    Ok(SigningKey::from_seed(&chosen.key.dangerous_seed()))
}

/// Opens the signing key for `purpose` in one file.
pub(crate) fn load_file(
    path: &Path,
    purpose: KeyPurpose,
    passphrase: &Passphrase,
) -> Result<SigningKey, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    for other in KeyPurpose::ALL.into_iter().filter(|other| *other != purpose) {
        if name.starts_with(&format!("{other}-")) {
            return Err(Failure::say(
                format!("{} is a key for {other} tokens", path.display()),
                format!("name a key for {purpose} tokens: `jeton key list` shows them"),
            ));
        }
    }
    keyring::read_private(path, passphrase.as_str()).map_err(|error| explain(&error))
}

/// Says what to do about a key that is refused.
pub(crate) fn explain(error: &KeyringError) -> Failure {
    Failure::new(error, hint(error))
}

/// Says how a key for `purpose` comes to be.
fn no_key(purpose: KeyPurpose) -> String {
    format!(
        "`jeton key list` shows the keys there are; `jeton key new --purpose {purpose}` makes one: \
         copy its public half into the folder {purpose} of `keys.trusted` on every node and reload \
         the nodes"
    )
}

fn hint(error: &KeyringError) -> String {
    let hint = match error {
        KeyringError::NoSigningKey { purpose, .. } => return no_key(*purpose),
        KeyringError::File { source: KeyFileError::PassphraseNeeded, .. } => {
            "give it by --passphrase-file FILE or in the variable JETON_PASSPHRASE, or choose \
             another key by `--key ID`"
        }
        KeyringError::File { source: KeyFileError::WrongPassphrase, .. } => {
            "is it another key's? `--key ID` chooses one key, `jeton key list` shows all"
        }
        KeyringError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            "run this as the user that owns the keys, or as root"
        }
        KeyringError::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
            "`jeton init` makes folders and first keys, and for a node that joined they are copied \
             from another machine; [keys] in the config says where they lie"
        }
        KeyringError::Io { .. } => "look at the disk, and at who may write there",
        KeyringError::Exposed { .. } | KeyringError::Writable { .. } => {
            "ask who could have read or changed it; after a theft, make a new key and revoke this one"
        }
        KeyringError::NoPrivateKey { .. } => "`jeton key list` shows the keys there are",
        KeyringError::Ambiguous { .. } => {
            "`--key ID` chooses one, `jeton key retire ID` takes one out of use"
        }
        KeyringError::File { .. }
        | KeyringError::NotAFile { .. }
        | KeyringError::TooLarge { .. }
        | KeyringError::NoPurpose { .. }
        | KeyringError::Duplicate { .. }
        | KeyringError::Exists { .. } => {
            "move the file out of the keys' folders; `jeton key new` makes a new key"
        }
    };
    hint.to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::keyring::write_new;

    fn folders() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let (trusted, signing) = (root.path().join("trusted"), root.path().join("signing"));
        (root, trusted, signing)
    }

    #[test]
    fn a_key_is_chosen_by_id_and_by_file() {
        let (_root, trusted, signing) = folders();
        let key = SigningKey::from_seed(&[1; 32]);
        let id = key.verifying_key().id();
        let pair = write_new(&trusted, &signing, KeyPurpose::Profile, &key, None).unwrap();
        for asked in [None, Some(id)] {
            let found = load(&signing, KeyPurpose::Profile, asked, &Passphrase::none()).unwrap();
            assert_eq!(found.verifying_key().id(), id);
        }
        let found = load_file(&pair.private, KeyPurpose::Profile, &Passphrase::none()).unwrap();
        assert_eq!(found.verifying_key().id(), id);
    }

    #[test]
    fn a_key_that_is_missing_is_told_with_its_purpose() {
        let (_root, trusted, signing) = folders();
        let key = SigningKey::from_seed(&[3; 32]);
        write_new(&trusted, &signing, KeyPurpose::Profile, &key, None).unwrap();
        let missing = load(&signing, KeyPurpose::Admin, None, &Passphrase::none()).unwrap_err();
        let hint = missing.hint();
        assert!(hint.contains("`jeton key new --purpose admin` makes one"), "{hint}");
        assert!(hint.contains("folder admin of `keys.trusted`"), "{hint}");
        assert!(hint.contains("reload the nodes"), "{hint}");
    }

    #[test]
    fn a_key_for_another_purpose_mints_nothing() {
        let (_root, trusted, signing) = folders();
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
