//! merge: where the rooms that are written at the same time are connected. Each
//! function becomes one call; then this file goes.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::failure::Failure;
use crate::config::Profiles;
use crate::token::{KeyPurpose, SigningKey, UnixSeconds};

/// merge: `keyring::write_new(trusted, signing, purpose, key, None)`.
pub(crate) fn write_key(
    trusted: &Path,
    signing: &Path,
    purpose: KeyPurpose,
    key: &SigningKey,
) -> Result<(), Failure> {
    let id = key.verifying_key().id();
    let seed = key.dangerous_seed();
    let private = [
        b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".as_slice(),
        seed.as_slice(),
    ];
    let public = [
        b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00".as_slice(),
        &key.verifying_key().to_bytes(),
    ];
    let pem = |label: &str, der: &[&[u8]]| {
        let text = BASE64_STANDARD.encode(der.concat());
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    };
    let write = |path: PathBuf, mode: u32, text: &str| -> io::Result<()> {
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    let trusted = trusted.join(purpose.as_str()).join(format!("{id}.pem"));
    let signing = signing.join(format!("{purpose}-{id}.pem"));
    write(signing, 0o600, &pem("PRIVATE KEY", &private))
        .and_then(|()| write(trusted, 0o644, &pem("PUBLIC KEY", &public)))
        .map_err(|error| Failure::new(&error, "is the disk full?"))
}

/// merge: `keyring::Keyring::load(folder)`, whether it has a profile key.
pub(crate) fn trusted_faults(folder: &Path) -> Vec<String> {
    match fs::read_dir(folder.join("profile")).map(Iterator::count) {
        Ok(1..) => Vec::new(),
        Ok(0) => vec!["`keys.trusted` has no key for profiles".to_owned()],
        Err(error) => vec![format!("`keys.trusted`: cannot read {}: {error}", folder.display())],
    }
}

/// merge: `keyring::SigningKeys::load(folder, None)`, where a missing passphrase
/// is no fault.
pub(crate) fn signing_faults(path: &Path) -> Vec<String> {
    match fs::metadata(path) {
        Ok(_) => Vec::new(),
        Err(error) => vec![format!("`keys.signing`: cannot read {}: {error}", path.display())],
    }
}

/// merge: `profile::EasyRsaFiles::check` or `profile::Directory::open`.
pub(crate) fn profile_faults(profiles: &Profiles) -> Vec<String> {
    let paths = match profiles {
        Profiles::EasyRsa { pki, template, control_key } => {
            let control_key = control_key.as_ref().map(crate::config::ControlKey::path);
            [Some(pki.as_path()), Some(template), control_key]
        }
        Profiles::Directory { root } => [Some(root.as_path()), None, None],
    };
    let fault = |path: &Path| {
        let error = fs::metadata(path).err()?;
        Some(format!("`profiles`: cannot read {}: {error}", path.display()))
    };
    paths.into_iter().flatten().filter_map(fault).collect()
}

/// merge: whatever the ledger room says makes a folder a ledger.
pub(crate) fn ledger_exists(dir: &Path) -> io::Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// merge: `ledger::raft::create(dir, born_at, ids)`.
pub(crate) fn create_ledger(dir: &Path, born_at: UnixSeconds) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.and_then(|()| fs::write(dir.join("born_at"), born_at.to_string()))
        .map_err(|error| Failure::new(&error, "is the disk full?"))
}
