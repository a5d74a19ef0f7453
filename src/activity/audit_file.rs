//! The file of the audit log: one JSON object per line, append-only.
//!
//! It holds names and addresses, so only its owner may read it.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use thiserror::Error;

/// Read, write or search, for anyone but the owner.
const OTHERS: u32 = 0o077;

/// Why the audit log cannot be used.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The file cannot be opened or written.
    #[error("cannot write {path}")]
    Io {
        /// The file, or the directory that it would be created in.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Users other than the owner can access the file.
    #[error("{path} has mode {mode:03o}: group or others can access it")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The thread that writes the file cannot be started.
    #[error("cannot start a thread for the audit log")]
    Thread(#[source] io::Error),
}

/// Checks that the file at `path` could be opened. Changes nothing.
///
/// # Errors
///
/// [`AuditError`] if others can access the file, or if it cannot be written or created.
pub fn check_audit_log(path: &Path) -> Result<(), AuditError> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return check_directory(path),
        other => other.map_err(|source| io_error(path, source))?,
    };
    reject_exposed(path, &metadata)?;
    let opened = OpenOptions::new().append(true).open(path);
    opened.map(drop).map_err(|source| io_error(path, source))
}

/// Checks that a file could be created at `path`.
fn check_directory(path: &Path) -> Result<(), AuditError> {
    // A bare file name has the empty path for its parent.
    let named = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = named.unwrap_or_else(|| Path::new("."));
    access(dir, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| io_error(dir, error.into()))
}

/// The open file.
#[derive(Debug)]
pub(super) struct AuditFile {
    file: File,
    /// Whether the last line has no end, because a crash or a full disk cut it.
    is_torn: bool,
}

impl AuditFile {
    /// Opens the file at `path`, or creates it with mode 0600.
    ///
    /// # Errors
    ///
    /// As [`check_audit_log`].
    pub(super) fn open(path: &Path) -> Result<Self, AuditError> {
        let error = |source| io_error(path, source);
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let file = opened.map_err(error)?;
        let metadata = file.metadata().map_err(error)?;
        reject_exposed(path, &metadata)?;
        let is_torn = metadata.is_file() && !ends_with_line(path, metadata.len()).map_err(error)?;
        Ok(Self { file, is_torn })
    }

    /// Appends one line. First ends a line that an error cut short, so that both stay separate.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let before: &[u8] = if self.is_torn { b"\n" } else { b"" };
        let bytes = [before, line, b"\n"].concat();
        let mut left = bytes.as_slice();
        while !left.is_empty() {
            let written = match self.file.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let (done, rest) = left.split_at(written);
            self.is_torn = done.last() != Some(&b'\n');
            left = rest;
        }
        Ok(())
    }

    /// Makes everything written so far durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Rejects a regular file that group or others can access. A pipe to a log collector has its own
/// access control.
fn reject_exposed(path: &Path, metadata: &Metadata) -> Result<(), AuditError> {
    let mode = metadata.mode() & 0o777;
    if metadata.is_file() && mode & OTHERS != 0 {
        return Err(AuditError::Exposed { path: path.to_owned(), mode });
    }
    Ok(())
}

fn ends_with_line(path: &Path, len: u64) -> io::Result<bool> {
    let Some(last) = len.checked_sub(1) else { return Ok(true) };
    let mut byte = [0];
    File::open(path)?.read_exact_at(&mut byte, last)?;
    Ok(byte == *b"\n")
}

fn io_error(path: &Path, source: io::Error) -> AuditError {
    AuditError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn creates_private_files_and_rejects_exposed_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        check_audit_log(&path).unwrap();
        assert!(!path.exists(), "the check creates nothing");
        AuditFile::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        check_audit_log(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(check_audit_log(&path), Err(AuditError::Exposed { mode: 0o640, .. })));
        assert!(matches!(AuditFile::open(&path), Err(AuditError::Exposed { .. })));
    }

    #[test]
    fn rejects_a_path_that_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path().to_owned(), dir.path().join("no/audit.jsonl")] {
            assert!(matches!(check_audit_log(&path), Err(AuditError::Io { .. })), "{path:?}");
            assert!(AuditFile::open(&path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn appends_and_ends_a_torn_line_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        for (line, expected) in [("a", "a\n"), ("b", "a\nb\n")] {
            AuditFile::open(&path).unwrap().append(line.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        }
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"torn").unwrap();
        let mut file = AuditFile::open(&path).unwrap();
        file.append(b"c").unwrap();
        file.append(b"d").unwrap();
        file.sync().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\ntorn\nc\nd\n");
    }
}
