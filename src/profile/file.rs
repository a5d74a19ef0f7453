//! Reads the files of a source, with a size limit. Contents are wiped after use.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::{FileStamp, Fingerprint, ProfileError};
use crate::token::UserName;

/// The most bytes that a profile may have: the OpenVPN 3 core rejects longer ones.
///
/// Source: openvpn3, `openvpn/client/cliconstants.hpp`, `MAX_PROFILE_SIZE`.
pub(super) const PROFILE_LEN_MAX: usize = 262_144;

/// The most bytes that any file of a source may have. `index.txt` has some 100 bytes per
/// certificate, so this is enough for well over 100,000 of them.
const FILE_LEN_MAX: u64 = 16 * 1024 * 1024;

/// Reads the text file at `path` and normalizes it as [`normalize`] does.
///
/// # Errors
///
/// [`ProfileError::Io`] if it cannot be read or is not a regular file,
/// [`ProfileError::FileTooLong`] above 16 MiB, [`ProfileError::NotUtf8`].
pub(super) fn read_text(path: &Path) -> Result<Zeroizing<String>, ProfileError> {
    let bytes = read_bytes(path)?;
    normalize(&bytes).ok_or_else(|| ProfileError::NotUtf8 { path: path.to_owned() })
}

/// Reads the text file at `path` unchanged, for a format in which a missing last line feed means
/// that the file is truncated.
pub(super) fn read_text_verbatim(path: &Path) -> Result<String, ProfileError> {
    let bytes = read_bytes(path)?;
    let text = std::str::from_utf8(&bytes).map(str::to_owned);
    text.map_err(|_| ProfileError::NotUtf8 { path: path.to_owned() })
}

/// Returns `bytes` as text without a byte order mark and with a plain line feed after each line;
/// `None` if they are not UTF-8.
pub(super) fn normalize(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // The capacity suffices, so no reallocation leaves an unwiped copy.
    let mut normal = Zeroizing::new(String::with_capacity(text.len() + 1));
    for line in text.lines() {
        normal.push_str(line);
        normal.push('\n');
    }
    Some(normal)
}

/// Returns the fingerprint of the files at `paths`, in their order.
pub(super) fn fingerprint<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Fingerprint {
    Fingerprint(paths.into_iter().map(stamp).collect())
}

/// Returns the metadata of a file. Each write, rename and change of permissions updates the change
/// time, which unlike the modification time cannot be set.
fn stamp(path: &Path) -> Option<FileStamp> {
    let meta = fs::metadata(path).ok()?;
    Some(FileStamp {
        inode: meta.ino(),
        len: meta.len(),
        changed_s: meta.ctime(),
        changed_ns: meta.ctime_nsec(),
    })
}

/// Returns the user names that, with `suffix`, are names in `directory`. Names that no token can
/// contain are left out.
pub(super) fn file_stems(directory: &Path, suffix: &str) -> Result<Vec<UserName>, ProfileError> {
    let io = |source| ProfileError::Io { path: directory.to_owned(), source };
    let mut users = Vec::new();
    for entry in fs::read_dir(directory).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(suffix));
        users.extend(stem.and_then(|stem| UserName::new(stem).ok()));
    }
    Ok(users)
}

fn read_bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, ProfileError> {
    let io = |source| ProfileError::Io { path: path.to_owned(), source };
    let too_long = || ProfileError::FileTooLong { path: path.to_owned(), len_max: FILE_LEN_MAX };
    // Checked before opening, because opening a named pipe could block forever.
    let meta = fs::metadata(path).map_err(io)?;
    if !meta.is_file() {
        return Err(io(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
    }
    if meta.len() > FILE_LEN_MAX {
        return Err(too_long());
    }
    // Spare capacity, so that reading the file does not reallocate and leave an unwiped copy.
    let capacity = usize::try_from(meta.len()).unwrap_or(0) + 64;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    File::open(path)
        .and_then(|file| file.take(FILE_LEN_MAX + 1).read_to_end(&mut bytes))
        .map_err(io)?;
    if bytes.len() as u64 > FILE_LEN_MAX {
        return Err(too_long());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_carriage_returns_and_a_byte_order_mark() {
        let text = normalize("\u{feff}client\r\nremote x 1194".as_bytes()).unwrap();
        assert_eq!(text.as_str(), "client\nremote x 1194\n");
        assert_eq!(normalize(b"").unwrap().as_str(), "");
        assert!(normalize(b"\xff\xfe").is_none());
    }

    #[test]
    fn a_directory_cannot_be_read_as_a_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read_text(dir.path()), Err(ProfileError::Io { .. })));
        assert!(matches!(read_text(&dir.path().join("none")), Err(ProfileError::Io { .. })));
    }

    #[test]
    fn creating_editing_or_replacing_a_file_changes_its_fingerprint() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let now = || fingerprint([path.as_path()]);
        let missing = now();
        fs::write(&path, "one").unwrap();
        let first = now();
        assert_ne!(first, missing);
        assert_eq!(first, now());
        fs::write(&path, "three").unwrap();
        let longer = now();
        assert_ne!(longer, first);
        // Same length, another inode: editors and `install` replace files like this.
        fs::write(dir.path().join("b"), "seven").unwrap();
        fs::rename(dir.path().join("b"), &path).unwrap();
        assert_ne!(now(), longer);
    }
}
