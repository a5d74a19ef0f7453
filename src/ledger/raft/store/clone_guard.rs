//! The clone guard: detects at start that a ledger directory was copied or put back, and may
//! therefore lack uses.
//!
//! The file `place`, next to the segments of the log, holds the number of its own inode and the
//! time at which that inode was created. A copy of the file, or one restored from a backup, has
//! another inode but still holds the old one. Each start writes the file anew, as a new file. A
//! copy of an earlier start is therefore detected even if its bytes were written over the existing
//! files. Renaming the directory or mounting its file system elsewhere keeps the inode.
//!
//! The guard looks at files, so it does not detect that a whole disk was set back: by a snapshot of
//! a file system, a volume or a virtual machine. The other nodes detect that (`incarnations.rs`).
//!
//! ```text
//! DIR/log/place = "jeton place 1\n", then an Inode as in checksummed.rs
//! ```

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{fstatfs, statfs};
use serde::{Deserialize, Serialize};

use super::checksummed;
use super::error::OpenError;
use super::identity::Identity;
use crate::ledger::log::{Disk as _, FileDisk, LogError};

const FILE: &str = "place";
const UNFINISHED: &str = "place.tmp";
const FIRST_LINE: &[u8] = b"jeton place 1\n";

/// File systems that may give a file another inode number at each mount; virtiofs reports itself as
/// FUSE. Source: `linux/magic.h` and the drivers' own headers.
const WITHOUT_STABLE_INODES: [u32; 9] = [
    0x6573_5546, // FUSE
    0x0102_1997, // 9p
    0x517b,      // SMB 1
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB 2 and 3
    0x4d44,      // FAT
    0x2011_bab0, // exFAT
    0xbacb_acbc, // VMware
    0x786f_4256, // VirtualBox
];

/// What distinguishes a file from its copies.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Inode {
    number: u64,
    /// When it was created: seconds since 1970 and nanoseconds. Some file systems do not store it.
    born: Option<(u64, u32)>,
}

/// The result of checking the guard.
enum GuardCheck {
    Original,
    Copy,
    Damaged,
}

impl Inode {
    fn of(metadata: &Metadata) -> Self {
        let since = |at: SystemTime| at.duration_since(UNIX_EPOCH).ok();
        let born = metadata.created().ok().and_then(since);
        Self {
            number: metadata.ino(),
            born: born.map(|born| (born.as_secs(), born.subsec_nanos())),
        }
    }

    /// Compares the creation times only if both are known.
    fn is_same(self, other: Self) -> bool {
        let born = self.born.zip(other.born);
        self.number == other.number && born.is_none_or(|(one, two)| one == two)
    }
}

/// Refuses a ledger that was copied or put back, or whose guard is missing. Changes nothing.
///
/// # Errors
///
/// [`OpenError::Copied`], [`OpenError::CloneGuard`] if the guard is damaged, and [`OpenError::Io`]
/// if it cannot be read.
pub fn check_clone_guard(dir: &Path) -> Result<(), OpenError> {
    let path = log_disk(dir).path(FILE);
    match check(dir, &path).map_err(OpenError::io("read", &path))? {
        GuardCheck::Original => Ok(()),
        GuardCheck::Copy => Err(OpenError::Copied(dir.to_owned())),
        GuardCheck::Damaged => Err(OpenError::CloneGuard(path)),
    }
}

fn check(dir: &Path, path: &Path) -> io::Result<GuardCheck> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A missing log has its own error message.
            let is_copy =
                has_stable_inodes(u32::try_from(statfs(dir)?.f_type).ok()) && has_segment(dir);
            return Ok(if is_copy { GuardCheck::Copy } else { GuardCheck::Original });
        }
        file => file?,
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let Some(stored) = checksummed::decode::<Inode>(FIRST_LINE, &bytes) else {
        return Ok(GuardCheck::Damaged);
    };
    let is_copy = !stored.is_same(Inode::of(&file.metadata()?))
        && has_stable_inodes(u32::try_from(fstatfs(&file)?.f_type).ok());
    Ok(if is_copy { GuardCheck::Copy } else { GuardCheck::Original })
}

/// Writes the guard of the ledger in `dir`. The caller must have created the ledger, or hold its
/// lock.
pub(crate) fn write_clone_guard(dir: &Path) -> Result<(), OpenError> {
    let disk = log_disk(dir);
    let write = || {
        if !has_stable_inodes(u32::try_from(statfs(dir)?.f_type).ok()) {
            tracing::warn!(
                dir = %dir.display(),
                "this file system has no stable inode numbers: the start does not detect that a \
                 ledger was copied or put back"
            );
            return Ok(());
        }
        // The inode of the new file, not of the one that it replaces.
        let file = disk.create_file(UNFINISHED)?;
        let inode = Inode::of(&file.metadata()?);
        let bytes = checksummed::encode(FIRST_LINE, &inode).map_err(io::Error::other)?;
        disk.replace_with(FILE, UNFINISHED, &file, &bytes)
    };
    let written: io::Result<()> = write();
    written.map_err(OpenError::io("write", &disk.path(FILE)))
}

/// Accepts a ledger that was moved as a whole. The caller vouches that it is the newest and only
/// one. Returns `false` if the guard accepts it already; nothing is changed then.
///
/// # Errors
///
/// [`OpenError`] if there is no ledger, or if a node serves it.
pub fn accept_clone(dir: &Path) -> Result<bool, OpenError> {
    Identity::read(dir)?;
    let mut disk = log_disk(dir);
    if !disk.try_lock().map_err(OpenError::io("lock", &dir.join("log")))? {
        return Err(OpenError::log(dir)(LogError::Locked));
    }
    let is_needed = check_clone_guard(dir).is_err();
    if is_needed {
        write_clone_guard(dir)?;
    }
    Ok(is_needed)
}

fn log_disk(dir: &Path) -> FileDisk {
    FileDisk::new(dir.join("log"))
}

fn has_segment(dir: &Path) -> bool {
    let names = log_disk(dir).list();
    names.is_ok_and(|names| names.iter().any(|name| name.parse::<u64>().is_ok()))
}

/// Returns `true` if a file system of this type keeps the inode numbers of its files. Unknown types
/// count as such, because all native file systems do.
fn has_stable_inodes(f_type: Option<u32>) -> bool {
    f_type.is_none_or(|f_type| !WITHOUT_STABLE_INODES.contains(&f_type))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    fn guard(dir: &Path) -> PathBuf {
        dir.join("log/place")
    }

    fn is_copied(dir: &Path) -> bool {
        match check_clone_guard(dir) {
            Ok(()) => false,
            Err(OpenError::Copied(_)) => true,
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn a_renamed_directory_is_the_original_and_a_copy_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let [dir, moved, copy] = ["dir", "moved", "copy"].map(|name| parent.path().join(name));
        fs::create_dir_all(dir.join("log")).unwrap();
        assert!(!is_copied(&dir), "there is no log");
        fs::write(dir.join("log/00000000000000000001"), "").unwrap();
        assert!(is_copied(&dir), "the guard is missing");
        write_clone_guard(&dir).unwrap();
        assert!(!is_copied(&dir));
        fs::rename(&dir, &moved).unwrap();
        assert!(!is_copied(&moved));
        fs::create_dir_all(copy.join("log")).unwrap();
        fs::copy(guard(&moved), guard(&copy)).unwrap();
        assert!(is_copied(&copy));
        assert!(!is_copied(&moved));
    }

    #[test]
    fn the_bytes_of_an_earlier_start_are_a_copy_even_in_the_same_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("log")).unwrap();
        let path = guard(dir.path());
        write_clone_guard(dir.path()).unwrap();
        for _ in 0..5 {
            let old = fs::read(&path).unwrap();
            write_clone_guard(dir.path()).unwrap();
            assert!(!is_copied(dir.path()));
            let new = fs::read(&path).unwrap();
            fs::write(&path, &old).unwrap();
            assert!(is_copied(dir.path()));
            fs::write(&path, &new).unwrap();
        }
    }

    #[test]
    fn a_reused_inode_number_with_another_creation_time_is_another_inode() {
        let here = Inode { number: 7, born: Some((1, 2)) };
        for (other, is_same) in [
            (here, true),
            (Inode { born: None, ..here }, true),
            (Inode { born: Some((1, 3)), ..here }, false),
            (Inode { number: 8, ..here }, false),
        ] {
            assert_eq!(here.is_same(other), is_same, "{other:?}");
        }
    }

    #[test]
    fn fuse_and_9p_have_no_stable_inodes() {
        for (f_type, is_stable) in
            [(0xef53, true), (0x6969, true), (0x6573_5546, false), (0x0102_1997, false)]
        {
            assert_eq!(has_stable_inodes(Some(f_type)), is_stable, "{f_type:x}");
        }
        assert!(has_stable_inodes(None));
    }

    #[test]
    fn a_damaged_guard_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("log")).unwrap();
        write_clone_guard(dir.path()).unwrap();
        let path = guard(dir.path());
        let whole = fs::read(&path).unwrap();
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 1;
            fs::write(&path, &damaged).unwrap();
            let refused = check_clone_guard(dir.path()).unwrap_err();
            assert!(matches!(refused, OpenError::CloneGuard(_)), "byte {index}: {refused:?}");
        }
    }
}
