//! Reading the files of a source: bounded, wiped after use, and stamped.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::{FileStamp, Fingerprint, ProfileError};

/// The most bytes a profile may have: OpenVPN 3's core takes no longer one.
///
/// Source: openvpn3, `openvpn/client/cliconstants.hpp`, `MAX_PROFILE_SIZE`.
pub(super) const PROFILE_LEN_MAX: usize = 262_144;

/// The most bytes any file of a source may have. `index.txt` has some 100
/// bytes a certificate, so this holds well over 100,000 of them.
const FILE_LEN_MAX: u64 = 16 * 1024 * 1024;

/// Reads the text file at `path`, without a byte order mark and with plain
/// line feeds.
///
/// # Errors
///
/// [`ProfileError::Io`] if it cannot be read or is no regular file,
/// [`ProfileError::FileTooLong`] past 16 MiB, [`ProfileError::NotUtf8`].
pub(super) fn read_text(path: &Path) -> Result<Zeroizing<String>, ProfileError> {
    let bytes = read_bytes(path)?;
    normalise(&bytes).ok_or_else(|| ProfileError::NotUtf8 { path: path.to_owned() })
}

/// Reads the text file at `path` to the byte, for a format in which a last
/// line that is open means that the file was cut.
pub(super) fn read_text_as_it_is(path: &Path) -> Result<String, ProfileError> {
    let bytes = read_bytes(path)?;
    let text = std::str::from_utf8(&bytes).map(str::to_owned);
    text.map_err(|_| ProfileError::NotUtf8 { path: path.to_owned() })
}

/// Returns `bytes` as text without a byte order mark and with plain line
/// feeds, the last line closed; `None` if they are no UTF-8.
pub(super) fn normalise(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // It is as long as it will ever get, so no copy is left behind unwiped.
    let mut normal = Zeroizing::new(String::with_capacity(text.len() + 1));
    for line in text.lines() {
        normal.push_str(line);
        normal.push('\n');
    }
    Some(normal)
}

/// Returns what the files at `paths` look like from outside, in their order.
pub(super) fn fingerprint<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Fingerprint {
    Fingerprint(paths.into_iter().map(stamp).collect())
}

/// A file's change time moves with every write, rename and change of rights,
/// and unlike its modification time cannot be set back.
fn stamp(path: &Path) -> Option<FileStamp> {
    let meta = fs::metadata(path).ok()?;
    Some(FileStamp {
        inode: meta.ino(),
        len: meta.len(),
        changed_s: meta.ctime(),
        changed_ns: meta.ctime_nsec(),
    })
}

fn read_bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, ProfileError> {
    let io = |source| ProfileError::Io { path: path.to_owned(), source };
    let too_long = || ProfileError::FileTooLong { path: path.to_owned(), len_max: FILE_LEN_MAX };
    // Asked before opening, because opening a named pipe would wait for ever.
    let meta = fs::metadata(path).map_err(io)?;
    if !meta.is_file() {
        return Err(io(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")));
    }
    if meta.len() > FILE_LEN_MAX {
        return Err(too_long());
    }
    // Room to spare, so that reading a file of the length told does not move
    // the bytes and leave a copy behind.
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
    fn windows_line_ends_and_a_byte_order_mark_are_taken_off() {
        let text = normalise("\u{feff}client\r\nremote x 1194".as_bytes()).unwrap();
        assert_eq!(text.as_str(), "client\nremote x 1194\n");
        assert_eq!(normalise(b"").unwrap().as_str(), "");
        assert!(normalise(b"\xff\xfe").is_none());
    }

    #[test]
    fn a_folder_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read_text(dir.path()), Err(ProfileError::Io { .. })));
        assert!(matches!(read_text(&dir.path().join("none")), Err(ProfileError::Io { .. })));
    }

    #[test]
    fn every_way_to_change_a_file_changes_its_fingerprint() {
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
        // Same length, another file: what an editor or `install` leaves.
        fs::write(dir.path().join("b"), "seven").unwrap();
        fs::rename(dir.path().join("b"), &path).unwrap();
        assert_ne!(now(), longer);
    }
}
