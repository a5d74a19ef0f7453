//! Snapshots as files.
//!
//! ```text
//! NNNNNNNNNNNNNNNNNNNN.snapshot     named by the index of the last entry in it
//! file = "jeton snapshot file 1\n" | length u64 | crc32 u32 | meta | state
//! meta = postcard of openraft's log id and membership; length and crc are of it
//! state = a snapshot of the state, see ledger/snapshot.rs
//! ```
//!
//! A file is written to `unfinished` and renamed, so it is whole. The newest two are kept. If the
//! newest is damaged, no older one is used: the log between them may be gone.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use crate::ledger::log::Disk;
use crate::ledger::raft::types::SnapshotMeta;

const MAGIC: &[u8] = b"jeton snapshot file 1\n";
const SUFFIX: &str = ".snapshot";
const UNFINISHED: &str = "unfinished";
const KEPT: usize = 2;

/// Why the newest snapshot could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SnapshotFileError {
    /// The disk failed.
    #[error("cannot read the snapshots in {path}")]
    Io {
        /// The directory or the file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The newest snapshot is not what was written.
    #[error("the snapshot {0} is damaged")]
    Damaged(PathBuf),
}

/// A directory of snapshots. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotFiles(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    disk: Mutex<Box<dyn Disk>>,
    newest_len: AtomicU64,
}

impl SnapshotFiles {
    pub(crate) fn new(disk: Box<dyn Disk>) -> Self {
        Self(Arc::new(Inner { disk: Mutex::new(disk), newest_len: AtomicU64::new(0) }))
    }

    /// Returns the length in bytes of the snapshot last read or written.
    pub(crate) fn newest_len(&self) -> u64 {
        self.0.newest_len.load(Ordering::Relaxed)
    }

    /// Writes a snapshot durably.
    pub(crate) fn save(&self, meta: &SnapshotMeta, state: &[u8]) -> io::Result<()> {
        let disk = self.disk();
        let index = meta.last_log_id.map_or(0, |last| last.index());
        let bytes = encode(meta, state)?;
        disk.replace(&format!("{index:020}{SUFFIX}"), UNFINISHED, &bytes)?;
        self.0.newest_len.store(bytes.len() as u64, Ordering::Relaxed);
        let names = names(&**disk)?;
        for old in names.iter().rev().skip(KEPT) {
            disk.remove(old)?;
        }
        Ok(())
    }

    /// Reads the newest snapshot: openraft's metadata, and the encoded state.
    pub(crate) fn newest(&self) -> Result<Option<(SnapshotMeta, Vec<u8>)>, SnapshotFileError> {
        let disk = self.disk();
        let io = |path: PathBuf| move |source| SnapshotFileError::Io { path, source };
        let names = names(&**disk).map_err(io(disk.path("")))?;
        let Some(name) = names.last() else { return Ok(None) };
        let path = disk.path(name);
        let bytes = disk.read(name, usize::MAX).map_err(io(path.clone()))?;
        self.0.newest_len.store(bytes.len() as u64, Ordering::Relaxed);
        decode(&bytes).map(Some).ok_or(SnapshotFileError::Damaged(path))
    }

    fn disk(&self) -> MutexGuard<'_, Box<dyn Disk>> {
        // A panic leaves nothing half changed in memory.
        self.0.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the names of the snapshots, oldest first.
fn names(disk: &dyn Disk) -> io::Result<Vec<String>> {
    let mut names = disk.list()?;
    names.retain(|name| name.ends_with(SUFFIX));
    names.sort();
    Ok(names)
}

fn encode(meta: &SnapshotMeta, state: &[u8]) -> io::Result<Vec<u8>> {
    let meta = postcard::to_stdvec(meta).map_err(io::Error::other)?;
    let length = (meta.len() as u64).to_le_bytes();
    let crc = crc32fast::hash(&meta).to_le_bytes();
    Ok([MAGIC, &length, &crc, &meta, state].concat())
}

fn decode(bytes: &[u8]) -> Option<(SnapshotMeta, Vec<u8>)> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (meta, state) = rest.split_at_checked(length)?;
    if crc32fast::hash(meta) != u32::from_le_bytes(*crc) {
        return None;
    }
    Some((postcard::from_bytes(meta).ok()?, state.to_vec()))
}
