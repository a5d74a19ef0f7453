//! Key files on disk: who else could read or change them, and how they are
//! written so that a crash cannot lose them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::token::{SigningKey, VerifyingKey};

use super::{KeyFileError, KeyringError, decode_private, decode_public};

/// The most bytes a key file may have. The largest we write has about 400.
pub const FILE_LEN_MAX: usize = 16 * 1024;

/// Read or write for anyone but the owner.
const OTHERS: u32 = 0o077;

/// Write for anyone but the owner.
const OTHERS_WRITE: u32 = 0o022;

/// Reads the private key in `path`, which nobody but its owner may read.
///
/// # Errors
///
/// [`KeyringError`] if others may read or write the file, or if it holds no key
/// that `passphrase` opens.
pub fn read_private(path: &Path, passphrase: Option<&str>) -> Result<SigningKey, KeyringError> {
    let text = read(path, |mode| {
        if mode & OTHERS == 0 { Ok(()) } else { Err(KeyringError::Exposed { path: path.into() }) }
    })?;
    decode_private(utf8(path, &text)?, passphrase).map_err(|source| bad_file(path, source))
}

/// Reads the public key in `path`, which nobody but its owner may write.
pub(super) fn read_public(path: &Path) -> Result<VerifyingKey, KeyringError> {
    let text = read(path, |mode| check_writable(path, mode))?;
    decode_public(utf8(path, &text)?).map_err(|source| bad_file(path, source))
}

/// Lists the `.pem` files in `folder`, sorted; a folder that does not exist is
/// refused, and so is one that others may write to.
///
/// # Errors
///
/// [`KeyringError`] as said above, or if the folder cannot be read.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, KeyringError> {
    let metadata = fs::metadata(folder).map_err(|source| io_error("read", folder, source))?;
    check_writable(folder, metadata.permissions().mode())?;
    let entries = fs::read_dir(folder).map_err(|source| io_error("read", folder, source))?;
    let mut paths = Vec::new();
    for entry in entries {
        let name = entry.map_err(|source| io_error("read", folder, source))?.file_name();
        if !name.as_bytes().starts_with(b".") && name.as_bytes().ends_with(b".pem") {
            paths.push(folder.join(name));
        }
    }
    paths.sort();
    Ok(paths)
}

/// Returns when the file in `path` was last written.
pub(super) fn modified(path: &Path) -> Result<SystemTime, KeyringError> {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.map_err(|source| io_error("read", path, source))
}

/// Makes `folder` with `mode`, and the folders above it; one that exists stays
/// as it is.
pub(super) fn make_folder(folder: &Path, mode: u32) -> Result<(), KeyringError> {
    let made = DirBuilder::new().recursive(true).mode(mode).create(folder);
    made.map_err(|source| io_error("make", folder, source))
}

/// Writes a new file with `mode` and makes it last. A file that exists is
/// refused; one that could not be written whole is taken away again.
pub(super) fn write_new_file(path: &Path, mode: u32, text: &str) -> Result<(), KeyringError> {
    let mut options = OpenOptions::new();
    let mut file = match options.write(true).create_new(true).mode(mode).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(KeyringError::Exists { path: path.into() });
        }
        Err(source) => return Err(io_error("write", path, source)),
    };
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|source| {
        // The first fault is the one to report.
        let _ = fs::remove_file(path);
        io_error("write", path, source)
    })?;
    sync_folder_of(path)
}

/// Moves `from` to `to`, which must not exist, and makes that last.
pub(super) fn move_file(from: &Path, to: &Path) -> Result<(), KeyringError> {
    if to.symlink_metadata().is_ok() {
        return Err(KeyringError::Exists { path: to.into() });
    }
    fs::rename(from, to).map_err(|source| io_error("move", from, source))?;
    // The new name first: a crash in between may leave two, never none.
    sync_folder_of(to)?;
    sync_folder_of(from)
}

/// Makes the names in the folder of `path` last.
fn sync_folder_of(path: &Path) -> Result<(), KeyringError> {
    // A bare file name has the empty path for its parent.
    let named = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = named.unwrap_or_else(|| Path::new("."));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| io_error("write", folder, source))
}

/// Reads a whole small file whose mode `check` accepts. The mode is that of the
/// open file, so a file put in its place afterwards is not the one that is read.
fn read(
    path: &Path,
    check: impl Fn(u32) -> Result<(), KeyringError>,
) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
    // Opening a named pipe would wait for its writer.
    let failed = |source| io_error("read", path, source);
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(KeyringError::NotAFile { path: path.into() });
    }
    let file = File::open(path).map_err(failed)?;
    check(file.metadata().map_err(failed)?.permissions().mode())?;
    // Room for one byte too many from the start: a vector that grows would
    // leave a copy behind that is not wiped.
    let limit = FILE_LEN_MAX + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 32));
    file.take(limit as u64).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > FILE_LEN_MAX {
        return Err(KeyringError::TooLarge { path: path.into() });
    }
    Ok(bytes)
}

fn check_writable(path: &Path, mode: u32) -> Result<(), KeyringError> {
    if mode & OTHERS_WRITE == 0 {
        Ok(())
    } else {
        Err(KeyringError::Writable { path: path.into() })
    }
}

fn utf8<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, KeyringError> {
    std::str::from_utf8(bytes).map_err(|_| bad_file(path, KeyFileError::Pem))
}

fn bad_file(path: &Path, source: KeyFileError) -> KeyringError {
    KeyringError::File { path: path.into(), source }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> KeyringError {
    KeyringError::Io { action, path: path.into(), source }
}
