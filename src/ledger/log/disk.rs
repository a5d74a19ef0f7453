//! The only door to the disk, so that tests can stand behind it.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// One folder of files.
pub trait Disk: fmt::Debug + Send {
    /// Returns how the file `name` is called in messages.
    fn path(&self, name: &str) -> PathBuf;

    /// Takes the folder for this value alone, until it is dropped; `false` if
    /// someone else has it.
    ///
    /// # Errors
    ///
    /// Any but that someone else has it.
    fn try_lock(&mut self) -> io::Result<bool>;

    /// Returns the names in the folder, in any order.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] if there is no folder, or any other.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Returns what a file holds, but at most `len_max` bytes of it.
    ///
    /// # Errors
    ///
    /// Any.
    fn read(&self, name: &str, len_max: usize) -> io::Result<Vec<u8>>;

    /// Makes an empty file, in place of an old one of that name.
    ///
    /// # Errors
    ///
    /// Any; the file may be there or not.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, in place of an old one of that name, at once.
    ///
    /// # Errors
    ///
    /// Any; it may have happened or not.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// Any; it may have happened or not.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Returns once all names made, changed and removed are durable.
    ///
    /// # Errors
    ///
    /// Any; nothing is known then, and a second try proves nothing.
    fn sync_dir(&self) -> io::Result<()>;
}

/// A file made by [`Disk::create`]; a rename does not part them.
pub trait DiskFile: fmt::Debug + Send {
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    ///
    /// Any; any part of it may be written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Returns once all bytes written and the length of the file are durable.
    ///
    /// # Errors
    ///
    /// Any; nothing is known then, and a second try proves nothing.
    fn sync_data(&self) -> io::Result<()>;
}
