//! The interface to the disk, which tests replace with a simulated one.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// One directory of files.
pub trait Disk: fmt::Debug + Send {
    /// Returns the path of the file `name`, for messages.
    fn path(&self, name: &str) -> PathBuf;

    /// Locks the directory until this value is dropped. Returns `false` if it is locked already.
    ///
    /// # Errors
    ///
    /// Any other error.
    fn try_lock(&mut self) -> io::Result<bool>;

    /// Returns the names in the directory, in any order.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] if there is no directory, or any other.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Returns the first bytes of a file, at most `len_max`.
    ///
    /// # Errors
    ///
    /// Any.
    fn read(&self, name: &str, len_max: usize) -> io::Result<Vec<u8>>;

    /// Creates an empty file, or empties the one of that name.
    ///
    /// # Errors
    ///
    /// Any; the file may exist or not.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Renames a file atomically, and replaces any file named `to`.
    ///
    /// # Errors
    ///
    /// Any; the file may be renamed or not.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// Any; the file may be removed or not.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes all created, changed and removed names durable.
    ///
    /// # Errors
    ///
    /// Any; nothing is known then, and the success of a second attempt proves nothing.
    fn sync_dir(&self) -> io::Result<()>;

    /// Replaces the file `name` by one with these bytes, atomically and durably, and returns it.
    /// After a crash or an error, `name` is the old file or the whole new one, and `temporary` may
    /// be left behind.
    ///
    /// # Errors
    ///
    /// Any of the steps.
    fn replace(&self, name: &str, temporary: &str, bytes: &[u8]) -> io::Result<Box<dyn DiskFile>> {
        let file = self.create(temporary)?;
        self.replace_with(name, temporary, &*file, bytes)?;
        Ok(file)
    }

    /// As [`Disk::replace`], with `file`, which the caller has created as `temporary`.
    ///
    /// # Errors
    ///
    /// Any of the steps.
    fn replace_with(
        &self,
        name: &str,
        temporary: &str,
        file: &dyn DiskFile,
        bytes: &[u8],
    ) -> io::Result<()> {
        file.write_all_at(bytes, 0)?;
        file.sync_data()?;
        self.rename(temporary, name)?;
        self.sync_dir()
    }
}

/// A file created by [`Disk::create`]. A rename does not affect it.
pub trait DiskFile: fmt::Debug + Send {
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    ///
    /// Any; any part of the bytes may be written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the written bytes and the length of the file durable.
    ///
    /// # Errors
    ///
    /// Any; nothing is known then, and the success of a second attempt proves nothing.
    fn sync_data(&self) -> io::Result<()>;
}
