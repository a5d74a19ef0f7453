//! Writes new keys to disk, and retires them.

use std::path::{Path, PathBuf};

use crate::token::{KeyId, KeyPurpose, SigningKey, TrustedKey};

use super::{
    Encryption, Keyring, KeyringError, SigningKeys, disk, encode_private, encode_public,
    purpose_and_id,
};

/// The directory inside the signing directory for retired keys.
pub const RETIRED: &str = "retired";

/// The files of a new key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyPair {
    /// The private key file.
    pub private: PathBuf,
    /// The public key file.
    pub public: PathBuf,
}

/// Writes `key` durably: the private half as `<signing>/<purpose>-<keyid>.pem` with mode 0600, then
/// the public half as `<trusted>/<purpose>/<keyid>.pem`. Creates missing directories.
///
/// A crash in between leaves a signing key that is not trusted.
///
/// # Errors
///
/// [`KeyringError::Exists`] if either file exists, [`KeyringError::Duplicate`] if a trusted key has
/// the same id, and the errors of [`Keyring::load`].
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
    disk::create_directory(&trusted.join(purpose.as_str()), 0o755)?;
    disk::create_directory(signing, 0o700)?;
    if public.symlink_metadata().is_ok() {
        return Err(KeyringError::Exists(public));
    }
    let trusted_key = TrustedKey { purpose, key: *key.verifying_key() };
    Keyring::load(trusted)?.add(public.clone(), trusted_key)?;
    disk::write_new_file(&private, 0o600, &encode_private(key, encryption))?;
    disk::write_new_file(&public, 0o644, &encode_public(key.verifying_key()))?;
    Ok(KeyPair { private, public })
}

/// Moves the private key with this `id` to `<signing>/retired/` and returns its new path. It no
/// longer signs. Its public half must stay trusted until the last of its tokens has expired.
///
/// A file named `<purpose>-<keyid>.pem` is found by its name, so that an encrypted key can be
/// retired without its passphrase. Keys with other names are read with `passphrase`.
///
/// # Errors
///
/// [`KeyringError::NoPrivateKey`] if there is none, [`KeyringError::Exists`] if a retired file has
/// the same name, and the errors of [`SigningKeys::load`].
pub fn retire(
    signing: &Path,
    id: KeyId,
    passphrase: Option<&str>,
) -> Result<PathBuf, KeyringError> {
    let from = find(signing, id, passphrase)?;
    let directory = signing.join(RETIRED);
    disk::create_directory(&directory, 0o700)?;
    let to = directory.join(from.file_name().unwrap_or_default());
    disk::move_file(&from, &to)?;
    Ok(to)
}

fn find(signing: &Path, id: KeyId, passphrase: Option<&str>) -> Result<PathBuf, KeyringError> {
    let has_id = |path: &PathBuf| purpose_and_id(path).is_some_and(|(_, named)| named == Some(id));
    if let Some(path) = disk::list(signing)?.into_iter().find(has_id) {
        return Ok(path);
    }
    SigningKeys::load(signing, passphrase)?
        .iter()
        .find(|stored| stored.key.verifying_key().id() == id)
        .map(|stored| stored.path.clone())
        .ok_or_else(|| KeyringError::NoPrivateKey { path: signing.into(), id })
}
