//! Metadata of all files in a directory, to check that nothing changed them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The path, mode, nanoseconds of the change time (ctime), and length of a file or directory.
pub(crate) type Footprint = (PathBuf, u32, i64, u64);

/// Returns the footprints of everything below `dir`, sorted by path.
pub(crate) fn footprints(dir: &Path) -> Vec<Footprint> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        let (mode, changed) = (metadata.permissions().mode(), metadata.ctime_nsec());
        found.push((entry.path(), mode, changed, metadata.len()));
        if metadata.is_dir() {
            found.extend(footprints(&entry.path()));
        }
    }
    found.sort();
    found
}
