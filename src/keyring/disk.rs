//! Key files on disk: checks who else can read or change them, and writes them so that a crash
//! cannot lose them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::token::{SigningKey, VerifyingKey};

use super::{FILE_LEN_MAX, KeyFileError, KeyringError, decode_private, decode_public};

/// Any access by group or others.
const OTHERS: u32 = 0o077;

/// Write access by group or others.
const OTHERS_WRITE: u32 = 0o022;

/// Reads the private key in `path`.
///
/// # Errors
///
/// [`KeyringError`] if group or others can access the file, or if it is not a key that `passphrase`
/// decrypts.
pub fn read_private(path: &Path, passphrase: Option<&str>) -> Result<SigningKey, KeyringError> {
    let text = read(path, |mode| {
        if mode & OTHERS == 0 { Ok(()) } else { Err(KeyringError::Exposed(path.into())) }
    })?;
    decode_private(utf8(path, &text)?, passphrase).map_err(|source| bad_file(path, source))
}

/// Reads the public key in `path`, which only its owner may write to.
pub(super) fn read_public(path: &Path) -> Result<VerifyingKey, KeyringError> {
    let text = read(path, |mode| check_writable(path, mode))?;
    decode_public(utf8(path, &text)?).map_err(|source| bad_file(path, source))
}

/// Lists the `.pem` files in `directory`, sorted.
///
/// # Errors
///
/// [`KeyringError`] if the directory cannot be read, or if group or others can write to it.
pub fn list(directory: &Path) -> Result<Vec<PathBuf>, KeyringError> {
    let metadata = fs::metadata(directory).map_err(io_error("read", directory))?;
    check_writable(directory, metadata.permissions().mode())?;
    let entries = fs::read_dir(directory).map_err(io_error("read", directory))?;
    let mut paths = Vec::new();
    for entry in entries {
        let name = entry.map_err(io_error("read", directory))?.file_name();
        if !name.as_bytes().starts_with(b".") && name.as_bytes().ends_with(b".pem") {
            paths.push(directory.join(name));
        }
    }
    paths.sort();
    Ok(paths)
}

/// Returns the modification time of `path`.
pub(super) fn modified(path: &Path) -> Result<SystemTime, KeyringError> {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.map_err(io_error("read", path))
}

/// Creates `directory` and its parents with `mode`. An existing one stays as it is.
pub(super) fn create_directory(directory: &Path, mode: u32) -> Result<(), KeyringError> {
    let created = DirBuilder::new().recursive(true).mode(mode).create(directory);
    created.map_err(io_error("create", directory))
}

/// Writes a new file with `mode` durably. Rejects an existing file. Removes a file that could not
/// be written completely.
pub(super) fn write_new_file(path: &Path, mode: u32, text: &str) -> Result<(), KeyringError> {
    let mut options = OpenOptions::new();
    let mut file = match options.write(true).create_new(true).mode(mode).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(KeyringError::Exists(path.into()));
        }
        Err(error) => return Err(io_error("write", path)(error)),
    };
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // Report the first error.
        let _ = fs::remove_file(path);
    }
    written.map_err(io_error("write", path))?;
    sync_parent(path)
}

/// Moves `from` to `to` durably. `to` must not exist.
pub(super) fn move_file(from: &Path, to: &Path) -> Result<(), KeyringError> {
    if to.symlink_metadata().is_ok() {
        return Err(KeyringError::Exists(to.into()));
    }
    fs::rename(from, to).map_err(io_error("move", from))?;
    // The new name first: a crash in between may leave both names, never none.
    sync_parent(to)?;
    sync_parent(from)
}

/// Syncs the parent directory of `path`.
fn sync_parent(path: &Path) -> Result<(), KeyringError> {
    // The parent of a bare file name is the empty path.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = parent.unwrap_or_else(|| Path::new("."));
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(io_error("write", directory))
}

/// Reads a whole file if `check` accepts its mode. The mode is that of the open file, so replacing
/// the file in between has no effect.
fn read(
    path: &Path,
    check: impl Fn(u32) -> Result<(), KeyringError>,
) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    // Opening a named pipe would wait for a writer.
    let failed = io_error("read", path);
    if !fs::metadata(path).map_err(&failed)?.is_file() {
        return Err(KeyringError::NotAFile(path.into()));
    }
    let file = File::open(path).map_err(&failed)?;
    check(file.metadata().map_err(&failed)?.permissions().mode())?;
    // One byte more than allowed. The capacity is reserved first, because a growing vector would
    // leave copies that are not wiped.
    let limit = FILE_LEN_MAX + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 32));
    file.take(limit as u64).read_to_end(&mut bytes).map_err(&failed)?;
    if bytes.len() > FILE_LEN_MAX {
        return Err(KeyringError::TooLarge(path.into()));
    }
    Ok(bytes)
}

fn check_writable(path: &Path, mode: u32) -> Result<(), KeyringError> {
    if mode & OTHERS_WRITE == 0 { Ok(()) } else { Err(KeyringError::Writable(path.into())) }
}

fn utf8<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, KeyringError> {
    std::str::from_utf8(bytes).map_err(|_| bad_file(path, KeyFileError::Pem))
}

fn bad_file(path: &Path, source: KeyFileError) -> KeyringError {
    KeyringError::File { path: path.into(), source }
}

/// Returns a function that adds the action and the path to a system error.
fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> KeyringError {
    move |source| KeyringError::Io { action, path: path.into(), source }
}
