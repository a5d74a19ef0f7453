//! The errors of the log.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use super::VERSION;
use super::frame::Mismatch;
use super::record::OPAQUE_LEN_MAX;

/// Why the log did not open, or did not accept a record.
///
/// It is `Clone` because one failed sync fails all waiting submissions.
#[derive(Clone, Debug, Error)]
pub enum LogError {
    /// The directory is missing or has no segment.
    #[error("there is no log here")]
    Missing,
    /// The directory has a segment already.
    #[error("there is a log here already")]
    Exists,
    /// Another process, or another part of this one, has the log open.
    #[error("the log is in use by another process")]
    Locked,
    /// The disk failed or is full.
    #[error("cannot {doing} {}", .path.display())]
    Io {
        /// The operation, as a verb.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: Arc<io::Error>,
    },
    /// The bytes on disk are not what was written. Nothing was changed.
    #[error("the log is damaged")]
    Damaged(#[from] Damage),
    /// The segment belongs to another ledger. Nothing was changed.
    #[error("{0} belongs to another ledger")]
    OtherLedger(PathBuf),
    /// The segment has an unknown format. Nothing was changed.
    #[error("{} has format version {found}, expected version {VERSION}", .path.display())]
    Version {
        /// The segment.
        path: PathBuf,
        /// The version in its header.
        found: u32,
    },
    /// A record breaks the rules. None of its batch was written.
    #[error("a record does not fit the log")]
    Rejected(#[from] ReplayError),
    /// A record is too long for a frame. None of its batch was written.
    #[error("a record has {len} bytes, at most {len_max} are allowed")]
    TooLong {
        /// Its encoded length in bytes.
        len: usize,
        /// The limit in bytes.
        len_max: usize,
    },
    /// A write, a sync, a rename or a delete failed earlier. Open the log again.
    #[error("the log failed earlier and must be opened again")]
    Poisoned(#[source] Arc<Self>),
    /// The writer has ended.
    #[error("the writer of the log has ended")]
    Ended,
}

impl LogError {
    /// Returns a function that adds the operation and the path to a system error.
    pub(super) fn io(doing: &'static str, path: PathBuf) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path, source: Arc::new(source) }
    }
}

/// What is wrong with the bytes of a segment, and where.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{} is damaged at byte {offset}: expected {expected}", .path.display())]
pub struct Damage {
    /// The segment.
    pub path: PathBuf,
    /// The first byte that is wrong.
    pub offset: u64,
    /// What should be there.
    pub expected: &'static str,
}

/// Returns the damage that `mismatch` is in the segment `path`.
pub(super) fn damage(path: PathBuf, mismatch: Mismatch) -> Damage {
    Damage { path, offset: mismatch.offset as u64, expected: mismatch.expected }
}

/// Why a record does not fit the state before it.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ReplayError {
    /// Entries must be consecutive.
    #[error("entry {found} does not follow, expected {expected}")]
    Gap {
        /// The index that would follow.
        expected: u64,
        /// The index of the entry.
        found: u64,
    },
    /// No index follows `u64::MAX`.
    #[error("no entry can follow the greatest index")]
    Full,
    /// Purged entries cannot be truncated; with the last purged index.
    #[error("entries up to {0} are purged and cannot be truncated")]
    TruncatesPurged(u64),
    /// A purge never goes back.
    #[error("entries up to {purged} are purged already, expected no purge up to {found}")]
    PurgesBack {
        /// The last purged index.
        purged: u64,
        /// The last index of the record.
        found: u64,
    },
    /// A vote or a log id is too long for a head frame; with its length in bytes.
    #[error("a vote or log id has {0} bytes, at most {OPAQUE_LEN_MAX} are allowed")]
    OpaqueTooLong(usize),
}
