//! The life of a key on disk: made, and retired.

use std::path::{Path, PathBuf};

use crate::token::{KeyId, KeyPurpose, SigningKey, TrustedKey};

use super::{Encryption, Keyring, KeyringError, SigningKeys, disk, encode_private, encode_public};

/// The folder in the signing folder that retired keys are moved to.
const RETIRED: &str = "retired";

/// Where the two halves of a new key lie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyPair {
    /// The private half.
    pub private: PathBuf,
    /// The public half.
    pub public: PathBuf,
}

/// Writes `key`: the private half as `<signing>/<purpose>-<keyid>.pem` with
/// mode 0600, then the public half as `<trusted>/<purpose>/<keyid>.pem`. Missing
/// folders are made, and both files last when this returns.
///
/// A crash in between leaves a key that signs and that nobody trusts.
///
/// # Errors
///
/// [`KeyringError::Exists`] if either file exists, [`KeyringError::Duplicate`]
/// if a trusted key has the same id, and what [`Keyring::load`] refuses.
pub fn write_new(
    trusted: &Path,
    signing: &Path,
    purpose: KeyPurpose,
    key: &SigningKey,
    encryption: Option<&Encryption<'_>>,
) -> Result<KeyPair, KeyringError> {
    let id = key.verifying_key().id();
    let public = trusted.join(purpose.as_str()).join(format!("{id}.pem"));
    let private = signing.join(format!("{purpose}-{id}.pem"));
    disk::make_folder(&trusted.join(purpose.as_str()), 0o755)?;
    disk::make_folder(signing, 0o700)?;
    if public.symlink_metadata().is_ok() {
        return Err(KeyringError::Exists { path: public });
    }
    let trusted_key = TrustedKey { purpose, key: *key.verifying_key() };
    Keyring::load(trusted)?.add(public.clone(), trusted_key)?;
    disk::write_new_file(&private, 0o600, &encode_private(key, encryption))?;
    disk::write_new_file(&public, 0o644, &encode_public(key.verifying_key()))?;
    Ok(KeyPair { private, public })
}

/// Moves the private key with this `id` to `<signing>/retired/` and returns
/// where it is now. Nothing signs with it any more; its public half stays
/// trusted until the last of its tokens has expired.
///
/// A file named `<purpose>-<keyid>.pem` is taken by its name, so that an
/// encrypted key can be retired without its passphrase; a key under another
/// name is looked for with `passphrase`.
///
/// # Errors
///
/// [`KeyringError::NoPrivateKey`] if there is none, [`KeyringError::Exists`] if a
/// file of that name was retired before, and what [`SigningKeys::load`] refuses.
pub fn retire(
    signing: &Path,
    id: KeyId,
    passphrase: Option<&str>,
) -> Result<PathBuf, KeyringError> {
    let from = find(signing, id, passphrase)?;
    let folder = signing.join(RETIRED);
    disk::make_folder(&folder, 0o700)?;
    let to = folder.join(from.file_name().unwrap_or_default());
    disk::move_file(&from, &to)?;
    Ok(to)
}

fn find(signing: &Path, id: KeyId, passphrase: Option<&str>) -> Result<PathBuf, KeyringError> {
    let names = KeyPurpose::ALL.map(|purpose| signing.join(format!("{purpose}-{id}.pem")));
    let named = disk::list(signing)?.into_iter().find(|path| names.contains(path));
    if let Some(path) = named {
        return Ok(path);
    }
    SigningKeys::load(signing, passphrase)?
        .iter()
        .find(|stored| stored.key.verifying_key().id() == id)
        .map(|stored| stored.path.clone())
        .ok_or_else(|| KeyringError::NoPrivateKey { path: signing.into(), id })
}
