//! Tells at a start a folder that stayed where it was from one that was copied
//! or put back, which may have forgotten uses.
//!
//! The file `place`, beside the segments of the log, holds the number of its own inode
//! and the moment that inode was made. A copy of it, or one that a backup brought
//! back, has another inode, and still holds the old one. Each start writes it anew, as
//! a new file: so a copy of an earlier start is known too where its bytes were written
//! over the files that were there. A rename of the folder, or another mount of its
//! file system, keeps the inode.
//!
//! It sees files, so it does not see a whole disk that was set back: a snapshot of a
//! file system, of a volume or of a virtual machine. The other nodes do (`runs.rs`).
//!
//! ```text
//! DIR/log/place = "jeton place 1\n", then an Inode as in sealed.rs
//! ```

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{fstatfs, statfs};
use serde::{Deserialize, Serialize};

use super::error::OpenError;
use super::identity::Identity;
use super::sealed;
use crate::ledger::log::{Disk as _, FileDisk, LogError};

const FILE: &str = "log/place";
const UNFINISHED: &str = "log/place.tmp";
const FIRST_LINE: &[u8] = b"jeton place 1\n";

/// File systems that may give a file another number at each mount; virtiofs says that
/// it is FUSE. Source: `linux/magic.h` and the drivers' own headers.
const WITHOUT_LASTING_NUMBERS: [u32; 9] = [
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

/// What tells a file from its copies.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Inode {
    number: u64,
    /// When it was made: seconds since 1970, nanoseconds. Not all file systems know.
    born: Option<(u64, u32)>,
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

    /// What one of the two does not know contradicts nothing.
    fn is_same(self, other: Self) -> bool {
        let born = self.born.zip(other.born);
        self.number == other.number && born.is_none_or(|(one, two)| one == two)
    }
}

/// Refuses a ledger that was copied or put back, or whose file is gone. It changes
/// nothing.
///
/// # Errors
///
/// [`OpenError::Copied`], [`OpenError::Place`] if the file is damaged, and
/// [`OpenError::Io`] if it cannot be read.
pub fn check_place(dir: &Path) -> Result<(), OpenError> {
    let path = dir.join(FILE);
    let read = || {
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A log that is not there at all has a better message of its own.
                let is_expected = lasts(u32::try_from(statfs(dir)?.f_type).ok()) && has_log(dir);
                return Ok(Some(!is_expected));
            }
            file => file?,
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let Some(known) = sealed::decode::<Inode>(FIRST_LINE, &bytes) else { return Ok(None) };
        let is_same = known.is_same(Inode::of(&file.metadata()?));
        Ok(Some(is_same || !lasts(u32::try_from(fstatfs(&file)?.f_type).ok())))
    };
    let is_here: io::Result<Option<bool>> = read();
    match is_here.map_err(OpenError::io("read", &path))? {
        Some(true) => Ok(()),
        Some(false) => Err(OpenError::Copied(dir.to_owned())),
        None => Err(OpenError::Place(path)),
    }
}

/// Writes down that the ledger is in `dir`. Only its owner calls this: the one who
/// made it or has its lock.
pub(crate) fn write_place(dir: &Path) -> Result<(), OpenError> {
    let path = dir.join(FILE);
    let write = || {
        if !lasts(u32::try_from(statfs(dir)?.f_type).ok()) {
            tracing::warn!(
                dir = %dir.display(),
                "this file system gives files no lasting numbers: a ledger that was copied or put \
                 back is not noticed at the start"
            );
            return Ok(());
        }
        let unfinished = dir.join(UNFINISHED);
        // Never the file that is there: the new one has to be another.
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        let inode = Inode::of(&file.metadata()?);
        file.write_all(&sealed::encode(FIRST_LINE, &inode).map_err(io::Error::other)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        File::open(dir.join("log"))?.sync_all()
    };
    let written: io::Result<()> = write();
    written.map_err(OpenError::io("write", &path))
}

/// Believes whoever says that the ledger in `dir` was moved whole, and is the newest
/// and only one. Tells whether that needed saying.
///
/// # Errors
///
/// [`OpenError`] if there is no ledger, or if a node serves it.
pub fn accept_place(dir: &Path) -> Result<bool, OpenError> {
    Identity::read(dir)?;
    let log = dir.join("log");
    let mut disk = FileDisk::new(&log);
    if !disk.try_lock().map_err(OpenError::io("lock", &log))? {
        return Err(OpenError::log(dir)(LogError::Locked));
    }
    let was_here = check_place(dir).is_ok();
    if !was_here {
        write_place(dir)?;
    }
    Ok(!was_here)
}

fn has_log(dir: &Path) -> bool {
    let names = FileDisk::new(dir.join("log")).list();
    names.is_ok_and(|names| names.iter().any(|name| name.parse::<u64>().is_ok()))
}

/// Tells whether a file system of this type keeps the numbers of its files. One that
/// is not known does, as all of the system's own do.
fn lasts(f_type: Option<u32>) -> bool {
    f_type.is_none_or(|f_type| !WITHOUT_LASTING_NUMBERS.contains(&f_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_copied(dir: &Path) -> bool {
        match check_place(dir) {
            Ok(()) => false,
            Err(OpenError::Copied(_)) => true,
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn a_folder_that_is_renamed_is_the_same_and_a_copy_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let [dir, moved, copy] = ["dir", "moved", "copy"].map(|name| parent.path().join(name));
        fs::create_dir_all(dir.join("log")).unwrap();
        assert!(!is_copied(&dir), "there is no log yet");
        fs::write(dir.join("log/00000000000000000001"), "").unwrap();
        assert!(is_copied(&dir), "only the log was put there");
        write_place(&dir).unwrap();
        assert!(!is_copied(&dir));
        fs::rename(&dir, &moved).unwrap();
        assert!(!is_copied(&moved));
        fs::create_dir_all(copy.join("log")).unwrap();
        fs::copy(moved.join(FILE), copy.join(FILE)).unwrap();
        assert!(is_copied(&copy));
        assert!(!is_copied(&moved));
    }

    #[test]
    fn bytes_of_an_earlier_start_are_known_also_where_they_were_written_over() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("log")).unwrap();
        let path = dir.path().join(FILE);
        write_place(dir.path()).unwrap();
        for _ in 0..5 {
            let old = fs::read(&path).unwrap();
            write_place(dir.path()).unwrap();
            assert!(!is_copied(dir.path()));
            let new = fs::read(&path).unwrap();
            fs::write(&path, &old).unwrap();
            assert!(is_copied(dir.path()));
            fs::write(&path, &new).unwrap();
        }
    }

    #[test]
    fn an_inode_that_was_used_again_is_another() {
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
    fn where_numbers_do_not_last_nothing_is_said_about_them() {
        for (f_type, is_lasting) in
            [(0xef53, true), (0x6969, true), (0x6573_5546, false), (0x0102_1997, false)]
        {
            assert_eq!(lasts(Some(f_type)), is_lasting, "{f_type:x}");
        }
        assert!(lasts(None));
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("log")).unwrap();
        write_place(dir.path()).unwrap();
        let path = dir.path().join(FILE);
        let whole = fs::read(&path).unwrap();
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 1;
            fs::write(&path, &damaged).unwrap();
            let refused = check_place(dir.path()).unwrap_err();
            assert!(matches!(refused, OpenError::Place(_)), "byte {index}: {refused:?}");
        }
    }
}
