//! The real disk: a directory of the file system, closed to group and world.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{Disk, DiskFile};

const LOCK: &str = "lock";
const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;

/// A directory on disk.
#[derive(Debug)]
pub struct FileDisk {
    dir: PathBuf,
    lock: Option<File>,
}

impl FileDisk {
    /// Returns the disk for `dir`. Reads and creates nothing.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), lock: None }
    }

    /// Creates the directory (mode 0700) durably. Its parent must exist.
    ///
    /// # Errors
    ///
    /// Any, also if it exists already.
    pub fn create_dir(dir: &Path) -> io::Result<()> {
        DirBuilder::new().mode(DIR_MODE).create(dir)?;
        sync_parent(dir)
    }

    /// Makes the names in the directory `from` durable, and renames it durably to `to`.
    ///
    /// # Errors
    ///
    /// Any; the directory may be renamed or not.
    pub fn rename_dir(from: &Path, to: &Path) -> io::Result<()> {
        File::open(from)?.sync_all()?;
        fs::rename(from, to)?;
        sync_parent(to)
    }

    /// Locks the directory for reading until this value is dropped, and changes nothing in it.
    /// Returns `false` if it is locked for writing. A directory that was never locked has no lock
    /// file; it is then read without a lock.
    ///
    /// # Errors
    ///
    /// Any other error.
    pub fn try_lock_shared(&mut self) -> io::Result<bool> {
        let lock = match File::open(self.path(LOCK)) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(error),
        };
        let locked = lock.try_lock_shared();
        self.keep(lock, locked)
    }

    /// Creates an empty file, as [`Disk::create`] does.
    pub(in crate::ledger) fn create_file(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(FILE_MODE).open(self.path(name))
    }

    /// Keeps a lock that was taken until this value is dropped.
    fn keep(&mut self, lock: File, locked: Result<(), TryLockError>) -> io::Result<bool> {
        match locked {
            Ok(()) => {
                self.lock = Some(lock);
                Ok(true)
            }
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Disk for FileDisk {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn try_lock(&mut self) -> io::Result<bool> {
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(self.path(LOCK))?;
        let locked = lock.try_lock();
        self.keep(lock, locked)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            // All names in use are UTF-8.
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn read(&self, name: &str, len_max: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.path(name))?.take(len_max as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(self.create_file(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    // The parent of a bare name is the empty path.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

impl DiskFile for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        // Continues after a short write and after a signal.
        FileExt::write_all_at(self, bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::sync_data(self)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn reads_back_what_was_written_also_after_a_rename() {
        let dir = tempfile::tempdir().unwrap();
        let disk = FileDisk::new(dir.path());
        let file = disk.create("a").unwrap();
        file.write_all_at(b"0123", 0).unwrap();
        disk.rename("a", "b").unwrap();
        file.write_all_at(b"xy", 1).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir().unwrap();
        assert_eq!(disk.list().unwrap(), ["b"]);
        assert_eq!(disk.read("b", 100).unwrap(), b"0xy3");
        assert_eq!(disk.read("b", 2).unwrap(), b"0x");
        disk.remove("b").unwrap();
        assert_eq!(disk.list().unwrap(), [""; 0]);
    }

    #[test]
    fn creates_files_and_directories_closed_to_group_and_world() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("log");
        FileDisk::create_dir(&dir).unwrap();
        FileDisk::create_dir(&dir).unwrap_err();
        let mut disk = FileDisk::new(&dir);
        disk.create("a").unwrap();
        assert!(disk.try_lock().unwrap());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir), DIR_MODE);
        assert_eq!(mode(&dir.join("a")), FILE_MODE);
        assert_eq!(mode(&dir.join(LOCK)), FILE_MODE);
    }

    #[test]
    fn a_shared_lock_excludes_writers_and_creates_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let disk = || FileDisk::new(dir.path());
        assert!(disk().try_lock_shared().unwrap());
        assert_eq!(disk().list().unwrap(), [""; 0]);
        let mut writer = disk();
        assert!(writer.try_lock().unwrap());
        assert!(!disk().try_lock_shared().unwrap());
        drop(writer);
        let (mut one, mut two) = (disk(), disk());
        assert!(one.try_lock_shared().unwrap() && two.try_lock_shared().unwrap());
        drop(one);
        assert!(!disk().try_lock().unwrap());
        drop(two);
        assert!(disk().try_lock().unwrap());
    }

    #[test]
    fn the_lock_is_exclusive_until_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = FileDisk::new(dir.path());
        let mut second = FileDisk::new(dir.path());
        assert!(first.try_lock().unwrap());
        assert!(!second.try_lock().unwrap());
        drop(first);
        assert!(second.try_lock().unwrap());
    }
}
