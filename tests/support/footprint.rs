//! What a folder looks like from outside, to tell whether anything touched it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A file or folder with all that changes when something touches it: its mode,
/// its time of change and its length.
pub(crate) type Footprint = (PathBuf, u32, i64, u64);

/// Returns every file below `folder`, sorted.
pub(crate) fn footprints(folder: &Path) -> Vec<Footprint> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
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
