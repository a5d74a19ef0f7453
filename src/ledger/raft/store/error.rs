//! The error of a ledger that cannot be created or opened.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::identity::IdentityError;
use super::snapshot_files::SnapshotFileError;
use crate::ledger::log::LogError;
use crate::ledger::snapshot::SnapshotError;

/// Why a ledger could not be created or opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The path of the new ledger exists.
    #[error("{0} already exists")]
    Exists(PathBuf),
    /// The directory has no identity, or a damaged one.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The log cannot be opened.
    #[error("cannot open the log of the ledger {dir}")]
    Log {
        /// The ledger's directory.
        dir: PathBuf,
        /// The error of the log.
        source: LogError,
    },
    /// The newest snapshot cannot be read.
    #[error(transparent)]
    SnapshotFile(#[from] SnapshotFileError),
    /// The newest snapshot has no valid state.
    #[error("cannot read the newest snapshot of the ledger {dir}")]
    Snapshot {
        /// The ledger's directory.
        dir: PathBuf,
        /// The error of the snapshot.
        source: SnapshotError,
    },
    /// The log continues from a snapshot that is missing.
    #[error("the snapshot from which the log of {0} continues is missing")]
    SnapshotMissing(PathBuf),
    /// Group or world can read or write the ledger.
    #[error("{0} can be read or written by group or world")]
    Permissions(PathBuf),
    /// The clone guard shows that the directory is not the one that counted last.
    #[error("the ledger {0} was copied or put back: it may lack uses counted since then")]
    Copied(PathBuf),
    /// The clone guard is damaged.
    #[error("{0} is damaged: it is not known whether the ledger was copied or put back")]
    CloneGuard(PathBuf),
    /// The creation of the ledger was never finished.
    #[error("the ledger {0} was never founded")]
    NotFounded(PathBuf),
    /// The disk failed.
    #[error("cannot {doing} {path}")]
    Io {
        /// The operation, as a verb.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The Raft engine did not start.
    #[error("the ledger does not start: {0}")]
    Engine(String),
}

impl OpenError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    pub(crate) fn log(dir: &Path) -> impl FnOnce(LogError) -> Self {
        let dir = dir.to_owned();
        move |source| Self::Log { dir, source }
    }

    pub(crate) fn engine(error: impl fmt::Display) -> Self {
        Self::Engine(error.to_string())
    }
}
