//! Why the log says no: its surroundings, its bytes, or its caller.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use super::frame::Fault;
use super::head::OPAQUE_LEN_MAX;
use super::segment::{OTHER_LEDGER, VERSION};

/// Why the log could not be opened, or did not take a record.
///
/// It can be cloned, because one failed sync fails everyone who waits for it.
#[derive(Clone, Debug, Error)]
pub enum LogError {
    /// The folder is not there, or holds no segment.
    #[error("there is no log here")]
    Missing,
    /// The folder holds a segment already.
    #[error("there is a log here already")]
    Exists,
    /// Another process, or another part of this one, has the log open.
    #[error("the log is in use by another process")]
    Locked,
    /// The disk failed or is full.
    #[error("cannot {doing} {}", .path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The bytes on disk are not what was written. Nothing was changed.
    #[error("the log is damaged")]
    Damaged(#[from] Damage),
    /// The segment has a format that this program does not know.
    #[error("{} has format version {found}, known is version {VERSION}", .path.display())]
    Version {
        /// The segment.
        path: PathBuf,
        /// What it says.
        found: u32,
    },
    /// A record breaks the rules. Nothing of its batch was taken.
    #[error("a record does not fit the log")]
    Rejected(#[from] ReplayError),
    /// A record is too long for a frame. Nothing of its batch was taken.
    #[error("a record has {len} bytes, at most {len_max} are allowed")]
    TooLong {
        /// Its encoded length in bytes.
        len: usize,
        /// The most bytes a record may have here.
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
    /// Turns what the system said into an error that says what was tried.
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
    /// The byte from which on it does not hold what it must.
    pub offset: u64,
    /// What should be there.
    pub expected: &'static str,
}

impl Damage {
    /// Tells whether the segment is whole, but that of another ledger.
    #[must_use]
    pub fn is_of_another_ledger(&self) -> bool {
        self.expected == OTHER_LEDGER
    }
}

/// Names the file that a fault is in.
pub(super) fn damage(path: PathBuf, fault: Fault) -> Damage {
    Damage { path, offset: fault.offset as u64, expected: fault.expected }
}

/// Why a record does not fit the state before it.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ReplayError {
    /// Entries are consecutive.
    #[error("entry {found} does not follow, {expected} would")]
    Gap {
        /// The one index that would follow.
        expected: u64,
        /// The index of the entry.
        found: u64,
    },
    /// No index follows the highest there is.
    #[error("no entry can follow the last index there is")]
    Full,
    /// What is purged cannot be truncated.
    #[error("entries up to {purged} are purged and cannot be truncated")]
    TruncatesPurged {
        /// The last purged index.
        purged: u64,
    },
    /// A purge never goes back.
    #[error("entries up to {purged} are purged, a purge up to {found} comes too late")]
    PurgesBack {
        /// The last purged index.
        purged: u64,
        /// The index that the record purges up to.
        found: u64,
    },
    /// A vote or a log id is too long to be repeated in a head frame.
    #[error("a vote or log id has {len} bytes, at most {OPAQUE_LEN_MAX} are allowed")]
    OpaqueTooLong {
        /// Its length in bytes.
        len: usize,
    },
}
